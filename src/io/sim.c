#include "io/sim.h"

#include <stdlib.h>

#include "io/sim_sock.h"
#include "io/sim_world.h"

/* The wall clock of the world starts here: 2026-01-01T00:00:00Z. */
#define WALL_START_NS 1767225600000000000u

/* --- turns --- */

static bool is_running(const struct sim_io *io)
{
	return !io->stalled && !io->crashed;
}

static void read_clocks(struct sim_io *io)
{
	io->io.now_ns = io->sim->now_ns;
	io->io.wall_ns = WALL_START_NS + io->sim->now_ns;
}

/* Operations that these attempts make due wait for the next turn. */
static void sim_wait(struct io *base, uint64_t deadline_ns)
{
	struct sim_io *io = sim_io_of(base);
	if (!is_running(io))
		return;
	io->until_ns = deadline_ns;
	base->rested_ns = base->now_ns; /* a turn takes no time here */
	sim_run_due(io->sim);
	struct list now;
	list_init(&now);
	list_splice_tail(&now, &io->due);
	for (struct list *l; (l = list_take_first(&now));)
		sim_sock_attempt(io, list_entry(l, struct io_op, link));
	io->woken = false;
	base->counts.turns++;
	read_clocks(io);
}

static void sim_finish(struct sim_io *io, struct io_op *op)
{
	sim_sock_finish(io, op);
	sim_note(io->sim, io->sim->now_ns);
	sim_note(io->sim,
		 (uint64_t)io->name << 40 | (uint64_t)op->verb << 32 | (uint32_t)op->result);
	io_op_end(op, op->result);
}

static void sim_dispatch(struct io *base)
{
	struct sim_io *io = sim_io_of(base);
	while (is_running(io)) {
		struct list *l = list_take_first(&io->ended);
		if (!l)
			break;
		sim_finish(io, list_entry(l, struct io_op, link));
	}
}

static void sim_wake(struct io *io)
{
	sim_io_of(io)->woken = true;
}

/* --- the world --- */

static void sim_free(struct io *base)
{
	struct sim_io *io = sim_io_of(base);
	must(list_empty(&io->socks) && list_empty(&io->due) && list_empty(&io->ended));
	list_remove(&io->in_sim);
	free(io);
}

static const struct io_verbs sim_verbs = {
	.name = "simulator",
	.adopt = sim_sock_adopt,
	.accept = sim_sock_accept,
	.connect = sim_sock_connect,
	.recv = sim_sock_recv,
	.watch = sim_sock_watch,
	.send = sim_sock_send,
	.shutdown = sim_sock_shutdown,
	.close = sim_sock_close,
	.cancel = sim_sock_cancel,
	.wake = sim_wake,
	.wait = sim_wait,
	.dispatch = sim_dispatch,
	.free = sim_free,
};

struct io *sim_io_open(struct sim *sim, struct bufs *bufs)
{
	struct sim_io *io = calloc(1, sizeof *io);
	must(io);
	*io = (struct sim_io){ .io = { .verbs = &sim_verbs, .bufs = bufs }, .sim = sim };
	io->name = ++sim->ios_opened;
	io->until_ns = UINT64_MAX;
	list_init(&io->socks);
	list_init(&io->due);
	list_init(&io->ended);
	list_add_tail(&sim->ios, &io->in_sim);
	read_clocks(io);
	return &io->io;
}

uint64_t sim_waits_until_ns(const struct io *io)
{
	return ((const struct sim_io *)io)->until_ns;
}

void sim_stall(struct io *io, bool stalled)
{
	sim_io_of(io)->stalled = stalled;
}

void sim_lacks(struct io *io)
{
	sim_io_of(io)->lacks = true;
}

/* A receive that has ended already owns its block, which nobody will take. */
static void sim_forget(struct list *ops)
{
	for (struct list *l; (l = list_take_first(ops));) {
		struct io_op *op = list_entry(l, struct io_op, link);
		if (op->verb == IO_RECV && op->block)
			block_drop(op->block);
	}
}

void sim_crash(struct io *base)
{
	struct sim_io *io = sim_io_of(base);
	io->crashed = true;
	sim_forget(&io->ended);
	sim_forget(&io->due);
	while (!list_empty(&io->socks)) {
		struct sim_sock *s = list_entry(io->socks.next, struct sim_sock, in_io);
		sim_forget(&s->accepts);
		sim_sock_destroy(s, true);
	}
}

static bool has_work(const struct sim *sim)
{
	list_each(l, &sim->ios) {
		const struct sim_io *io = list_entry(l, struct sim_io, in_sim);
		if (is_running(io) &&
		    (io->woken || !list_empty(&io->due) || !list_empty(&io->ended)))
			return true;
	}
	return false;
}

/* The clock stands still while a running io has work. */
bool sim_advance(struct sim *sim, uint64_t deadline_ns)
{
	if (has_work(sim))
		return true;
	uint64_t next_ns = sim->event_n > 0 ? sim->events[0].at_ns : UINT64_MAX;
	if (next_ns > deadline_ns)
		next_ns = deadline_ns;
	if (next_ns == UINT64_MAX)
		return false;
	if (sim->now_ns < next_ns)
		sim->now_ns = next_ns;
	sim_run_due(sim);
	return true;
}
