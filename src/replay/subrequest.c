#include "replay/subrequest.h"

#include "base/bug.h"
#include "base/least.h"
#include "replay/recorded_head.h"

/* --- the end of a subrequest --- */

static void subrequest_end(struct subrequest *c)
{
	must(c->state == SUBREQUEST_SENT);
	c->state = SUBREQUEST_ENDED;
	timer_clear(&c->late);
	c->more = false;
	chain_drop(&c->body);
	chain_drop(&c->held);
	list_add_tail(&c->of->ended, &c->link);
}

static void subrequest_over(struct subrequest *c, enum err why)
{
	subrequest_end(c);
	c->user->over(c, why);
	/* The rest of a request that has its response already. */
	stream_leave(&c->stream, why == ERR_NONE ? ERR_CANCELED : why);
}

static void subrequests_sweep(struct loop_sweep *l)
{
	struct subrequests *s = list_entry(l, struct subrequests, sweep);
	for (struct list *at; (at = list_take_first(&s->ended));) {
		struct subrequest *c = list_entry(at, struct subrequest, link);
		c->state = SUBREQUEST_IDLE;
		c->request = NULL;
		s->open_n--;
		if (c->user->gone)
			c->user->gone(c);
	}
}

/* --- the subrequest as a party to the stream --- */

static struct subrequest *subrequest_of(struct stream *s)
{
	return list_entry(s, struct subrequest, stream);
}

/*
 * The balancer's own responses name their reason in a field (ends/reply.h): WORD, or
 * WORD; outcome=unknown where a node may act on the request.
 */
static void subrequest_read_reason(struct subrequest *c, const struct msg *m)
{
	struct span word = msg_value(m, NAME_X_CROSSFADE_ERROR);
	const char *more = word.n ? memchr(word.at, ';', word.n) : NULL;
	c->unknown = more;
	if (more)
		word.n = (size_t)(more - word.at);
	c->local = word.n ? err_find(word) : ERR_NONE;
}

static void subrequest_head(struct stream *to, struct msg *m, bool last)
{
	struct subrequest *c = subrequest_of(to);
	if (m->status < 200 || c->state != SUBREQUEST_SENT)
		return;
	c->status = m->status;
	subrequest_read_reason(c, m);
	if (last && c->state == SUBREQUEST_SENT)
		subrequest_over(c, ERR_NONE);
}

/* Gives the user what is held. False: the subrequest rests or has ended. */
static bool subrequest_give(struct subrequest *c)
{
	for (struct span s; c->state == SUBREQUEST_SENT && (s = chain_front(&c->held)).n;) {
		size_t used = c->user->data ? c->user->data(c, s) : s.n;
		if (c->state != SUBREQUEST_SENT)
			return false;
		must(used <= s.n);
		chain_skip(&c->held, used);
		c->ungranted += used;
		if (used < s.n) {
			c->rests = true;
			return false;
		}
	}
	return c->state == SUBREQUEST_SENT;
}

static void subrequest_go_on_reading(struct subrequest *c)
{
	if (!subrequest_give(c))
		return;
	if (c->whole) {
		subrequest_over(c, ERR_NONE);
	} else if (c->ungranted && stream_receives(&c->stream)) {
		size_t n = c->ungranted;
		c->ungranted = 0;
		stream_grant(c->stream.peer, n);
	}
}

static void subrequest_data(struct stream *to, struct chain *more, bool last)
{
	struct subrequest *c = subrequest_of(to);
	if (c->state != SUBREQUEST_SENT) {
		chain_drop(more);
		return;
	}
	chain_move(&c->held, more);
	c->whole |= last;
	if (!c->rests)
		subrequest_go_on_reading(c);
}

void subrequest_resume(struct subrequest *c)
{
	if (c->state != SUBREQUEST_SENT || !c->rests)
		return;
	c->rests = false;
	subrequest_go_on_reading(c);
}

