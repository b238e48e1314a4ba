#ifndef TESTS_REPLAY_SIM_LOG_MIRROR_H
#define TESTS_REPLAY_SIM_LOG_MIRROR_H

/*
 * The simulator's disk, whose files stand in a directory of the machine's memory too, as they are
 * now: so that the product's reader, which maps files, follows the log while it is written. After a
 * crash the directory is made anew as the simulator's disk has it.
 */

#include "io/sim_disk.h"

#define LOG_MIRROR_FILES 64

struct log_mirror {
	struct sim_store *store; /* borrowed */
	char path[64];
	int directory; /* owned */
};

/* One process' disk. */
struct mirrored_disk {
	struct disk disk;   /* for the journal */
	struct disk *inner; /* owned, until a crash */
	struct disk_op op;  /* of `inner` */
	struct log_mirror *mirror;
	struct {
		struct disk_file *file;
		int fd; /* owned, until a crash */
	} files[LOG_MIRROR_FILES];
};

void log_mirror_open(struct log_mirror *m, struct sim_store *store);
void log_mirror_close(struct log_mirror *m);
/*
 * After sim_store_crash(): all processes are gone, and their descriptors closed. Recovers the log
 * as the product does; returns the generation of the next series.
 */
uint64_t log_mirror_recover(struct log_mirror *m);

void mirrored_disk_open(struct mirrored_disk *d, struct log_mirror *m);
/* As sim_disk_run(). */
bool mirrored_disk_run(struct mirrored_disk *d);

#endif
