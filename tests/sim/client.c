#include "sim/client.h"

#include <string.h>

#include "sim/judge.h"
#include "sim/pattern.h"
#include "sim/world.h"

#define client_of(pointer, member) list_entry(pointer, struct client, member)

/* Nobody is there: after so long a client gives up connecting. */
#define KNOCK_MS 20000
/* Longer than any timeout. */
#define SLEEP_MS 1000000

static void go_on(struct client *c);

static uint64_t now_ms(const struct client *c)
{
	return io_now_ms(c->world->town);
}

static void set_timer(struct client *c, struct timer *t, uint64_t ms)
{
	timer_set(&c->world->wheel, t, now_ms(c) + ms);
}

/* The one that the next answer is for; NULL when there is none. */
static struct ask *awaited(struct client *c)
{
	return c->answered_n < c->said_n ? &c->asks[c->answered_n] : NULL;
}

/* --- asking --- */

/* Where in all that is sent the next word will stand. */
static uint64_t place(const struct client *c)
{
	return c->peer.sent_n + c->peer.out.n + c->peer.going.n - c->peer.piece_at;
}

static void say_body(struct client *c, struct ask *a)
{
	c->body_from = place(c);
	ask_write_body(a, &c->world->dice, &c->peer.out);
	a->sent = true;
	a->sent_ms = now_ms(c);
	peer_say(&c->peer);
}

static void keep_promise(struct client *c)
{
	struct ask *a = c->promised;
	c->promised = NULL;
	timer_clear(&c->patience);
	if (a)
		say_body(c, a);
	go_on(c);
}

static void patience_is_over(struct timer *t)
{
	keep_promise(client_of(t, patience));
}

static void say_tunnel(struct client *c, struct ask *a)
{
	c->body_from = place(c);
	pattern_fill(ask_key(a), 0, text_extend(&c->peer.out, a->body_n), a->body_n);
	peer_say(&c->peer);
	peer_finish(&c->peer);
}

static void ask_next(struct client *c)
{
	struct ask *a = &c->asks[c->said_n++];
	ask_write_head(a, &c->world->dice, &c->peer.out);
	c->body_from = place(c);
	peer_say(&c->peer);
	if (a->expects) {
		c->promised = a;
		set_timer(c, &c->patience, c->patience_ms);
	} else if (a->upgrades) {
		a->sent = true;
		a->sent_ms = now_ms(c);
	} else {
		say_body(c, a);
	}
}

/* What it had promised is not wanted any more. */
static void stop_sending(struct client *c)
{
	c->promised = NULL;
	timer_clear(&c->patience);
	if (!c->peer.finishing)
		peer_finish(&c->peer);
}

static void go_on(struct client *c)
{
	if (c->over || c->peer.closing || c->peer.finishing)
		return;
	while (c->said_n < c->ask_n && c->said_n - c->answered_n < c->depth && !c->promised &&
	       !c->told_to_close && !timer_is_set(&c->think))
		ask_next(c);
	bool all_said = c->said_n == c->ask_n && !c->promised;
	bool tunnels = c->asks[c->ask_n - 1].upgrades;
	bool gives_up = c->told_to_close && !c->waits_for_fin;
	if (gives_up || (all_said && !tunnels && c->leaving == LEAVES_HALF))
		stop_sending(c);
	else if (c->answered_n == c->ask_n && !c->told_to_close)
		peer_close(&c->peer, false);
}

static void thought(struct timer *t)
{
	go_on(client_of(t, think));
}

/* --- leaving --- */

static void leave(struct client *c)
{
	if (c->over || c->peer.closing)
		return;
	c->left = true;
	peer_close(&c->peer, c->leaves_by_reset);
}

static void time_to_leave(struct timer *t)
{
	leave(client_of(t, leave));
}

/* --- hearing --- */

static void answer_head(struct hearer *r)
{
	struct client *c = client_of(r, reader);
	struct ask *a = awaited(c);
	judge_answer_head(c->world, c, a, r);
	r->key = ask_answer_key(a);
	r->bodiless = ask_is_head(a) || r->status == 204 || r->status == 304;
	if (r->status == 100 && c->promised == a)
		keep_promise(c);
	if (r->status < 200 && r->status != 101)
		c->interims++;
	if (r->status == 101) {
		hearer_pass(r);
		say_tunnel(c, a);
	}
}

static void answer_end(struct hearer *r)
{
	struct client *c = client_of(r, reader);
	struct ask *a = awaited(c);
	judge_answer(c->world, c, a, r);
	c->answered_n++;
	c->answered_ms = now_ms(c);
	c->interims = 0;
	c->told_to_close = hearer_closes(r) || ask_must_close(a);
	if (c->promised == a && (c->told_to_close || !c->sends_anyway)) {
		c->promised = NULL;
		c->told_to_close = true;
		timer_clear(&c->patience);
	} else if (c->promised == a) {
		keep_promise(c);
	}
	if (c->think_ms && c->said_n < c->ask_n)
		set_timer(c, &c->think, c->think_ms);
	go_on(c);
}

static void answer_raw(struct hearer *r, const uint8_t *bytes, size_t n)
{
	struct client *c = client_of(r, reader);
	judge_echo(c->world, awaited(c), c->tunnel_n, bytes, n);
	c->tunnel_n += n;
}