static void subrequest_trailers(struct stream *to, struct msg *m)
{
	struct subrequest *c = subrequest_of(to);
	(void)m;
	c->whole = true;
	if (c->state == SUBREQUEST_SENT && !c->rests)
		subrequest_go_on_reading(c);
}

/* Sends what there is credit for. */
static void subrequest_go_on(struct subrequest *c)
{
	while (c->body.bytes && stream_sends(&c->stream) && c->stream.peer->credit) {
		struct chain piece = { 0 };
		chain_move_some(&piece, &c->body, least(c->body.bytes, c->stream.peer->credit));
		stream_data(c->stream.peer, &piece, !c->body.bytes && !c->more);
	}
	if (c->more && !c->body.bytes && !c->asked && c->state == SUBREQUEST_SENT) {
		c->asked = true;
		c->user->drained(c);
	}
}

static void subrequest_grant(struct stream *to, size_t bytes)
{
	struct subrequest *c = subrequest_of(to);
	(void)bytes;
	if (c->state == SUBREQUEST_SENT)
		subrequest_go_on(c);
}

/* STREAM_STOP: the rest of the request is not wanted, and the response follows. */
static void subrequest_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct subrequest *c = subrequest_of(to);
	if (way == STREAM_STOP) {
		c->more = false;
		chain_drop(&c->body);
		return;
	}
	if (c->state != SUBREQUEST_SENT)
		return;
	subrequest_over(c, why);
}

static const struct stream_verbs subrequest_verbs = {
	.head = subrequest_head,
	.data = subrequest_data,
	.trailers = subrequest_trailers,
	.grant = subrequest_grant,
	.abort = subrequest_abort,
};

static void subrequest_is_late(struct timer *t)
{
	struct subrequest *c = list_entry(t, struct subrequest, late);
	subrequest_over(c, ERR_RESPONSE_TIMEOUT);
}

/* --- a subrequest's life --- */

void subrequest_init(struct subrequest *c, struct subrequests *s,
		     const struct subrequest_user *user)
{
	*c = (struct subrequest){ .of = s, .user = user };
	list_init(&c->link);
	timer_init(&c->late, subrequest_is_late);
}

/* NULL: the plan has no internal listener. */
static struct msg *subrequest_open(struct subrequest *c, enum arm arm)
{
	static const struct addr nobody;
	struct subrequests *s = c->of;
	must(subrequest_is_idle(c));
	const struct front_facts facts = { .peer = &nobody, .number = ++s->numbers, .requests = 1 };
	stream_init(&c->stream, &subrequest_verbs, "replay");
	struct arena *arena = worker_request(s->worker, arm, &facts, &c->stream);
	if (!arena)
		return NULL;
	c->state = SUBREQUEST_WRITING;
	s->open_n++;
	c->status = 0;
	c->local = ERR_NONE;
	c->unknown = false;
	c->body = c->held = (struct chain){ 0 };
	c->ungranted = 0;
	c->rests = c->more = c->asked = c->whole = false;
	c->request = arena_take(arena, sizeof *c->request);
	msg_open(c->request, arena, MSG_REQUEST);
	return c->request;
}

static void subrequest_authorize(struct subrequest *c, enum arm arm)
{
	struct span authorization = worker_plan(c->of->worker)->internal_authorization[arm];
	if (authorization.n)
		msg_set(c->request, NAME_AUTHORIZATION, authorization);
}

struct msg *subrequest_begin(struct subrequest *c, enum arm arm, struct span method,
			     struct span target)
{
	if (!subrequest_open(c, arm))
		return NULL;
	msg_set_request(c->request, method, target);
	msg_add(c->request, NAME_HOST, span_of("crossfade.internal"));
	subrequest_authorize(c, arm);
	return c->request;
}

struct msg *subrequest_begin_recorded(struct subrequest *c, enum arm arm, struct span head)
{
	if (!subrequest_open(c, arm))
		return NULL;
	must(recorded_head_read(c->request, head));
	subrequest_authorize(c, arm);
	return c->request;
}

