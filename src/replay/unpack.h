#ifndef REPLAY_UNPACK_H
#define REPLAY_UNPACK_H

/*
 * A recorded body, clear: as it is, or gzip and deflate undone as it comes (RFC 9110, 8.4.1). A
 * body holds one window of 32 KiB and UNPACKED_BYTES, whatever it becomes.
 */

#include <stdbool.h>

#include "base/span.h"

enum coding {
	CODING_NONE,
	CODING_GZIP,
	CODING_DEFLATE, /* of zlib (RFC 1950), or raw (RFC 1951), as some senders have it */
	CODING_UNKNOWN, /* it cannot be read */
};

enum unpacked {
	UNPACK_BYTES,  /* there are some */
	UNPACK_MORE,   /* the next piece must be put */
	UNPACK_END,    /* the body is over, and was whole */
	UNPACK_BROKEN, /* it is not what its coding says, or ends too early */
};

struct unpack;

/* By the value of Content-Encoding; empty: the body has none. */
enum coding coding_of(struct span content_encoding);

struct unpack *unpack_make(void);
void unpack_free(struct unpack *u);

/* A new body. CODING_UNKNOWN is broken at once. */
void unpack_open(struct unpack *u, enum coding coding);

/* The next piece, borrowed until unpack_take_back(). `last`: there is none behind it. */
void unpack_put(struct unpack *u, struct span piece, bool last);
/* How many of its bytes were used; the others are put again, with those behind them. */
size_t unpack_take_back(struct unpack *u);

/* Clear bytes: what was not used of the last ones comes again. */
enum unpacked unpack_look(struct unpack *u, struct span *clear);
void unpack_use(struct unpack *u, size_t n);

#endif
