#ifndef CAPTURE_REDACT_H
#define CAPTURE_REDACT_H

/*
 * Redacts secrets in what is recorded: a value is replaced by its keyed hash, HMAC-SHA-256 cut to
 * 128 bits. So records show which requests had the same value, and no more. The key stays in a file
 * beside the log. One thread.
 */

#include <stdint.h>

#include "base/span.h"

#define REDACT_KEY_BYTES 32
/* "hmac-sha256:" and 32 hexadecimal digits. */
#define REDACTED_BYTES 44

struct redactor {
	uint8_t key[REDACT_KEY_BYTES];
	/* The value that was hashed last: a client often sends the same one again. */
	char *last; /* owned */
	size_t last_n, last_room;
	char text[REDACTED_BYTES];
};

void redactor_open(struct redactor *r, const uint8_t key[REDACT_KEY_BYTES]);
void redactor_close(struct redactor *r);

/* Writes REDACTED_BYTES to `to`. */
void redact(struct redactor *r, struct span value, char to[REDACTED_BYTES]);

#endif
