#ifndef CONTROL_COMPARE_FILE_H
#define CONTROL_COMPARE_FILE_H

/*
 * The last comparison of owner and replica, in compare.json of the state directory, so that it is
 * known over restarts. Written whole, by the thread of the state directory.
 */

#include <jansson.h>
#include <stdio.h>

#include "control/disk_jobs.h"
#include "control/workers.h"

#define COMPARE_FILE "compare.json"

struct compare_file {
	struct workers *workers; /* borrowed */
	struct disk_jobs *disk;	 /* borrowed */
	json_t *last;		 /* owned: as the file has it, or will; NULL: there was none */
	uint64_t ended;		 /* runs of this process that were seen to end */
	bool read;		 /* the file was asked for */
	bool busy;		 /* a job is on the disk's thread */
	/* That thread's, while it works. */
	struct disk_job job;
	char *text; /* owned */
	int error;
	bool writes;
};

void compare_file_open(struct compare_file *f, struct workers *w, struct disk_jobs *disk);
/* The disk's jobs are over. */
void compare_file_close(struct compare_file *f);

/* After each turn of the loop, in the process that leads: what has ended is saved. */
void compare_file_turn(struct compare_file *f);

/* The last one, for status: without its differences. A new reference; NULL: there was none. */
json_t *compare_file_json(const struct compare_file *f);
void compare_file_metrics(const struct compare_file *f, FILE *to);

#endif
