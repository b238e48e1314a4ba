#ifndef CONTROL_LEADER_H
#define CONTROL_LEADER_H

/*
 * What only one process at a time does, the newest one that serves: it changes the weights, drains
 * nodes, and writes to the audit. Each other process has a `struct leader`, too, which does not
 * lead and follows the changes of the leader.
 */

#include "control/change_lock.h"
#include "control/disk_jobs.h"
#include "control/compare_file.h"
#include "control/drains.h"
#include "control/history.h"
#include "control/token.h"
#include "control/weights.h"
#include "control/workers.h"
#include "control/writes.h"

/* What the leader needs from the process around it. */
struct leader_peers {
	void (*look)(void *self); /* the workers of all other processes must look at the board */
	void *self;
	/* The keeper acts as on that signal. False with errno. May be NULL. */
	bool (*signal)(void *self, int number);
	/*
	 * Called after leader_lead_soon(): this process leads now, or `error` says why not. May be
	 * NULL where leader_lead_soon() is not used.
	 */
	void (*led)(void *self, const char *error);
};

enum leader_reads {
	LEADER_READS_NOT,
	LEADER_READS,	      /* the disk's thread reads what leading needs */
	LEADER_READS_IN_VAIN, /* another process is to lead now; the result is dropped */
};

/* What a process reads from the state directory before it leads. */
struct leader_reading {
	enum leader_reads state;
	/* Used by the disk's thread while it reads. */
	struct disk_job job;
	struct config *config; /* a hold */
	struct evidence evidence;
	struct weights_found found;
	char token[TOKEN_BYTES], error[WEIGHTS_TEXT_BYTES];
	bool good; /* false: `error` is set */
};

/* Upgrades to another program that failed, as reported by the keeper. */
struct leader_upgrades {
	unsigned failed_n;
	uint64_t wall_ns; /* of the last one */
	char why[512];
};

struct leader {
	struct workers *workers; /* borrowed: of the same process */
	struct loop *loop;	 /* borrowed; NULL until leader_attach() */
	struct disk_jobs disk;	 /* jobs on the state directory */
	struct change_lock changes;
	struct weights weights;
	struct drains drains;
	struct writes writes;
	struct history history;
	struct compare_file compare;
	struct leader_peers peers;
	struct leader_upgrades upgrades;
	struct leader_reading reading;
	char token[TOKEN_BYTES];		 /* of the admin API */
	char audit_trouble[AUDIT_TROUBLE_BYTES]; /* what was found missing at the start; or "" */
	struct disk_job reopen;			 /* opens the audit's file again, */
	struct config *reopens; /* of this configuration: a hold while it runs; else NULL */
	bool leads;
	bool retires; /* changes under way go on; then the ledger is closed */
};

/*
 * Call it before workers use the nodes: it drains the nodes that were drained before. False:
 * `error` is set.
 */
bool leader_open(struct leader *l, struct workers *w, char error[WEIGHTS_TEXT_BYTES]);
/* False with errno. */
bool leader_attach(struct leader *l, struct loop *loop);
/*
 * Call it before the workers are closed. It may be called where leader_open() was not. False: the
 * disk does not answer, and all that the disk's thread uses must stay until the process ends.
 */
bool leader_close(struct leader *l);

/*
 * From now on this process changes the weights, until leader_retire(). Opens the state file; its
 * values go to the board if they are newer. No other process may lead: the caller ensures that. On
 * the first start, call it before any worker is made. False: `error` is set.
 */
bool leader_lead(struct leader *l, const struct leader_peers *peers,
		 char error[WEIGHTS_TEXT_BYTES]);
/*
 * The same for a process that serves already. peers->led() follows when the disk has been read,
 * unless leader_retire() is called before that.
 */
void leader_lead_soon(struct leader *l, const struct leader_peers *peers);
/* Another process is about to lead. From now on no change begins; changes under way go on. */
void leader_retire(struct leader *l);
/* Those changes are over and on the disk: another process may lead. */
static inline bool leader_has_retired(const struct leader *l)
{
	return !l->leads && !l->retires && disk_jobs_are_over(&l->disk);
}
/* Handles the outcome of disk jobs. Call it after each turn of the loop. */
void leader_turn(struct leader *l);

/* Another process has changed the board or the drains: this process follows. */
void leader_look(struct leader *l);
/* This process has changed them: the other processes are told. */
void leader_let_others_look(struct leader *l);
/* A reload has changed the nodes. */
void leader_follow(struct leader *l);
/* Reopens audit.jsonl after somebody has moved it. */
void leader_reopen_log(struct leader *l);
/* The keeper has refused an upgrade, or the upgrade has failed. */
void leader_upgrade_failed(struct leader *l, const char *why);

#endif
