#ifndef TESTS_SIM_TALLY_H
#define TESTS_SIM_TALLY_H

/*
 * In how many worlds each kind of event has happened at least once: for the table in
 * docs/simulator.md.
 */

#include <stdint.h>

struct world;

enum seen {
#define SEEN(name, words) SEEN_##name,
#include "sim/tally.def"
#undef SEEN
	SEENS,
};

/* Records that the event has happened. */
void tally_note(struct world *w, enum seen what);
/* The events of a finished world, one bit each. */
uint64_t tally_of(const struct world *w);
const char *tally_words(enum seen what);

#endif
