#include "sim/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "sim/client.h"
#include "sim/judge.h"
#include "sim/world.h"

/* A connection of the balancer to this node, and its present request. */
struct conn {
	struct peer peer;
	struct http_reader reader;
	struct server *server;
	unsigned port; /* the port that accepted it */
	struct list link;
	struct ask *ask;    /* NULL between requests */
	struct ask *latest; /* the same, also after its end */
	uint64_t counted;   /* bytes sent that are already in the client's responses_gone */
	struct timer delay;
	struct timer idle; /* a node with `closes_idle` closes the connection after it */
	struct timer late; /* the node sends `late_text` after it */
	const char *late_text;
	uint64_t tunnel_n; /* bytes received in a tunnel */
	bool request_over;
	bool interims_sent; /* 1xx responses were sent */
	bool acting;	    /* the action has begun */
	bool responded;	    /* the whole response was written */
	bool settled;	    /* the whole response has been sent */
	bool leaves;	    /* closes when all bytes are sent */
	bool breaks;	    /* likewise, with a reset */
};

#define conn_of(pointer, member) list_entry(pointer, struct conn, member)

static struct dice *conn_dice(struct conn *v)
{
	return &v->server->world->dice;
}

/* --- responding --- */

/* After FIN nothing is sent: a request that came too late gets no response. */
static void conn_say(struct conn *v)
{
	if (v->peer.finishing)
		text_drop(&v->peer.out);
	else
		peer_say(&v->peer);
}

static void next_request(struct conn *v)
{
	struct action *d = &v->ask->action;
	v->ask = NULL;
	v->request_over = v->interims_sent = v->acting = v->responded = v->settled = false;
	if (d->late) {
		v->late_text = d->late;
		timer_set(&v->server->world->wheel, &v->late,
			  io_now_ms(v->server->io) + d->late_ms);
	}
	if (d->closes || d->closes_silently || d->sends_extra)
		peer_finish(&v->peer);
	else if (v->server->world->scenario.closes_idle)
		timer_set(&v->server->world->wheel, &v->idle,
			  io_now_ms(v->server->io) + dice_size(conn_dice(v), 1000));
}

static void conn_end_if_over(struct conn *v)
{
	if (v->ask && v->responded && v->request_over)
		next_request(v);
}

static void conn_send_interims(struct conn *v)
{
	if (!v->interims_sent)
		action_write_interims(&v->ask->action, v->ask, &v->peer.out);
	v->interims_sent = true;
	conn_say(v);
}

static void say_rest(struct conn *v, uint64_t from)
{
	struct ask *a = v->ask;
	action_write_body(&a->action, a, conn_dice(v), &v->peer.out, from, a->action.body_n);
	action_write_end(&a->action, a, &v->peer.out);
	v->responded = true;
	conn_say(v);
	/* The rest of an answered request is read, but only as long as the connection lasts. */
	if (!v->request_over && a->action.closes)
		peer_finish(&v->peer);
	conn_end_if_over(v);
}

static void conn_break_off(struct conn *v)
{
	v->leaves = true;
	v->breaks =
		v->ask->action.fate == FATE_RESET_IN || v->ask->action.fate == FATE_RESET_BEFORE;
	if (peer_has_sent_all(&v->peer))
		peer_close(&v->peer, v->breaks);
}

static void say_part(struct conn *v)
{
	struct ask *a = v->ask;
	struct action *d = &a->action;
	action_write_head(d, a, &v->peer.out);
	action_write_body(d, a, conn_dice(v), &v->peer.out, 0, d->cut_at);
	if (d->fate == FATE_BAD_CHUNK)
		text_print(&v->peer.out, "x\r\n");
	conn_say(v);
	if (d->fate == FATE_RESET_IN || d->fate == FATE_FIN_IN)
		conn_break_off(v);
}

static void say_response(struct conn *v)
{
	struct ask *a = v->ask;
	struct action *d = &a->action;
	action_write_head(d, a, &v->peer.out);
	if (d->tunnel) {
		http_reader_pass(&v->reader);
		conn_say(v);
	} else if (d->both_ways && !v->request_over) {
		action_write_body(d, a, conn_dice(v), &v->peer.out, 0, d->body_n / 2);
		conn_say(v);
	} else {
		say_rest(v, 0);
	}
}

static void conn_act(struct conn *v)
{
	struct ask *a = v->ask;
	a->fates |= 1u << a->action.fate;
	conn_send_interims(v);
	switch (a->action.fate) {
	case FATE_WHOLE:
		say_response(v);
		return;
	case FATE_RESET_BEFORE:
	case FATE_FIN_BEFORE:
		conn_say(v);
		conn_break_off(v);
		return;
	case FATE_RUBBISH:
		text_print(&v->peer.out, "%s", a->action.rubbish);
		conn_say(v);
		return;
	case FATE_RESET_IN:
	case FATE_FIN_IN:
	case FATE_BAD_CHUNK:
	case FATE_STUCK:
		say_part(v);
		return;
	case FATE_SILENT:
		return;
	}
}

