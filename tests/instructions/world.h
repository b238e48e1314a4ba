#ifndef TESTS_INSTRUCTIONS_WORLD_H
#define TESTS_INSTRUCTIONS_WORLD_H

/*
 * One worker as it is, on a simulated network without faults, between clients that each ask the
 * same thing again and again and nodes that each give the same response. Whatever is done here is
 * done in the same order each time.
 */

#include "base/arena.h"
#include "capture/journal.h"
#include "capture/tap.h"
#include "io/sim.h"
#include "io/sim_disk.h"
#include "proxy/access.h"
#include "proxy/worker.h"

/* So many ask at the same time, as the bench's clients do. */
#define WAVE 64
#define BODY_BYTES 1024
#define MESSAGE_BYTES 2048

/* What is measured. */
struct row {
	const char *name;
	bool post;
	bool log;     /* there is an access log */
	bool capture; /* writes are durable before they are whole at the node */
	unsigned nodes;
	unsigned rules; /* of what is not recorded; no request fits any */
	unsigned idle;	/* clients that have asked once and stay */
};

struct message {
	char text[MESSAGE_BYTES];
	size_t n;
};

struct client {
	struct world *world;
	struct sock *sock; /* owned */
	struct io_op send, recv;
	struct iovec bytes;
	struct message response;
	bool waits; /* for the rest of a response */
};

/* A connection at a node. */
struct visit {
	struct world *world;
	struct sock *sock; /* owned */
	struct io_op send, recv;
	struct iovec bytes;
	struct message request;
};

struct door {
	struct world *world;
	struct sock *sock; /* owned */
	struct io_op accept;
	struct addr at;
	struct node_state state;
};

struct world {
	const struct row *row;
	struct sim *sim;
	struct bufs bufs, town_bufs;
	struct io *io, *town; /* the worker's; everybody else's */
	struct board board;
	struct worker_mailbox mailbox;
	struct counters counters;
	struct worker *worker;
	struct client *clients; /* owned */
	unsigned client_n, waiting;
	struct door *nodes; /* owned */
	struct addr listener_at;
	char request[MESSAGE_BYTES], response[MESSAGE_BYTES];
	size_t request_n, response_n;
	/* The plan. */
	struct plan plan;
	struct listener listener;
	struct node *plan_nodes; /* owned */
	struct plan_pins pins;
	struct capture_policy policy;
	struct slab rule_memory;
	struct arena rules;
	/* The logs. */
	struct waker waker;
	struct access access;
	struct taps taps;
	struct unrecorded_process unrecorded;
	struct feed *feed;
	struct sim_store *store;
	struct disk *disk;
	struct journal *journal;
	bool woken;
	/* Whether what the worker and the log's thread do is counted now. */
	bool counted;
};

/* Everybody is connected, and has asked once. */
struct world *world_open(const struct row *row);
/* `n` requests of the first clients, WAVE at a time: a millisecond each. */
void world_ask(struct world *w, unsigned n);

#endif
