#ifndef CAPTURE_TRAFFIC_H
#define CAPTURE_TRAFFIC_H

/*
 * What was recorded, as TrafficStreams: each connection's requests and responses in order, as they
 * would stand on an HTTP/1.1 connection. Bodies without a length are chunked anew.
 */

#include "capture/reader.h"
#include "capture/trafficstream.h"

struct traffic;

/* Messages that were handed over, and messages that were not. */
struct traffic_counts {
	uint64_t requests, responses;
	uint64_t requests_cut;	/* that never were whole */
	uint64_t responses_cut; /* not recorded whole: without their bodies, or broken off */
	uint64_t open;		/* exchanges without an outcome */
	/* whole, or with half a record of bytes, before their request was whole */
	uint64_t responses_early;
};

struct traffic *traffic_open(const struct trafficstream_user *user);
void traffic_take(struct traffic *t, const struct reading *r);
/* No more frames come: open connections are handed over as far as they go. */
void traffic_end(struct traffic *t);
void traffic_close(struct traffic *t);
struct traffic_counts traffic_counts(const struct traffic *t);

/* --- for followers --- */

/* Called before the first traffic_take(): restores the connections of the position. */
void traffic_restore(struct traffic *t, const struct position *p);
/*
 * Adds all connections to the position. Those of series that are over are ended and handed over
 * instead.
 */
void traffic_position(struct traffic *t, const struct reader *r, struct position *to);

#endif
