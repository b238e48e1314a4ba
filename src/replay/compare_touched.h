#ifndef REPLAY_COMPARE_TOUCHED_H
#define REPLAY_COMPARE_TOUCHED_H

/*
 * The documents that the capture log names since the last comparison. A follower of the log,
 * `compare`, keeps the place: it is registered when the first comparison is made, and its position
 * moves on only past what was found equal. So no key is lost, and what differs is looked at again
 * each time until it is equal.
 *
 * Keys are held once each, REPLAY_KEYS_MAX of them: at that bound the log is read on when some have
 * been judged.
 *
 * Two threads: one reads the log (touched_read()), the other one does all else.
 */

#include "replay/compare_judge.h"
#include "replay/log_reader.h"

#define COMPARE_FOLLOWER "compare"

struct touched;

struct touched_config {
	const char *directory; /* of the log; borrowed */
	enum arm owner;
	uint64_t since;		  /* as log_reader_config.since */
	uint64_t seed;		  /* as keys_config.seed */
	struct waker *waker;	  /* borrowed: the reading thread's */
	void (*wake)(void *user); /* the other thread: from the reading one */
	void *user;
};

struct touched *touched_open(const struct touched_config *c);
/* touched_is_over() only. */
void touched_close(struct touched *t);

/*
 * Reads from the follower's place up to that time. `keys`: they are wanted; else only the place is
 * to move on, by touched_end(). `wants` says whether a concrete index is compared.
 */
struct touched_wish {
	bool keys;
	uint64_t until_wall_ns;
	bool (*wants)(void *user, struct span index);
	bool (*knows)(void *user, struct span index); /* it is an index, and no alias */
	void *user;
};

void touched_begin(struct touched *t, const struct touched_wish *w);
/* Gives keys to be judged, as many as fit. True: there are no more, and all are judged. */
bool touched_turn(struct touched *t, struct judge *j);
/* The key with that number is equal. */
void touched_done(struct touched *t, uint32_t number);
/*
 * Names and patterns of indices of which the log does not say which documents were written; moved
 * out, each from malloc. NULL: none is left.
 */
char *touched_take_whole(struct touched *t);
/* What was read ends. `equal`: also what was compared as a whole was. */
void touched_end(struct touched *t, bool equal);
/* touched_is_over(): nothing is held any more, and it may begin again. */
void touched_forget(struct touched *t);
/* After touched_end(): the reading thread does nothing any more. */
bool touched_is_over(const struct touched *t);
/* Writes that the log names, one by one, of all that were read. */
uint64_t touched_writes(const struct touched *t);
/* Why the log cannot be read; NULL: it can. */
const char *touched_failure(const struct touched *t);

/* On the reading thread. True: there is more to do at once. */
bool touched_read(struct touched *t);
/* The reading thread ends. */
void touched_leave(struct touched *t);

#endif
