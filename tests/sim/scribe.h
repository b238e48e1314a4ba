#ifndef TESTS_SIM_SCRIBE_H
#define TESTS_SIM_SCRIBE_H

/*
 * The capture log of one process, as capture/writer.h runs it, turned by the world in place of a
 * thread: it does nothing while its disk does, and sleeps until it is woken or something is due.
 */

#include "capture/tap.h"
#include "sim/temper.h"

struct world;

/* What its workers have counted as passed unrecorded. */
struct scribe_losses {
	uint64_t reads, writes, outcomes, last_write_wall_ns;
	uint64_t uncertain; /* processes of which not all is known */
};

struct scribe {
	struct world *world;
	unsigned process;
	uint64_t generation;
	struct taps taps[SIM_WORKERS_MAX];
	struct feed *feeds[SIM_WORKERS_MAX];
	/* The slot of the file of what passes unrecorded, which outlives it; and what of it would
	 * outlast a power cut. */
	struct unrecorded_process counted, kept;
	bool left;		 /* it is no more, and nobody has taken its slot over */
	bool cut;		 /* it went with the machine */
	struct disk *disk;	 /* owned, until a crash */
	struct journal *journal; /* owned; NULL when it is over, or has crashed */
	bool woken;
	bool stopping;
	bool crashed;
	bool was_away;	       /* its log was, when it crashed */
	uint64_t available_ms; /* as seen last */
	struct scribe_losses lost_at_crash;
};

void scribe_open(struct scribe *s, struct world *w, unsigned process, uint64_t generation);
/* Does what a thread would do until it waits. False: there was nothing. */
bool scribe_turn(struct scribe *s);
/* UINT64_MAX: it waits for its disk, or to be woken. */
uint64_t scribe_deadline_ns(const struct scribe *s);
/* No worker of the process is left: it writes what is there, and ends. */
void scribe_stop(struct scribe *s);
/* The process is no more; `power`: nor is what of its counts was not kept. */
void scribe_crash(struct scribe *s, bool power);
/* Takes over what it has left. */
void scribe_inherit(struct scribe *s, struct scribe *gone);

/* In truth; as it is known behind a power cut; and of that, what no gap of its own or of what it
 * took over has told. */
struct scribe_losses scribe_losses(const struct scribe *s);
struct scribe_losses scribe_known(const struct scribe *s);
struct scribe_losses scribe_untold(const struct scribe *s);

#endif
