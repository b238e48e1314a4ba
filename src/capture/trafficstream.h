#ifndef CAPTURE_TRAFFICSTREAM_H
#define CAPTURE_TRAFFICSTREAM_H

/*
 * One connection as TrafficStream records, the protobuf of the Migration Assistant's replayer. A
 * record holds observations in their order. An observation is at most half as large as a record.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/bytes.h"

/*
 * A field of a record that the replayer does not know, and ignores; 1: the record is of the
 * target's traffic.
 */
#define TRAFFIC_TARGET_FIELD 100

/* The field numbers of an observation. */
enum observation {
	OBSERVE_READ = 4,
	OBSERVE_READ_SEGMENT = 5,
	OBSERVE_RELEASED = 6,
	OBSERVE_WRITE = 8,
	OBSERVE_WRITE_SEGMENT = 9,
	OBSERVE_CLOSE = 11,
	OBSERVE_SEGMENT_END = 14,
	OBSERVE_END_OF_MESSAGE = 15,
	OBSERVE_DROPPED = 16,
};

/* When a record is handed over, besides when it is full and when the connection is over. */
enum traffic_flush {
	FLUSH_RESPONDED, /* with the outcome of a request */
	FLUSH_REQUESTS,	 /* also when a request is whole */
	FLUSH_PIECES,	 /* also with each piece of a request */
};

struct trafficstream_user {
	/* A record is finished; both texts stay until the call returns. */
	void (*record)(void *user, struct span connection, struct span record);
	void *user;
	size_t record_bytes; /* about the size at which a record is full; 0: TRAFFIC_RECORD_BYTES */
	enum traffic_flush flush;
};

size_t trafficstream_record_bytes(const struct trafficstream_user *user);

struct trafficstream {
	const struct trafficstream_user *user; /* borrowed */
	char connection[64];
	const char *node; /* borrowed */
	struct bytes observations;
	uint32_t records;  /* how many were handed over */
	uint32_t requests; /* whose ends were observed; and how many when this record began */
	uint32_t requests_before;
	bool target;				/* what is observed went to the target */
	bool unterminated, unterminated_before; /* the last observation is part of a request */
};

void trafficstream_open(struct trafficstream *t, const struct trafficstream_user *user,
			const char *connection, const char *node);
/* Frees it; nothing more is handed over. */
void trafficstream_close(struct trafficstream *t);

/* `data`: for the kinds that have it. */
void trafficstream_observe(struct trafficstream *t, enum observation what, uint64_t wall_ns,
			   struct span data);
/* The end of a request. A length that is 0 is not in the record. */
void trafficstream_end_of_message(struct trafficstream *t, uint64_t wall_ns, uint32_t first_line_n,
				  uint32_t headers_n);
/* Nothing will be observed for a while: frees its memory. */
void trafficstream_rest(struct trafficstream *t);
/* Hands over what was observed, if anything was. `last`: in any case, and nothing follows. */
void trafficstream_flush(struct trafficstream *t, bool last);

#endif
