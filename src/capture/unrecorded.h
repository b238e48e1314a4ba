#ifndef CAPTURE_UNRECORDED_H
#define CAPTURE_UNRECORDED_H

/*
 * What passes without a record is counted in a file of the state directory, which every process of
 * a balancer maps: so the counts outlive the process that counted. A process has a slot; a slot has
 * a row for each worker, and what gaps have reported of those. A process that ends, however it
 * ends, leaves in its slot what was not reported. Another process takes that over, reports it in a
 * gap of its own, and frees the slot.
 *
 * What is left after a crash, by what ended and when:
 *
 *   the process, while requests pass unrecorded
 *           All counts are there: a request is counted before it passes.
 *   the process, between a gap that is durable and its note here, or amid a taking over
 *           The same losses are reported twice. So they are when the machine ends: what is taken
 *           over is on the disk before the slot that had it is free.
 *   the machine
 *           Since when the log was away is there, for that is on the disk before anything passes
 *           because of it. Counts are as saved last, at most LOSS_KEEP_MS before, and the gap says
 *           that they are the least.
 *
 * Counts of requests never go back while the file lives. `total`, over all processes up to now, and
 * the time when it last grew, tell whether anything has passed unrecorded since a moment, reported
 * or not.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/limits.h"
#include "capture/frame.h"

/* Written by one thread. */
struct feed_losses {
	counter reads, writes;		       /* requests */
	counter outcomes;		       /* of requests that were recorded */
	counter request_bytes, response_bytes; /* GAP_TUNNEL */
	/*
	 * The latest row of losses, in which none is more than LOSS_PAUSE_MS behind the one before.
	 */
	counter first_ns, last_ns, first_wall_ns, last_wall_ns;
	counter last_write_wall_ns; /* of a lost write or outcome */
	counter uncertain;	    /* processes that ended before they could save all counts */
	/*
	 * GAP_TUNNEL: tunnels that are open; tunnels that have ended, each with a gap of its own.
	 */
	counter tunnels, tunnels_ended, first_tunnel_wall_ns;
};

/* A sum of several of them, read at one time. */
struct losses {
	uint64_t reads, writes, outcomes, request_bytes, response_bytes;
	uint64_t first_ns, last_ns, first_wall_ns, last_wall_ns, last_write_wall_ns;
	uint64_t uncertain, tunnels, tunnels_ended, first_tunnel_wall_ns;
};

/*
 * Losses that this process has counted; losses of earlier processes that those had not reported.
 * Gaps report each apart.
 */
enum unrecorded_side { UNRECORDED_OWN, UNRECORDED_INHERITED, UNRECORDED_SIDES };

struct unrecorded_process {
	counter generation; /* of its series; 0: the slot is free */
	/* Since when its log cannot be written, until a gap has reported that; 0: it can. */
	counter away_wall_ns;
	counter worker_n;
	uint8_t boot[16]; /* the boot id of the kernel that it ran on */
	struct feed_losses told[UNRECORDED_SIDES][GAP_REASONS];
	struct feed_losses inherited[GAP_REASONS];
	struct feed_losses lost[WORKERS_MAX][GAP_REASONS];
};

void losses_add(struct losses *to, const struct feed_losses *l);
/* Whether `now` has losses that `told` has not. */
bool losses_tell_more(const struct losses *now, const struct losses *told);
/* The losses that are in `now` and not in `told`, with their times. */
struct losses losses_since(const struct losses *now, const struct losses *told);

struct losses unrecorded_sum(const struct unrecorded_process *p, enum unrecorded_side side,
			     enum gap_reason reason);
struct losses unrecorded_told(const struct unrecorded_process *p, enum unrecorded_side side,
			      enum gap_reason reason);
void unrecorded_tell(struct unrecorded_process *p, enum unrecorded_side side,
		     enum gap_reason reason, const struct losses *told);
/* Whether some losses are not reported yet. */
bool unrecorded_has_more(const struct unrecorded_process *p);
/* Whether all losses are reported, and the log is not away. */
bool unrecorded_is_told(const struct unrecorded_process *p);
/*
 * Adds to the heir's losses what `gone` has not reported. `cut`: the machine went down with its
 * process, and the newest counts are lost; `wall_ns` is when that was seen.
 */
void unrecorded_inherit(struct unrecorded_process *heir, const struct unrecorded_process *gone,
			bool cut, uint64_t wall_ns);

/* --- the file --- */

#define UNRECORDED_FILE "unrecorded"
/* A damaged file is kept by this name, beside the one that takes its place. */
#define UNRECORDED_DAMAGED UNRECORDED_FILE ".damaged"
/*
 * More than there can be processes: the slot of one that has ended stays until another process
 * looks.
 */
#define UNRECORDED_SLOTS (2 * PROCESSES_MAX)

struct unrecorded_page;

struct unrecorded {
	int fd; /* owned; -1: it is in memory only */
	struct unrecorded_page *page;
	struct unrecorded_process *own;
	uint8_t boot[16];
};

enum unrecorded_before {
	UNRECORDED_WAS_GOOD, /* or none was expected */
	UNRECORDED_WAS_MISSING,
	UNRECORDED_WAS_DAMAGED,
};

/* What is known before the file is opened. */
struct unrecorded_signs {
	bool expected;		/* something was recorded before: the file must be there */
	uint64_t since_wall_ns; /* all before it was reported, as far as known; 0: not known */
	uint64_t wall_ns;	/* now */
};

/*
 * The counts of a file that is missing or damaged are lost. A file that says just this takes its
 * place, as if a process had left it. The process that takes it over reports it in a gap; from then
 * on the counts are the least that there were.
 */
enum unrecorded_before unrecorded_mend(int directory, const struct unrecorded_signs *s);
/*
 * Takes a slot, for a series of that generation. False with errno: the counts are in memory alone,
 * and go with the process.
 */
bool unrecorded_open(struct unrecorded *u, int directory, uint64_t generation, unsigned worker_n);
/* Takes over what ended processes have left. Returns how many of them had something to report. */
unsigned unrecorded_take_over(struct unrecorded *u, uint64_t wall_ns);
/* Makes the counts outlast a power cut. False with errno. */
bool unrecorded_keep(struct unrecorded *u);
/* Whether the file in that directory is still the one that is counted in. */
bool unrecorded_is_kept(const struct unrecorded *u, int directory);
/* The process counts no more: frees the slot, or leaves it to others where not all is reported. */
void unrecorded_close(struct unrecorded *u);

struct unrecorded_seen {
	struct losses total[GAP_REASONS];  /* of all processes up to now */
	struct losses untold[GAP_REASONS]; /* that no gap reports yet */
	uint64_t away_wall_ns;		   /* since when a log is away; 0: none is */
};

/* For any process, at any time. False with errno; ENOENT: nothing was ever recorded. */
bool unrecorded_look(int directory, struct unrecorded_seen *to);
void unrecorded_see(const struct unrecorded *u, struct unrecorded_seen *to);

#endif
