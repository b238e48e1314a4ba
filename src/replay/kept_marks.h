#ifndef REPLAY_KEPT_MARKS_H
#define REPLAY_KEPT_MARKS_H

/*
 * The marks (replay/marks.h) and their file. The copying thread changes them, the reading thread
 * loads and saves them, control looks at them.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "replay/marks.h"

enum kept_state {
	KEPT_UNREAD, /* nothing may be copied before they are read */
	KEPT_READY,
	KEPT_NEWER,	 /* the file is a newer program's: nothing is copied */
	KEPT_UNREADABLE, /* `error`: it is tried again */
};

/* A tag that goes back when a change is durable. */
struct kept_tag {
	uintptr_t tag;
	uint64_t change;
};

struct kept_marks {
	const char *directory; /* borrowed */
	pthread_mutex_t lock;
	struct marks marks; /* under the lock, but for reading on the copying thread */
	_Atomic int state;  /* enum kept_state */
	_Atomic int error;  /* of the last try to read or save; 0: it succeeded */
	/* Of when they were read: marks_all_heard(), and the change that took it back. */
	bool all_heard;
	uint64_t begun;
	/* Changes count from 1. */
	_Atomic uint64_t changed, saved, urgent; /* the last; up to which; the last to save soon */
	/* The reading thread's. */
	uint64_t saved_ns; /* monotonic */
	/* The copying thread's, in the order of their changes. */
	struct kept_tag *tags; /* owned */
	size_t tag_n, tag_room;
};

/* `directory` is borrowed. */
void kept_open(struct kept_marks *k, const char *directory);
void kept_close(struct kept_marks *k);

/* --- the copying thread --- */

/* Nobody else looks at the marks until kept_changed(). */
struct marks *kept_change(struct kept_marks *k);
/* The number of the change. `soon`: somebody waits until it is durable. */
uint64_t kept_changed(struct kept_marks *k, bool soon);
static inline bool kept_is_ready(const struct kept_marks *k)
{
	return atomic_load(&k->state) == KEPT_READY;
}
/* Nothing is sent before: what was read of it must not be read again. */
static inline bool kept_has_begun(const struct kept_marks *k)
{
	return kept_is_ready(k) && (!k->all_heard || atomic_load(&k->saved) >= k->begun);
}
static inline bool kept_is_saved(const struct kept_marks *k, uint64_t change)
{
	return atomic_load(&k->saved) >= change;
}
/* The tag goes back when all changes up to now are durable. */
void kept_hold(struct kept_marks *k, uintptr_t tag);
/* True: `tag` is one that was held and may go back. */
bool kept_release(struct kept_marks *k, uintptr_t *tag);

/* --- the reading thread --- */

/*
 * Reads the file; `now_ns` is the wall clock's. `from_ns`: where replay begins, if the marks do not
 * say it; 0: anywhere. `restart` gets the change of a restart that was not done. False: it is not
 * ready.
 */
bool kept_load(struct kept_marks *k, uint64_t now_ns, uint64_t from_ns, _Atomic uint64_t *restart);
/* Saves what is due; `all`: what is not due, too. True: there was something, and it is durable. */
bool kept_save(struct kept_marks *k, bool all);

#endif
