#ifndef TESTS_SIM_SCRIBE_H
#define TESTS_SIM_SCRIBE_H

/*
 * The capture log of one process, as capture/writer.h runs it, turned by the world in place of a
 * thread: it does nothing while its disk does, and sleeps until it is woken or something is due.
 */

#include "capture/tap.h"
#include "sim/temper.h"

struct world;

struct scribe {
	struct world *world;
	unsigned process;
	uint64_t generation;
	struct taps taps[SIM_WORKERS_MAX];
	struct feed *feeds[SIM_WORKERS_MAX];
	struct disk *disk;	 /* owned, until a crash */
	struct journal *journal; /* owned; NULL when it is over, or has crashed */
	bool woken;
	bool stopping;
	bool crashed;	       /* what its feeds had counted, and no gap had told, went with it */
	uint64_t available_ms; /* as seen last */
	bool broken_at_last;   /* it could not write when it ended */
};

void scribe_open(struct scribe *s, struct world *w, unsigned process, uint64_t generation);
/* Does what a thread would do until it waits. False: there was nothing. */
bool scribe_turn(struct scribe *s);
/* UINT64_MAX: it waits for its disk, or to be woken. */
uint64_t scribe_deadline_ns(const struct scribe *s);
/* No worker of the process is left: it writes what is there, and ends. */
void scribe_stop(struct scribe *s);
/* The process is no more. What its feeds had counted can still be read. */
void scribe_crash(struct scribe *s);

/* What its workers have counted as passed unrecorded. */
struct scribe_losses {
	uint64_t reads, writes, outcomes;
};
struct scribe_losses scribe_losses(const struct scribe *s);

#endif
