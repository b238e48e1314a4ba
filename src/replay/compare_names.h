#ifndef REPLAY_COMPARE_NAMES_H
#define REPLAY_COMPARE_NAMES_H

/*
 * Which indices are compared: those that an expression means at either cluster, with their numbers
 * of documents, which are hints.
 */

#include "replay/ask.h"
#include "replay/compare_result.h"

/* One index, by its name. */
struct compare_index {
	char *name;		 /* owned */
	bool closed[ARMS];	 /* its documents cannot be read */
	int64_t documents[ARMS]; /* -1: not known */
	bool doubted;		 /* a document of it is not the same, or nobody can tell */
};

struct compare_names {
	struct ask ask;
	enum arm owner;
	char *expression;	    /* owned; "": all but those that begin with a dot */
	struct compare_index *list; /* owned; in the order in which they were told */
	size_t n, room;
	unsigned step;
	uint64_t failing_ms, not_before_ms; /* 0: it does not fail */
	char trouble[256];
};

void compare_names_open(struct compare_names *s, struct subrequests *subrequests, enum arm owner);
/* As ask_close(). */
void compare_names_close(struct compare_names *s);

void compare_names_begin(struct compare_names *s, const char *expression);
/* Each turn. True: all is there. */
bool compare_names_turn(struct compare_names *s);
/* Why nobody can tell; NULL: it goes on, or is done. */
const char *compare_names_failure(const struct compare_names *s);
void compare_names_stop(struct compare_names *s);

/* Whether an index of that name may be one of them. */
bool compare_names_want(const struct compare_names *s, struct span index);
/* NULL: no cluster has it, or it is not to be compared. */
const struct compare_index *compare_names_of(const struct compare_names *s, struct span index);
/* A document of that index is not known to be the same. */
void compare_names_doubt(struct compare_names *s, struct span index);
/* Whether its documents can be read at both: else that is told. */
bool compare_names_tell(const struct compare_names *s, const struct compare_index *x,
			struct compare_result *r);

#endif
