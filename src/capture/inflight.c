#include "capture/inflight.h"

#include "base/bug.h"

static struct inflight_run *inflight_at(struct inflight *r, unsigned i)
{
	return &r->list[(r->first + i) % KAFKA_INFLIGHT];
}

bool inflight_have_room(const struct inflight *r)
{
	return r->n < KAFKA_INFLIGHT;
}

struct inflight_run *inflight_begin(struct inflight *r)
{
	must(inflight_have_room(r));
	r->n++;
	*inflight_last(r) = (struct inflight_run){ 0 };
	return inflight_last(r);
}

struct inflight_run *inflight_last(struct inflight *r)
{
	must(r->n > 0);
	return inflight_at(r, r->n - 1);
}

const struct inflight_run *inflight_oldest(const struct inflight *r)
{
	return &r->list[r->first];
}

unsigned inflight_tag(const struct inflight *r, const struct inflight_run *one)
{
	return (unsigned)(one - r->list);
}

uint64_t inflight_frames(const struct inflight *r)
{
	uint64_t frames = 0;
	for (unsigned i = 0; i < r->n; i++)
		frames += r->list[(r->first + i) % KAFKA_INFLIGHT].frames;
	return frames;
}

struct inflight_run *inflight_settled(struct inflight *r, bool all)
{
	bool is_last = r->n == 1;
	if (!r->n || (is_last && !all) || r->list[r->first].out)
		return NULL;
	return inflight_at(r, 0);
}

void inflight_drop_oldest(struct inflight *r)
{
	must(r->n > 0);
	position_free(&inflight_at(r, 0)->position);
	r->first = (r->first + 1) % KAFKA_INFLIGHT;
	r->n--;
}

void inflight_open(struct inflight *r)
{
	r->first = r->n = 0;
	inflight_begin(r);
}

void inflight_close(struct inflight *r)
{
	while (r->n)
		inflight_drop_oldest(r);
}
