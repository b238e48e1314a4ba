#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

/*
 * Replay: the writes that the owner has taken reach the replica. One thread reads the capture log
 * (replay/log_reader.h). Another one, which turns a worker that accepts nobody, copies the
 * documents that were written (replay/copier.h), or sends the requests as they were
 * (replay/resend.h).
 *
 *     replay_open()        on the worker's thread
 *     replay_turn()        beside worker_turn()
 *     replay_stop()        what is in flight ends
 *     replay_close()
 *
 * The reading thread is app's: it calls replay_read() until that says that it is over.
 */

#include "replay/compare.h"
#include "replay/copier.h"
#include "replay/jobs.h"
#include "replay/log_reader.h"
#include "replay/resend.h"
#include "replay/tuning.h"
#include "replay/upkeep.h"

struct replay;

/* What control wants, and what it sees. Shared by three threads. */
enum replay_wish {
	REPLAY_OFF, /* another process leads: nothing is read or sent */
	REPLAY_ON,
};

struct replay_mailbox {
	_Atomic int wish; /* enum replay_wish: control */
	struct shared_tuning tuning;
};

enum replay_state {
	REPLAY_IDLE,	/* it is not this process that plays */
	REPLAY_WAITING, /* another process has the follower's place still */
	REPLAY_CATCHING_UP,
	REPLAY_CURRENT, /* all that is durable has been copied, or is being copied, and heard of */
	REPLAY_RESTS,	/* paused */
	REPLAY_FAILED,	/* the log or the marks cannot be read: see `trouble` */
	REPLAY_STOPPED, /* too many documents are set aside, or a request is held */
};

#define REPLAY_UNKNOWN_NAMES 32

struct replay_unknown {
	char name[64];
	uint64_t n;
};

/* A copy, for the control thread. */
struct replay_seen {
	enum replay_state state;
	enum arm owner;
	uint64_t lag_ms; /* from the oldest write that the replica has not */
	uint64_t
		watermark_wall_ns; /* every write answered before is at the replica; 0: not known */
	uint64_t exchanges, passed, rejected, holes, lost, behind;
	bool resends; /* requests are sent as they were: `requests`, and nothing of documents */
	struct resend_counts requests;
	uint64_t effects[EFFECT_KINDS];
	struct keys_count keys;
	struct tuning tuning; /* in force */
	struct copier_counts copies;
	uint64_t brought;   /* indices made; mappings, settings, aliases, templates and such put */
	bool settled;	    /* of this process and earlier ones, nothing that was sent is unheard */
	uint64_t unheard;   /* writes that were not heard of, and may act still */
	uint64_t uncertain; /* keys that are copied once more later */
	struct jobs_counts jobs;
	uint64_t left_out; /* keys and jobs of indices that are not replayed */
	struct replay_unknown unknown[REPLAY_UNKNOWN_NAMES];
	unsigned unknown_n;
	char trouble[RESEND_TROUBLE_BYTES];
};

struct replay_config {
	bool resends; /* requests are sent as they were; else documents are copied */
	enum resend_policy uncertain, refused;
	/* Borrowed until it is open: the directory of the capture log, that of the marks, texts. */
	const char *directory, *state;
	struct index_filter filter;
	uint64_t from_ns; /* where in the log it begins, the first time; 0: anywhere */
	struct replay_mailbox *mailbox; /* borrowed; it has a tuning */
	struct worker *worker;		/* borrowed */
	enum arm owner;
	uint64_t since;
	uint64_t seed;
};

struct replay *replay_open(const struct replay_config *c);
/* Both threads are done with it: replay_is_over(). */
void replay_close(struct replay *r);

/* One turn; until when nothing is to do, by the io's clock in nanoseconds. Before worker_turn(). */
uint64_t replay_turn(struct replay *r);
/* No batch begins any more; `now`: those in flight are broken off. */
void replay_stop(struct replay *r, bool now);
bool replay_is_over(const struct replay *r);

/* On the reading thread: reads, or waits. False: it is over. */
bool replay_read(struct replay *r);

/* From any thread. As upkeep_order() and upkeep_outcome(). */
uint64_t replay_order(struct replay *r, const struct replay_order *one);
bool replay_outcome(struct replay *r, uint64_t number, struct order_outcome *to);
/*
 * As upkeep_json(), with "parked":[{"index":...,"keys":N,"why":TEXT}], or "held" as
 * resend_held_json(); a new reference.
 */
json_t *replay_upkeep_json(struct replay *r);
/* NULL: requests are sent as they were. */
json_t *replay_aside_json(struct replay *r, size_t from);
enum replay_read_step {
	REPLAY_READ_MORE,     /* there may be more at once */
	REPLAY_READ_ALL,      /* what is durable was read, or the copying side is full */
	REPLAY_READ_NOT_OPEN, /* another process leads, or the log cannot be read */
	REPLAY_READ_OVER,
};

/* In place of replay_read(), for a caller that waits by itself: reads, and does not wait. */
enum replay_read_step replay_read_step(struct replay *r);

/* From any thread. */
void replay_see(struct replay *r, struct replay_seen *to);
void replay_wake(struct replay *r);
/* NULL: requests are sent as they were. */
struct compare *replay_compare(struct replay *r);

#endif
