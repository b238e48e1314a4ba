#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

/*
 * The invariants. A failing run prints the name of the one that was broken:
 *
 *   one response           each request gets one response or none, in order; none only for a reason
 *   the right response     it is the node's own, or one that the balancer had a reason to make
 *   bytes are equal        bodies and trailers arrive as they were sent, or are not whole
 *   one node               only one arm's nodes see anything of a request
 *   no write twice         no write reaches nodes twice
 *   no read twice          nor does a read that is not repeatable, or of which a response has
 *                          begun; and no request is tried too often
 *   seen through           a write that is whole at a node is given up only after the node's
 *                          response
 *   one at a time          a node's connection carries one request after the other, and no late
 *                          ones
 *   plain HTTP             what the balancer sends is canonical, without fields of another hop
 *   exact weights          for each worker, for reads and for writes, while the weights stay the
 *                          same
 *   steered                a user's requests move to the target once, as its share grows, and none
 *                          moves back; an override that is allowed decides; neither counts as a
 *                          turn of the split
 *   acknowledged           once all workers have an epoch, no decision uses an older one
 *   held                   while writes are held none gets an arm; then they do in their order,
 *                          except those whose clients have left (hold.h)
 *   in flight              the board shows how many requests of this and of earlier epochs are open
 *   a sick node is spared  while its cluster has a healthy one
 *   drained                a worker that knows of the drain gives the node no request, and sends it
 *                          nothing when it is cut
 *   a fair share           a node has no more of a worker's requests than it may; first come, first
 *                          served
 *   a limit holds          for clients of a listener, from the turn on in which a reload brings it;
 *                          for connections to nodes
 *   bounded                the bytes that wait in the balancer for a slow reader
 *   a shortage is ours     a shortage of this machine ejects no node and spends no retry budget
 *   nobody is in the way   a request waits only for its own node and client (schedule.h)
 *   a break is passed on   to a client that still sends in a tunnel
 *   a stop ends            idle clients are closed at once, and a worker without clients ends soon
 *   who sleeps is left     a client that reads nothing is given up
 *   it comes to rest       in bounded time, when there are no more faults
 *   nothing is left        of a worker's resources, when it is over
 *   an old plan is let go  by workers, and its idle connections are closed
 *   handed over            the records of a turn are in the log's queue when the turn is over
 *   equal runs             two runs of one seed are the same
 *
 * Rules between the product's own parts (credit, the order of a stream's verbs, resources that must
 * be returned) are must()s in the product. Each failure ends the process.
 */

#include "proxy/board.h"
#include "sim/ask.h"
#include "sim/http_reader.h"
#include "sim/scenario.h"

struct world;
struct exchange;
struct exchanges;

/* More than the number of changes in a run. */
#define SIM_EPOCHS_MAX 128

struct period { /* The requests of one worker and class since its weights last changed. */
	uint32_t weights[ARMS];
	uint64_t taken[ARMS];
};

/*
 * The smallest share of the target's weight with which a user went to the target, and the largest
 * with which the user went to the source.
 */
struct user {
	bool to_target, to_source;
	double to_target_min, to_source_max;
};

struct judge {
	struct board_values published[SIM_EPOCHS_MAX];
	unsigned published_n;
	uint64_t settled; /* the newest epoch that every worker has acknowledged */
	struct period periods[WORKERS_MAX][CLASSES];
	uint64_t epochs[WORKERS_MAX]; /* the epoch of each worker's last decision */
	struct user users[SIM_USERS_MAX + 1];
	uint64_t decided[WORKERS_MAX][LISTENERS_MAX][ARMS];
};

_Noreturn __attribute__((format(printf, 3, 4))) void
judge_fail(const struct world *w, const char *invariant, const char *format, ...);

/* --- the balancer's decisions --- */

void judge_published(struct world *w, const struct board_values *v);
/* `a` is NULL if the target is not one of the simulator's. */
void judge_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a);
/* The first node was chosen. */
void judge_chosen(const struct world *w, const struct exchange *ex);
/* The head goes to that node: now, or when it is connected. */
void judge_attempt(const struct world *w, struct ask *a, const struct node_state *node);
/* After a turn: no request may be at a node that is DUTY_CUT. */
void judge_cut(const struct world *w, unsigned worker, const struct exchanges *d);
/*
 * After a turn: no node has more requests than it may, and no request waits while a node has room.
 */
void judge_busy(struct world *w, unsigned worker, const struct exchanges *d);
/* After a turn: no listener has accepted clients beyond its limit. */
void judge_limits(struct world *w, unsigned worker);
void judge_sockets(const struct world *w, unsigned worker, const struct exchanges *d);
/* After a turn: the board's counts match the requests in flight. */
void judge_in_flight(const struct world *w, unsigned worker, const struct exchanges *d);

/* A worker makes a stream call to a node. */
void judge_word(const struct world *w, unsigned worker, const struct node_state *node,
		const char *verb);

/* --- what a node gets --- */

/* A request's head has come. Returns the request. */
struct ask *judge_reached(struct world *w, struct server *s, const struct http_reader *r);
void judge_arrived(struct world *w, struct ask *a, const struct http_reader *r);
/*
 * The balancer has closed the connection, and the node has the whole request and has not responded.
 */
void judge_abandoned(const struct world *w, const struct ask *a);
/* A head has come; `present` is the request without a response; NULL: none. */
void judge_one_at_a_time(const struct world *w, const struct ask *present);
/* Bytes have come after the node closed behind its response to `last`. */
void judge_uninvited(const struct world *w, const struct ask *last);

/* --- what a client gets --- */

void judge_response_head(struct world *w, const struct client *c, struct ask *a,
			 const struct http_reader *r);
void judge_response(struct world *w, const struct client *c, struct ask *a,
		    const struct http_reader *r);
void judge_echo(struct world *w, const struct ask *a, uint64_t place, const uint8_t *bytes,
		size_t n);
/* FIN, or a reset: no further response will come. */
void judge_finished(struct world *w, struct client *c);
void judge_broken(struct world *w, struct client *c);

/* --- general --- */

void judge_readable(const struct world *w, const struct http_reader *r, const char *who);
/* After every worker has had a turn. */
void judge_round(struct world *w);
void judge_nothing(const struct world *w, const char *what, uint64_t n);
/* A worker is over. */
void judge_worker_over(struct world *w, unsigned worker);

#endif
