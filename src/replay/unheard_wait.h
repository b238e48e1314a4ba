#ifndef REPLAY_UNHEARD_WAIT_H
#define REPLAY_UNHEARD_WAIT_H

/* One write of replay's that was not heard of: replay/unheard.h waits for it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

#define UNHEARD_PREFIX "crossfade-replay-"
/* The prefix, 16 digits of this process, and a number. */
#define UNHEARD_ID_BYTES 64

struct unheard_wait {
	struct list link; /* in unheard->waits */
	char id[UNHEARD_ID_BYTES];
	bool asked;	   /* the look that is under way was sent after it came */
	uint64_t clear_ms; /* since when each look was clear; 0: the last one was not */
	/* It can act no more, or nobody waits any more. */
	void (*over)(struct unheard_wait *w);
};

struct unheard;

/* The next id. */
void unheard_id(struct unheard *u, char id[UNHEARD_ID_BYTES]);
/*
 * over() follows, and is not called in here. False: unheard_leave() was called, and nobody waits.
 * The wait is the caller's, and stays until over() or unheard_forget().
 */
bool unheard_wait(struct unheard *u, struct unheard_wait *w, const char *id,
		  void (*over)(struct unheard_wait *w));
/* It may be none of those that are waited for, and zeroed memory. */
void unheard_forget(struct unheard *u, struct unheard_wait *w);

/* A write of ours was broken off. */
void unheard_lose(struct unheard *u);

#endif
