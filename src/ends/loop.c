#include "ends/loop.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"

void loop_open(struct loop *l, struct io *io, struct bufs *bufs, size_t budget_bytes)
{
	*l = (struct loop){ .io = io, .bufs = bufs };
	list_init(&l->swept);
	budget_open(&l->budget, budget_bytes);
	wheel_open(&l->wheel, io_now_ms(io));
	wires_open(&l->wires, io, bufs);
	h1_fronts_open(&l->fronts, &l->wires, &l->wheel);
	h1_backs_open(&l->backs, &l->wires, &l->wheel);
}

bool loop_open_own(struct loop *l)
{
	struct bufs *bufs = calloc(1, sizeof *bufs);
	must(bufs);
	bufs_open(bufs);
	struct io *io = io_epoll_open(bufs);
	if (!io) {
		int error = errno;
		bufs_close(bufs);
		free(bufs);
		errno = error;
		return false;
	}
	loop_open(l, io, bufs, LOOP_BUDGET_BYTES);
	l->own = bufs;
	return true;
}

void loop_close(struct loop *l)
{
	must(loop_is_quiet(l));
	h1_backs_close(&l->backs);
	h1_fronts_close(&l->fronts);
	wires_close(&l->wires);
	budget_close(&l->budget);
	if (!l->own)
		return;
	io_free(l->io);
	bufs_close(l->own);
	free(l->own);
}

void loop_add_sweep(struct loop *l, struct loop_sweep *s, void (*sweep)(struct loop_sweep *s))
{
	s->sweep = sweep;
	list_init(&s->link);
	list_add_tail(&l->swept, &s->link);
}

uint64_t loop_deadline_ns(const struct loop *l)
{
	if (wires_have_pending(&l->wires))
		return 0;
	uint64_t ms = wheel_next_ms(&l->wheel);
	return ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
}

void loop_dispatch(struct loop *l)
{
	io_dispatch(l->io);
	wheel_turn(&l->wheel, io_now_ms(l->io));
}

bool loop_squeeze(struct loop *l)
{
	return wires_squeeze(&l->wires);
}

void loop_flush(struct loop *l)
{
	wires_flush(&l->wires);
}

void loop_sweep(struct loop *l)
{
	list_each_safe(at, &l->swept) {
		struct loop_sweep *s = list_entry(at, struct loop_sweep, link);
		s->sweep(s);
	}
}

void loop_turn(struct loop *l)
{
	io_wait(l->io, loop_deadline_ns(l));
	loop_dispatch(l);
	loop_squeeze(l);
	loop_flush(l);
	loop_sweep(l);
}

bool loop_trim(struct loop *l)
{
	bool more = bufs_trim(l->bufs);
	more |= wires_trim(&l->wires);
	more |= h1_fronts_trim(&l->fronts);
	return more;
}
