#ifndef CAPTURE_KAFKA_H
#define CAPTURE_KAFKA_H

/*
 * The follower that brings the log to a topic of Kafka, on a thread of its own: it reads the files
 * as they become durable, hands TrafficStream records to a producer, and keeps its position when
 * the brokers have them. It never holds up the log. Where another process is at work for the same
 * directory, as before an upgrade is over, it waits until that has let go.
 */

#include "capture/follower.h"
#include "capture/producer.h"
#include "capture/trafficstream.h"

struct kafka;

struct kafka_config {
	const char *directory; /* borrowed */
	struct producer_config producer;
	/* For those who wait for the brokers: what is handed over before an answer has come. */
	enum traffic_flush flush;
	void (*acknowledged)(void *user); /* from its thread, when the marks say more */
	void *user;
};

enum kafka_state {
	KAFKA_WAITING, /* another process is at work, or nothing was tried yet */
	KAFKA_FOLLOWING,
	KAFKA_FAILING, /* `error` says why; it is tried again */
};

/* What is seen of it from other threads. */
struct kafka_seen {
	enum kafka_state state;
	char error[PRODUCER_ERROR_BYTES];
	uint64_t records, bytes, failures; /* delivered; how often it was begun anew */
	uint64_t lag_records;		   /* of the log that are not delivered */
	uint64_t lag_ns;		   /* since the first of them was recorded; 0: none */
};

/* NULL with errno: there is no thread to be had. */
struct kafka *kafka_open(const struct kafka_config *c);
/* From any thread: there is more to read. */
void kafka_wake(struct kafka *k);
/* It lets go, soon: with what the brokers have by then. */
void kafka_stop(struct kafka *k);
/* The log is over: it delivers what is there, for a short while; then as kafka_stop(). */
void kafka_finish(struct kafka *k);
/* Waits until it has let go. */
void kafka_close(struct kafka *k);

void kafka_look(struct kafka *k, struct kafka_seen *to);

#endif
