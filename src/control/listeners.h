#ifndef CONTROL_LISTENERS_H
#define CONTROL_LISTENERS_H

/*
 * The addresses that clients connect to as control knows them: their numbers, which are stable, and
 * the way of their sockets from whoever opens them to the workers. An address keeps its identity
 * over plans and configurations: same listener, same address and port. The numbers of one kind of
 * listener are its own for ever, so that its counts never fall.
 */

#include "control/config.h"

/* Who opens and keeps listening sockets. */
struct socket_source {
	void *self;
	/*
	 * At least `count` sockets that listen on an address and share its connections, owned by
	 * the caller; *given says how many. An errno, or 0. It may block for a moment.
	 */
	int (*listen)(void *self, const struct addr *a, unsigned count, int list[WORKERS_MAX],
		      unsigned *given);
	/* They are not needed any more: whoever is started next does not get them. */
	void (*forget)(void *self, const struct addr *a);
};

struct listener_record {
	struct addr addr;
	bool known;  /* the number was this address's before, or is */
	bool listed; /* the configuration has it */
	bool open;   /* it has got its sockets */
	struct listener_sockets sockets;
};

struct listeners {
	struct listener_record list[LISTENERS_MAX]; /* by number */
};

void listeners_open(struct listeners *s);
/* Closes what no worker has taken. */
void listeners_close(struct listeners *s);

/*
 * A change of the configuration: addresses of `c` that are not there yet get a number that is not
 * in `named`: that of no plan. False after a complaint; those that were added stay until
 * listeners_retire().
 */
bool listeners_add(struct listeners *s, struct config *c, const bool named[LISTENERS_MAX]);
/* Sockets for those that have none: for each worker one. False after complaints. */
bool listeners_listen(struct listeners *s, struct config *c, unsigned worker_n,
		      const struct socket_source *source);
/* Says that there is no listening on an address, and why: also for those that are not listeners. */
void listeners_complain(struct config *c, const struct config_address *a, int error);
/* Those that `c` does not have are gone: workers close their sockets when their plan says so. */
void listeners_retire(struct listeners *s, const struct config *c,
		      const struct socket_source *source);

/* An address that the configuration has. */
struct listener_record *listeners_find(struct listeners *s, enum config_listener_kind kind,
				       const struct addr *a);
uint32_t listeners_number(const struct listeners *s, const struct listener_record *r);

#endif
