#ifndef IO_SIM_H
#define IO_SIM_H

/*
 * The simulator: the verbs of io.h over a network in memory, with a clock and faults that come from
 * one seed. The same seed gives the same run, to the byte. One `struct sim` is the world; each
 * worker, scripted client and scripted cluster opens its own `struct io` in it, and all of them run
 * on one thread, whichever the test turns next.
 */

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

struct sim;

/* Chances are out of 1,000, at each occasion. All zero: a perfect network with no delay. */
struct sim_faults {
	unsigned short_recv; /* fewer bytes than there are, often one */
	unsigned short_send; /* the "kernel" takes the bytes of a send in several steps */
	unsigned delay;	     /* bytes, accepts and connects come later, by up to delay_ms_max */
	unsigned delay_ms_max;
	unsigned reset;	       /* the connection is reset, at a send or a receive */
	unsigned refuse;       /* a connect is refused */
	unsigned unreachable;  /* a connect is never answered */
	unsigned starve;       /* a receive finds the ring empty and waits for a later turn */
	unsigned accept_error; /* an accept ends with -EMFILE, -ECONNABORTED or the like */
	unsigned shortage; /* a connect or an adopt fails for want of something; see sim_lacks() */
	unsigned
		window_bytes_max; /* bytes in flight per direction; 0: 64 KiB. Small: sends stall */
};

struct sim *sim_open(uint64_t seed, const struct sim_faults *faults);
/* Every io must have been freed. */
void sim_close(struct sim *sim);

/* Opens an io in this world. `bufs` is the io's own. */
struct io *sim_io_open(struct sim *sim, struct bufs *bufs);

/* A listening socket at an address; accepts may be started on it. Connects to nobody are refused.
 */
struct sock *sim_listen(struct io *io, const struct addr *at);

/* A listening socket's descriptor for io_adopt(), which a shortage keeps from taking it. */
int sim_descriptor(struct sim *sim, const struct addr *at);

/* What becomes of those who connect to an address from now on, whoever listens there. */
enum sim_spot_kind {
	SIM_AS_IT_IS,
	SIM_REFUSES,
	SIM_SWALLOWS, /* no word comes back: a black hole, as long as it is one */
};
/* So many addresses may be anything but as they are. */
#define SIM_SPOTS_MAX 64
void sim_set_spot(struct sim *sim, const struct addr *at, enum sim_spot_kind kind);

/* The deadline of its last wait: time has to stop there for it, though nothing happens to it. */
uint64_t sim_waits_until_ns(const struct io *io);

/* What befalls a connection by chance, whatever the address that it is to. */
enum sim_mishap {
	SIM_LACKED, /* who connects was short of something */
	SIM_REFUSED,
	SIM_UNANSWERED,
	SIM_BROKEN, /* reset, or lost before it was accepted */
};
/* Tells of each as it happens: who has connected, and to whom. */
void sim_watch_mishaps(struct sim *sim,
		       void (*befell)(void *about, const struct io *io, const struct addr *to,
				      enum sim_mishap what),
		       void *about);

/* What has happened so far. */
struct sim_counts {
	uint64_t short_recvs, short_sends, full_windows, delays, starved;
	uint64_t resets, refused, unanswered, accept_errors,
		shortages; /* faults, not what peers do */
};
const struct sim_counts *sim_counts(const struct sim *sim);

/* While an io is stalled its waits return at once with nothing done: a worker that does not run. */
void sim_stall(struct io *io, bool stalled);

/* Shortages befall it from now on: others in the world have all that they need. */
void sim_lacks(struct io *io);

/* A crash: all its sockets are reset, its operations never end; its memory is the caller's. */
void sim_crash(struct io *io);

/* Switches faults while it runs: an end phase without any lets everything settle. */
void sim_set_faults(struct sim *sim, const struct sim_faults *faults);

/*
 * Moves the clock to the next thing that happens (a delivery, or `deadline_ns`, whichever is
 * first). False when nothing is on its way and the deadline is UINT64_MAX: the world has come to
 * rest.
 */
bool sim_advance(struct sim *sim, uint64_t deadline_ns);

uint64_t sim_now_ns(const struct sim *sim);
/* A number below `n` from the world's seed, for scripts that want chance. */
uint64_t sim_random(struct sim *sim, uint64_t n);
/* A fingerprint of all that happened: equal for equal seeds. */
uint64_t sim_trace(const struct sim *sim);

#endif
