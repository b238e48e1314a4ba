#include "control/service.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"

struct service_listener {
	struct service *service;
	int fd;		   /* owned until `sock` is made; else -1 */
	struct sock *sock; /* owned; NULL: closed, or not made yet */
	struct io_op accept;
	struct timer pause;
	struct tls_context *const *tls; /* borrowed */
	bool local;
	struct list link;
};

static const struct front_policy policy = {
	.head_ms = HEAD_TIMEOUT_MS,
	.idle_ms = IDLE_TIMEOUT_MS,
	.keep_alive_ms = CLIENT_KEEP_ALIVE_MS,
	.tunnel_idle_ms = TUNNEL_IDLE_TIMEOUT_MS,
};

/* --- the end of a call --- */

/* The user still has to respond. */
static bool call_is_served(const struct call *c)
{
	return c->state == CALL_SERVING || c->state == CALL_PIECING;
}

static void call_end_if_over(struct call *c)
{
	if (c->state == CALL_ENDED || call_is_served(c) || !stream_over(&c->stream))
		return;
	c->state = CALL_ENDED;
	reply_stop(&c->reply);
	list_remove(&c->link);
	list_add_tail(&c->service->ended, &c->link);
}

static void service_sweep(struct loop_sweep *l)
{
	struct service *s = list_entry(l, struct service, sweep);
	for (struct list *at; (at = list_take_first(&s->ended));) {
		struct call *c = list_entry(at, struct call, link);
		chain_drop(&c->chain);
		free(c->body_memory);
		arena_close(&c->arena);
		slab_give(&s->calls, c);
	}
}

/* --- responding --- */

struct msg *call_head(struct call *c, unsigned status, struct span type)
{
	must(c->state == CALL_SERVING || c->state == CALL_READING);
	c->response = arena_take(&c->arena, sizeof *c->response);
	msg_open(c->response, &c->arena, MSG_RESPONSE);
	msg_set_status(c->response, status, status_reason(status));
	msg_add(c->response, NAME_CONTENT_TYPE, type);
	return c->response;
}

static bool is_head_only(const struct call *c)
{
	return c->request && c->request->method == METHOD_HEAD;
}

/* The rest of the request is not needed any more. */
static void call_after_response(struct call *c)
{
	stream_abort_open(&c->stream, STREAM_STOP, ERR_NONE);
	call_end_if_over(c);
}

void call_response(struct call *c, struct span body)
{
	struct chain bytes = { 0 };
	must(c->response);
	c->state = CALL_RESPONDING;
	chain_copy_in(&bytes, c->service->loop->bufs, body.at, body.n);
	reply_start(&c->reply, c->stream.peer, c->response, &bytes, is_head_only(c));
	call_after_response(c);
}

/* --- piece by piece --- */

/* Sends as much as the credit allows. The end goes with the last bytes. */
static void call_send_pieces(struct call *c)
{
	struct stream *to = c->stream.peer;
	struct chain part = { 0 };
	if (!stream_sends(&c->stream)) {
		chain_drop(&c->chain);
		return;
	}
	size_t n = least(c->chain.bytes, to->credit);
	chain_move_some(&part, &c->chain, n);
	bool last = c->whole && !c->chain.bytes;
	if (n || last)
		stream_data(to, &part, last);
}

bool call_begin(struct call *c)
{
	bool over = is_head_only(c);
	must(c->state == CALL_SERVING && c->response && chain_empty(&c->chain));
	c->state = over ? CALL_RESPONDING : CALL_PIECING;
	c->response->body = BODY_UNKNOWN;
	stream_head(c->stream.peer, c->response, over);
	call_end_if_over(c);
	return c->state == CALL_PIECING;
}

bool call_say(struct call *c, struct span piece)
{
	must(c->state == CALL_PIECING);
	chain_copy_in(&c->chain, c->service->loop->bufs, piece.at, piece.n);
	call_send_pieces(c);
	return c->state == CALL_PIECING;
}

void call_end(struct call *c)
{
	must(c->state == CALL_PIECING);
	c->state = CALL_RESPONDING;
	c->whole = true;
	call_send_pieces(c);
	call_end_if_over(c);
}

/* The receiver has granted more credit. */
static void call_continue_pieces(struct call *c)
{
	bool waited = c->chain.bytes > 0;
	call_send_pieces(c);
	if (waited && !c->chain.bytes && c->state == CALL_PIECING && c->service->user->taken)
		c->service->user->taken(c);
}

void call_text(struct call *c, unsigned status, struct span type, struct span body)
{
	call_head(c, status, type);
	call_response(c, body);
}

