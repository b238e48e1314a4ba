#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

/*
 * A scripted node of a cluster: it reads requests, finds out by their id what it is to do with
 * them, does that, and tells the judge what came. It listens at three addresses, as a node does
 * whose name has several, or moves from one to another; some of them may be dead.
 */

#include "base/list.h"
#include "io/io.h"
#include "proxy/plan.h"
#include "sim/ask.h"
#include "sim/peer.h"
#include "sim/hearer.h"

#define SERVER_DOORS 3

struct world;

struct server_door {
	struct server *server;
	struct io_op accept;
	struct sock *sock; /* owned */
	struct addr at;
	bool dead; /* who connects is refused, or hears nothing */
};

struct server {
	struct world *world;
	enum arm arm;
	unsigned number;
	struct bufs bufs;
	struct io *io; /* owned; NULL while it is down */
	struct server_door doors[SERVER_DOORS];
	struct list visits;
	bool there;
	bool crashed; /* at least once */
	bool leaving;
};

/* Opens its io and listens, unless it is not `there`. */
void server_open(struct server *s, struct world *w, enum arm arm, unsigned number, bool there);
void server_turn(struct server *s);
/* Idle connections that came by this door. */
unsigned server_idle_at(const struct server *s, unsigned door);
/* All connections are reset and all it knew is lost. */
void server_crash(struct server *s);
void server_restart(struct server *s);
/* Accepts no more; connections end when the balancer ends them. */
void server_leave(struct server *s);
/* When server_has_left(). */
void server_close(struct server *s);
bool server_has_left(const struct server *s);

#endif
