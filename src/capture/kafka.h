#ifndef CAPTURE_KAFKA_H
#define CAPTURE_KAFKA_H

/*
 * The follower that brings the log to a Kafka topic, on a thread of its own. It reads the files as
 * they become durable, hands TrafficStream records to a producer, and saves its position when the
 * brokers have them. It never holds up the log. While another process is this follower for the same
 * directory, as during an upgrade, it waits until that process lets go.
 */

#include "capture/follower.h"
#include "capture/producer.h"
#include "capture/trafficstream.h"

struct kafka;

struct kafka_config {
	const char *directory; /* borrowed */
	struct producer_config producer;
	/*
	 * When records are handed over: where requests wait for the brokers, before a response has
	 * come.
	 */
	enum traffic_flush flush;
	void (*acknowledged)(
		void *user); /* called on its thread, when the writers' leases say more */
	void *user;
};

enum kafka_state {
	KAFKA_WAITING, /* another process is this follower, or nothing was tried yet */
	KAFKA_FOLLOWING,
	KAFKA_FAILING, /* `error` says why; it tries again */
};

/* What other threads see of it. */
struct kafka_seen {
	enum kafka_state state;
	char error[PRODUCER_ERROR_BYTES];
	uint64_t records, bytes, failures; /* delivered; how often it began anew */
	uint64_t lag_records;		   /* frames of the log that are not delivered */
	uint64_t lag_ns;		   /* since the first of them was recorded; 0: none */
};

/* NULL with errno: no thread could be made. */
struct kafka *kafka_open(const struct kafka_config *c);
/* From any thread: there may be more to read. */
void kafka_wake(struct kafka *k);
/* Asks it to let go soon, with what the brokers have by then. */
void kafka_stop(struct kafka *k);
/* The log is over: it delivers what is there, for KAFKA_FINISH_MS at most; then as kafka_stop(). */
void kafka_finish(struct kafka *k);
/* Waits until the thread has ended, and frees it. */
void kafka_close(struct kafka *k);

void kafka_look(struct kafka *k, struct kafka_seen *to);

#endif
