#ifndef REPLAY_COMPARE_H
#define REPLAY_COMPARE_H

/*
 * One comparison of owner and replica at a time, beside replay and on its thread. It reads at both
 * clusters and writes to none; what is to be repaired is handed to replay.
 *
 * Each document is judged (replay/compare_judge.h). Which ones: those that the log names since the
 * last comparison (replay/compare_touched.h), or all: of each index that both have the ids of the
 * owner come page by page, then those of the replica, of which those are judged that the owner does
 * not have.
 */

#include "replay/compare_judge.h"
#include "replay/keys.h"

struct compare;

enum compare_what {
	COMPARE_TOUCHED, /* documents that were written since the last comparison */
	COMPARE_SAMPLE,	 /* some documents of each index, at random */
	COMPARE_ALL,
};

struct compare_order {
	enum compare_what what;
	/* Names and patterns with commas between them; "": all but those that begin with a dot. */
	char indices[COMPARE_INDICES_BYTES];
	uint32_t sample; /* documents of each index */
	bool repair;
};

struct compare_config {
	struct subrequests *subrequests; /* borrowed */
	struct keys *keys;		 /* borrowed */
	enum arm owner;
	const char *directory;			    /* of the capture log; borrowed */
	uint64_t since, seed;			    /* as of log_reader_config, keys_config */
	struct waker *waker;			    /* borrowed: the thread's that reads the log */
	void (*wake)(void *user);		    /* replay's thread, from that one */
	uint64_t (*copied)(void *user, bool begun); /* judge_config.copied */
	const char *(*trouble)(void *user);	    /* replay's; "": it is well */
	/* A run begins. */
	void (*begun)(void *user);
	/*
	 * At the end of one: each document of the index was compared, and is the same at both.
	 * NULL: so it is of all indices, but for those that begin with a dot and are behind no
	 * stream.
	 */
	void (*exact)(void *user, const char *index);
	void *user;
};

struct compare *compare_open(const struct compare_config *c);
/* compare_is_quiet() only. */
void compare_close(struct compare *c);

/* --- replay's thread --- */

/* `on`: this process plays. A run ends where it does not. */
void compare_turn(struct compare *c, bool on);
/* The loop's milliseconds; UINT64_MAX: nothing is due. */
uint64_t compare_due_ms(const struct compare *c);
/* The run ends, and no other one begins. */
void compare_stop(struct compare *c);
bool compare_is_quiet(const struct compare *c);
/* For keys_config.back. False: it is another one's tag. */
bool compare_tag_back(struct compare *c, uintptr_t tag);

/* --- the thread that reads the log --- */

/* True: there is more to do at once. */
bool compare_read_log(struct compare *c);
/* That thread ends. */
void compare_leave_log(struct compare *c);

/* --- any thread --- */

/* False: one is under way. It begins at the next turn: wake replay. */
bool compare_begin(struct compare *c, const struct compare_order *o);
/* False: none is under way. */
bool compare_cancel(struct compare *c);
/*
 * How many runs have ended; where that is not *ended, it is that afterwards, and the last one's
 * report is returned, from malloc. Else NULL.
 */
char *compare_last(struct compare *c, uint64_t *ended);
/* JSON text of the run, or of the last one of this process, from malloc; NULL: there was none. */
char *compare_report(struct compare *c);

#endif
