#ifndef TESTS_SIM_TALLY_H
#define TESTS_SIM_TALLY_H

/* In how many worlds something has happened at least once: what the table of docs/simulator.md has.
 */

#include <stdint.h>

struct world;

enum seen {
#define SEEN(name, words) SEEN_##name,
#include "sim/tally.def"
#undef SEEN
	SEENS,
};

/* It has happened. */
void tally_note(struct world *w, enum seen what);
/* What has happened by its end: a bit each. */
uint64_t tally_of(const struct world *w);
const char *tally_words(enum seen what);

#endif
