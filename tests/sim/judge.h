#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

/*
 * The invariants. Each has a name, which is what a failing run says:
 *
 *   one answer           each request gets one answer or none, in order, and none without a cause
 *   the right answer     it is the node's own, or one that the balancer had a reason to make
 *   bytes are equal      bodies and trailers arrive as they were sent, or are not whole
 *   one node             only one arm's nodes see anything of a request
 *   no write twice       no write reaches nodes twice
 *   no read twice        nor does a read that is not repeatable, or of which an answer has begun;
 *                        and no request is tried too often
 *   seen through         a write that is whole at a node is let go only when that has answered
 *   one at a time        a node's connection carries one request after the other, and no late ones
 *   plain HTTP           what the balancer sends is canonical, without fields of another hop
 *   exact weights        of each worker, of reads and of writes, as long as they stand still
 *   steered              a user's requests move to the target once, as its share grows, and none
 *                        back; a cluster that a client may name is taken; neither is a turn
 *   acknowledged         once all workers have an epoch, no decision uses an older one
 *   in flight            the board tells how many requests of this and of earlier epochs are open
 *   a sick node is spared   while its cluster has a healthy one
 *   drained              a worker that heeds it gives the node no request; nor a word when it is
 *                        cut
 *   a fair share         a node has no more of a worker's requests than it may; first come, first
 *                        served
 *   a limit holds        of clients at a listener, from the turn on in which a reload brings it;
 *                        of connections to nodes
 *   bounded              what waits in the balancer for a slow reader
 *   a shortage is ours    what this machine lacks ejects no node and spends no budget
 *   nobody is in the way a request waits for its own node and client only (moment.h)
 *   a break is passed on to who still talks in a tunnel
 *   a stop ends          idle clients are told at once, and what has no client any more soon goes
 *   who sleeps is left   a client that takes nothing is given up
 *   it comes to rest     in bounded time, when nothing disturbs any more
 *   nothing is left      of what was taken, when a worker is over
 *   an old plan is let go   by workers, and its idle connections are closed
 *   handed over          what a turn has recorded is with the log when the turn is over
 *   equal runs           of equal seeds
 *
 * Promises between our own parts (credit, the order of a stream's verbs, what was taken goes back)
 * are must()s of theirs. All of them end the process.
 */

#include "proxy/board.h"
#include "sim/ask.h"
#include "sim/hearer.h"
#include "sim/temper.h"

struct world;
struct exchange;
struct desk;

/* More than there are changes. */
#define SIM_EPOCHS_MAX 64

struct period { /* of one worker and class, as long as the weights that it decides by are the same
		 */
	uint32_t weights[ARMS];
	uint64_t taken[ARMS];
};

/* The target's shares of the weights under which a user went there, and did not. */
struct user {
	bool to_target, to_source;
	double to_target_min, to_source_max;
};

struct judge {
	struct board_values published[SIM_EPOCHS_MAX];
	unsigned published_n;
	uint64_t settled; /* the newest epoch that every worker has acknowledged */
	struct period periods[WORKERS_MAX][CLASSES];
	uint64_t epochs[WORKERS_MAX]; /* that they decided by last */
	struct user users[SIM_USERS_MAX + 1];
	uint64_t decided[WORKERS_MAX][LISTENERS_MAX][ARMS];
};

_Noreturn __attribute__((format(printf, 3, 4))) void
judge_fail(const struct world *w, const char *invariant, const char *format, ...);

/* --- what the balancer decides --- */

void judge_published(struct world *w, const struct board_values *v);
/* `a` may be NULL, when its target is not one of ours. */
void judge_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a);
/* Its first node. */
void judge_chosen(const struct world *w, const struct exchange *ex);
/* Its head is for that node: now, or when it can be reached. */
void judge_attempt(const struct world *w, struct ask *a, const struct node_state *node);
/* After a turn: no request is with a node that is to be cut. */
void judge_cut(const struct world *w, unsigned worker, const struct desk *d);
/* After a turn: no node has more than it may, and nobody waits while one has room. */
void judge_busy(struct world *w, unsigned worker, const struct desk *d);
/* After a turn: no listener has taken clients beyond its limit. */
void judge_limits(struct world *w, unsigned worker);
void judge_sockets(const struct world *w, unsigned worker, const struct desk *d);
/* After a turn: what the board says is under way. */
void judge_in_flight(const struct world *w, unsigned worker, const struct desk *d);

/* A worker says something to a node. */
void judge_word(const struct world *w, unsigned worker, const struct node_state *node,
		const char *verb);

/* --- what a node sees --- */

/* A request's head. Gives what it was. */
struct ask *judge_reached(struct world *w, struct server *s, const struct hearer *r);
void judge_arrived(struct world *w, struct ask *a, const struct hearer *r);
/* The balancer has left the node, which has all of it and has not answered. */
void judge_abandoned(const struct world *w, const struct ask *a);
/* A head has come; `present` is what has not been answered yet. */
void judge_one_at_a_time(const struct world *w, const struct ask *present);
/* Bytes have come where the node had closed behind its answer to `last`. */
void judge_uninvited(const struct world *w, const struct ask *last);

/* --- what a client sees --- */

void judge_answer_head(struct world *w, const struct client *c, struct ask *a,
		       const struct hearer *r);
void judge_answer(struct world *w, const struct client *c, struct ask *a, const struct hearer *r);
void judge_echo(struct world *w, const struct ask *a, uint64_t place, const uint8_t *bytes,
		size_t n);
/* FIN, or a reset: what has no answer gets none any more. */
void judge_finished(struct world *w, struct client *c);
void judge_broken(struct world *w, struct client *c);

/* --- and everybody --- */

void judge_readable(const struct world *w, const struct hearer *r, const char *who);
/* After every worker has had a turn. */
void judge_round(struct world *w);
void judge_nothing(const struct world *w, const char *what, uint64_t n);
/* A worker is over. */
void judge_worker_over(struct world *w, unsigned worker);

#endif
