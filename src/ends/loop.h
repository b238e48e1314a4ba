#ifndef ENDS_LOOP_H
#define ENDS_LOOP_H

/*
 * What a thread needs to speak HTTP: io, timers, wires, client connections and node connections.
 * Each worker has one, and so has each thread that makes or serves requests outside the data path.
 */

#include "base/wheel.h"
#include "ends/h1_back.h"
#include "ends/h1_front.h"

struct loop {
	struct bufs *bufs; /* borrowed: the io's */
	struct io *io;	   /* borrowed */
	struct bufs *own;  /* owned, like `io`; NULL: neither is owned */
	struct wheel wheel;
	struct wires wires;
	struct h1_fronts fronts;
	struct h1_backs backs;
	struct budget budget; /* for what clients send */
	struct list swept;    /* struct loop_sweep: loop_sweep() calls each of them */
};

/*
 * A callback for objects that are over and may be freed only at the end of a turn: streams
 * (http/stream.h).
 */
struct loop_sweep {
	struct list link;
	void (*sweep)(struct loop_sweep *s);
};

/*
 * Uses the caller's io, with a budget of budget_bytes. Call it on the thread that turns the io,
 * after tls_library_enter().
 */
void loop_open(struct loop *l, struct io *io, struct bufs *bufs, size_t budget_bytes);
/*
 * Opens an io of its own. That is epoll, because it is available everywhere and this loop carries
 * only a few requests a second. False with errno.
 */
bool loop_open_own(struct loop *l);
/* All connections must be gone. */
void loop_close(struct loop *l);

void loop_add_sweep(struct loop *l, struct loop_sweep *s, void (*sweep)(struct loop_sweep *s));

/* The time of this turn. The wheel's time may be earlier while operations are dispatched. */
static inline uint64_t loop_now_ms(const struct loop *l)
{
	return io_now_ms(l->io);
}

/* One turn. Sleeps until an operation completes or a timer is due. */
void loop_turn(struct loop *l);

/*
 * The parts of a turn, in their order, for a thread that does more in one. loop_deadline_ns()
 * returns until when the loop has nothing to do, by the io's clock. 0: there is work now.
 * UINT64_MAX: no timer is set.
 */
uint64_t loop_deadline_ns(const struct loop *l);
/* Dispatches completed operations and due timers. */
void loop_dispatch(struct loop *l);
/*
 * Frees memory that a connection waits for. True when other owners of memory on this thread should
 * do the same.
 */
bool loop_squeeze(struct loop *l);
/* Sends what was written in this turn. */
void loop_flush(struct loop *l);
/* Ends the turn: calls every loop_sweep. */
void loop_sweep(struct loop *l);

/* Returns a part of the memory that a burst of traffic has left unused, as bufs_trim(). */
bool loop_trim(struct loop *l);

/* True when no client connection and no node connection is left. */
static inline bool loop_is_quiet(const struct loop *l)
{
	return !l->fronts.open_n && !l->backs.open_n;
}

#endif
