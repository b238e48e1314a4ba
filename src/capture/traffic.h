#ifndef CAPTURE_TRAFFIC_H
#define CAPTURE_TRAFFIC_H

/*
 * What is recorded, as TrafficStreams: each connection's requests and answers in their order, as
 * they would stand on an HTTP/1.1 connection. Bodies without a length are chunked anew.
 */

#include "capture/reader.h"
#include "capture/trafficstream.h"

struct traffic;

/* Messages that were handed over, and those that were not. */
struct traffic_counts {
	uint64_t requests, answers;
	uint64_t requests_cut;	/* they never were whole */
	uint64_t answers_cut;	/* not recorded whole: without their bodies, or they broke off */
	uint64_t open;		/* exchanges that have no outcome */
	uint64_t answers_early; /* whole, or half a record of them, before their request was */
};

struct traffic *traffic_open(const struct trafficstream_user *user);
void traffic_take(struct traffic *t, const struct reading *r);
/* No more comes: connections that are open are handed over as far as they go. */
void traffic_end(struct traffic *t);
void traffic_close(struct traffic *t);
struct traffic_counts traffic_counts(const struct traffic *t);

/* --- for who follows --- */

/* Before the first is taken: connections go on where `p` has them. */
void traffic_restore(struct traffic *t, const struct position *p);
/* Adds all connections, but those of series that are over: they are ended, and handed over. */
void traffic_position(struct traffic *t, const struct reader *r, struct position *to);

#endif
