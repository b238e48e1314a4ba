#include "proxy/parking.h"

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"
#include "base/list.h"
#include "http/relay.h"

#define parking_of(pointer, member) list_entry(pointer, struct parking, member)

static bool parking_waits(const struct parking *p)
{
	return !p->back.peer;
}

/* --- the request --- */

/*
 * With Expect: 100-continue this grant makes the client send its body: nothing else shows that the
 * client is still there.
 */
static void parking_front_head(struct stream *to, struct msg *m, bool end)
{
	struct parking *p = parking_of(to, front);
	p->head = m;
	if (!end)
		stream_grant(p->front.peer, PARKED_BODY_BYTES);
	checks(parking_check(p));
}

static void parking_front_data(struct stream *to, struct chain *c, bool end)
{
	struct parking *p = parking_of(to, front);
	(void)end;
	chain_move(&p->pending, c);
	if (!parking_waits(p))
		relay_body(&p->front, &p->back, &p->pending, p->trailers);
	checks(parking_check(p));
}

static void parking_front_trailers(struct stream *to, struct msg *m)
{
	struct parking *p = parking_of(to, front);
	p->trailers = m;
	if (!parking_waits(p))
		relay_body(&p->front, &p->back, &p->pending, p->trailers);
	checks(parking_check(p));
}

static void parking_front_grant(struct stream *to, size_t bytes)
{
	struct parking *p = parking_of(to, front);
	if (!parking_waits(p) && stream_receives(&p->back))
		stream_grant(p->back.peer, bytes);
	checks(parking_check(p));
}

static void parking_front_squeeze(struct stream *to)
{
	struct parking *p = parking_of(to, front);
	p->squeezed = true;
	if (!parking_waits(p) && stream_sends(&p->back))
		stream_squeeze(p->back.peer);
	checks(parking_check(p));
}

/* While the write waits, no stage behind would answer the abort. */
static void parking_front_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct parking *p = parking_of(to, front);
	chain_drop(&p->pending);
	if (parking_waits(p))
		stream_fail(&p->front, why);
	else
		stream_abort_open(&p->back, way, why);
	checks(parking_check(p));
}

static const struct stream_verbs front_verbs = {
	.head = parking_front_head,
	.data = parking_front_data,
	.trailers = parking_front_trailers,
	.grant = parking_front_grant,
	.squeeze = parking_front_squeeze,
	.abort = parking_front_abort,
};

/* --- the response --- */

static void parking_back_head(struct stream *to, struct msg *m, bool end)
{
	stream_head(parking_of(to, back)->front.peer, m, end);
}

static void parking_back_data(struct stream *to, struct chain *c, bool end)
{
	stream_data(parking_of(to, back)->front.peer, c, end);
}

static void parking_back_trailers(struct stream *to, struct msg *m)
{
	stream_trailers(parking_of(to, back)->front.peer, m);
}

static void parking_back_grant(struct stream *to, size_t bytes)
{
	struct parking *p = parking_of(to, back);
	(void)bytes;
	relay_body(&p->front, &p->back, &p->pending, p->trailers);
	relay_grant(&p->front, &p->back, &p->pending);
	checks(parking_check(p));
}

static void parking_back_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct parking *p = parking_of(to, back);
	if (way == STREAM_STOP)
		chain_drop(&p->pending);
	stream_abort_open(&p->front, way, why);
	checks(parking_check(p));
}

static const struct stream_verbs back_verbs = {
	.head = parking_back_head,
	.data = parking_back_data,
	.trailers = parking_back_trailers,
	.grant = parking_back_grant,
	.abort = parking_back_abort,
};

/* --- open and close --- */

struct parking *parking_open(struct arena *arena, const struct stream_tracer *tracer)
{
	struct parking *p = arena_take(arena, sizeof *p);
	*p = (struct parking){ 0 };
	stream_init(&p->front, &front_verbs, "parking");
	stream_init(&p->back, &back_verbs, "parking");
	p->front.tracer = p->back.tracer = tracer;
	return p;
}

void parking_let_go(struct parking *p, struct stream *to)
{
	must(parking_waits(p) && !stream_over(&p->front));
	stream_join(&p->back, to);
	if (p->front.peer->credit)
		stream_grant(to, p->front.peer->credit);
	relay_head(&p->front, &p->back, p->head, &p->pending, p->trailers);
	relay_body(&p->front, &p->back, &p->pending, p->trailers);
	if (p->squeezed && stream_sends(&p->back))
		stream_squeeze(p->back.peer);
	relay_grant(&p->front, &p->back, &p->pending);
	checks(parking_check(p));
}

bool parking_is_over(const struct parking *p)
{
	return stream_over(&p->front) && stream_over(&p->back);
}

void parking_close(struct parking *p)
{
	must(parking_is_over(p));
	chain_drop(&p->pending);
}
