#ifndef IO_SIM_LINK_H
#define IO_SIM_LINK_H

/*
 * One simulated connection. In each direction bytes are under way in order, at most a window of
 * them, and then FIN or RST. Side 0 connects, side 1 accepts. Private to the simulator.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/addr.h"
#include "io/sim_world.h"

struct sim_piece;

struct sim_end {
	void (*stirred)(void *owner); /* there may be bytes to read, room to send, or an end */
	void *owner;		      /* NULL: closed, or not accepted yet */
	bool open;
	bool reset;    /* RST has come, or the end itself was broken by a fault */
	bool finished; /* this end has sent FIN */
	/* bytes that come toward this end: */
	struct sim_piece *first, *last; /* owned; the arrived ones are first */
	struct sim_piece *under_way;	/* the first piece that has not arrived */
	size_t bytes;			/* arrived and under way: they count against the window */
	size_t arrived;
	bool ended;	    /* FIN has arrived */
	uint64_t latest_ns; /* when the last piece arrives */
};

struct sim_link {
	struct sim *sim;
	unsigned refs;	 /* open ends and planned events */
	unsigned knocks; /* connect attempts that a black hole has swallowed */
	size_t window;
	struct addr from; /* the address of side 0 */
	struct sim_end ends[2];
	struct list backlog; /* in the listener's backlog until it is accepted */
};

/* With side 0 open. */
struct sim_link *sim_link_open(struct sim *sim, const struct addr *from);
/* Opens side 1: there is a listener. */
void sim_link_response(struct sim_link *l);
void sim_link_attach(struct sim_link *l, unsigned side, void *owner, void (*stirred)(void *));

/* Copies and sends at most n bytes, as many as the window has room for. Returns their number. */
size_t sim_link_send(struct sim_link *l, unsigned side, const void *bytes, size_t n);
size_t sim_link_room(const struct sim_link *l, unsigned side);
/* Reads at most n of the bytes that have arrived. */
size_t sim_link_recv(struct sim_link *l, unsigned side, void *to, size_t n);

/* Sends FIN after the sent bytes. */
void sim_link_finish(struct sim_link *l, unsigned side);
/* A fault: both sides see a reset. */
void sim_link_break(struct sim_link *l, unsigned side);
/* Closing with unread bytes is a reset, as in the kernel. The link may be freed by this call. */
void sim_link_close(struct sim_link *l, unsigned side, bool reset);

/* Plans `run(link, side)`. The event holds a reference, which run() must drop. */
void sim_link_plan(struct sim_link *l, uint64_t at_ns, void (*run)(void *, unsigned),
		   unsigned side);
void sim_link_drop(struct sim_link *l);

#endif
