#ifndef CONTROL_LOOP_H
#define CONTROL_LOOP_H

/*
 * What one thread outside the data path needs to speak HTTP: its io (epoll: it is everywhere, and a
 * few requests a second are no load), wires, timers, and connections either way.
 */

#include "base/wheel.h"
#include "ends/h1_back.h"
#include "ends/h1_front.h"

/* Bytes of receive blocks that all connections of a loop may hold together. */
#define LOOP_BUDGET_BYTES (64u * 1024 * 1024)

struct loop {
	struct bufs bufs;
	struct io *io; /* owned */
	struct wheel wheel;
	struct wires wires;
	struct h1_fronts fronts;
	struct h1_backs backs;
	struct budget budget;
	struct list swept; /* struct loop_sweep: called at the end of each turn */
};

/* For what is over and may be freed only when the turn is: streams (http/stream.h). */
struct loop_sweep {
	struct list link;
	void (*sweep)(struct loop_sweep *s);
};

/* False with errno. On the thread that turns it, after tls_library_enter(). */
bool loop_open(struct loop *l);
/* All connections must be gone. */
void loop_close(struct loop *l);

void loop_add_sweep(struct loop *l, struct loop_sweep *s, void (*sweep)(struct loop_sweep *s));

/* The time of this turn. That of the wheel may stand behind it while operations are dispatched. */
static inline uint64_t loop_now_ms(const struct loop *l)
{
	return io_now_ms(l->io);
}

/* One turn: sleeps until something comes or a timer is due. */
void loop_turn(struct loop *l);

/* No connection is left, either way. */
static inline bool loop_is_quiet(const struct loop *l)
{
	return !l->fronts.open_n && !l->backs.open_n;
}

#endif