static void conn_delay_is_over(struct timer *t)
{
	conn_act(conn_of(t, delay));
}

static void begin_action(struct conn *v)
{
	if (v->acting)
		return;
	v->acting = true;
	unsigned delay_ms = v->ask->action.delay_ms;
	if (delay_ms)
		timer_set(&v->server->world->wheel, &v->delay, io_now_ms(v->server->io) + delay_ms);
	else
		conn_act(v);
}

static void conn_idle_is_over(struct timer *t)
{
	struct conn *v = conn_of(t, idle);
	if (dice_chance(conn_dice(v), 300)) {
		text_print(&v->peer.out,
			   "HTTP/1.1 408 Too Late\r\nX-Farewell: 1\r\nConnection: close\r\n\r\n");
		conn_say(v);
	}
	peer_finish(&v->peer);
}

/* Not within the next response, and not after a FIN, which may wait for a last response. */
static void conn_late_is_over(struct timer *t)
{
	struct conn *v = conn_of(t, late);
	if (v->interims_sent || v->leaves || v->peer.closing || v->peer.finishing)
		return;
	world_tell(v->server->world, "node %u of arm %d sends stray bytes", v->server->number,
		   v->server->arm);
	tally_note(v->server->world, SEEN_LATE);
	text_print(&v->peer.out, "%s", v->late_text);
	conn_say(v);
}

/* --- reading --- */

static void conn_request_head(struct http_reader *r)
{
	struct conn *v = conn_of(r, reader);
	timer_clear(&v->idle);
	if (v->peer.finishing)
		judge_uninvited(v->server->world, v->latest);
	judge_one_at_a_time(v->server->world, v->ask);
	v->ask = v->latest = judge_reached(v->server->world, v->server, r);
	ledger_heard(v->server->world, v->ask, 0);
	r->key = ask_key(v->ask);
	if (v->ask->expects && dice_chance(conn_dice(v), 800))
		conn_send_interims(v);
	if (v->ask->action.moment == AT_HEAD || v->ask->action.both_ways)
		begin_action(v);
}

static void conn_request_body(struct http_reader *r)
{
	struct conn *v = conn_of(r, reader);
	ledger_heard(v->server->world, v->ask, r->body_n);
	if (v->settled && v->ask->action.resets)
		peer_close(&v->peer, true);
	if (v->ask->action.moment == IN_BODY && r->body_n > v->ask->action.after_bytes)
		begin_action(v);
}

static void conn_request_end(struct http_reader *r)
{
	struct conn *v = conn_of(r, reader);
	struct ask *a = v->ask;
	judge_arrived(v->server->world, a, r);
	v->request_over = true;
	bool begun = v->acting && !timer_is_set(&v->delay);
	if (a->action.both_ways && begun && !v->responded && a->action.fate == FATE_WHOLE)
		say_rest(v, a->action.body_n / 2);
	else if (v->responded)
		conn_end_if_over(v);
	else
		begin_action(v);
}

/* In a tunnel the node echoes. */
static void conn_request_raw(struct http_reader *r, const uint8_t *bytes, size_t n)
{
	struct conn *v = conn_of(r, reader);
	uint64_t hang_up_at = v->ask->action.hang_up_at;
	v->tunnel_n += n;
	if (v->peer.finishing) {
		if (!v->ask->action.resets)
			return;
		v->ask->reset_ms = io_now_ms(v->server->io);
		peer_close(&v->peer, true);
		return;
	}
	text_add(&v->peer.out, bytes, n);
	conn_say(v);
	if (hang_up_at && v->tunnel_n >= hang_up_at)
		peer_finish(&v->peer);
}

static const struct http_reader_user http_reader_user = {
	.head = conn_request_head,
	.body = conn_request_body,
	.end = conn_request_end,
	.raw = conn_request_raw,
};

/* --- the connection --- */

static void conn_heard(struct peer *p, const uint8_t *bytes, size_t n)
{
	struct conn *v = conn_of(p, peer);
	/* The node is breaking off, and reads no more. */
	if (v->leaves)
		return;
	http_reader_feed(&v->reader, bytes, n);
	judge_readable(v->server->world, &v->reader, "a node");
	if (v->latest)
		v->latest->request_heard =
			v->reader.state == READ_RAW ? v->tunnel_n : v->reader.body_n;
}

/* The balancer has closed the connection. */
static void judge_leaving(const struct conn *v)
{
	if (v->ask && v->request_over && !v->responded)
		judge_abandoned(v->server->world, v->ask);
}

static void conn_finished(struct peer *p)
{
	struct conn *v = conn_of(p, peer);
	judge_leaving(v);
	timer_clear(&v->delay);
	bool tunnel = v->reader.state == READ_RAW;
	if (!tunnel || peer_has_sent_all(p))
		peer_close(p, false);
	else
		v->leaves = true;
}

static void conn_sent(struct peer *p)
{
	struct conn *v = conn_of(p, peer);
	if (v->leaves)
		peer_close(p, v->breaks);
}

static void conn_broken(struct peer *p)
{
	struct conn *v = conn_of(p, peer);
	judge_leaving(v);
	timer_clear(&v->delay);
}

