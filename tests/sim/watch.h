#ifndef TESTS_SIM_WATCH_H
#define TESTS_SIM_WATCH_H

/*
 * Listens to all that the streams of one worker say: tells the judge what each request's arm is as
 * soon as it is decided, and, with -v, everybody.
 */

#include "http/stream.h"

struct world;
struct exchange;

struct watch {
	struct stream_tracer tracer;
	struct world *world;
	unsigned worker;
	const struct exchange *deciding; /* its head has come; NULL: none */
	const struct desk *desk;	 /* NULL: nothing was said yet */
};

void watch_open(struct watch *t, struct world *w, unsigned worker);
/* After the worker's turn: what waits has its arm too. */
void watch_turn(struct watch *t);

#endif
