#ifndef REPLAY_COMPARE_REPAIR_H
#define REPLAY_COMPARE_REPAIR_H

/*
 * Keys that differ are handed to replay, which copies them; then they are compared again. Nothing
 * is written here.
 */

#include "replay/compare_judge.h"
#include "replay/keys.h"

/* The tag of all of them; those of the log are smaller. */
#define COMPARE_TAG (((uintptr_t)1 << 30) + 1)

struct repair_key;

struct repair {
	struct keys *keys;		 /* borrowed */
	struct repair_key *first, **end; /* owned */
	struct repair_key *copied;	 /* the next one to copy */
	size_t n;
	size_t out; /* tags that have not come back */
};

void repair_open(struct repair *r, struct keys *keys);
void repair_clear(struct repair *r);

/* False: there are too many. */
bool repair_add(struct repair *r, const struct judge_key *k);
/* Hands over what there is room for. True: all are copied, or will never be. */
bool repair_copy(struct repair *r, uint64_t wall_ns);
/* Gives all to be judged again, as far as there is room. True: none is left. */
bool repair_judge(struct repair *r, struct judge *j);

#endif
