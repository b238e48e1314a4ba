#ifndef CONTROL_LISTENERS_H
#define CONTROL_LISTENERS_H

/*
 * The addresses that clients connect to, as the control thread knows them: their numbers, which are
 * stable, and the way of their sockets from the opener to the workers. The same listener, address
 * and port keep their identity over plans and configurations. A number stays with one kind of
 * listener for ever, so that its counters never decrease.
 */

#include "control/config.h"

/* Opens and keeps listening sockets. */
struct socket_source {
	void *self;
	/*
	 * Gives at least `count` sockets that listen on `a` and share its connections; the caller
	 * owns them, and *given is their number. An errno, or 0. May block for a short time.
	 */
	int (*listen)(void *self, const struct addr *a, unsigned count, int list[WORKERS_MAX],
		      unsigned *given);
	/* The sockets of `a` are not needed any more: later processes do not get them. */
	void (*forget)(void *self, const struct addr *a);
};

struct listener_record {
	struct addr addr;
	bool known;  /* the number belongs, or belonged, to this address */
	bool listed; /* the configuration has it */
	bool open;   /* it has its sockets */
	struct listener_sockets sockets;
};

struct listeners {
	struct listener_record list[LISTENERS_MAX]; /* by number */
};

void listeners_open(struct listeners *s);
/* Closes the sockets that no worker has taken. */
void listeners_close(struct listeners *s);

/*
 * For a change of the configuration: each new address of `c` gets a number that no plan uses
 * (`named`). False after a diagnostic. Added addresses stay until listeners_retire().
 */
bool listeners_add(struct listeners *s, struct config *c, const bool named[LISTENERS_MAX]);
/* Gets sockets, one for each worker, for addresses that have none. False after diagnostics. */
bool listeners_listen(struct listeners *s, struct config *c, unsigned worker_n,
		      const struct socket_source *source);
/*
 * Adds a diagnostic that an address cannot be listened on, and why; also for addresses that are not
 * listeners.
 */
void listeners_complain(struct config *c, const struct config_address *a, int error);
/*
 * Removes the addresses that `c` does not have. Workers close their sockets when they adopt the new
 * plan.
 */
void listeners_retire(struct listeners *s, const struct config *c,
		      const struct socket_source *source);

/* Finds an address of the configuration. */
struct listener_record *listeners_find(struct listeners *s, enum config_listener_kind kind,
				       const struct addr *a);
uint32_t listeners_number(const struct listeners *s, const struct listener_record *r);

#endif
