#ifndef TESTS_SIM_WATCH_H
#define TESTS_SIM_WATCH_H

/*
 * Traces all calls between the streams of one worker. It tells the judge the arm of each request as
 * soon as it is decided, and prints all calls with -v.
 */

#include "http/stream.h"
#include "sim/hold.h"

struct world;
struct exchange;

struct watch {
	struct stream_tracer tracer;
	struct world *world;
	unsigned worker;
	const struct exchange *deciding;   /* the exchange whose head has come; NULL: none */
	const struct exchanges *exchanges; /* NULL: no call yet */
	struct held held;		   /* writes that get their arm later */
};

void watch_open(struct watch *t, struct world *w, unsigned worker);
/* Called after the worker's turn: requests that waited may have got their arm. */
void watch_turn(struct watch *t);

/* For hold.c: the arm of an exchange is known. */
void watch_decided(struct watch *t, const struct exchange *ex);
/* The ask's id; 0: not an ask of the simulator. */
uint64_t watch_id_of(const struct exchange *ex);

#endif
