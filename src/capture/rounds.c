#include "capture/rounds.h"

#include "base/bug.h"

static struct round *at(struct rounds *r, unsigned i)
{
	return &r->list[(r->first + i) % KAFKA_ROUNDS];
}

bool rounds_have_room(const struct rounds *r)
{
	return r->n < KAFKA_ROUNDS;
}

struct round *rounds_begin(struct rounds *r)
{
	must(rounds_have_room(r));
	r->n++;
	*rounds_last(r) = (struct round){ 0 };
	return rounds_last(r);
}

struct round *rounds_last(struct rounds *r)
{
	must(r->n > 0);
	return at(r, r->n - 1);
}

const struct round *rounds_oldest(const struct rounds *r)
{
	return &r->list[r->first];
}

unsigned rounds_tag(const struct rounds *r, const struct round *one)
{
	return (unsigned)(one - r->list);
}

uint64_t rounds_frames(const struct rounds *r)
{
	uint64_t frames = 0;
	for (unsigned i = 0; i < r->n; i++)
		frames += r->list[(r->first + i) % KAFKA_ROUNDS].frames;
	return frames;
}

struct round *rounds_settled(struct rounds *r, bool all)
{
	bool is_last = r->n == 1;
	if (!r->n || (is_last && !all) || r->list[r->first].out)
		return NULL;
	return at(r, 0);
}

void rounds_drop_oldest(struct rounds *r)
{
	must(r->n > 0);
	position_free(&at(r, 0)->position);
	r->first = (r->first + 1) % KAFKA_ROUNDS;
	r->n--;
}

void rounds_open(struct rounds *r)
{
	r->first = r->n = 0;
	rounds_begin(r);
}

void rounds_close(struct rounds *r)
{
	while (r->n)
		rounds_drop_oldest(r);
}