void call_error(struct call *c, enum err why)
{
	must(c->state == CALL_SERVING || c->state == CALL_READING);
	c->state = CALL_RESPONDING;
	reply_error(&c->reply, c->stream.peer, &c->arena, c->service->loop->bufs, why, "",
		    is_head_only(c));
	call_after_response(c);
}

/* --- the request --- */

static void call_split_target(struct call *c)
{
	struct span target = msg_target(c->request);
	const char *mark = memchr(target.at, '?', target.n);
	size_t path_n = mark ? (size_t)(mark - target.at) : target.n;
	c->path = (struct span){ target.at, path_n };
	c->query = mark ? (struct span){ mark + 1, target.n - path_n - 1 } : (struct span){ "", 0 };
}

static void call_request_is_whole(struct call *c)
{
	size_t n = c->chain.bytes;
	c->body_memory = malloc(n + 1);
	must(c->body_memory);
	chain_peek(&c->chain, c->body_memory, n);
	chain_drop(&c->chain);
	c->body_memory[n] = 0;
	c->body = (struct span){ c->body_memory, n };
	c->state = CALL_SERVING;
	c->service->user->serve(c);
}

static void call_send_continue(struct call *c)
{
	struct msg *m = arena_take(&c->arena, sizeof *m);
	msg_open(m, &c->arena, MSG_RESPONSE);
	msg_set_status(m, 100, status_reason(100));
	stream_head(c->stream.peer, m, false);
}

static void call_request_head(struct stream *to, struct msg *m, bool end)
{
	struct call *c = list_entry(to, struct call, stream);
	c->request = m;
	call_split_target(c);
	if (end) {
		call_request_is_whole(c);
		return;
	}
	if (m->tunnel || (m->body == BODY_LENGTH && m->length > c->service->body_bytes_max)) {
		call_error(c, m->tunnel ? ERR_NOT_FOUND : ERR_BODY_SIZE);
		return;
	}
	if (m->expects)
		call_send_continue(c);
	stream_grant(to->peer, STREAM_CREDIT_BYTES);
}

static void call_data(struct stream *to, struct chain *more, bool end)
{
	struct call *c = list_entry(to, struct call, stream);
	size_t n = more->bytes;
	chain_move(&c->chain, more);
	if (c->state != CALL_READING)
		chain_drop(&c->chain);
	else if (c->chain.bytes > c->service->body_bytes_max)
		call_error(c, ERR_BODY_SIZE);
	else if (end)
		call_request_is_whole(c);
	else if (n)
		stream_grant(to->peer, n);
	call_end_if_over(c);
}

static void call_trailers(struct stream *to, struct msg *m)
{
	struct call *c = list_entry(to, struct call, stream);
	(void)m;
	if (c->state == CALL_READING)
		call_request_is_whole(c);
	call_end_if_over(c);
}

static void call_grant(struct stream *to, size_t bytes)
{
	struct call *c = list_entry(to, struct call, stream);
	(void)bytes;
	if (c->state == CALL_PIECING || c->whole)
		call_continue_pieces(c);
	else if (c->state == CALL_RESPONDING)
		reply_go_on(&c->reply);
	call_end_if_over(c);
}

static void call_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct call *c = list_entry(to, struct call, stream);
	if (way == STREAM_RESET && c->state == CALL_READING && stream_sends(to)) {
		call_error(c, err_status(why) ? why : ERR_CUT_REQUEST);
		return;
	}
	if (call_is_served(c) && way == STREAM_STOP) {
		c->state = CALL_RESPONDING;
		c->service->user->gone(c);
	}
	if (way == STREAM_STOP)
		stream_abort_open(to, STREAM_STOP, why);
	call_end_if_over(c);
}

static const struct stream_verbs verbs = {
	.head = call_request_head,
	.data = call_data,
	.trailers = call_trailers,
	.grant = call_grant,
	.abort = call_abort,
};

static struct arena *call_open(const struct front_facts *facts, struct stream *front)
{
	const struct service_listener *l = facts->listener;
	struct service *s = l->service;
	struct call *c = slab_take(&s->calls);
	memset(c, 0, sizeof *c);
	c->service = s;
	c->local = l->local;
	c->sealed = facts->tls;
	c->peer = *facts->peer;
	stream_init(&c->stream, &verbs, "service");
	arena_open(&c->arena, &s->chunks);
	list_init(&c->link);
	list_add_tail(&s->open, &c->link);
	stream_join(&c->stream, front);
	return &c->arena;
}

static void service_connection_gone(const struct front_facts *facts)
{
	const struct service_listener *l = facts->listener;
	l->service->connection_n[l->local]--;
}

static bool client_finished(struct stream *end)
{
	const struct call *c = list_entry(end, struct call, stream);
	const struct service_user *u = c->service->user;
	return u->finished && u->finished(c);
}

