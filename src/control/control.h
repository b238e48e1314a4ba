#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

/*
 * The control thread: it watches over the workers of a process and never handles a request of a
 * client. It owns the loop, both halves of control (workers.h, leader.h) and the admin API over
 * them, and it decides how the process ends.
 */

#include "control/admin.h"
#include "control/leader.h"
#include "control/reload.h"
#include "control/workers.h"

struct control {
	struct loop loop;
	struct workers workers;
	struct leader leader;
	struct admin admin;
	struct reload reload;
	struct timer drain; /* runs when the present state ends */
	bool reload_wanted;
	bool attached; /* the loop is open */
	bool lingers;  /* the workers are over; admin clients get a little more time */
};

/* Compiles the first plan. NULL after diagnostics, or with `error` set. */
struct control *control_open(struct config *config, struct board *board,
			     const struct ticket_keys *tickets, char error[WEIGHTS_TEXT_BYTES]);
/* All workers must be over before this. */
void control_close(struct control *c);

/* Opens the loop, on the thread that will turn it. False: `error` is set. */
bool control_attach(struct control *c, char error[WEIGHTS_TEXT_BYTES]);

/* The descriptors on which the admin API listens: moved in. */
struct control_sockets {
	int local;
	int tcp[LISTENERS_MAX];
	size_t tcp_n;
};
/*
 * From now on this process serves the admin API and leads (leader_lead()), until control_retire().
 * Call it after control_attach(). False: `error` is set.
 */
bool control_lead(struct control *c, const struct control_sockets *s,
		  const struct leader_peers *peers, char error[WEIGHTS_TEXT_BYTES]);
/*
 * Serves the admin API only, for a process that leads already or is about to (leader_lead_soon()).
 */
void control_respond(struct control *c, const struct control_sockets *s);

void control_turn(struct control *c);

/*
 * The configuration is read again at the end of the turn: see reload.h. Not while the process
 * stops.
 */
void control_reload(struct control *c);

/*
 * Collects what is in force: the text of the configuration, the files that it names, and everything
 * else that a start would read. Texts that do not live as long as the arena are copied.
 */
void control_keep(const struct control *c, struct saved_files *to, struct arena *arena);
/* Whether this has changed since the last call. */
bool control_is_to_be_kept(struct control *c);
/*
 * After a crash this process runs without something (a file, a directory) that could not be had
 * then. True: a new process could have it now.
 */
bool control_is_to_be_renewed(struct control *c);

/* Reopens the log files after somebody has moved them. */
void control_reopen_logs(struct control *c);

/*
 * Another process serves now. This one accepts and leads no more. Each connection ends after its
 * next response; what is left after timeouts.drain is cut.
 */
void control_retire(struct control *c);
/*
 * For timeouts.leave all requests are served, and the health path responds 503. Then the workers
 * drain, for at most timeouts.drain; what is left then is cut. Each further call begins the next of
 * these steps at once.
 */
void control_stop(struct control *c);
/* Whether new clients are accepted, or will be. False from the beginning of the drain. */
bool control_is_open(const struct control *c);
/* All workers are over, and so are the connections of the control thread. */
bool control_is_over(const struct control *c);

#endif
