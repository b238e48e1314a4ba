#ifndef CONTROL_WORKERS_H
#define CONTROL_WORKERS_H

/*
 * The workers of this process, and all that they are given: the plan compiled from the
 * configuration in force, listeners, nodes and their state, counters, the access log and the
 * capture log. Every process has workers, whether it leads or not (control/leader.h).
 */

#include "control/log_outage.h"
#include "control/access_log.h"
#include "control/admin_tls.h"
#include "control/cores.h"
#include "control/ejections.h"
#include "control/health.h"
#include "control/listeners.h"
#include "control/names.h"
#include "control/publish.h"
#include "control/recorder.h"
#include "control/serving.h"
#include "control/tracer.h"
#include "control/trim.h"
#include "control/certificate_dates.h"
#include "ends/loop.h"
#include "proxy/counters.h"
#include "replay/replay.h"

enum workers_state {
	WORKERS_SERVING,
	WORKERS_LEAVING,  /* as WORKERS_SERVING, but the health path responds 503 */
	WORKERS_RETIRING, /* another process accepts; connections end after a response */
	WORKERS_DRAINING, /* as WORKERS_RETIRING, and idle connections are closed */
	WORKERS_ABORTING,
};

#define WORKERS_ERROR_BYTES 256

/* Replay, as far as its thread has opened it. */
struct workers_replay {
	struct config *config; /* a hold: the one that this process was opened with */
	pthread_mutex_t lock;  /* of `replay` */
	struct replay *replay; /* borrowed; NULL: nothing is replayed */
};

struct workers {
	struct config *config;		   /* a hold: the configuration in force */
	struct board *board;		   /* borrowed */
	const struct ticket_keys *tickets; /* borrowed */
	struct loop *loop; /* borrowed: the control thread's; NULL until workers_attach() */
	struct disk_jobs
		*state_disk;  /* borrowed: for the state directory; set together with `loop` */
	struct cores cores;   /* the reason for the number of workers */
	unsigned n;	      /* all workers */
	unsigned accepting_n; /* the first of them, which accept clients; the other is replay's */
	uint64_t files;	      /* open files that the process may have */
	struct tls_library **libraries;	  /* owned: one for each worker, the last is control's */
	struct publish_worker *mailboxes; /* owned */
	struct board_slot **slots;	  /* owned */
	struct counters *counters;	  /* owned: one for each worker */
	struct nodes nodes;
	struct listeners listeners;
	struct socket_source source;
	struct publisher publisher;
	struct recorder recorder;
	struct log_outage log_outage; /* of `recorder` */
	struct access_log access_log;
	struct ejections ejections;
	struct health health;
	struct serving_watch serving;
	struct tracer tracer;
	struct names names;
	struct trim trim;
	struct certificate_dates certificate_dates; /* of `config`, as the next member */
	struct admin_tls *admin_tls;	   /* owned: TLS for clients of the admin address */
	struct tls_context *admin_context; /* borrowed from admin_tls; NULL: clear text */
	struct timer daily;
	struct timer log_again;	       /* after a crash, while the access log cannot be opened */
	_Atomic(const char *) backend; /* name of the workers' I/O backend */
	struct replay_mailbox replay_mailbox;
	struct workers_replay *replay; /* owned: what its thread says of it */
	_Atomic unsigned running;      /* workers that are not over */
	atomic_bool names_news;	       /* the resolver has a result */
	enum workers_state state;
	uint64_t started_wall_ns;
	bool to_be_kept; /* what is in force has changed since it was last kept */
};

/*
 * The number of workers that a configuration asks for: workers: N, or one for each available core.
 */
unsigned workers_count(const struct config *c, struct cores *cores /* or NULL */);

/*
 * Compiles the first plan. `w` is zeroed memory, aligned to 64 bytes. False after diagnostics.
 * workers_close() must be called in both cases.
 */
bool workers_open(struct workers *w, struct config *config, struct board *board,
		  const struct ticket_keys *tickets);
/*
 * All workers must be over. False: a thread that waits for a disk still uses some of the memory,
 * and none of it may be freed.
 */
