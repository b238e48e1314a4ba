#ifndef IO_SIM_DISK_H
#define IO_SIM_DISK_H

/*
 * The simulator's disk: one directory, with its files as they are now and as a power cut would
 * leave them. Unsynced writes are kept apart, one by one. The store outlives the processes that use
 * it; each process opens it as its own `struct disk`.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/disk.h"
#include "io/sim.h"

struct sim_store;

/* How a disk may lie. The lies show that the checks of the log would notice one. */
enum sim_disk_lie {
	SIM_DISK_HONEST,
	SIM_DISK_SYNCS_NOTHING, /* a sync reports success and does nothing */
	SIM_DISK_REPEATS_SYNCS, /* a failed sync is repeated, and the second one reports success */
	SIM_DISK_FORGETS_NAMES, /* a new file's name is not synced */
	SIM_DISK_CUTS_NOTHING,	/* a cut reports success and does nothing */
	SIM_DISK_LIES,
};

/* Chances are out of 1,000, at each operation. */
struct sim_disk_faults {
	unsigned full; /* no room for a file or a write; a part of the write may be written */
	unsigned sick; /* -EIO; any part of what a sync should have kept may be lost */
	unsigned slow; /* the operation takes up to slow_ms_max */
	unsigned slow_ms_max;
	bool gone; /* the directory does not exist: a file that is made or synced has no name */
	enum sim_disk_lie lie;
};

/* A file as a power cut would leave it at best, and at worst. */
struct sim_file {
	const char *name;
	const uint8_t *bytes; /* bytes after these, up to `size`, read as zeros */
	size_t n;
	uint64_t size;
	unsigned number; /* counts all files that ever existed */
	bool open;
};

struct sim_store *sim_store_open(struct sim *sim);
/* Call it when the world is closed. */
void sim_store_close(struct sim_store *s);
void sim_store_set_faults(struct sim_store *s, const struct sim_disk_faults *f);

struct disk *sim_disk_open(struct sim_store *s);
/* As disk_run(): ends the operation if it is due. False: there is none, or it is not due yet. */
bool sim_disk_run(struct disk *d);

/*
 * Ends all processes at once, in the middle of their work. With `power` cut too, each unsynced
 * write is kept, torn or lost, and each unsynced name kept or lost. The open disks are dead: they
 * end no operation, and the store frees them.
 */
void sim_store_crash(struct sim_store *s, bool power);
/* Removes the directory with all its files. Open files have no name from then on. */
void sim_store_remove_directory(struct sim_store *s);

/* The file number `i`, as far as it and its name are synced; false: there are no more. */
bool sim_store_look(const struct sim_store *s, unsigned i, struct sim_file *to);
/* The number of cuts that have failed. */
unsigned sim_store_cuts_failed(const struct sim_store *s);
/* Replaces or makes a file as another program would do, durably. */
void sim_store_put(struct sim_store *s, const char *name, const uint8_t *bytes, size_t n,
		   uint64_t size);
void sim_store_remove(struct sim_store *s, const char *name);

#endif
