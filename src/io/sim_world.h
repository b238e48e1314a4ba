#ifndef IO_SIM_WORLD_H
#define IO_SIM_WORLD_H

/*
 * The world of the simulator: one clock, one random generator, and one queue of planned events.
 * Nothing may depend on a memory address or on a real clock. Private to the simulator.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/sim.h"

#define SIM_DESCRIPTORS 1024

struct sim_event {
	uint64_t at_ns;
	uint64_t sequence; /* order of planning, for events at the same time */
	void (*run)(void *about, unsigned side);
	void *about;
	unsigned side;
};

struct sim {
	uint64_t random[4];
	uint64_t now_ns, sequence, trace;
	struct sim_faults faults;
	struct sim_event *events; /* owned; a heap, the next event first */
	size_t event_n, event_max;
	struct list ios, listeners;		  /* borrowed */
	struct addr descriptors[SIM_DESCRIPTORS]; /* of listeners not adopted yet */
	unsigned descriptor_n;
	unsigned ios_opened; /* all ios ever opened; gives their names in the trace */
	unsigned links;	     /* open now */
	struct sim_spot {
		struct addr at;
		enum sim_spot_kind kind;
	} spots[SIM_SPOTS_MAX];
	unsigned spot_n;
	struct sim_counts counts;
	void (*befell)(void *about, const struct io *io, const struct addr *to,
		       enum sim_mishap what); /* NULL: no watcher */
	void *watcher;
};

/* Plans `run(about, side)`. */
void sim_plan(struct sim *sim, uint64_t at_ns, void (*run)(void *, unsigned), void *about,
	      unsigned side);

/* Runs the events that are due now. */
void sim_run_due(struct sim *sim);

/* True with a chance of of_1000 out of 1,000. */
bool sim_chance(struct sim *sim, unsigned of_1000);

/* The time at which bytes that are sent now arrive. */
uint64_t sim_arrival_ns(struct sim *sim);

/* Adds to the fingerprint. */
void sim_note(struct sim *sim, uint64_t what);

#endif
