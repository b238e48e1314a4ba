#include "sim/client.h"

#include <string.h>

#include "sim/judge.h"
#include "sim/pattern.h"
#include "sim/world.h"

#define client_of(pointer, member) list_entry(pointer, struct client, member)

/* A client gives up connecting after this time. */
#define CONNECT_GIVE_UP_MS 20000
/* Longer than any timeout. */
#define SLEEP_MS 1000000

static void client_go_on(struct client *c);

static uint64_t client_now_ms(const struct client *c)
{
	return io_now_ms(c->world->clients_io);
}

static void client_set_timer(struct client *c, struct timer *t, uint64_t ms)
{
	timer_set(&c->world->wheel, t, client_now_ms(c) + ms);
}

/* The ask whose response comes next; NULL: none. */
static struct ask *awaited_ask(struct client *c)
{
	return c->responded_n < c->said_n ? &c->asks[c->responded_n] : NULL;
}

/* --- sending --- */

/* Offset in all sent bytes at which the next byte will be. */
static uint64_t next_offset(const struct client *c)
{
	return c->peer.sent_n + c->peer.out.n + c->peer.going.n - c->peer.piece_at;
}

static void send_body(struct client *c, struct ask *a)
{
	c->body_from = next_offset(c);
	ask_write_body(a, &c->world->dice, &c->peer.out);
	a->sent = true;
	a->sent_ms = client_now_ms(c);
	peer_say(&c->peer);
}

static void send_waiting_body(struct client *c)
{
	struct ask *a = c->waits_for_continue;
	c->waits_for_continue = NULL;
	timer_clear(&c->continue_timer);
	if (a)
		send_body(c, a);
	client_go_on(c);
}

static void continue_wait_is_over(struct timer *t)
{
	send_waiting_body(client_of(t, continue_timer));
}

static void send_tunnel(struct client *c, struct ask *a)
{
	c->body_from = next_offset(c);
	pattern_fill(ask_key(a), 0, text_extend(&c->peer.out, a->body_n), a->body_n);
	peer_say(&c->peer);
	peer_finish(&c->peer);
}

static void ask_next(struct client *c)
{
	struct ask *a = &c->asks[c->said_n++];
	ask_write_head(a, &c->world->dice, &c->peer.out);
	c->body_from = next_offset(c);
	peer_say(&c->peer);
	if (a->expects) {
		c->waits_for_continue = a;
		client_set_timer(c, &c->continue_timer, c->continue_wait_ms);
	} else if (a->upgrades) {
		a->sent = true;
		a->sent_ms = client_now_ms(c);
	} else {
		send_body(c, a);
	}
}

/* A body that waits for 100 is not sent. */
static void stop_sending(struct client *c)
{
	c->waits_for_continue = NULL;
	timer_clear(&c->continue_timer);
	if (!c->peer.finishing)
		peer_finish(&c->peer);
}

static void client_go_on(struct client *c)
{
	if (c->over || c->peer.closing || c->peer.finishing)
		return;
	while (c->said_n < c->ask_n && c->said_n - c->responded_n < c->depth &&
	       !c->waits_for_continue && !c->told_to_close && !timer_is_set(&c->think))
		ask_next(c);
	bool all_said = c->said_n == c->ask_n && !c->waits_for_continue;
	bool tunnels = c->asks[c->ask_n - 1].upgrades;
	bool gives_up = c->told_to_close && !c->waits_for_fin;
	if (gives_up || (all_said && !tunnels && c->leaving == LEAVES_HALF))
		stop_sending(c);
	else if (c->responded_n == c->ask_n && !c->told_to_close)
		peer_close(&c->peer, false);
}

static void think_is_over(struct timer *t)
{
	client_go_on(client_of(t, think));
}

/* --- leaving --- */

static void client_leave_now(struct client *c)
{
	if (c->over || c->peer.closing)
		return;
	c->left = true;
	peer_close(&c->peer, c->leaves_by_reset);
}

void client_leave(struct client *c, bool by_reset)
{
	if (c->over || c->peer.closing)
		return;
	c->leaves_by_reset = by_reset;
	client_leave_now(c);
}

static void client_leave_timer(struct timer *t)
{
	client_leave_now(client_of(t, leave));
}

/* --- receiving --- */

static void client_response_head(struct http_reader *r)
{
	struct client *c = client_of(r, reader);
	struct ask *a = awaited_ask(c);
	judge_response_head(c->world, c, a, r);
	r->key = ask_response_key(a);
	r->bodiless = ask_is_head(a) || r->status == 204 || r->status == 304;
	if (r->status == 100 && c->waits_for_continue == a)
		send_waiting_body(c);
	if (r->status < 200 && r->status != 101)
		c->interims++;
	if (r->status == 101) {
		http_reader_pass(r);
		send_tunnel(c, a);
	}
}

static void client_response_end(struct http_reader *r)
{
	struct client *c = client_of(r, reader);
	struct ask *a = awaited_ask(c);
	judge_response(c->world, c, a, r);
	c->responded_n++;
	c->responded_ms = client_now_ms(c);
	c->interims = 0;
	c->told_to_close = http_reader_closes(r) || ask_must_close(a);
	if (c->waits_for_continue == a && (c->told_to_close || !c->sends_anyway)) {
		c->waits_for_continue = NULL;
		c->told_to_close = true;
		timer_clear(&c->continue_timer);
	} else if (c->waits_for_continue == a) {
		send_waiting_body(c);
	}
	if (c->think_ms && c->said_n < c->ask_n)
		client_set_timer(c, &c->think, c->think_ms);
	client_go_on(c);
}

