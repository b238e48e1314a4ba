#ifndef TESTS_UNIT_ENDS_STAGE_H
#define TESTS_UNIT_ENDS_STAGE_H

/* What a worker gives to its connections to nodes, with the nodes at the far side of the simulator.
 */

#include "unit/ends/far.h"
#include "unit/ends/party.h"

#include "ends/h1_back.h"

#define CONNECT_MS 10000
#define IDLE_MS 60000
#define TUNNEL_IDLE_MS 3600000
#define KEEP_MS 30000

static const struct back_policy back_policy = { .connect_ms = CONNECT_MS,
						.idle_ms = IDLE_MS,
						.tunnel_idle_ms = TUNNEL_IDLE_MS,
						.keep_alive_ms = KEEP_MS };

struct stage {
	struct far_side far;
	struct bufs bufs;
	struct io *io;
	struct wires wires;
	struct budget budget; /* of all connections to nodes */
	struct wheel wheel;
	struct h1_backs backs;
	struct slab chunks;
	struct arena arena; /* of all exchanges of a test */
	struct words words;
	void (*turn_over)(struct stage *s); /* or NULL */
};

static inline void stage_turn(void *us)
{
	struct stage *s = us;
	uint64_t ms = wheel_next_ms(&s->wheel);
	io_wait(s->io, ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000);
	io_dispatch(s->io);
	wheel_turn(&s->wheel, io_now_ms(s->io));
	wires_squeeze(&s->wires);
	wires_flush(&s->wires);
	if (s->turn_over)
		s->turn_over(s);
}

static inline void stage_open(struct stage *s)
{
	memset(s, 0, sizeof *s);
	far_side_open(&s->far, stage_turn, s);
	bufs_open(&s->bufs);
	s->io = sim_io_open(s->far.sim, &s->bufs);
	s->far.ours = s->io;
	wires_open(&s->wires, s->io, &s->bufs);
	budget_open(&s->budget, MEMORY_BYTES);
	wheel_open(&s->wheel, io_now_ms(s->io));
	h1_backs_open(&s->backs, &s->wires, &s->wheel);
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&s->arena, &s->chunks);
}

/* All connections must be closed or closing: nothing may be left of them. */
static inline void stage_close(struct stage *s)
{
	far_settle(&s->far);
	arena_close(&s->arena);
	h1_backs_close(&s->backs);
	wires_close(&s->wires);
	budget_close(&s->budget);
	io_free(s->io);
	far_side_close(&s->far);
	slab_close(&s->chunks);
	bufs_close(&s->bufs);
}

static inline struct addr address_of(const char *host, uint16_t port)
{
	struct addr a;
	assert_true(addr_parse(span_of(host), port, &a));
	return a;
}

#endif