bool workers_close(struct workers *w);

/* Call it on the thread that turns the loop. False: `error` is set. */
bool workers_attach(struct workers *w, struct loop *loop, struct disk_jobs *state_disk,
		    char error[WORKERS_ERROR_BYTES]);
/* Ends all that the workers have on the loop. Some turns later nothing of it is left there. */
void workers_quiet(struct workers *w);

/*
 * Takes slots on the board for all workers. Call it as late as possible: a change of weights waits
 * for every worker that has a slot. False: there are too few slots.
 */
bool workers_take_slots(struct workers *w);
/* Begins the capture log, if the configuration has one. Call it before workers are made. */
bool workers_record(struct workers *w, char error[RECORDER_ERROR_BYTES]);
/*
 * Gets listening sockets for all listeners, for the workers that are opened afterwards. A reload
 * asks `source` again. False after diagnostics in the configuration.
 */
bool workers_listen(struct workers *w, const struct socket_source *source);

/* The configuration of that worker; the worker's thread opens io and bufs itself. */
struct worker_config workers_config(struct workers *w, unsigned number);
/* Whether that worker is replay's; what replay is opened with beside it, but for `worker`. */
bool workers_replay_is(const struct workers *w, unsigned number);
struct replay_config workers_replay_config(struct workers *w);
/* On its thread: control may see it from now on; NULL: and does not any more. */
void workers_use_replay(struct workers *w, struct replay *r);
/* False: nothing is replayed. */
bool workers_see_replay(const struct workers *w, struct replay_seen *to);
/* As replay_upkeep_json(); NULL: nothing is replayed. */
json_t *workers_replay_upkeep(const struct workers *w);
/* As replay_aside_json(); NULL: nothing is replayed. */
json_t *workers_replay_aside(const struct workers *w, size_t from);
/* As replay_order(), replay_outcome(); 0, false: nothing is replayed. */
uint64_t workers_order_replay(struct workers *w, const struct replay_order *one);
bool workers_replay_outcome(struct workers *w, uint64_t number, struct order_outcome *to);
/* Calls act() with replay, which stays during the call. False: nothing is replayed. */
bool workers_with_replay(const struct workers *w, void (*act)(struct replay *r, void *user),
			 void *user);
void workers_wish_replay(struct workers *w, enum replay_wish wish);
/*
 * Call them on the worker's thread. workers_up(): `io` may be woken from now on. workers_over(): it
 * may not be woken any more, since the worker is over.
 */
void workers_up(struct workers *w, unsigned number, struct io *io);
void workers_over(struct workers *w, unsigned number);

/* Sets the state in all mailboxes and wakes the workers. */
void workers_tell(struct workers *w, enum workers_state state);
/*
 * Records the owner of the writes, as the board has it, in the capture log. Call it before workers
 * are woken for a new owner.
 */
void workers_record_owner(struct workers *w);
/* Follows all changes. Call it at each turn of the loop. */
void workers_look(struct workers *w);

/* Compiles the plan of a new configuration. NULL after diagnostics. */
const struct plan *workers_compile(struct workers *w, struct config *config,
				   struct diagnostics *diagnostics);
/*
 * Makes the TLS context of the admin address for it. Never NULL: the diagnostics say whether it
 * failed.
 */
struct admin_tls *workers_open_admin_tls(const struct workers *w, struct config *config);
/* New connections to the admin address use `t`. */
void workers_use_admin_tls(struct workers *w, struct admin_tls *t /* moved in */);
/* `config` is in force: health checks and look-ups follow it. */
void workers_follow(struct workers *w, struct config *config);
/* Opens the file of log.access. A descriptor; -1: there is none, or a diagnostic says why. */
int workers_open_log(struct config *config);
void workers_use_log(struct workers *w, int fd /* moved in */);
/* Reopens the access log's file after somebody has moved it. */
void workers_reopen_log(struct workers *w);

/* Logs the settings that are allowed but risky. */
void workers_say_risks(const struct workers *w);
/*
 * Whether the weights of the configuration differ from those in force, which the state file keeps.
 */
bool workers_weights_differ(const struct workers *w);

#endif