static void client_response_raw(struct http_reader *r, const uint8_t *bytes, size_t n)
{
	struct client *c = client_of(r, reader);
	judge_echo(c->world, awaited_ask(c), c->tunnel_n, bytes, n);
	c->tunnel_n += n;
}

static const struct http_reader_user http_reader_user = {
	.head = client_response_head,
	.end = client_response_end,
	.raw = client_response_raw,
};

static void client_heard(struct peer *p, const uint8_t *bytes, size_t n)
{
	struct client *c = client_of(p, peer);
	http_reader_feed(&c->reader, bytes, n);
	judge_readable(c->world, &c->reader, "a client");
	if (c->leaving == LEAVES_BY_RESPONSE && p->heard_n >= c->leaves_after)
		client_leave_now(c);
}

static void client_finished(struct peer *p)
{
	struct client *c = client_of(p, peer);
	judge_finished(c->world, c);
	c->sends_after_fin =
		c->reader.state == READ_RAW && c->sends_anyway && !peer_has_sent_all(p);
	if (!c->sends_after_fin)
		peer_close(p, false);
}

static void client_sent(struct peer *p)
{
	if (client_of(p, peer)->sends_after_fin)
		peer_close(p, false);
}

static void client_broken(struct peer *p)
{
	struct client *c = client_of(p, peer);
	judge_broken(c->world, c);
}

static void client_gone(struct peer *p)
{
	struct client *c = client_of(p, peer);
	c->over = true;
	timer_clear(&c->connect_timer);
	timer_clear(&c->think);
	timer_clear(&c->leave);
	timer_clear(&c->continue_timer);
	c->world->clients_over++;
}

static const struct peer_user peer_user = {
	.heard = client_heard,
	.finished = client_finished,
	.sent = client_sent,
	.broken = client_broken,
	.gone = client_gone,
};

static void connect_timed_out(struct timer *t)
{
	struct client *c = client_of(t, connect_timer);
	if (c->peer.sock || c->peer.closing)
		return;
	judge_broken(c->world, c);
	peer_close(&c->peer, false);
}

/* --- open and close --- */

static void client_tell_script(const struct client *c)
{
	static const char *const leavings[] = { "after all", "half", "by time", "by response",
						"asleep" };
	world_tell(c->world, "client %u at listener %u, %u at a time, leaves %s", c->number,
		   c->listener, c->depth, leavings[c->leaving]);
	for (unsigned i = 0; i < c->ask_n; i++) {
		char text[400];
		ask_describe(&c->asks[i], text, sizeof text);
		world_tell(c->world, "  request %s", text);
	}
}

static void client_start(struct timer *t)
{
	struct client *c = client_of(t, start);
	client_tell_script(c);
	struct peer_means means = { c->world->clients_io, &c->world->wheel, &c->world->dice };
	peer_connect(&c->peer, &means, &peer_user, &c->world->listeners[c->listener]);
	client_set_timer(c, &c->connect_timer, CONNECT_GIVE_UP_MS);
	if (c->leaving == LEAVES_BY_TIME)
		client_set_timer(c, &c->leave, c->leaves_after);
	client_go_on(c);
}

static void make_leaving(struct client *c, struct dice *d, const struct scenario *t)
{
	c->leaving = dice_chance(d, 150) ? LEAVES_HALF : LEAVES_AFTER_ALL;
	if (!t->peers_misbehave || !dice_chance(d, 200))
		return;
	c->leaving = (enum leaving)dice_between(d, LEAVES_BY_TIME, LEAVES_ASLEEP);
	c->leaves_by_reset = dice_chance(d, 500);
	c->leaves_after = dice_size(d, c->leaving == LEAVES_BY_TIME ? 1000 : t->body_max);
	if (c->leaving == LEAVES_ASLEEP)
		c->peer.pace = (struct pace){ .nap_after = c->leaves_after,
					      .nap_ms = SLEEP_MS,
					      .naps = 1 };
}

static void make_script(struct client *c, struct dice *d, const struct scenario *t)
{
	static const unsigned depths[] = { 1, 1, 2, SIM_ASKS_MAX };
	c->ask_n = (unsigned)dice_between(d, 1, t->asks_max);
	for (unsigned i = 0; i < c->ask_n; i++) {
		struct ask *a = &c->asks[i];
		a->id = 1 + c->number * SIM_ASKS_MAX + i;
		a->client = c;
		ask_make(a, d, t, i + 1 == c->ask_n);
	}
	c->listener = dice_chance(d, 700) ? 0 : (unsigned)dice_between(d, 1, 2);
	c->depth = dice_pick(d, depths);
	c->think_ms = dice_chance(d, 300) ? (unsigned)dice_size(d, 500) : 0;
	c->waits_for_fin = dice_chance(d, 500);
	c->sends_anyway = dice_chance(d, 500);
	c->continue_wait_ms = (unsigned)dice_between(d, 20, 1000);
	make_leaving(c, d, t);
}

void client_open(struct client *c, struct world *w, unsigned number)
{
	*c = (struct client){ .world = w, .number = number };
	c->peer.pace = world_pace(w);
	make_script(c, &w->dice, &w->scenario);
	http_reader_open(&c->reader, &http_reader_user, true);
	timer_init(&c->start, client_start);
	timer_init(&c->connect_timer, connect_timed_out);
	timer_init(&c->think, think_is_over);
	timer_init(&c->leave, client_leave_timer);
	timer_init(&c->continue_timer, continue_wait_is_over);
	client_set_timer(c, &c->start, dice_size(&w->dice, 2000));
}

void client_close(struct client *c)
{
	http_reader_close(&c->reader);
	timer_clear(&c->start);
}
