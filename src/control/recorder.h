#ifndef CONTROL_RECORDER_H
#define CONTROL_RECORDER_H

/*
 * The capture log of this process, as the control thread uses it: its directory, the writer's
 * thread, and the taps of each worker. It exists from the start to the end of the process, or not
 * at all: a reload cannot add or remove it, only a new process can.
 */

#include "base/wheel.h"
#include "capture/kafka.h"
#include "capture/packer.h"
#include "capture/retention.h"
#include "capture/tap.h"
#include "capture/unrecorded.h"
#include "capture/writer.h"
#include "control/config.h"
#include "control/disk_jobs.h"
#include "proxy/board.h"

/* A look into the capture directory, and its result. */
struct recorder_look {
	struct disk_job job;
	uint64_t began_ns; /* by clock_monotonic_ns(); 0: no look is under way */
	int error;	   /* errno; 0: the members below are valid */
	struct followers followers;
	struct retained retained;
	uint64_t sequence, wall_ns; /* what was durable when the look began */
};

/* A look at the file that counts unrecorded requests, in the state directory. */
struct recorder_losses_look {
	struct disk_job job;
	bool under_way;
	bool known, kept;      /* `kept` is valid; the counts still go to the named file */
	unsigned predecessors; /* processes that were taken over and had counts to report */
};

struct recorder {
	struct taps *taps; /* owned, one for each worker; NULL: nothing is recorded */
	struct feed **feeds;
	unsigned worker_n;
	uint64_t generation;
	char *directory; /* owned */
	struct unrecorded unrecorded;
	bool counts_kept; /* unrecorded counts outlive the process, as last checked */
	struct writer writer;
	_Atomic(struct kafka *) kafka; /* owned; NULL: this process does not send to Kafka (yet) */
	struct config *config;	       /* a hold: the Kafka settings are part of it */
	int refuses; /* after a crash: errno of the directory, and the log is unavailable; 0 */
	bool found;  /* a new process could use the directory by now */
	bool packs;  /* `packer` is open */
	struct packer packer;
	/* Used by the control thread: what is retained, and the looks. */
	struct retention retention;
	uint64_t limit_bytes; /* 0: any */
	uint64_t segment_bytes;
	struct retained retained;   /* as of the last look, */
	struct followers followers; /* as these; owned */
	uint64_t looked_sequence,
		looked_wall_ns;		    /* what was durable at the last look, and its time */
	char held_for[FOLLOWER_NAME_BYTES]; /* as last logged */
	uint64_t looked_at_wall_ns;	    /* time of the last look; 0: none yet */
	struct disk_jobs disk;		    /* for the capture directory */
	struct disk_jobs *state_disk;	    /* borrowed */
	struct recorder_look
		directory_look; /* used by the disk's thread during a look, as the next */
	struct recorder_losses_look losses_look;
	struct timer look;
	struct wheel *wheel; /* borrowed; NULL: no looks are made */
};

#define RECORDER_ERROR_BYTES 512

/*
 * Creates the directory with mode 0700, where it is missing, and begins a series. False: `error`
 * says why not. Without a section `capture` it does nothing. After a crash (config->kept) a
 * directory that cannot be used makes the log unavailable; `found` is set when the directory can be
 * used.
 */
bool recorder_open(struct recorder *r, struct config *c, unsigned worker_n,
		   char error[RECORDER_ERROR_BYTES]);
/*
 * recorder_lead(): this process sends the log to Kafka, if the configuration says so, as soon as no
 * other process does. recorder_retire(): it stops doing so, when what is under way is over.
 */
void recorder_lead(struct recorder *r);
void recorder_retire(struct recorder *r);
/*
 * Records the owner of the writes, as the board has it, in the log. Call it before workers are
 * told: what they decide by it must follow this record.
 */
void recorder_owner(struct recorder *r, const struct board_values *v);
/* The epoch of the newest owner that is durable in the log. */
uint64_t recorder_owner_durable(const struct recorder *r);
/*
 * All workers must be over. Writes the records that they have put, and seals the series. There must
 * be a log; the same holds for recorder_close().
 */
void recorder_end(struct recorder *r);
/* Nothing may use the log any more. */
void recorder_close(struct recorder *r);
/* Logs that `n` processes have left counts to report. */
void recorder_log_predecessors(unsigned n);

/* The taps of that worker; NULL: nothing is recorded. */
struct taps *recorder_taps(const struct recorder *r, unsigned worker);

#endif
