#ifndef CAPTURE_UNRECORDED_H
#define CAPTURE_UNRECORDED_H

/*
 * What passes without a record is counted in a file of the state directory, which every process of
 * a balancer maps: so the counts outlive whoever counted. A process has a slot, and in it a row for
 * each worker and what gaps have told of that. One that ends, however it ends, leaves what was not
 * told in its slot; another one takes that over, tells it in a gap of its own, and frees the slot.
 *
 * What is killed when:
 *
 *   while requests pass unrecorded    all that was counted is there: it is counted before it passes
 *   between a gap that is durable and its being noted here, or amid a taking over
 *                                     it is told twice; with the machine too: what is taken over
 *                                     is on the disk before the slot that had it is free
 *   with the machine                  since when the log was away is there, for that is on the disk
 *                                     before anything passes for it; counts are as kept last, at
 *                                     most LOSS_KEEP_MS before, and the gap says that they are the
 *                                     least
 *
 * Counts of requests never go back while the file lives: `total` over all processes that ever were,
 * and when it last grew, answer whether anything has passed unrecorded since a moment, told or not.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/limits.h"
#include "capture/frame.h"

/* One writer. */
struct feed_losses {
	counter reads, writes;		     /* requests */
	counter outcomes;		     /* of requests whose record is there */
	counter request_bytes, answer_bytes; /* GAP_TUNNEL */
	/* The latest row of losses none of which is LOSS_PAUSE_MS behind the one before. */
	counter first_ns, last_ns, first_wall_ns, last_wall_ns;
	counter last_write_wall_ns; /* of a write, or of an outcome */
	counter uncertain;	    /* processes that ended before they could keep all counts */
	/* GAP_TUNNEL: that are open; that have ended, each with a gap of its own. */
	counter tunnels, tunnels_ended, first_tunnel_wall_ns;
};

/* Of several of them, as read at one time. */
struct losses {
	uint64_t reads, writes, outcomes, request_bytes, answer_bytes;
	uint64_t first_ns, last_ns, first_wall_ns, last_wall_ns, last_write_wall_ns;
	uint64_t uncertain, tunnels, tunnels_ended, first_tunnel_wall_ns;
};

/* Counted by this process; by those before it, that had not told it. Gaps tell of each apart. */
enum unrecorded_side { UNRECORDED_OWN, UNRECORDED_INHERITED, UNRECORDED_SIDES };

struct unrecorded_process {
	counter generation; /* of its series; 0: the slot is free */
	/* Since when its log cannot be written, as long as no gap has told of it; 0: it can. */
	counter away_wall_ns;
	counter worker_n;
	uint8_t boot[16]; /* of the kernel that it ran on */
	struct feed_losses told[UNRECORDED_SIDES][GAP_REASONS];
	struct feed_losses inherited[GAP_REASONS];
	struct feed_losses lost[WORKERS_MAX][GAP_REASONS];
};

void losses_add(struct losses *to, const struct feed_losses *l);
/* Whether `now` says more than `told` of what passed. */
bool losses_tell_more(const struct losses *now, const struct losses *told);
/* What is in `now` and not in `told`, and when it was. */
struct losses losses_since(const struct losses *now, const struct losses *told);

struct losses unrecorded_sum(const struct unrecorded_process *p, enum unrecorded_side side,
			     enum gap_reason reason);
struct losses unrecorded_told(const struct unrecorded_process *p, enum unrecorded_side side,
			      enum gap_reason reason);
void unrecorded_tell(struct unrecorded_process *p, enum unrecorded_side side,
		     enum gap_reason reason, const struct losses *told);
/* Whether something is not told. */
bool unrecorded_has_more(const struct unrecorded_process *p);
/* All is told, and its log is not away. */
bool unrecorded_is_told(const struct unrecorded_process *p);
/*
 * What `gone` has not told is the heir's to tell. `cut`: with its process the machine went, and the
 * newest counts with it; `wall_ns` is when that was seen.
 */
void unrecorded_inherit(struct unrecorded_process *heir, const struct unrecorded_process *gone,
			bool cut, uint64_t wall_ns);

/* --- the file --- */

#define UNRECORDED_FILE "unrecorded"
/* One that was none is kept beside the one that takes its place. */
#define UNRECORDED_DAMAGED UNRECORDED_FILE ".damaged"
/* More than processes can be: those that are gone keep theirs until somebody looks. */
#define UNRECORDED_SLOTS (2 * PROCESSES_MAX)

struct unrecorded_page;

struct unrecorded {
	int fd; /* owned; -1: it is in memory only */
	struct unrecorded_page *page;
	struct unrecorded_process *own;
	uint8_t boot[16];
};

enum unrecorded_before {
	UNRECORDED_WAS_GOOD, /* or nothing was to be there */
	UNRECORDED_WAS_MISSING,
	UNRECORDED_WAS_DAMAGED,
};

/* What is known of it, before the file is opened. */
struct unrecorded_signs {
	bool expected;		/* something was recorded before: the file must be there */
	uint64_t since_wall_ns; /* all before it was told, as far as is known; 0: that is not known
				 */
	uint64_t wall_ns;	/* now */
};

/*
 * What a file has counted that is missing, or is none, nobody knows: it gets one in its place that
 * says just this, as if a process had left it. Who takes that over tells it in a gap, and counts
 * are the least that there were from then on.
 */
enum unrecorded_before unrecorded_mend(int directory, const struct unrecorded_signs *s);
/*
 * Takes a slot, for a series of that generation. False with errno: then what is counted is in
 * memory alone, and goes with the process.
 */
bool unrecorded_open(struct unrecorded *u, int directory, uint64_t generation, unsigned worker_n);
/* Takes over what processes that are gone have left; so many had something to tell. */
unsigned unrecorded_take_over(struct unrecorded *u, uint64_t wall_ns);
/* All of the slot outlasts a power cut. False with errno. */
bool unrecorded_keep(struct unrecorded *u);
/* Whether the file in that directory is still the one that is counted in. */
bool unrecorded_is_kept(const struct unrecorded *u, int directory);
/* The process counts no more: frees the slot, or leaves it to others where not all is told. */
void unrecorded_close(struct unrecorded *u);

struct unrecorded_seen {
	struct losses total[GAP_REASONS];  /* of all processes that ever were */
	struct losses untold[GAP_REASONS]; /* of which no gap tells yet */
	uint64_t away_wall_ns;		   /* since when a log is away; 0: none is */
};

/* For anybody, at any time. False with errno; ENOENT: nothing was ever recorded. */
bool unrecorded_look(int directory, struct unrecorded_seen *to);
void unrecorded_see(const struct unrecorded *u, struct unrecorded_seen *to);

#endif
