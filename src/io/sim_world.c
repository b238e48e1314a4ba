#include "io/sim_world.h"

#include <stdlib.h>

#include "base/bug.h"

/* Not 0, so that no deadline looks like "at once". */
#define FIRST_NS 1000000000u

/* splitmix64: expands one number to a whole state, and mixes the trace. */
static uint64_t mix_bits(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t rotate_bits(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

/* xoshiro256** */
static uint64_t next_random(uint64_t s[4])
{
	uint64_t result = rotate_bits(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_bits(s[3], 45);
	return result;
}

struct sim *sim_open(uint64_t seed, const struct sim_faults *faults)
{
	struct sim *sim = calloc(1, sizeof *sim);
	must(sim);
	for (int i = 0; i < 4; i++)
		sim->random[i] = seed = mix_bits(seed);
	sim->now_ns = FIRST_NS;
	sim->faults = *faults;
	list_init(&sim->ios);
	list_init(&sim->listeners);
	return sim;
}

/* Events that are still planned concern only connections that both sides have closed. */
void sim_close(struct sim *sim)
{
	must(list_empty(&sim->ios) && list_empty(&sim->listeners));
	sim->faults = (struct sim_faults){ 0 };
	sim->now_ns = UINT64_MAX;
	sim_run_due(sim);
	must(sim->links == 0);
	free(sim->events);
	free(sim);
}

void sim_set_faults(struct sim *sim, const struct sim_faults *faults)
{
	sim->faults = *faults;
}

void sim_watch_mishaps(struct sim *sim,
		       void (*befell)(void *about, const struct io *io, const struct addr *to,
				      enum sim_mishap what),
		       void *about)
{
	sim->befell = befell;
	sim->watcher = about;
}

const struct sim_counts *sim_counts(const struct sim *sim)
{
	return &sim->counts;
}

uint64_t sim_now_ns(const struct sim *sim)
{
	return sim->now_ns;
}

uint64_t sim_random(struct sim *sim, uint64_t n)
{
	must(n > 0);
	return (uint64_t)(((unsigned __int128)next_random(sim->random) * n) >> 64);
}

bool sim_chance(struct sim *sim, unsigned of_1000)
{
	return of_1000 && sim_random(sim, 1000) < of_1000;
}

uint64_t sim_arrival_ns(struct sim *sim)
{
	const struct sim_faults *f = &sim->faults;
	if (!f->delay_ms_max || !sim_chance(sim, f->delay))
		return sim->now_ns;
	sim->counts.delays++;
	return sim->now_ns + 1 + sim_random(sim, (uint64_t)f->delay_ms_max * 1000000);
}

uint64_t sim_trace(const struct sim *sim)
{
	return sim->trace;
}

void sim_note(struct sim *sim, uint64_t what)
{
	sim->trace = mix_bits(sim->trace ^ what);
}

/* --- planned events --- */

static bool event_is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->sequence < b->sequence);
}

static void add_event(struct sim *sim, struct sim_event e)
{
	if (sim->event_n == sim->event_max) {
		sim->event_max = sim->event_max ? sim->event_max * 2 : 64;
		sim->events = realloc(sim->events, sim->event_max * sizeof e);
		must(sim->events);
	}
	size_t at = sim->event_n++;
	while (at > 0 && event_is_before(&e, &sim->events[(at - 1) / 2])) {
		sim->events[at] = sim->events[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	sim->events[at] = e;
}

static struct sim_event take_event(struct sim *sim)
{
	struct sim_event first = sim->events[0];
	struct sim_event last = sim->events[--sim->event_n];
	size_t at = 0;
	for (size_t child; (child = 2 * at + 1) < sim->event_n; at = child) {
		if (child + 1 < sim->event_n &&
		    event_is_before(&sim->events[child + 1], &sim->events[child]))
			child++;
		if (event_is_before(&last, &sim->events[child]))
			break;
		sim->events[at] = sim->events[child];
	}
	sim->events[at] = last;
	return first;
}

void sim_plan(struct sim *sim, uint64_t at_ns, void (*run)(void *, unsigned), void *about,
	      unsigned side)
{
	add_event(sim, (struct sim_event){ at_ns, sim->sequence++, run, about, side });
}

void sim_run_due(struct sim *sim)
{
	while (sim->event_n > 0 && sim->events[0].at_ns <= sim->now_ns) {
		struct sim_event e = take_event(sim);
		e.run(e.about, e.side);
	}
}
