#include "control/loop.h"

bool loop_open(struct loop *l)
{
	*l = (struct loop){ 0 };
	budget_open(&l->budget, LOOP_BUDGET_BYTES);
	bufs_open(&l->bufs);
	l->io = io_epoll_open(&l->bufs);
	if (!l->io) {
		bufs_close(&l->bufs);
		return false;
	}
	list_init(&l->swept);
	wheel_open(&l->wheel, io_now_ms(l->io));
	wires_open(&l->wires, l->io, &l->bufs);
	h1_fronts_open(&l->fronts, &l->wires, &l->wheel);
	h1_backs_open(&l->backs, &l->wires, &l->wheel);
	return true;
}

void loop_close(struct loop *l)
{
	must(loop_is_quiet(l));
	h1_backs_close(&l->backs);
	h1_fronts_close(&l->fronts);
	wires_close(&l->wires);
	io_free(l->io);
	bufs_close(&l->bufs);
}

void loop_add_sweep(struct loop *l, struct loop_sweep *s, void (*sweep)(struct loop_sweep *s))
{
	s->sweep = sweep;
	list_init(&s->link);
	list_add_tail(&l->swept, &s->link);
}

static uint64_t deadline_ns(const struct loop *l)
{
	if (wires_restless(&l->wires))
		return 0;
	uint64_t ms = wheel_next_ms(&l->wheel);
	return ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
}

void loop_turn(struct loop *l)
{
	io_wait(l->io, deadline_ns(l));
	io_dispatch(l->io);
	wheel_turn(&l->wheel, io_now_ms(l->io));
	wires_squeeze(&l->wires);
	wires_flush(&l->wires);
	list_each_safe(at, &l->swept) {
		struct loop_sweep *s = list_entry(at, struct loop_sweep, link);
		s->sweep(s);
	}
}
