#include "sim/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "sim/client.h"
#include "sim/judge.h"
#include "sim/world.h"

/* A connection of the balancer's to this node, and the request on it. */
struct visit {
	struct peer peer;
	struct hearer reader;
	struct server *server;
	unsigned door; /* by which it came */
	struct list link;
	struct ask *ask;    /* NULL between requests */
	struct ask *latest; /* the same, and after it */
	uint64_t counted;   /* bytes of what it says that its client is said to be owed */
	struct timer delay;
	struct timer idle; /* after which a fickle node closes */
	struct timer late; /* after which it says what nobody waits for: */
	const char *late_text;
	uint64_t tunnel_n; /* bytes that have come in a tunnel */
	bool request_over;
	bool greeted;  /* 1xx answers were said */
	bool acting;   /* its deed has begun */
	bool answered; /* all of the answer was said */
	bool settled;  /* and has arrived */
	bool leaves;   /* closes when what was said has gone */
	bool breaks;   /* the same with a reset */
};

#define visit_of(pointer, member) list_entry(pointer, struct visit, member)

static struct dice *dice_of(struct visit *v)
{
	return &v->server->world->dice;
}

/* --- answering --- */

/* Behind its FIN nothing is said: what was asked too late gets no answer. */
static void say(struct visit *v)
{
	if (v->peer.finishing)
		text_drop(&v->peer.out);
	else
		peer_say(&v->peer);
}

static void next_request(struct visit *v)
{
	struct deed *d = &v->ask->deed;
	v->ask = NULL;
	v->request_over = v->greeted = v->acting = v->answered = v->settled = false;
	if (d->late) {
		v->late_text = d->late;
		timer_set(&v->server->world->wheel, &v->late,
			  io_now_ms(v->server->io) + d->late_ms);
	}
	if (d->closes || d->slips || d->babbles)
		peer_finish(&v->peer);
	else if (v->server->world->temper.fickle)
		timer_set(&v->server->world->wheel, &v->idle,
			  io_now_ms(v->server->io) + dice_size(dice_of(v), 1000));
}

static void end_if_over(struct visit *v)
{
	if (v->ask && v->answered && v->request_over)
		next_request(v);
}

static void greet(struct visit *v)
{
	if (!v->greeted)
		deed_write_interims(&v->ask->deed, v->ask, &v->peer.out);
	v->greeted = true;
	say(v);
}

static void say_rest(struct visit *v, uint64_t from)
{
	struct ask *a = v->ask;
	deed_write_body(&a->deed, a, dice_of(v), &v->peer.out, from, a->deed.body_n);
	deed_write_end(&a->deed, a, &v->peer.out);
	v->answered = true;
	say(v);
	/* The rest of a request that is answered: it is read, but no more than the connection
	 * lasts. */
	if (!v->request_over && a->deed.closes)
		peer_finish(&v->peer);
	end_if_over(v);
}

static void break_off(struct visit *v)
{
	v->leaves = true;
	v->breaks = v->ask->deed.fate == FATE_RESET_IN || v->ask->deed.fate == FATE_RESET_BEFORE;
	if (peer_has_sent_all(&v->peer))
		peer_close(&v->peer, v->breaks);
}

static void say_part(struct visit *v)
{
	struct ask *a = v->ask;
	struct deed *d = &a->deed;
	deed_write_head(d, a, &v->peer.out);
	deed_write_body(d, a, dice_of(v), &v->peer.out, 0, d->cut_at);
	if (d->fate == FATE_BAD_CHUNK)
		text_print(&v->peer.out, "x\r\n");
	say(v);
	if (d->fate == FATE_RESET_IN || d->fate == FATE_FIN_IN)
		break_off(v);
}

static void say_answer(struct visit *v)
{
	struct ask *a = v->ask;
	struct deed *d = &a->deed;
	deed_write_head(d, a, &v->peer.out);
	if (d->tunnel) {
		hearer_pass(&v->reader);
		say(v);
	} else if (d->both_ways && !v->request_over) {
		deed_write_body(d, a, dice_of(v), &v->peer.out, 0, d->body_n / 2);
		say(v);
	} else {
		say_rest(v, 0);
	}
}

