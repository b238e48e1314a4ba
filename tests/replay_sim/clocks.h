#ifndef TESTS_REPLAY_SIM_CLOCKS_H
#define TESTS_REPLAY_SIM_CLOCKS_H

/*
 * The linker leads the program's calls of the machine's clocks, random numbers and log here
 * (CMakeLists.txt): in a world its own time passes, and equal seeds give equal runs.
 */

struct world;

/* NULL: of the machine. */
void clocks_are_of(struct world *w);

#endif
