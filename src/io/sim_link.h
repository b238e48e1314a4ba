#ifndef IO_SIM_LINK_H
#define IO_SIM_LINK_H

/*
 * One simulated connection: bytes on their way in both directions, in order, at most a window of
 * them in each, and then FIN or RST. Side 0 connected, side 1 accepts. Private to the simulator.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/addr.h"
#include "io/sim_world.h"

struct sim_piece;

struct sim_end {
	void (*stirred)(void *owner); /* there may be something to read, or room, or an end */
	void *owner;		      /* NULL: closed, or not accepted yet */
	bool open;
	bool reset;    /* RST has come, or the end itself was broken by a fault */
	bool finished; /* it has sent FIN */
	/* what comes towards this end */
	struct sim_piece *first, *last; /* owned; arrived ones first */
	struct sim_piece *under_way;	/* the first that has not arrived */
	size_t bytes;			/* arrived and under way: what the window counts */
	size_t arrived;
	bool ended;	    /* FIN has arrived */
	uint64_t latest_ns; /* when the last of them arrives */
};

struct sim_link {
	struct sim *sim;
	unsigned refs;	 /* open ends, and events that are planned */
	unsigned knocks; /* that were swallowed */
	size_t window;
	struct addr from; /* the address of side 0 */
	struct sim_end ends[2];
	struct list backlog; /* of the listener, until it is accepted */
};

/* With side 0 open. */
struct sim_link *sim_link_open(struct sim *sim, const struct addr *from);
/* Opens side 1: there is somebody who listens. */
void sim_link_answer(struct sim_link *l);
void sim_link_attach(struct sim_link *l, unsigned side, void *owner, void (*stirred)(void *));

/* As many bytes as the window has room for, at most n, are copied and set out. */
size_t sim_link_send(struct sim_link *l, unsigned side, const void *bytes, size_t n);
size_t sim_link_room(const struct sim_link *l, unsigned side);
/* At most n of the bytes that have arrived. */
size_t sim_link_recv(struct sim_link *l, unsigned side, void *to, size_t n);

/* FIN, behind what was sent. */
void sim_link_finish(struct sim_link *l, unsigned side);
/* A fault: both sides find the connection reset. */
void sim_link_break(struct sim_link *l, unsigned side);
/* Closing over unread bytes is a reset, as in the kernel. The link may be gone afterwards. */
void sim_link_close(struct sim_link *l, unsigned side, bool reset);

/* Plans `run(link, side)`, which drops the reference that the event holds. */
void sim_link_plan(struct sim_link *l, uint64_t at_ns, void (*run)(void *, unsigned),
		   unsigned side);
void sim_link_drop(struct sim_link *l);

#endif
