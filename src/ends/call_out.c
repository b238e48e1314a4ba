#include "ends/call_out.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/least.h"

/* --- the end of a call --- */

static void call_out_end(struct call_out *c)
{
	must(c->state == CALL_OUT_ASKING);
	c->state = CALL_OUT_ENDED;
	timer_clear(&c->late);
	list_add_tail(&c->of->ended, &c->link);
}

static void call_out_over(struct call_out *c, enum err why, const char *said)
{
	call_out_end(c);
	c->user->over(c, why, said);
}

void call_outs_sweep(struct call_outs *s)
{
	for (struct list *at; (at = list_take_first(&s->ended));) {
		struct call_out *c = list_entry(at, struct call_out, link);
		free(c->body);
		c->body = NULL;
		arena_close(&c->arena);
		c->state = CALL_OUT_IDLE;
		c->user->gone(c);
	}
}

static void turn_is_over(struct loop_sweep *l)
{
	call_outs_sweep(list_entry(l, struct call_outs, sweep));
}

/* --- as an end of the stream --- */

static struct call_out *call_out_of(struct stream *s)
{
	return list_entry(s, struct call_out, stream);
}

static void on_head(struct stream *to, struct msg *m, bool last)
{
	struct call_out *c = call_out_of(to);
	if (m->status < 200)
		return;
	c->status = m->status;
	c->user->head(c, m);
	if (last && c->state == CALL_OUT_ASKING)
		call_out_over(c, ERR_NONE, "");
}

/* True when this call has filled the buffer. */
static bool call_out_take(struct call_out *c, const struct chain *more)
{
	size_t n = least(more->bytes, c->body_max - c->body_n);
	if (!n)
		return false;
	chain_peek(more, c->body + c->body_n, n);
	c->body_n += n;
	return c->body_n == c->body_max;
}

/*
 * Unwanted body bytes are read all the same, as far as they were granted: a node would log an error
 * if its connection were reset inside a body. The timeout ends a response that is longer than the
 * grant.
 */
static void on_data(struct stream *to, struct chain *more, bool last)
{
	struct call_out *c = call_out_of(to);
	size_t n = more->bytes;
	bool filled = call_out_take(c, more);
	chain_drop(more);
	if (filled)
		c->user->filled(c);
	if (c->state != CALL_OUT_ASKING)
		return;
	if (last)
		call_out_over(c, ERR_NONE, "");
	else if (n && c->body_n < c->body_max && stream_receives(to))
		stream_grant(to->peer, n);
}

static void on_trailers(struct stream *to, struct msg *m)
{
	struct call_out *c = call_out_of(to);
	(void)m;
	if (c->state == CALL_OUT_ASKING)
		call_out_over(c, ERR_NONE, "");
}

static void on_grant(struct stream *to, size_t bytes)
{
	(void)to, (void)bytes;
}

static void on_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct call_out *c = call_out_of(to);
	if (way == STREAM_STOP || c->state != CALL_OUT_ASKING)
		return;
	call_out_over(c, why, wires_said(&c->of->loop->wires, why));
	stream_leave(&c->stream, why);
}

static const struct stream_verbs verbs = {
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.grant = on_grant,
	.abort = on_abort,
};

/* --- the request --- */

static void call_out_is_late(struct timer *t)
{
	struct call_out *c = list_entry(t, struct call_out, late);
	enum err why = pool_is_late(c->stream.peer);
	call_out_over(c, why, wires_said(&c->of->loop->wires, why));
	stream_leave(&c->stream, why);
}

void call_out_init(struct call_out *c, struct call_outs *s, const struct call_out_user *user)
{
	*c = (struct call_out){ .of = s, .user = user };
	list_init(&c->link);
	timer_init(&c->late, call_out_is_late);
}

struct msg *call_out_request(struct call_out *c)
{
	must(c->state == CALL_OUT_IDLE);
	c->state = CALL_OUT_WRITING;
	c->status = 0;
	c->body_n = c->body_max = 0;
	arena_open(&c->arena, &c->of->chunks);
	c->request = arena_take(&c->arena, sizeof *c->request);
	msg_open(c->request, &c->arena, MSG_REQUEST);
	return c->request;
}

void call_out_send(struct call_out *c, struct pool *pool, uint32_t timeout_ms)
{
	struct loop *loop = c->of->loop;
	must(c->state == CALL_OUT_WRITING);
	c->state = CALL_OUT_ASKING;
	timer_set(&loop->wheel, &c->late, loop_now_ms(loop) + timeout_ms);
	stream_init(&c->stream, &verbs, "call_out");
	pool_connect(pool, &c->stream, &c->arena);
	stream_head(c->stream.peer, c->request, true);
	/* The connection may have failed at once. */
	if (stream_receives(&c->stream))
		stream_grant(c->stream.peer, STREAM_CREDIT_BYTES);
}

void call_out_keep(struct call_out *c, size_t bytes_max)
{
	must(c->state == CALL_OUT_ASKING && !c->body && bytes_max);
	c->body = malloc(bytes_max);
	must(c->body);
	c->body_max = bytes_max;
}

void call_out_stop(struct call_out *c, enum err why)
{
	if (c->state != CALL_OUT_ASKING)
		return;
	call_out_end(c);
	stream_leave(&c->stream, why);
}

/* --- open and close --- */

void call_outs_open(struct call_outs *s, struct loop *loop)
{
	*s = (struct call_outs){ .loop = loop };
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 4);
	list_init(&s->ended);
	loop_add_sweep(loop, &s->sweep, turn_is_over);
}

void call_outs_close(struct call_outs *s)
{
	call_outs_sweep(s);
	list_remove(&s->sweep.link);
	slab_close(&s->chunks);
}
