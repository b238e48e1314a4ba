#ifndef REPLAY_UPKEEP_H
#define REPLAY_UPKEEP_H

/*
 * Replay's orders and what is kept over a start: whether it is paused, what was set aside, which
 * indices are not exact, and the backfill. On the copying thread, but for what says otherwise.
 */

#include "replay/backfill.h"
#include "replay/cluster_error.h"
#include "replay/copy.h"
#include "replay/surroundings.h"

struct upkeep_config {
	const char *directory; /* of the marks; borrowed */
	struct subrequests *subrequests;
	struct keys
		*keys; /* NULL: there are no documents, but requests that are sent as they were */
	const struct index_filter *filter; /* borrowed, as the two before */
	enum arm owner;
	void (*back)(void *user, uintptr_t tag); /* that was kept here: the marks are durable */
	/* Where there are requests: decides about those that are held, and whether there are some.
	 */
	size_t (*decide)(void *user, bool send);
	bool (*is_held)(void *user);
	void *user;
};

struct upkeep {
	struct upkeep_config config;
	struct kept_marks kept;
	struct backfill *backfill; /* owned */
	uint64_t known; /* change of the marks: indices that replay knows; tags wait for it */
	bool knows_too_many;
	bool holds;	/* the tag that goes back next is held until the marks are durable */
	size_t retries; /* keys that were set aside and are tried again */
	/* Of a restart: it was asked for with this change; the reading thread has done it. */
	_Atomic uint64_t restart_change;
	atomic_bool restarted;
	uint64_t restart_number; /* of the order; 0: none waits */
	/* Shared. */
	pthread_mutex_t lock;
	struct orders orders;
	json_t *seen;	   /* owned: the backfill, for status */
	json_t *not_exact; /* owned: what was not exact when the comparison began */
};

void upkeep_open(struct upkeep *u, const struct upkeep_config *c);
/* upkeep_is_quiet() only. */
void upkeep_close(struct upkeep *u);
void upkeep_stop(struct upkeep *u);
bool upkeep_is_quiet(const struct upkeep *u);

/* Each turn: takes orders, gives tags back, adds keys of a backfill. */
struct upkeep_turn {
	bool on;	       /* copies are made, if nothing is against it */
	uint64_t watermark_ns; /* by the wall clock; 0: not known */
	uint64_t time_ns;      /* no later write of the log is older; 0: not known */
	size_t backfill_keys_max;
};
void upkeep_turn(struct upkeep *u, const struct upkeep_turn *t);
uint64_t upkeep_due_ms(const struct upkeep *u);
/* Others see the backfill as it is now. */
void upkeep_show(struct upkeep *u);
/* True once: the log is read from its beginning again. */
bool upkeep_has_restarted(struct upkeep *u);

bool upkeep_is_paused(const struct upkeep *u);
/* So many documents are set aside that replay stops, until some are tried again. */
bool upkeep_is_full(const struct upkeep *u);
/* What is against copying, in words; NULL: nothing is, or it is paused. */
const char *upkeep_trouble(const struct upkeep *u);

/* A key is about to leave the table: its copy's verdict is not one to copy it again. */
void upkeep_key_over(struct upkeep *u, const struct keys_taken *t, const struct copy *c,
		     const struct cluster_error *e);
/* For keys_config.back. True: the tag is kept here. */
bool upkeep_tag_back(struct upkeep *u, uintptr_t tag);
/* The same of a tag of the log: it waits until the indices are kept that its write made known. */
bool upkeep_keep_tag(struct upkeep *u, uintptr_t tag);
void upkeep_not_exact(struct upkeep *u, struct span index, const char *why);
/* The same of a write with that tag, which goes back when this is durable. */
void upkeep_not_exact_write(struct upkeep *u, struct span index, const char *why, uintptr_t tag);

/* What is remembered of an index; moved in. Tags of the log wait until that is durable. */
void upkeep_know_index(struct upkeep *u, struct span index, json_t *what);
/* It is gone at both; of a stream all indices behind it. */
void upkeep_forget_index(struct upkeep *u, struct span name, bool is_stream);
/*
 * Before anything is copied: what was remembered. Where the owner was the other cluster then, what
 * the marks have of its indices and of their scans goes.
 */
void upkeep_recall(struct upkeep *u, struct surroundings *s);

/* A comparison begins. */
void upkeep_compare_begun(struct upkeep *u);
/* It found that: compare_config.exact. What became not exact meanwhile stays so. */
void upkeep_exact(struct upkeep *u, const char *index);

/* A member of the marks that is kept for somebody else. `part` is moved in. */
void upkeep_keep_part(struct upkeep *u, const char *name, json_t *part);

/* --- the reading thread --- */

/* Once it holds the follower's place. `from_ns`: where it begins, if it never has; 0: anywhere. */
bool upkeep_load(struct upkeep *u, uint64_t from_ns);
uint64_t upkeep_from(struct upkeep *u);
/* A restart is due, and the marks know it. */
bool upkeep_restarts(const struct upkeep *u);
void upkeep_set_restarted(struct upkeep *u);

/* --- any thread --- */

/* The order's number; its texts are moved in. 0: too many wait. */
uint64_t upkeep_order(struct upkeep *u, const struct replay_order *one);
/* True: it is done and durable, or refused. */
bool upkeep_outcome(struct upkeep *u, uint64_t number, struct order_outcome *to);
/* {"paused":...,"backfill":...,"set_aside":N,"not_exact":{...},"from":TIME}; a new reference. */
json_t *upkeep_json(struct upkeep *u);
/* Documents that were set aside, from the n-th on; a new reference. */
json_t *upkeep_aside_json(struct upkeep *u, size_t from);

#endif
