#ifndef TESTS_SIM_SCHEDULE_H
#define TESTS_SIM_SCHEDULE_H

/*
 * What must have happened before time goes on. All work that needs no time is done by then: a
 * request that still waits must have a reason of its own, and must not wait for another request.
 */

struct world;

/* Called when nothing more happens at this point of time. */
void schedule_check(struct world *w);

#endif