static void act(struct visit *v)
{
	struct ask *a = v->ask;
	a->fates |= 1u << a->deed.fate;
	greet(v);
	switch (a->deed.fate) {
	case FATE_WHOLE:
		say_answer(v);
		return;
	case FATE_RESET_BEFORE:
	case FATE_FIN_BEFORE:
		say(v);
		break_off(v);
		return;
	case FATE_RUBBISH:
		text_print(&v->peer.out, "%s", a->deed.rubbish);
		say(v);
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

static void delay_is_over(struct timer *t)
{
	act(visit_of(t, delay));
}

static void begin_deed(struct visit *v)
{
	if (v->acting)
		return;
	v->acting = true;
	unsigned delay_ms = v->ask->deed.delay_ms;
	if (delay_ms)
		timer_set(&v->server->world->wheel, &v->delay, io_now_ms(v->server->io) + delay_ms);
	else
		act(v);
}

static void idle_is_over(struct timer *t)
{
	struct visit *v = visit_of(t, idle);
	if (dice_says(dice_of(v), 300)) {
		text_print(&v->peer.out,
			   "HTTP/1.1 408 Too Late\r\nX-Farewell: 1\r\nConnection: close\r\n\r\n");
		say(v);
	}
	peer_finish(&v->peer);
}

/* Not in the midst of the next answer, and not behind a FIN: that may wait for a last answer. */
static void late_is_over(struct timer *t)
{
	struct visit *v = visit_of(t, late);
	if (v->greeted || v->leaves || v->peer.closing || v->peer.finishing)
		return;
	world_tell(v->server->world, "node %u of arm %d says something late", v->server->number,
		   v->server->arm);
	tally_note(v->server->world, SEEN_LATE);
	text_print(&v->peer.out, "%s", v->late_text);
	say(v);
}

/* --- reading --- */

static void request_head(struct hearer *r)
{
	struct visit *v = visit_of(r, reader);
	timer_clear(&v->idle);
	if (v->peer.finishing)
		judge_uninvited(v->server->world, v->latest);
	judge_one_at_a_time(v->server->world, v->ask);
	v->ask = v->latest = judge_reached(v->server->world, v->server, r);
	ledger_heard(v->server->world, v->ask, 0);
	r->key = ask_key(v->ask);
	if (v->ask->expects && dice_says(dice_of(v), 800))
		greet(v);
	if (v->ask->deed.moment == AT_HEAD || v->ask->deed.both_ways)
		begin_deed(v);
}

static void request_body(struct hearer *r)
{
	struct visit *v = visit_of(r, reader);
	ledger_heard(v->server->world, v->ask, r->body_n);
	if (v->settled && v->ask->deed.slams)
		peer_close(&v->peer, true);
	if (v->ask->deed.moment == IN_BODY && r->body_n > v->ask->deed.after_bytes)
		begin_deed(v);
}

static void request_end(struct hearer *r)
{
	struct visit *v = visit_of(r, reader);
	struct ask *a = v->ask;
	judge_arrived(v->server->world, a, r);
	v->request_over = true;
	bool begun = v->acting && !timer_is_set(&v->delay);
	if (a->deed.both_ways && begun && !v->answered && a->deed.fate == FATE_WHOLE)
		say_rest(v, a->deed.body_n / 2);
	else if (v->answered)
		end_if_over(v);
	else
		begin_deed(v);
}

/* A tunnel is an echo. */
static void request_raw(struct hearer *r, const uint8_t *bytes, size_t n)
{
	struct visit *v = visit_of(r, reader);
	uint64_t hang_up_at = v->ask->deed.hang_up_at;
	v->tunnel_n += n;
	if (v->peer.finishing) {
		if (!v->ask->deed.slams)
			return;
		v->ask->slammed_ms = io_now_ms(v->server->io);
		peer_close(&v->peer, true);
		return;
	}
	text_add(&v->peer.out, bytes, n);
	say(v);
	if (hang_up_at && v->tunnel_n >= hang_up_at)
		peer_finish(&v->peer);
}

static const struct hearer_user hearer_user = {
	.head = request_head,
	.body = request_body,
	.end = request_end,
	.raw = request_raw,
};

/* --- the connection --- */

static void heard(struct peer *p, const uint8_t *bytes, size_t n)
{
	struct visit *v = visit_of(p, peer);
	/* It breaks off, and does not look any more. */
	if (v->leaves)
		return;
	hearer_feed(&v->reader, bytes, n);
	judge_readable(v->server->world, &v->reader, "a node");
	if (v->latest)
		v->latest->request_heard =
			v->reader.state == READ_RAW ? v->tunnel_n : v->reader.body_n;
}

/* The balancer has closed. */
static void judge_leaving(const struct visit *v)
{
	if (v->ask && v->request_over && !v->answered)
		judge_abandoned(v->server->world, v->ask);
}

static void finished(struct peer *p)
{
	struct visit *v = visit_of(p, peer);
	judge_leaving(v);
	timer_clear(&v->delay);
	bool tunnel = v->reader.state == READ_RAW;
	if (!tunnel || peer_has_sent_all(p))
		peer_close(p, false);
	else
		v->leaves = true;
}

static void sent(struct peer *p)
{
	struct visit *v = visit_of(p, peer);
	if (v->leaves)
		peer_close(p, v->breaks);
}

static void broken(struct peer *p)
{
	struct visit *v = visit_of(p, peer);
	judge_leaving(v);
	timer_clear(&v->delay);
}

static void drop_visit(struct visit *v)
{
	timer_clear(&v->delay);
	timer_clear(&v->idle);
	timer_clear(&v->late);
	hearer_close(&v->reader);
	list_remove(&v->link);
	free(v);
}

static void gone(struct peer *p)
{
	drop_visit(visit_of(p, peer));
}

static const struct peer_user peer_user = {
	.heard = heard,
	.finished = finished,
	.sent = sent,
	.broken = broken,
	.gone = gone,
};

static void open_visit(struct server_door *d, struct sock *sock)
{
	struct server *s = d->server;
	struct world *w = s->world;
	struct visit *v = calloc(1, sizeof *v);
	must(v);
	v->server = s;
	v->door = (unsigned)(d - s->doors);
	if (!w->temper.prompt[s->arm])
		v->peer.pace = world_pace(w);
	timer_init(&v->delay, delay_is_over);
	timer_init(&v->idle, idle_is_over);
	timer_init(&v->late, late_is_over);
	hearer_open(&v->reader, &hearer_user, false);
	list_add_tail(&s->visits, &v->link);
	struct peer_means means = { s->io, &w->wheel, &w->dice };
	peer_accept(&v->peer, &means, &peer_user, sock);
}

/* --- a life --- */

static void close_door(struct server_door *d)
{
	if (d->sock)
		io_close(d->server->io, d->sock, false);
	d->sock = NULL;
}

static void somebody_came(struct io_op *op)
{
	struct server_door *d = list_entry(op, struct server_door, accept);
	if (op->result == 0)
		open_visit(d, op->sock);
	if (d->server->leaving)
		close_door(d);
	else
		io_accept(d->server->io, op, d->sock);
}

static struct addr address(enum arm arm, unsigned number, unsigned door)
{
	struct addr a = { .v4 = { .sin_family = AF_INET, .sin_port = htons(9200) } };
	a.v4.sin_addr.s_addr = htonl(0x0a010000 + (arm << 12) + (number << 4) + door);
	return a;
}

void server_restart(struct server *s)
{
	s->io = sim_io_open(s->world->sim, &s->bufs);
	for (unsigned i = 0; i < SERVER_DOORS; i++) {
		struct server_door *d = &s->doors[i];
		d->server = s;
		d->at = address(s->arm, s->number, i);
		if (!s->there)
			continue;
		d->sock = sim_listen(s->io, &d->at);
		io_op_init(&d->accept, somebody_came);
		io_accept(s->io, &d->accept, d->sock);
	}
}

void server_open(struct server *s, struct world *w, enum arm arm, unsigned number, bool there)
{
	*s = (struct server){ .world = w, .arm = arm, .number = number, .there = there };
	list_init(&s->visits);
	bufs_open(&s->bufs);
	server_restart(s);
}

void server_turn(struct server *s)
{
	if (!s->io)
		return;
	io_wait(s->io, UINT64_MAX);
	io_dispatch(s->io);
	list_each(l, &s->visits) {
		struct visit *v = list_entry(l, struct visit, link);
		if (v->latest)
			v->latest->client->answers_gone += v->peer.sent_n - v->counted;
		v->counted = v->peer.sent_n;
		v->settled = v->answered && peer_has_sent_all(&v->peer);
	}
}

/* Its last answer has come to its client whole, and nothing has been asked since. */
static bool is_idle(const struct visit *v)
{
	return !v->ask && v->latest && v->latest->outcome == ASK_ANSWERED &&
	       peer_is_awake(&v->peer) && !v->peer.at_end && !v->peer.closing;
}

unsigned server_idle_at(const struct server *s, unsigned door)
{
	unsigned n = 0;
	list_each(l, &s->visits) {
		const struct visit *v = list_entry(l, struct visit, link);
		n += v->door == door && is_idle(v);
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
	for (unsigned i = 0; i < SERVER_DOORS; i++)
		s->doors[i].sock = NULL;
	list_each_safe(l, &s->visits) {
		struct visit *v = list_entry(l, struct visit, link);
		peer_forget(&v->peer);
		drop_visit(v);
	}
}

void server_leave(struct server *s)
{
	s->leaving = true;
	for (unsigned i = 0; s->io && i < SERVER_DOORS; i++)
		io_cancel(s->io, &s->doors[i].accept);
}

bool server_has_left(const struct server *s)
{
	bool shut = true;
	for (unsigned i = 0; i < SERVER_DOORS; i++)
		shut = shut && !s->doors[i].sock;
	return s->leaving && shut && list_empty(&s->visits);
}

void server_close(struct server *s)
{
	must(server_has_left(s));
	if (s->io)
		io_free(s->io);
	bufs_close(&s->bufs);
}
