#ifndef CONTROL_WEIGHTS_JOB_H
#define CONTROL_WEIGHTS_JOB_H

/*
 * The work of the disk's thread for a change of the weights, and its outcome. Only the functions
 * weights_work_*() run on that thread.
 */

#include "control/disk_jobs.h"
#include "control/ledger.h"

struct weights;
struct weights_change;

enum weights_saving {
	SAVING_WORKED,
	SAVING_UNTOLD,	/* the save was not tried: no audit line can be written */
	SAVING_UNSAVED, /* the save was tried, and failed */
};

struct weights_job {
	struct disk_job job;
	struct weights *in;	       /* used by the loop, as the next member */
	struct weights_change *change; /* NULL: no caller waits for it any more */
	struct ledger *ledger;
	struct ledger_line line;
	struct state_note note;
	enum weights_saving saving; /* of weights_work_save() */
	int error;		    /* errno of the refusal, or of the failed save */
	int unsaved;		    /* ledger->unsaved after the work */
	uint64_t untold;
	int why_untold; /* errno; 0: the line is written */
};

static inline struct weights_job *weights_job_of(struct disk_job *j)
{
	return list_entry(j, struct weights_job, job);
}

/* Owned by the caller; freed by free(). */
struct weights_job *weights_job_new(struct weights *w, struct ledger *l,
				    void (*work)(struct disk_job *),
				    void (*done)(struct disk_job *));

/* Writes owed lines, and saves `line.to` if the values in force are not saved. */
void weights_work_again(struct disk_job *job);
/* Saves `line.to`, if the audit has room for its line. */
void weights_work_save(struct disk_job *job);
/* Writes the line. */
void weights_work_tell(struct disk_job *job);
/* Saves values that are in force already, and writes their line. */
void weights_work_keep(struct disk_job *job);
/* Closes the ledger. */
void weights_work_close(struct disk_job *job);

#endif
