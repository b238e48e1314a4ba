#ifndef TESTS_REPLAY_SIM_HISTORIES_H
#define TESTS_REPLAY_SIM_HISTORIES_H

/*
 * What each document has been at the owner, in order, and how far the replica's one has come in
 * that. A document that is not there is a state as others. The linker leads the sample clusters'
 * changes here (CMakeLists.txt).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct world;

struct history {
	struct history *next; /* of its bucket */
	uint64_t *states;     /* owned: fingerprints; the first is that of nothing */
	unsigned n, room, at; /* at: the replica's */
	/* The owner's version is a client's: one more than the last one would be another. */
	bool external;
	char *key; /* owned: index/shard/id */
};

#define HISTORY_BUCKETS 1024

struct histories {
	struct history *buckets[HISTORY_BUCKETS];
};

/* NULL: the owner never had it. */
const struct history *histories_find(const struct histories *h, const char *index, unsigned shard,
				     struct span id);
/* In that world what the sample clusters change is judged from now on; NULL: in none. */
void histories_are_of(struct world *w);
void histories_close(struct histories *h);

#endif
