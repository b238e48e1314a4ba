#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

/*
 * What watches over the workers of a process: it compiles their plan, publishes it, changes their
 * weights, and stops them. It lives on a thread of its own and never touches a request.
 */

#include "control/absence.h"
#include "control/access_log.h"
#include "control/admin.h"
#include "control/cores.h"
#include "control/drains.h"
#include "control/ejections.h"
#include "control/health.h"
#include "control/loop.h"
#include "control/names.h"
#include "control/publish.h"
#include "control/recorder.h"
#include "control/reload.h"
#include "control/serving.h"
#include "control/trim.h"
#include "control/validity.h"
#include "control/weights.h"
#include "control/writes.h"
#include "proxy/counters.h"

enum control_state {
	CONTROL_SERVING,
	CONTROL_LEAVING,  /* as before, but the health path says 503 */
	CONTROL_RETIRING, /* another process serves new connections; ours end behind an answer */
	CONTROL_DRAINING, /* idle connections are closed too */
	CONTROL_ABORTING,
};

/* What control needs of the process around it. */
struct control_peers {
	void (*look)(void *self); /* the workers of all other processes are to look at the board */
	void *self;
	/* The keeper does what it does on that signal. False with errno. May be NULL. */
	bool (*signal)(void *self, int number);
};

/* Upgrades to another program that came to nothing, as the keeper tells. */
struct control_upgrades {
	unsigned failed_n;
	uint64_t wall_ns; /* of the last one; */
	char why[512];
};

struct control {
	struct config *config;		   /* a hold: the one in force */
	struct board *board;		   /* borrowed */
	const struct ticket_keys *tickets; /* borrowed */
	struct cores cores;		   /* why there are so many workers */
	uint64_t files;			   /* that may be open */
	struct tls_library **libraries;	   /* owned: one for each worker, the last is control's */
	struct nodes nodes;
	struct listeners listeners;
	struct socket_source source;
	struct publish_worker *workers; /* owned */
	struct board_slot **slots;	/* owned */
	struct counters *counters;	/* owned: one for each worker */
	struct recorder recorder;
	struct absence absence; /* of its log */
	struct access_log access_log;
	struct publisher publisher;
	struct weights weights;
	char audit_trouble[AUDIT_TROUBLE_BYTES]; /* what a start has found lost of it; or "" */
	struct writes writes;
	struct drains drains;
	struct ejections ejections;
	struct loop loop;
	struct admin admin;
	struct health health;
	struct serving_watch serving;
	struct names names;
	_Atomic(const char *) backend; /* what the workers' io is called */
	struct reload reload;
	struct control_upgrades upgrades;
	struct timer drain;
	struct trim trim;
	struct control_peers peers;
	uint64_t started_wall_ns;
	struct validity validity; /* of `config` */
	struct timer daily;
	struct timer log_again; /* after a crash the access log could not be opened */
	unsigned worker_n;
	_Atomic unsigned running; /* workers that are not over */
	enum control_state state;
	atomic_bool names_news; /* the resolver has found something */
	bool reload_wanted;
	bool attached;	 /* the loop is open */
	bool farewell;	 /* its workers are over, and who still asks has a little time */
	bool to_be_kept; /* what is in force has changed */
	bool leads;	 /* it is the one that changes weights, and answers the admin API */
};

/* Compiles the first plan. NULL after complaints, or with `error` set. */
struct control *control_open(struct config *config, struct board *board,
			     const struct ticket_keys *tickets, char error[WEIGHTS_TEXT_BYTES]);
/* All workers must be over. */
void control_close(struct control *c);

/* Opens the loop, on the thread that will turn it. False: `error` is set. */
bool control_attach(struct control *c, char error[WEIGHTS_TEXT_BYTES]);

/* Where the admin API listens: moved in. */
struct control_sockets {
	int local;
	int tcp[LISTENERS_MAX];
	size_t tcp_n;
};
/*
 * From now on this process is the one that answers the admin API and changes the weights, until
 * control_retire(): opens the state, and the board says what it says, if that is newer. There must
 * be no other: the caller sees to it. On the first start before any worker; after control_attach().
 * False: `error` is set.
 */
bool control_lead(struct control *c, const struct control_sockets *s,
		  const struct control_peers *peers, char error[WEIGHTS_TEXT_BYTES]);

/*
 * Slots on the board for all workers, as late as can be: who has one is waited for when weights
 * change. False: there are not as many.
 */
bool control_take_slots(struct control *c);

/* Begins the capture log, where the configuration has one, before workers are made. */
bool control_record(struct control *c, char error[RECORDER_ERROR_BYTES]);

/*
 * Gets listening sockets for all listeners; the workers that are opened afterwards take them. The
 * source is asked again at a reload. False after complaints in the configuration.
 */
bool control_listen(struct control *c, const struct socket_source *source);

/* What the worker of that number is opened with; its thread opens io and bufs itself. */
struct worker_config control_worker(struct control *c, unsigned number);
/* On the worker's thread: `io` may be woken from now on; and is not any more, for the worker is
 * over. */
void control_worker_up(struct control *c, unsigned number, struct io *io);
void control_worker_over(struct control *c, unsigned number);

void control_turn(struct control *c);

/* At the end of the turn the configuration is read anew: see reload.h. Not while it stops. */
void control_reload(struct control *c);

/*
 * What is in force: the configuration's text, the files that it names, and what else a start would
 * read. They are copied where they do not live as long as the arena.
 */
void control_keep(const struct control *c, struct kept_files *to, struct arena *arena);
/* Whether that is something else than when this was asked last. */
bool control_is_to_be_kept(struct control *c);
/* After a crash it does without something that could be had by now, by another process. */
bool control_is_to_be_renewed(struct control *c);

/* Another process has changed the board, or which nodes are drained: the workers look. */
void control_look(struct control *c);
/* The other way round. */
void control_let_others_look(struct control *c);
/* The keeper has refused an upgrade, or it has failed. */
void control_upgrade_failed(struct control *c, const char *why);
/* Log files are opened anew: somebody has moved them away. */
void control_reopen_logs(struct control *c);

/*
 * Another process serves: accepts and leads no more, and lets connections end behind their next
 * answer, at most timeouts.drain; then what is left is cut.
 */
void control_retire(struct control *c);
/*
 * Leaves for timeouts.leave: all is served, and the health path says that nobody is to come any
 * more. Then drains, at most timeouts.drain; then what is left is cut. Called again, the next of
 * these begins at once.
 */
void control_stop(struct control *c);
/* Whether new clients are accepted, or will be: until it drains. */
bool control_is_open(const struct control *c);
/* Every worker is over, and so are control's own connections. */
bool control_is_over(const struct control *c);

/* Says aloud what was decided on purpose and may hurt. */
void control_say_risks(const struct control *c);
/* The weights of the file are not those in force, which are kept in the state. */
bool control_weights_differ(const struct control *c);

/* For reload. */
const struct plan *control_compile(struct control *c, struct config *config,
				   struct complaints *complaints);
bool control_open_names(struct control *c);
/* The file of log.access: a descriptor; -1: there is none, or a complaint says why. */
int control_open_log(struct config *config);
void control_use_log(struct control *c, int fd /* moved in */);

/* How many workers a configuration asks for: workers: N, or one for each core that we have. */
unsigned control_worker_count(const struct config *c, struct cores *cores /* or NULL */);

#endif
