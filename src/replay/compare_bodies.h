#ifndef REPLAY_COMPARE_BODIES_H
#define REPLAY_COMPARE_BODIES_H

/*
 * Indices, one by one, and what belongs to none: asked at both clusters and compared
 * (replay/compare_around.h). As with documents a difference is not believed at once: replay may be
 * about to bring it over. It counts when all writes that had begun are copied, and the owner says
 * the same before and behind.
 */

#include "replay/compare_names.h"

struct bodies {
	struct ask ask;
	enum arm owner;
	uint64_t (*copied)(void *user, bool begun); /* judge_config.copied */
	/* Both have the index. */
	void (*both)(void *user, const char *index);
	void *user;
	struct compare_names *names;   /* borrowed */
	struct compare_result *result; /* borrowed */
	size_t at, end;		       /* of names, then kinds of what belongs to no index */
	unsigned step, rounds;
	json_t *bodies[3]; /* owned: the owner's, the replica's, the owner's again; NULL: none */
	uint64_t wall_ns;  /* of the owner's */
	uint64_t waits_ms; /* since when the replica is waited for */
	uint64_t failing_ms, not_before_ms; /* 0: it does not fail */
	char trouble[320];
};

void bodies_open(struct bodies *b, struct subrequests *subrequests, enum arm owner);
/* As ask_close(). */
void bodies_close(struct bodies *b);

/* `all`: templates and pipelines too. */
void bodies_begin(struct bodies *b, bool all);
/* Each turn. True: all is told. */
bool bodies_turn(struct bodies *b);
/* Why nobody can tell; NULL: it goes on, or is done. */
const char *bodies_failure(const struct bodies *b);
void bodies_stop(struct bodies *b);

#endif
