#include "replay_sim/writer_client.h"

#include <stdlib.h>

#include "base/bug.h"
#include "replay_sim/world.h"
#include "replay_sim/writes.h"

/* A client gives up a request at times, also one that the cluster still works on. */
#define PATIENCE_MS_MAX 120000

static void client_set_timer(struct writer_client *c, struct timer *t, uint64_t ms)
{
	timer_set(&c->world->wheel, t, world_now_ms(c->world) + ms);
}

static void client_think(struct writer_client *c)
{
	if (!timer_is_set(&c->next))
		client_set_timer(c, &c->next,
				 dice_size(&c->world->dice, c->world->plot.think_ms_max));
}

static void client_response(struct writer_client *c)
{
	struct span status = message_word(&c->in, 1);
	c->awaits = false;
	timer_clear(&c->patience);
	c->responses++;
	c->successes += status.n && status.at[0] == '2';
	world_tell(c->world, "client %u hears %.*s", c->number, (int)status.n, status.at);
	client_think(c);
}

static void client_heard(struct peer *p, const uint8_t *bytes, size_t n)
{
	struct writer_client *c = list_entry(p, struct writer_client, peer);
	for (bool whole = message_hear(&c->in, bytes, n); whole; whole = message_next(&c->in))
		client_response(c);
}

static void client_finished(struct peer *p)
{
	peer_close(p, false);
}

static void client_broken(struct peer *p)
{
	(void)p;
}

static void client_gone(struct peer *p)
{
	struct writer_client *c = list_entry(p, struct writer_client, peer);
	message_close(&c->in);
	c->in = (struct message){ 0 };
	if (c->awaits)
		world_tell(c->world, "client %u hears nothing", c->number);
	c->connected = c->awaits = false;
	timer_clear(&c->patience);
	if (c->left)
		client_think(c);
	else
		c->over = true;
}

static const struct peer_user client_user = { .heard = client_heard,
					      .finished = client_finished,
					      .broken = client_broken,
					      .gone = client_gone };

static void client_gives_up(struct timer *t)
{
	struct writer_client *c = list_entry(t, struct writer_client, patience);
	world_tell(c->world, "client %u gives up", c->number);
	peer_close(&c->peer, true);
}

static void client_connect(struct writer_client *c)
{
	struct peer_means means = { c->world->clients_io, &c->world->wheel, &c->world->dice };
	c->connected = true;
	c->peer = (struct peer){ 0 };
	peer_connect(&c->peer, &means, &client_user, &c->world->listener);
}

static void client_is_next(struct timer *t)
{
	struct writer_client *c = list_entry(t, struct writer_client, next);
	if (!c->left) {
		if (c->connected)
			peer_close(&c->peer, false);
		else
			c->over = true;
		return;
	}
	if (!c->connected)
		client_connect(c);
	c->left--;
	c->awaits = true;
	size_t n = c->peer.out.n;
	writes_make(c->world, &c->peer.out);
	world_tell_text(c->world, "client", (struct span){ c->peer.out.at + n, c->peer.out.n - n });
	client_set_timer(c, &c->patience, 1000 + dice_size(&c->world->dice, PATIENCE_MS_MAX));
	peer_say(&c->peer);
}

void writer_client_open(struct writer_client *c, struct world *w, unsigned number)
{
	*c = (struct writer_client){ .world = w, .number = number, .left = w->plot.writes };
	timer_init(&c->next, client_is_next);
	timer_init(&c->patience, client_gives_up);
	client_think(c);
}

void writer_client_close(struct writer_client *c)
{
	must(c->over && !c->connected);
	timer_clear(&c->next);
	message_close(&c->in);
}
