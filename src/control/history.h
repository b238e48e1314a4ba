#ifndef CONTROL_HISTORY_H
#define CONTROL_HISTORY_H

/* The last lines of audit.jsonl: what was changed, by whom and why. */

#include <jansson.h>
#include <stdint.h>

#include "base/wheel.h"
#include "control/disk_jobs.h"

/*
 * A request for the history. One read of the file is under way at a time, and serves all askers
 * that came before it began.
 */
struct history_asker {
	/*
	 * `list` is borrowed, the newest line last. Broken lines are left out. Where there is no
	 * file, the list is empty. NULL: the file cannot be read, and `error` is the errno;
	 * ETIMEDOUT: the disk does not answer.
	 */
	void (*told)(struct history_asker *a, const json_t *list, int error);
	/* Used by history.c only. */
	struct list link;
	struct timer late;
};

struct history {
	struct disk_jobs *disk;	      /* borrowed */
	struct wheel *wheel;	      /* borrowed */
	char *directory;	      /* owned */
	struct list waiting, reading; /* askers that came after the read began; and before */
	struct disk_job job;
	bool reads;   /* a read is under way */
	json_t *list; /* used by the job, as `error` */
	int error;
};

void history_open(struct history *h, const char *directory, struct disk_jobs *disk,
		  struct wheel *wheel);
/* No asker may wait, and no job may be under way. */
void history_close(struct history *h);

/* told() follows within HISTORY_TIMEOUT_MS, never inside this call, unless the asker is dropped. */
void history_ask(struct history *h, struct history_asker *a);
void history_drop(struct history_asker *a);

/*
 * The line of the change of weights that made `epoch`; borrowed from the list. NULL: not in the
 * list.
 */
const json_t *history_of_epoch(const json_t *list, uint64_t epoch);

/*
 * Writes "alice set source 9, target 1 at 2026-...Z (CHG-1)"; "" when the list does not have
 * `epoch`.
 */
#define HISTORY_TEXT_BYTES 1024
void history_tell(const json_t *list, uint64_t epoch, char text[HISTORY_TEXT_BYTES]);

#endif
