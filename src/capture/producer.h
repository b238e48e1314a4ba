#ifndef CAPTURE_PRODUCER_H
#define CAPTURE_PRODUCER_H

/*
 * Records on their way to a topic of a Kafka cluster. Idempotent, with all in-sync replicas'
 * acknowledgment: what was delivered is there, once and in the order of each key. Nothing is given
 * up because brokers are away: what was taken waits for them. One thread; the library has its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "io/waker.h"

struct producer;

struct producer_tls {
	bool on;
	const char *ca, *certificate, *key; /* PEM; NULL: the system's authorities; none */
};

struct producer_sasl {
	const char *mechanism; /* NULL: none */
	const char *username, *password;
};

/* Borrowed for as long as there is a producer of it. */
struct producer_config {
	const char *brokers; /* "host:port,host:port" */
	const char *topic, *client_id;
	const char *compression; /* none, gzip, lz4, zstd, snappy */
	unsigned linger_ms;	 /* how long a record waits for others to share a batch */
	/*
	 * After a refusal: how large a batch may be; a larger record goes alone, and what is behind
	 * it waits for that. 0: none was refused.
	 */
	unsigned batch_bytes;
	struct producer_tls tls;
	struct producer_sasl sasl;
};

#define PRODUCER_ERROR_BYTES 256

/* What is told from producer_turn(). */
struct producer_user {
	/* The brokers have the record that was put with that tag. */
	void (*delivered)(void *user, uintptr_t tag, size_t bytes);
	void *user;
};

enum producer_verdict {
	PRODUCER_TAKEN,
	PRODUCER_FULL,	 /* as much is on its way as may be: again after a turn */
	PRODUCER_BROKEN, /* it must be closed: what was not delivered may be there or not */
};

/* False: this program was built without the library. */
bool producer_is_built(void);
/* False: the library refuses the configuration, and `error` says why. */
bool producer_try(const struct producer_config *c, char error[PRODUCER_ERROR_BYTES]);

/* NULL: `error` says why. `waker` is woken when there is something to tell. */
struct producer *producer_open(const struct producer_config *c, const struct producer_user *user,
			       struct waker *waker, char error[PRODUCER_ERROR_BYTES]);
/* What is on its way may arrive or not. */
void producer_close(struct producer *p);

/* Both are copied. */
enum producer_verdict producer_put(struct producer *p, struct span key, struct span value,
				   uintptr_t tag);
/* Tells what has happened. False: it is broken. */
bool producer_turn(struct producer *p);
struct producer_refusal {
	size_t record_bytes;
	unsigned limit_bytes; /* of the topic; 0: its brokers do not say */
};

/*
 * It broke because the topic does not take so much: the brokers are asked for its limit, for
 * KAFKA_ASK_MS at most, and the error names it.
 */
bool producer_was_too_large(struct producer *p, struct producer_refusal *refusal);
/* What went wrong last, since a record was delivered; "": nothing. */
const char *producer_error(const struct producer *p);

#endif
