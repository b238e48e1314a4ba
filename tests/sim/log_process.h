#ifndef TESTS_SIM_LOG_PROCESS_H
#define TESTS_SIM_LOG_PROCESS_H

/*
 * The capture log of one process, as capture/writer.h runs it, called by the world in place of a
 * thread. It does nothing during a disk operation, and otherwise sleeps until it is woken or a
 * deadline comes.
 */

#include "capture/tap.h"
#include "sim/scenario.h"

struct world;

/* What passed unrecorded, as counted by the process's workers. */
struct log_process_losses {
	uint64_t reads, writes, outcomes, last_write_wall_ns;
	uint64_t uncertain; /* number of processes whose losses are not fully known */
};

struct log_process {
	struct world *world;
	unsigned process;
	uint64_t generation;
	struct taps taps[SIM_WORKERS_MAX];
	struct feed *feeds[SIM_WORKERS_MAX];
	/*
	 * The process's slot in the file of unrecorded counts, which outlives the process; and the
	 * part of it that would survive a power cut.
	 */
	struct unrecorded_process counted, kept;
	bool left;		 /* the process has ended, and no other has taken over its slot */
	bool cut;		 /* the process ended with a power cut */
	struct disk *disk;	 /* owned, until a crash */
	struct journal *journal; /* owned; NULL after its end or a crash */
	bool woken;
	bool stopping;
	bool crashed;
	bool was_away;	       /* its log was unavailable when it crashed */
	uint64_t available_ms; /* when the log was last seen available */
	struct log_process_losses lost_at_crash;
};

void log_process_open(struct log_process *s, struct world *w, unsigned process,
		      uint64_t generation);
/* Does what the thread would do until it waits. False: there was nothing to do. */
bool log_process_turn(struct log_process *s);
/* UINT64_MAX: it waits for its disk, or to be woken. */
uint64_t log_process_deadline_ns(const struct log_process *s);
/* No worker of the process is left: the log writes its queue, and ends. */
void log_process_stop(struct log_process *s);
/* Ends the process at once; `power`: counts that were not saved are lost too. */
void log_process_crash(struct log_process *s, bool power);
/* Takes over the counts that `gone` has left. */
void log_process_inherit(struct log_process *s, struct log_process *gone);

/*
 * The true losses; the losses known after a power cut; and those of them, its own and inherited,
 * that no gap has reported.
 */
struct log_process_losses log_process_losses(const struct log_process *s);
struct log_process_losses log_process_known(const struct log_process *s);
struct log_process_losses log_process_untold(const struct log_process *s);

#endif
