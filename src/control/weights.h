#ifndef CONTROL_WEIGHTS_H
#define CONTROL_WEIGHTS_H

/*
 * Changes the split while traffic flows. A change is saved, published on the board, and over when
 * each worker has acknowledged it: then no later decision uses what was before. Going back is
 * published first and saved after, again and again until that works.
 */

#include "base/limits.h"
#include "base/wheel.h"
#include "control/audit.h"
#include "control/evidence.h"
#include "control/state.h"
#include "proxy/board.h"

/* Late workers that are named in an answer. */
#define WEIGHTS_LATE_NAMED 8
#define WEIGHTS_TEXT_BYTES 256 /* ASKED_TEXT_BYTES */

enum weights_verdict {
	WEIGHTS_ACKNOWLEDGED, /* every worker uses them */
	WEIGHTS_LATE,	      /* they stand; not every worker has said that it uses them */
	WEIGHTS_WAITING,      /* of weights_set(): done() follows */
	WEIGHTS_ZERO,	      /* refused: nobody would be served */
	WEIGHTS_STALE,	      /* refused: the epoch is not `if_epoch` */
	WEIGHTS_UNTOLD,	      /* refused: the audit cannot tell of it; change->error says why */
	WEIGHTS_UNSAVED,      /* refused: the state cannot be saved; change->error says why */
};

struct weights_change {
	/* What is asked for; copied texts. */
	uint32_t weights[ARMS];
	uint64_t if_epoch; /* 0: whatever it is */
	bool at_once;	   /* publish first, save after: for going back */
	bool force;	   /* though a cluster would get more that has no node that serves */
	bool forced;	   /* and that is so */
	char who[WEIGHTS_TEXT_BYTES], why[WEIGHTS_TEXT_BYTES]; /* why: "" when nobody said */
	void (*done)(struct weights_change *c);
	void *caller; /* the asker's own */
	/* What came of it. */
	enum weights_verdict verdict;
	struct state_values from, to;
	uint64_t in_flight_before; /* requests decided earlier and still on their way */
	unsigned late_n;	   /* of these WEIGHTS_LATE_NAMED at most are in the list */
	struct {
		uint32_t pid, worker;
	} late[WEIGHTS_LATE_NAMED];
	int error;   /* errno of saving; 0: it is saved */
	bool untold; /* the audit has no line of it yet */
	/* Its own. */
	struct weights *in;
	struct timer look_again;
	uint64_t until_ns, pause_ms;
};

/* A rollback of which the audit has no line yet. */
struct weights_owed {
	char who[WEIGHTS_TEXT_BYTES], why[WEIGHTS_TEXT_BYTES];
	struct state_values from, to;
	bool saved, forced;
	uint64_t lineless_n, lineless_epoch; /* as in audit_entry */
};

struct weights {
	struct board *board;
	struct state state;
	struct audit audit;
	struct wheel *wheel;
	void (*wake)(void *waker); /* makes every worker look at the board */
	void *waker;
	uint64_t (*now_ns)(void); /* clock_monotonic_ns(), but in tests */
	struct timer save_again;
	uint64_t save_pause_ms;
	uint64_t changed_wall_ns; /* of the weights in force */
	char directory[4096];
	int unsaved;	    /* errno of the last save that failed; 0: all is saved */
	unsigned waiting_n; /* changes that wait for acknowledgment */
	/* In their order. When there are too many the last one stands for those before it too. */
	struct weights_owed owed[AUDIT_OWED_MAX];
	unsigned owed_n;
};

/*
 * Opens the state and decides with what to go on: the greater epoch of board and file, or `initial`
 * on a first start. It is on the board afterwards. False: `error` says why the state is no good: it
 * cannot be used, or, where the board has none, is not what was in force last.
 */
bool weights_open(struct weights *w, struct board *board, const char *directory,
		  const uint32_t initial[ARMS], const struct evidence *evidence,
		  char error[WEIGHTS_TEXT_BYTES]);
void weights_close(struct weights *w);
/* Another process changes the weights from now on. Who waits for workers is still told. */
void weights_yield(struct weights *w);
/* Before the first change; `wake` may be called from then on. */
void weights_attach(struct weights *w, struct wheel *wheel, void (*wake)(void *), void *waker);

/*
 * WEIGHTS_WAITING: `c` is in use until done(), which never runs inside this call. Anything else is
 * a refusal, nothing was changed, and done() does not follow.
 */
enum weights_verdict weights_set(struct weights *w, struct weights_change *c);
/* Changes made of which the audit does not tell yet. */
uint64_t weights_untold(const struct weights *w);
/* Nobody wants to hear of it any more; the change stands. */
void weights_forget(struct weights_change *c);

#endif
