#ifndef CONTROL_RECORDER_H
#define CONTROL_RECORDER_H

/*
 * The capture log of this process, as control lives with it: its directory, the writer's thread and
 * each worker's taps. There from the start to the end of the process, or not at all: whether there
 * is one only a new process can change.
 */

#include "base/wheel.h"
#include "capture/kafka.h"
#include "capture/packer.h"
#include "capture/retention.h"
#include "capture/tap.h"
#include "capture/unrecorded.h"
#include "capture/writer.h"
#include "control/config.h"

/* How often it is looked what the directory has. */
#define RECORDER_LOOK_MS 5000
/* The first time: whoever has started it looks at its status. */
#define RECORDER_FIRST_MS 100
/* And how often, whether one that could not be used after a crash can be. */
#define RECORDER_FIND_MS 1000

struct recorder {
	struct taps *taps; /* owned, one for each worker; NULL: nothing is recorded */
	struct feed **feeds;
	unsigned worker_n;
	uint64_t generation;
	char *directory; /* owned */
	struct unrecorded unrecorded;
	bool counts_kept; /* what passes unrecorded outlives the process, as last looked at */
	struct writer writer;
	_Atomic(struct kafka *) kafka; /* owned; NULL: it does not follow, or not yet from here */
	struct config *config;	       /* a hold: what the follower's configuration is a part of */
	int refuses; /* after a crash, the errno of its directory: the log is unavailable here; 0 */
	bool found;  /* it could be used by now: by another process */
	bool packs;  /* there is a */
	struct packer packer;
	/* Of control's thread: what is kept. */
	struct retention retention;
	uint64_t limit_bytes; /* 0: any */
	uint64_t segment_bytes;
	struct retained retained;		  /* as last looked at, */
	struct followers followers;		  /* and they; owned */
	uint64_t looked_sequence, looked_wall_ns; /* what was durable then, and since when */
	char held_for[FOLLOWER_NAME_BYTES];	  /* as last said */
	struct timer look;
	struct wheel *wheel; /* borrowed; NULL: nobody looks */
};

#define RECORDER_ERROR_BYTES 512

/*
 * Makes the directory, mode 0700, where it is not there, and begins a series. False: `error` says
 * why not. Without a section `capture` nothing is done. After a crash (config->kept) a directory
 * that cannot be used makes it a log that is unavailable, with `found` when that is over.
 */
bool recorder_open(struct recorder *r, struct config *c, unsigned worker_n,
		   char error[RECORDER_ERROR_BYTES]);
/*
 * Kafka follows the log from this process, where the configuration says so, as soon as no other
 * process does it; and does not any more: it lets go in its own time.
 */
void recorder_lead(struct recorder *r);
void recorder_retire(struct recorder *r);
/* Looks now and then what the directory has, and takes away what is too much. */
void recorder_attach(struct recorder *r, struct wheel *wheel);
/* All workers are over: what they have put is written, and the series is sealed. */
void recorder_close(struct recorder *r);

/* Of that worker; NULL: nothing is recorded. */
struct taps *recorder_taps(const struct recorder *r, unsigned worker);

#endif
