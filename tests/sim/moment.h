#ifndef TESTS_SIM_MOMENT_H
#define TESTS_SIM_MOMENT_H

/*
 * What must have happened before time goes on. All that needs no time has been done by then: so who
 * still waits must have a reason of its own, and not one that is somebody else's.
 */

struct world;

/* Nothing happens any more at this point of time. */
void moment_is_over(struct world *w);

#endif
