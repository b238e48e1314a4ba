#ifndef CONTROL_DRAINS_H
#define CONTROL_DRAINS_H

/*
 * Takes nodes out of service while traffic flows, and back. A drained node gets no new request,
 * whatever its health. Requests that it has already go on for the delay, and are cut then. The
 * state directory keeps which nodes are drained, so that they stay so over a reload and a restart.
 */

#include "base/wheel.h"
#include "control/audit.h"
#include "control/change_lock.h"
#include "control/disk_jobs.h"
#include "control/drains_file.h"
#include "control/publish.h"

#define DRAINS_TEXT_BYTES 256

enum drain_verdict {
	DRAIN_STANDS,
	DRAIN_UNTOLD,	   /* refused: no audit line can be written; see change->error */
	DRAIN_NO_NODE,	   /* refused: the configuration no longer has the node */
	DRAIN_BUSY,	   /* refused: another change is under way and does not end */
	DRAIN_HANDED_OVER, /* refused: another process drains nodes now */
};

struct drain_job;

/* One change of one node. */
struct drain_change {
	/* The request; texts are copied. */
	struct node_record *node;
	bool drain;	    /* false: take the node back into service */
	bool force, forced; /* asked for; and needed: no other node serves */
	uint32_t delay_ms;  /* for a drain: from now on */
	char who[DRAINS_TEXT_BYTES], why[DRAINS_TEXT_BYTES]; /* why: "" when no reason was given */
	void (*done)(struct drain_change *c);
	void *caller; /* for the caller's use */
	/* The outcome. */
	enum drain_verdict verdict;
	char name[NODE_NAME_BYTES]; /* a copy: the node may be freed before the change is over */
	bool was_drained;
	bool all_drained; /* all nodes of the cluster: its requests get 503 */
	unsigned late_n;  /* workers that did not acknowledge in time; the drain stands */
	int error;	  /* errno of the save; 0: it is saved */
	/* Used by drains.c only. */
	struct drains *in;
	struct list link; /* in in->open */
	struct change_claim claim;
	struct drain_job *job; /* the job that saves it; NULL: none */
	struct timer look_again;
	uint32_t number;
	uint64_t until_ns, pause_ms;
};

struct drains {
	struct nodes *nodes;	     /* borrowed */
	struct publisher *publisher; /* borrowed */
	struct audit *audit;	     /* borrowed: used by the disk's thread */
	char *directory;	     /* owned */
	struct disk_jobs *disk;	     /* borrowed, as `lock` */
	struct change_lock *lock;
	struct wheel *wheel; /* NULL until drains_attach() */
	struct timer cut;    /* runs when the next delay is over */
	struct timer save_again;
	bool changed;	  /* which nodes are drained; the caller resets it */
	int unsaved;	  /* errno of the last save that failed; 0: all is saved */
	struct list open; /* changes whose caller waits */
	void (*changes)(
		void *observer); /* called when a change is saved, so that other processes follow */
	void *observer;
};

/*
 * Call it before workers use the nodes: it drains the nodes that were drained before. False with
 * errno: the file is not usable.
 */
bool drains_open(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		 struct audit *audit, const char *directory);
/* The same from a saved text in the form of the file. False: the text is not usable. */
bool drains_open_kept(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		      struct audit *audit, const char *directory, struct span text);
void drains_attach(struct drains *d, struct wheel *wheel, struct disk_jobs *disk,
		   struct change_lock *lock);
/* `changes` is called for each change that this process makes. */
void drains_hear(struct drains *d, void (*changes)(void *observer), void *observer);
/* Ends all changes; their callers are told. No job may be under way. */
void drains_close(struct drains *d);

/*
 * Another process may have changed which nodes are drained, and has saved that. This process reads
 * the file and adopts it, before it begins any later change; changes that wait then go on.
 */
void drains_follow(struct drains *d);
/* Another process changes and saves the drains from now on. */
void drains_yield(struct drains *d);

/* The configuration's nodes have changed: drains of other nodes are forgotten. */
void drains_renew(struct drains *d);

/*
 * The change waits for its turn. done() follows, never inside this call, when every worker has
 * acknowledged the change, or when it is refused.
 */
void drains_change(struct drains *d, struct drain_change *c);
/* done() will not be called. If the change has begun, it goes on. */
void drains_forget(struct drain_change *c);

#endif
