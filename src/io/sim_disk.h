#ifndef IO_SIM_DISK_H
#define IO_SIM_DISK_H

/*
 * The simulator's disk: one directory, as its files are now and as a power cut would leave them.
 * What was written and not synced is kept apart, write by write. The store outlives the processes
 * that use it; each of them opens it as a `struct disk` of its own.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/disk.h"
#include "io/sim.h"

struct sim_store;

/* How a disk may deceive: so that it is shown that whoever judges the log would notice. */
enum sim_disk_lie {
	SIM_DISK_HONEST,
	SIM_DISK_SYNCS_NOTHING, /* a sync is well, and nothing has been done */
	SIM_DISK_REPEATS_SYNCS, /* a sync that failed is repeated, and the second is well */
	SIM_DISK_FORGETS_NAMES, /* a new file's name is not synced */
	SIM_DISK_CUTS_NOTHING,	/* a cut is well, and nothing has been done */
	SIM_DISK_LIES,
};

/* Chances are out of 1,000, at each operation. */
struct sim_disk_faults {
	unsigned full; /* no room, for a file or a write: a part of that may be written */
	unsigned sick; /* -EIO; of what a sync should have kept, any part is kept or lost */
	unsigned slow; /* it takes up to slow_ms_max, */
	unsigned slow_ms_max;
	bool gone; /* there is no directory: a file that is made, or synced, is nowhere */
	enum sim_disk_lie lie;
};

/* A file as a power cut would leave it at the best, and at the worst. */
struct sim_file {
	const char *name;
	const uint8_t *bytes; /* what is behind them, up to `size`, reads as zeros */
	size_t n;
	uint64_t size;
	unsigned number; /* of all that ever were */
	bool open;
};

struct sim_store *sim_store_open(struct sim *sim);
/* When the world is closed. */
void sim_store_close(struct sim_store *s);
void sim_store_set_faults(struct sim_store *s, const struct sim_disk_faults *f);

struct disk *sim_disk_open(struct sim_store *s);
/* As disk_run(): ends the operation that is over. False: there is none, or it is under way. */
bool sim_disk_run(struct disk *d);

/*
 * All processes end at once, in the midst of what they do. With `power` cut too, each write that
 * was not synced is kept, torn or lost, and names that were not. The disks that were open are dead:
 * they end no operation, and are the store's to free.
 */
void sim_store_crash(struct sim_store *s, bool power);
/* The directory goes with all that is in it. Open files are nowhere from then on. */
void sim_store_remove_directory(struct sim_store *s);

/* The file at `i`, as far as it and its name are synced; false: there are no more. */
bool sim_store_look(const struct sim_store *s, unsigned i, struct sim_file *to);
/* How many cuts have ended with an error. */
unsigned sim_store_cuts_failed(const struct sim_store *s);
/* What somebody else has made of that file, durably: of a new one too. */
void sim_store_put(struct sim_store *s, const char *name, const uint8_t *bytes, size_t n,
		   uint64_t size);
void sim_store_remove(struct sim_store *s, const char *name);

#endif
