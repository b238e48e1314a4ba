#ifndef TESTS_SIM_DISK_DUMP_H
#define TESTS_SIM_DISK_DUMP_H

/*
 * Writes the simulated disk's files to a real directory for a moment, because the product's own
 * recovery and reader use the kernel's files.
 */

#include <stdint.h>

#include "capture/exchange_record.h"
#include "io/sim_disk.h"

/*
 * Runs recovery, as a process does when it starts, and copies the resulting files back. Returns the
 * generation of a new series.
 */
uint64_t disk_dump_recover(struct sim_store *s);

struct disk_dump_user {
	void *user;
	/* Each exchange, whole or not. The reader owns the record. */
	void (*exchange_record)(void *user, const struct exchange_record *s);
	/* Each gap record of a series. */
	void (*gap)(void *user, uint64_t generation, const struct record_gap *g);
	/* Sequence numbers are missing where all had been durable. */
	void (*damage)(void *user, uint64_t generation, uint64_t first, uint64_t last);
};

/* Reads all records. */
void disk_dump_read(struct sim_store *s, const struct disk_dump_user *u);

#endif
