#ifndef CONTROL_WEIGHTS_H
#define CONTROL_WEIGHTS_H

/*
 * Changes the split while traffic flows. A change is saved, published on the board, and complete
 * when each worker has acknowledged it: after that no decision uses the previous weights. A
 * rollback is published first and saved after that, and saving is repeated until it succeeds. A
 * rollback waits for no other change, and cancels one that is being saved.
 */

#include "control/change_lock.h"
#include "control/disk_jobs.h"
#include "control/ledger.h"

#define WEIGHTS_TEXT_BYTES LEDGER_TEXT_BYTES

enum weights_verdict {
	WEIGHTS_ACKNOWLEDGED, /* every worker uses them */
	WEIGHTS_LATE,	      /* they are in force; some workers have not acknowledged them */
	WEIGHTS_WAITING,      /* only returned by weights_set(): done() follows */
	WEIGHTS_ZERO,	      /* refused: no request would be served */
	WEIGHTS_STALE,	      /* refused: the epoch is not `if_epoch` */
	WEIGHTS_BUSY,	      /* refused: another change is under way and does not end */
	WEIGHTS_OVERTAKEN,    /* refused: a rollback came while it was being saved */
	WEIGHTS_HANDED_OVER,  /* refused: another process changes the weights now */
	WEIGHTS_UNTOLD,	      /* refused: no audit line can be written; see change->error */
	WEIGHTS_UNSAVED,      /* refused: the state cannot be saved; see change->error */
};

struct weights_change {
	/* The request; texts are copied. */
	uint32_t weights[ARMS];
	uint64_t if_epoch; /* 0: any epoch */
	uint64_t epoch;	   /* the epoch to take; 0: the next one. WEIGHTS_STALE if it was taken */
	bool at_once;	   /* publish first, save after: for a rollback */
	bool force;	   /* allow more traffic for a cluster without a node that serves */
	bool forced;	   /* `force` was needed */
	char who[WEIGHTS_TEXT_BYTES],
		why[WEIGHTS_TEXT_BYTES]; /* why: "" when no reason was given */
	void (*done)(struct weights_change *c);
	void *caller; /* for the caller's use */
	/* The outcome. */
	enum weights_verdict verdict;
	struct state_values from, to;
	uint64_t in_flight_before; /* requests decided earlier that are still on their way */
	unsigned late_n;	   /* workers that have not acknowledged */
	struct {
		uint32_t pid, worker;
	} late[WEIGHTS_LATE_NAMED];
	int error;   /* errno of the save; 0: it is saved */
	bool untold; /* the audit has no line of it yet */
	/* Used by weights.c only. */
	struct weights *in;
	struct list link; /* in in->open */
	struct change_claim claim;
	struct weights_job *job; /* the job that saves it; NULL: none */
	bool acknowledged;
	struct timer look_again;
	uint64_t until_ns, saved_until_ns, pause_ms;
};

struct weights {
	struct board *board;
	struct ledger ledger; /* used by the disk's thread during a job */
	struct disk_jobs *disk;
	struct change_lock *lock;
	struct wheel *wheel;
	/* New values are in force: every worker must look at the board. */
	void (*changed)(void *observer, const struct state_values *from,
			const struct state_values *to);
	void *observer;
	uint64_t (*now_ns)(void); /* clock_monotonic_ns(), except in tests */
	struct timer save_again;
	uint64_t save_pause_ms;
	uint64_t changed_wall_ns; /* the time of the weights in force */
	uint64_t last_epoch;	  /* the last epoch that a change took, in force or not */
	int unsaved;	 /* errno that kept the weights in force from being saved; 0: saved */
	uint64_t untold; /* changes without a line in the audit */
	bool saving_again;
	struct list open; /* changes whose caller waits */
};

/* The result of weights_read(). */
struct weights_found {
	struct state_values now; /* in force from now on */
};

/*
 * Opens the state file and chooses the values to continue with: those of the board or of the file,
 * whichever epoch is greater, or `initial` on a first start. They are on the board afterwards.
 * False: `error` says why. Either the state file cannot be used, or the board has no values and
 * those of the file are not the ones that were in force last.
 */
bool weights_open(struct weights *w, struct board *board, const char *directory,
		  const uint32_t initial[ARMS], const struct evidence *evidence,
		  char error[WEIGHTS_TEXT_BYTES]);
/*
 * The same in three steps. weights_read() waits for the disk, and may run on the disk's thread:
 * between the other two calls nothing else may use `w`.
 */
void weights_begin(struct weights *w, struct board *board);
bool weights_read(struct weights *w, const char *directory, const uint32_t initial[ARMS],
		  const struct evidence *evidence, struct weights_found *found,
		  char error[WEIGHTS_TEXT_BYTES]);
void weights_take_up(struct weights *w, const struct weights_found *found);
/* The callers of open changes are told WEIGHTS_LATE. No job may be under way. */
void weights_close(struct weights *w);
/*
 * No change may be under way. Another process changes the weights as soon as the job of this call
 * is over. Callers that wait for workers are still told.
 */
void weights_yield(struct weights *w);
/*
 * Call it before the first change; `changed` may be called from then on. All arguments are
 * borrowed.
 */
void weights_attach(struct weights *w, struct wheel *wheel, struct disk_jobs *disk,
		    struct change_lock *lock,
		    void (*changed)(void *, const struct state_values *,
				    const struct state_values *),
		    void *observer);

/*
 * WEIGHTS_WAITING: `c` is in use until done(), which is never called inside this call and may still
 * report a refusal. Every other verdict is a refusal: nothing was changed, and done() does not
 * follow.
 */
enum weights_verdict weights_set(struct weights *w, struct weights_change *c);
/* True: the change is in force. False: it was refused. */
bool weights_stand(enum weights_verdict v);
/* done() will not be called. If the change has begun, it goes on. */
void weights_forget(struct weights_change *c);

#endif
