#ifndef IO_SIM_H
#define IO_SIM_H

/*
 * The simulator: the verbs of io.h over a network in memory, with a clock and faults that come from
 * one seed. The same seed gives the same run, to the byte. One `struct sim` is the world. Each
 * worker, scripted client and scripted cluster opens its own `struct io` in it. All of them run on
 * one thread, in the order in which the test turns them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

struct sim;

/* Chances are out of 1,000, at each occasion. All zero: a perfect network without delay. */
struct sim_faults {
	unsigned short_recv; /* a receive gets fewer bytes than there are, often one */
	unsigned short_send; /* the "kernel" takes the bytes of a send in several steps */
	unsigned delay;	     /* bytes, accepts and connects come up to delay_ms_max later */
	unsigned delay_ms_max;
	unsigned reset;	       /* the connection is reset, at a send or a receive */
	unsigned refuse;       /* a connect is refused */
	unsigned unreachable;  /* a connect never gets a response */
	unsigned starve;       /* a receive finds the ring empty and waits for a later turn */
	unsigned accept_error; /* an accept ends with -EMFILE, -ECONNABORTED or the like */
	unsigned shortage; /* a connect or an adopt fails for lack of a resource; see sim_lacks() */
	unsigned window_bytes_max; /* in flight per direction; 0: 64 KiB. Small: sends stall */
};

struct sim *sim_open(uint64_t seed, const struct sim_faults *faults);
/* Every io must have been freed. */
void sim_close(struct sim *sim);

/* Opens an io in this world. `bufs` is the io's own. */
struct io *sim_io_open(struct sim *sim, struct bufs *bufs);

/*
 * A listening socket at an address; accepts may be started on it. A connect to an address without a
 * listener is refused.
 */
struct sock *sim_listen(struct io *io, const struct addr *at);

/* The descriptor of a listening socket, for io_adopt(). A shortage makes io_adopt() fail. */
int sim_descriptor(struct sim *sim, const struct addr *at);

/* What happens to connects to an address from now on, whatever listens there. */
enum sim_spot_kind {
	SIM_AS_IT_IS,
	SIM_REFUSES,
	SIM_SWALLOWS, /* a black hole: connects get no response while it lasts */
};
/* The most addresses that may differ from SIM_AS_IT_IS. */
#define SIM_SPOTS_MAX 64
void sim_set_spot(struct sim *sim, const struct addr *at, enum sim_spot_kind kind);

/* The deadline of the io's last wait: the clock must stop there, even if no operation completes. */
uint64_t sim_waits_until_ns(const struct io *io);

/* Faults that hit a connection by chance, whatever its address is. */
enum sim_mishap {
	SIM_LACKED, /* the connecting io lacked a resource */
	SIM_REFUSED,
	SIM_UNANSWERED,
	SIM_BROKEN, /* reset, or lost before it was accepted */
};
/* Calls befell() for each fault, with the io that has connected and the address. */
void sim_watch_mishaps(struct sim *sim,
		       void (*befell)(void *about, const struct io *io, const struct addr *to,
				      enum sim_mishap what),
		       void *about);

/* Counts since the start. */
struct sim_counts {
	uint64_t short_recvs, short_sends, full_windows, delays, starved;
	uint64_t resets, refused, unanswered, accept_errors,
		shortages; /* these are faults, not the normal behavior of peers */
};
const struct sim_counts *sim_counts(const struct sim *sim);

/*
 * While an io is stalled, its waits return at once and do nothing, as for a worker that does not
 * run.
 */
void sim_stall(struct io *io, bool stalled);

/* Shortages hit this io from now on; other ios have all resources. */
void sim_lacks(struct io *io);

/*
 * A crash: all sockets of the io are reset, its operations never end. The caller owns its memory.
 */
void sim_crash(struct io *io);

/* Changes the faults during a run. An end phase without faults lets everything settle. */
void sim_set_faults(struct sim *sim, const struct sim_faults *faults);

/*
 * Moves the clock to the next event (a delivery) or to `deadline_ns`, whichever is first. False
 * when no event is planned and the deadline is UINT64_MAX: the world is at rest.
 */
bool sim_advance(struct sim *sim, uint64_t deadline_ns);

uint64_t sim_now_ns(const struct sim *sim);
/* A random number below `n` from the world's seed, for scripts. */
uint64_t sim_random(struct sim *sim, uint64_t n);
/* A fingerprint of all that happened: equal for equal seeds. */
uint64_t sim_trace(const struct sim *sim);

#endif
