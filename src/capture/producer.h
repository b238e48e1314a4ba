#ifndef CAPTURE_PRODUCER_H
#define CAPTURE_PRODUCER_H

/*
 * Sends records to a topic of a Kafka cluster: idempotent, and acknowledged by all in-sync
 * replicas. A record that was delivered is there once, in order among those of its key. No record
 * is given up because brokers are away: it waits for them. The caller has one thread; the library
 * has its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "io/waker.h"

struct producer;

struct producer_tls {
	bool on;
	/* PEM; ca NULL: the system's authorities; the others NULL: none */
	const char *ca, *certificate, *key;
};

struct producer_sasl {
	const char *mechanism; /* NULL: none */
	const char *username, *password;
};

/* Borrowed for as long as its producer lives. */
struct producer_config {
	const char *brokers; /* "host:port,host:port" */
	const char *topic, *client_id;
	const char *compression; /* none, gzip, lz4, zstd, snappy */
	unsigned linger_ms;	 /* how long a record waits for others to share a batch */
	/*
	 * After a refusal: how large a batch may be. A larger record goes alone, and records behind
	 * it wait for that. 0: no record was refused.
	 */
	unsigned batch_bytes;
	struct producer_tls tls;
	struct producer_sasl sasl;
};

#define PRODUCER_ERROR_BYTES 256

/* Called from producer_turn(). */
struct producer_user {
	/* The brokers have acknowledged the record that was put with that tag. */
	void (*delivered)(void *user, uintptr_t tag, size_t bytes);
	void *user;
};

enum producer_verdict {
	PRODUCER_TAKEN,
	PRODUCER_FULL, /* too much is on its way: put it again after a turn */
	/* it must be closed: records that were not delivered may be at the brokers or not */
	PRODUCER_BROKEN,
};

/* False: this program was built without the library. */
bool producer_is_built(void);
/* False: the library refuses the configuration, and `error` says why. */
bool producer_try(const struct producer_config *c, char error[PRODUCER_ERROR_BYTES]);

/* NULL: `error` says why. `waker` is woken when producer_turn() has something to report. */
struct producer *producer_open(const struct producer_config *c, const struct producer_user *user,
			       struct waker *waker, char error[PRODUCER_ERROR_BYTES]);
/* Records on their way may arrive or not. */
void producer_close(struct producer *p);

/* Key and value are copied. */
enum producer_verdict producer_put(struct producer *p, struct span key, struct span value,
				   uintptr_t tag);
/* Reports what has happened. False: the producer is broken. */
bool producer_turn(struct producer *p);
struct producer_refusal {
	size_t record_bytes;
	unsigned limit_bytes; /* of the topic; 0: its brokers do not say */
};

/*
 * Whether it broke because the topic does not take a record so large. Asks the brokers for the
 * topic's limit, for KAFKA_ASK_MS at most; the error names it.
 */
bool producer_was_too_large(struct producer *p, struct producer_refusal *refusal);
/* The last error since a record was delivered; "": none. */
const char *producer_error(const struct producer *p);

#endif