void subrequest_write(struct subrequest *c, const void *bytes, size_t n)
{
	must(c->state == SUBREQUEST_WRITING);
	chain_copy_in(&c->body, c->of->loop->bufs, bytes, n);
}

/* The head is complete. */
static void subrequest_start(struct subrequest *c, bool end, uint32_t timeout_ms)
{
	struct loop *loop = c->of->loop;
	must(c->state == SUBREQUEST_WRITING);
	c->state = SUBREQUEST_SENT;
	timer_set(&loop->wheel, &c->late, loop_now_ms(loop) + timeout_ms);
	stream_head(c->stream.peer, c->request, end);
	subrequest_go_on(c);
	/* The response may have come already, if the balancer made it. */
	if (c->state == SUBREQUEST_SENT && stream_receives(&c->stream))
		stream_grant(c->stream.peer, STREAM_CREDIT_BYTES);
}

void subrequest_send(struct subrequest *c, struct span type, uint32_t timeout_ms)
{
	if (c->body.bytes) {
		msg_add(c->request, NAME_CONTENT_TYPE, type);
		msg_set_length(c->request, c->body.bytes);
	}
	subrequest_start(c, !c->body.bytes, timeout_ms);
}

void subrequest_send_head(struct subrequest *c, uint64_t bytes, bool has_length,
			  uint32_t timeout_ms)
{
	if (bytes && !has_length)
		c->request->body = BODY_UNKNOWN;
	c->more = bytes;
	subrequest_start(c, !bytes, timeout_ms);
}

void subrequest_send_on(struct subrequest *c, struct span bytes, bool last)
{
	must(bytes.n);
	if (!c->more || c->state != SUBREQUEST_SENT || !stream_sends(&c->stream))
		return;
	c->more = !last;
	c->asked = false;
	chain_copy_in(&c->body, c->of->loop->bufs, bytes.at, bytes.n);
	subrequest_go_on(c);
}

void subrequest_stop(struct subrequest *c)
{
	if (c->state != SUBREQUEST_SENT)
		return;
	subrequest_end(c);
	stream_leave(&c->stream, ERR_CANCELED);
}

/* No byte of the request has reached a node. */
static bool subrequest_was_not_sent(enum err why)
{
	switch (why) {
	case ERR_BACK_REFUSED:
	case ERR_BACK_UNREACHABLE:
	case ERR_BACK_TLS:
	case ERR_BACK_NOT_TLS:
	case ERR_BACK_VERIFY:
	case ERR_BACK_EXPIRED:
	case ERR_BACK_NOT_YET:
	case ERR_BACK_NAME:
	case ERR_BACK_ISSUER:
	case ERR_BACK_WEAK:
	case ERR_LOOP:
	case ERR_NO_ADDRESS:
	case ERR_ALL_DRAINED:
	case ERR_QUEUE_FULL:
	case ERR_QUEUE_TIMEOUT:
	case ERR_CONNECT_TIMEOUT:
	case ERR_HANDSHAKE_TIMEOUT:
	case ERR_OUT_OF_HANDLES:
	case ERR_OUT_OF_PORTS:
	case ERR_NETWORK_DOWN:
	case ERR_NOT_PERMITTED:
		return true;
	default:
		return false;
	}
}

/* A status from 500 may be of a proxy before the cluster, or of a node that has lost another one.
 */
bool subrequest_is_unheard(const struct subrequest *c, enum err why)
{
	why = why == ERR_NONE ? c->local : why;
	if (why == ERR_NONE)
		return c->status >= 500;
	return c->unknown || !subrequest_was_not_sent(why);
}

void subrequests_open(struct subrequests *s, struct worker *w)
{
	*s = (struct subrequests){ .worker = w, .loop = worker_loop(w) };
	list_init(&s->ended);
	loop_add_sweep(s->loop, &s->sweep, subrequests_sweep);
}

void subrequests_close(struct subrequests *s)
{
	must(!s->open_n);
	list_remove(&s->sweep.link);
}