static const struct hearer_user hearer_user = {
	.head = answer_head,
	.end = answer_end,
	.raw = answer_raw,
};

static void heard(struct peer *p, const uint8_t *bytes, size_t n)
{
	struct client *c = client_of(p, peer);
	hearer_feed(&c->reader, bytes, n);
	judge_readable(c->world, &c->reader, "a client");
	if (c->leaving == LEAVES_BY_ANSWER && p->heard_n >= c->leaves_after)
		leave(c);
}

static void finished(struct peer *p)
{
	struct client *c = client_of(p, peer);
	judge_finished(c->world, c);
	c->talks_on = c->reader.state == READ_RAW && c->sends_anyway && !peer_has_sent_all(p);
	if (!c->talks_on)
		peer_close(p, false);
}

static void sent(struct peer *p)
{
	if (client_of(p, peer)->talks_on)
		peer_close(p, false);
}

static void broken(struct peer *p)
{
	struct client *c = client_of(p, peer);
	judge_broken(c->world, c);
}

static void gone(struct peer *p)
{
	struct client *c = client_of(p, peer);
	c->over = true;
	timer_clear(&c->knock);
	timer_clear(&c->think);
	timer_clear(&c->leave);
	timer_clear(&c->patience);
	c->world->clients_over++;
}

static const struct peer_user peer_user = {
	.heard = heard,
	.finished = finished,
	.sent = sent,
	.broken = broken,
	.gone = gone,
};

static void nobody_opens(struct timer *t)
{
	struct client *c = client_of(t, knock);
	if (c->peer.sock || c->peer.closing)
		return;
	judge_broken(c->world, c);
	peer_close(&c->peer, false);
}

/* --- a life --- */

static void tell_script(const struct client *c)
{
	static const char *const leavings[] = { "after all", "half", "by time", "by answer",
						"asleep" };
	world_tell(c->world, "client %u at listener %u, %u at a time, leaves %s", c->number,
		   c->listener, c->depth, leavings[c->leaving]);
	for (unsigned i = 0; i < c->ask_n; i++) {
		char text[400];
		ask_describe(&c->asks[i], text, sizeof text);
		world_tell(c->world, "  request %s", text);
	}
}

static void start(struct timer *t)
{
	struct client *c = client_of(t, start);
	tell_script(c);
	struct peer_means means = { c->world->town, &c->world->wheel, &c->world->dice };
	peer_connect(&c->peer, &means, &peer_user, &c->world->listeners[c->listener]);
	set_timer(c, &c->knock, KNOCK_MS);
	if (c->leaving == LEAVES_BY_TIME)
		set_timer(c, &c->leave, c->leaves_after);
	go_on(c);
}

static void make_leaving(struct client *c, struct dice *d, const struct temper *t)
{
	c->leaving = dice_says(d, 150) ? LEAVES_HALF : LEAVES_AFTER_ALL;
	if (!t->ill || !dice_says(d, 200))
		return;
	c->leaving = (enum leaving)dice_between(d, LEAVES_BY_TIME, LEAVES_ASLEEP);
	c->leaves_by_reset = dice_says(d, 500);
	c->leaves_after = dice_size(d, c->leaving == LEAVES_BY_TIME ? 1000 : t->body_max);
	if (c->leaving == LEAVES_ASLEEP)
		c->peer.pace = (struct pace){ .nap_after = c->leaves_after,
					      .nap_ms = SLEEP_MS,
					      .naps = 1 };
}

static void make_script(struct client *c, struct dice *d, const struct temper *t)
{
	static const unsigned depths[] = { 1, 1, 2, SIM_ASKS_MAX };
	c->ask_n = (unsigned)dice_between(d, 1, t->asks_max);
	for (unsigned i = 0; i < c->ask_n; i++) {
		struct ask *a = &c->asks[i];
		a->id = 1 + c->number * SIM_ASKS_MAX + i;
		a->client = c;
		ask_make(a, d, t, i + 1 == c->ask_n);
	}
	c->listener = dice_says(d, 700) ? 0 : (unsigned)dice_between(d, 1, 2);
	c->depth = dice_pick(d, depths);
	c->think_ms = dice_says(d, 300) ? (unsigned)dice_size(d, 500) : 0;
	c->waits_for_fin = dice_says(d, 500);
	c->sends_anyway = dice_says(d, 500);
	c->patience_ms = (unsigned)dice_between(d, 20, 1000);
	make_leaving(c, d, t);
}

void client_open(struct client *c, struct world *w, unsigned number)
{
	*c = (struct client){ .world = w, .number = number };
	c->peer.pace = world_pace(w);
	make_script(c, &w->dice, &w->temper);
	hearer_open(&c->reader, &hearer_user, true);
	timer_init(&c->start, start);
	timer_init(&c->knock, nobody_opens);
	timer_init(&c->think, thought);
	timer_init(&c->leave, time_to_leave);
	timer_init(&c->patience, patience_is_over);
	set_timer(c, &c->start, dice_size(&w->dice, 2000));
}

void client_close(struct client *c)
{
	hearer_close(&c->reader);
	timer_clear(&c->start);
}
