#ifndef TESTS_REPLAY_SIM_WRITER_CLIENT_H
#define TESTS_REPLAY_SIM_WRITER_CLIENT_H

/*
 * A client that writes to the owner through the balancer, one request after the other, and again on
 * a new connection where one breaks. It does not repeat what failed.
 */

#include "base/wheel.h"
#include "sim/peer.h"
#include "replay_sim/message.h"

struct world;

struct writer_client {
	struct world *world;
	unsigned number;
	struct peer peer;
	bool connected; /* the peer is in use */
	bool awaits;	/* a response */
	bool over;
	struct message in;
	struct timer next, patience;
	unsigned left; /* requests */
	uint64_t responses, successes;
};

void writer_client_open(struct writer_client *c, struct world *w, unsigned number);
void writer_client_close(struct writer_client *c);

#endif