static void drop_conn(struct conn *v)
{
	timer_clear(&v->delay);
	timer_clear(&v->idle);
	timer_clear(&v->late);
	http_reader_close(&v->reader);
	list_remove(&v->link);
	free(v);
}

static void conn_gone(struct peer *p)
{
	drop_conn(conn_of(p, peer));
}

static const struct peer_user peer_user = {
	.heard = conn_heard,
	.finished = conn_finished,
	.sent = conn_sent,
	.broken = conn_broken,
	.gone = conn_gone,
};

static void open_conn(struct server_port *d, struct sock *sock)
{
	struct server *s = d->server;
	struct world *w = s->world;
	struct conn *v = calloc(1, sizeof *v);
	must(v);
	v->server = s;
	v->port = (unsigned)(d - s->ports);
	if (!w->scenario.prompt[s->arm])
		v->peer.pace = world_pace(w);
	timer_init(&v->delay, conn_delay_is_over);
	timer_init(&v->idle, conn_idle_is_over);
	timer_init(&v->late, conn_late_is_over);
	http_reader_open(&v->reader, &http_reader_user, false);
	list_add_tail(&s->conns, &v->link);
	struct peer_means means = { s->io, &w->wheel, &w->dice };
	peer_accept(&v->peer, &means, &peer_user, sock);
}

/* --- open and close --- */

static void close_port(struct server_port *d)
{
	if (d->sock)
		io_close(d->server->io, d->sock, false);
	d->sock = NULL;
}

static void connection_accepted(struct io_op *op)
{
	struct server_port *d = list_entry(op, struct server_port, accept);
	if (op->result == 0)
		open_conn(d, op->sock);
	if (d->server->leaving)
		close_port(d);
	else
		io_accept(d->server->io, op, d->sock);
}

static struct addr server_address(enum arm arm, unsigned number, unsigned port)
{
	struct addr a = { .v4 = { .sin_family = AF_INET, .sin_port = htons(9200) } };
	a.v4.sin_addr.s_addr = htonl(0x0a010000 + (arm << 12) + (number << 4) + port);
	return a;
}

void server_restart(struct server *s)
{
	s->io = sim_io_open(s->world->sim, &s->bufs);
	for (unsigned i = 0; i < SERVER_PORTS; i++) {
		struct server_port *d = &s->ports[i];
		d->server = s;
		d->at = server_address(s->arm, s->number, i);
		if (!s->there)
			continue;
		d->sock = sim_listen(s->io, &d->at);
		io_op_init(&d->accept, connection_accepted);
		io_accept(s->io, &d->accept, d->sock);
	}
}

void server_open(struct server *s, struct world *w, enum arm arm, unsigned number, bool there)
{
	*s = (struct server){ .world = w, .arm = arm, .number = number, .there = there };
	list_init(&s->conns);
	bufs_open(&s->bufs);
	server_restart(s);
}

void server_turn(struct server *s)
{
	if (!s->io)
		return;
	io_wait(s->io, UINT64_MAX);
	io_dispatch(s->io);
	list_each(l, &s->conns) {
		struct conn *v = list_entry(l, struct conn, link);
		if (v->latest)
			v->latest->client->responses_gone += v->peer.sent_n - v->counted;
		v->counted = v->peer.sent_n;
		v->settled = v->responded && peer_has_sent_all(&v->peer);
	}
}

/* The client has the whole last response, and no request has come since. */
static bool conn_is_idle(const struct conn *v)
{
	return !v->ask && v->latest && v->latest->outcome == ASK_RESPONDED &&
	       peer_is_awake(&v->peer) && !v->peer.at_end && !v->peer.closing;
}

unsigned server_idle_at(const struct server *s, unsigned port)
{
	unsigned n = 0;
	list_each(l, &s->conns) {
		const struct conn *v = list_entry(l, struct conn, link);
		n += v->port == port && conn_is_idle(v);
	}
	return n;
}

void server_crash(struct server *s)
{
	if (!s->io || s->leaving)
		return;
	s->crashed = true;
	sim_crash(s->io);
	io_free(s->io);
	s->io = NULL;
	for (unsigned i = 0; i < SERVER_PORTS; i++)
		s->ports[i].sock = NULL;
	list_each_safe(l, &s->conns) {
		struct conn *v = list_entry(l, struct conn, link);
		peer_forget(&v->peer);
		drop_conn(v);
	}
}

void server_leave(struct server *s)
{
	s->leaving = true;
	for (unsigned i = 0; s->io && i < SERVER_PORTS; i++)
		io_cancel(s->io, &s->ports[i].accept);
}

bool server_has_left(const struct server *s)
{
	bool shut = true;
	for (unsigned i = 0; i < SERVER_PORTS; i++)
		shut = shut && !s->ports[i].sock;
	return s->leaving && shut && list_empty(&s->conns);
}

void server_close(struct server *s)
{
	must(server_has_left(s));
	if (s->io)
		io_free(s->io);
	bufs_close(&s->bufs);
}
