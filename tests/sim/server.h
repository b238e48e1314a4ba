#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

/*
 * A scripted node of a cluster. It reads requests, finds each one's script by its id, follows it,
 * and reports to the judge what came. It listens at three addresses, like a node whose name has
 * several or moves from one to another; some of them may be dead.
 */

#include "base/list.h"
#include "io/io.h"
#include "proxy/plan.h"
#include "sim/ask.h"
#include "sim/peer.h"
#include "sim/http_reader.h"

#define SERVER_PORTS 3

struct world;

struct server_port {
	struct server *server;
	struct io_op accept;
	struct sock *sock; /* owned */
	struct addr at;
	bool dead; /* connects are refused, or get no answer */
};

struct server {
	struct world *world;
	enum arm arm;
	unsigned number;
	struct bufs bufs;
	struct io *io; /* owned; NULL while the node is down */
	struct server_port ports[SERVER_PORTS];
	struct list conns;
	bool there;
	bool crashed; /* at least once */
	bool leaving;
};

/* Opens the io and listens, unless `there` is false. */
void server_open(struct server *s, struct world *w, enum arm arm, unsigned number, bool there);
void server_turn(struct server *s);
/* The number of idle connections at this port. */
unsigned server_idle_at(const struct server *s, unsigned port);
/* All connections are reset, and all state is lost. */
void server_crash(struct server *s);
void server_restart(struct server *s);
/* Accepts no more; the balancer ends the connections. */
void server_leave(struct server *s);
/* server_has_left() must be true. */
void server_close(struct server *s);
bool server_has_left(const struct server *s);

#endif