static const struct front_user front_user = {
	.open = call_open,
	.gone = service_connection_gone,
	.finished = client_finished,
};

/* --- listening --- */

/* The listener is not freed here: connections that came over it may still refer to it. */
static void listener_close(struct service_listener *l)
{
	timer_clear(&l->pause);
	if (l->sock)
		io_close(l->service->loop->io, l->sock, false);
	if (l->fd >= 0)
		close(l->fd);
	l->sock = NULL;
	l->fd = -1;
}

static bool is_same_kind(const struct front_facts *facts, const void *how)
{
	const struct service_listener *l = facts->listener;
	return l->local == *(const bool *)how;
}

/*
 * When there are too many connections, the one that has been idle for longest is closed for the new
 * one.
 */
static void service_take_connection(struct service_listener *l, struct sock *sock)
{
	struct service *s = l->service;
	if (s->connections_max && s->connection_n[l->local] >= s->connections_max &&
	    !h1_fronts_spare_one(&s->loop->fronts, is_same_kind, &l->local)) {
		io_close(s->loop->io, sock, true);
		return;
	}
	s->connection_n[l->local]++;
	h1_front_open(&s->loop->fronts, &front_user, &policy, l, sock, l->tls ? *l->tls : NULL,
		      &s->loop->budget);
}

static void service_accepted(struct io_op *op)
{
	struct service_listener *l = list_entry(op, struct service_listener, accept);
	struct loop *loop = l->service->loop;
	int result = op->result;
	if (result >= 0 && l->service->stopped)
		io_close(loop->io, op->sock, true);
	else if (result >= 0)
		service_take_connection(l, op->sock);
	if (loop->fronts.stopping)
		listener_close(l);
	else if (result >= 0 || result == -ECONNABORTED)
		io_accept(loop->io, op, l->sock);
	else
		timer_set(&loop->wheel, &l->pause, loop_now_ms(loop) + ACCEPT_PAUSE_MS);
}

static void listener_begin(struct service_listener *l)
{
	struct loop *loop = l->service->loop;
	if (!l->sock)
		l->sock = io_adopt(loop->io, l->fd);
	if (!l->sock) {
		timer_set(&loop->wheel, &l->pause, loop_now_ms(loop) + ACCEPT_PAUSE_MS);
		return;
	}
	l->fd = -1;
	io_accept(loop->io, &l->accept, l->sock);
}

static void listener_pause_is_over(struct timer *t)
{
	listener_begin(list_entry(t, struct service_listener, pause));
}

void service_listen(struct service *s, int fd, bool local, struct tls_context *const *tls)
{
	struct service_listener *l = calloc(1, sizeof *l);
	must(l);
	l->service = s;
	l->local = local;
	l->tls = tls;
	timer_init(&l->pause, listener_pause_is_over);
	io_op_init(&l->accept, service_accepted);
	list_init(&l->link);
	list_add_tail(&s->listeners, &l->link);
	l->fd = fd;
	listener_begin(l);
}

/* --- opening and closing --- */

void service_open(struct service *s, struct loop *loop, const struct service_user *user,
		  void *owner, size_t body_bytes_max)
{
	*s = (struct service){
		.loop = loop, .user = user, .owner = owner, .body_bytes_max = body_bytes_max
	};
	slab_open(&s->calls, sizeof(struct call), 16);
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 8);
	list_init(&s->open);
	list_init(&s->ended);
	list_init(&s->listeners);
	loop_add_sweep(loop, &s->sweep, service_sweep);
}

static void service_stop_listening(struct service *s)
{
	list_each_safe(at, &s->listeners) {
		struct service_listener *l = list_entry(at, struct service_listener, link);
		if (io_op_busy(&l->accept))
			io_cancel(s->loop->io, &l->accept);
		else
			listener_close(l);
	}
}

void service_retire(struct service *s)
{
	h1_fronts_retire(&s->loop->fronts);
	service_stop_listening(s);
}

void service_stop(struct service *s)
{
	s->stopped = true;
	h1_fronts_stop(&s->loop->fronts);
	h1_fronts_abort(&s->loop->fronts);
	service_stop_listening(s);
}

bool service_is_stopped(const struct service *s)
{
	list_each(at, &s->listeners)
		if (list_entry(at, struct service_listener, link)->sock)
			return false;
	return loop_is_quiet(s->loop);
}

void service_close(struct service *s)
{
	must(service_is_stopped(s) && list_empty(&s->open));
	service_sweep(&s->sweep);
	list_remove(&s->sweep.link);
	for (struct list *at; (at = list_take_first(&s->listeners));)
		free(list_entry(at, struct service_listener, link));
	slab_close(&s->chunks);
	slab_close(&s->calls);
}
