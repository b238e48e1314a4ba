#ifndef PROXY_TRACING_H
#define PROXY_TRACING_H

/*
 * Records the calls between streams for the requests of chosen clients, one by one, for people
 * (`crossfade trace`). Each worker has one. Control owns it, turns it on and off, and takes the
 * records out of its ring. A record that finds the ring full is dropped and counted.
 *
 * It costs nothing while it is off: it works by another `struct front_user` for the worker's
 * connections.
 */

#include <stdatomic.h>

#include "base/limits.h"
#include "base/ring.h"
#include "ends/front.h"
#include "io/io.h"
#include "io/networks.h"

#define TRACING_NAME_BYTES 12

/* One call between streams, as a record in the ring. */
struct tracing_said {
	uint64_t at_ns;	  /* monotonic */
	uint64_t number;  /* bytes, a status or an enum err; with "opens" the number of the
			     connection */
	uint32_t request; /* index of this worker's request, from 1 */
	bool end;	  /* this direction is closed */
	struct addr client;
	char verb[TRACING_NAME_BYTES]; /* as in stream.h; "opens": the first byte of the request
					  came */
	char from[TRACING_NAME_BYTES], to[TRACING_NAME_BYTES]; /* names of streams */
};

struct tracing;

/* The tracer of one request. */
struct tracing_tap {
	struct stream_tracer tracer;
	struct tracing *tracing;
	uint32_t request;
	struct addr client;
};

struct tracing {
	struct ring ring;
	_Atomic uint64_t lost; /* the worker writes it */
	const struct io *io;
	/* Control writes them only while `on` is false and the worker has acknowledged that. */
	struct networks clients;
	struct range ranges[NETWORK_RANGES];
	/*
	 * The worker's. A tap is used again after TRACING_TAPS further requests: a request that is
	 * still running then is recorded under the later request's index.
	 */
	struct tracing_tap taps[TRACING_TAPS];
	uint32_t request_n;
	atomic_bool on; /* control writes it */
};

/* --- control --- */

void tracing_open(struct tracing *t);
/* The worker must be closed. */
void tracing_close(struct tracing *t);

/* --- the worker --- */

/* The tracer for a request that begins; NULL: its client was not chosen, or tracing is off. */
const struct stream_tracer *tracing_begin(struct tracing *t, const struct io *io,
					  const struct front_facts *facts);

#endif
