#ifndef REPLAY_DOCUMENT_H
#define REPLAY_DOCUMENT_H

/*
 * A document as it stands in a cluster's response, where it is the value of a name: it is copied
 * as it is, but onto one line. Clusters give back what they were given, with the comments and line
 * breaks that a client has put between its parts (Jackson's ALLOW_COMMENTS); in a bulk a line break
 * would end the document, and could begin another operation.
 *
 * Only brackets, strings and comments are looked at. Whether the rest is JSON is the business of
 * the cluster that gets it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"
#include "capture/bytes.h"

enum document_taken {
	DOCUMENT_MORE,	/* all bytes were taken, and it is not whole */
	DOCUMENT_WHOLE, /* the next byte is the comma or the bracket behind it */
	DOCUMENT_BAD,	/* it is no object, its brackets do not fit, or a string has a line break */
};

enum document_place {
	DOCUMENT_COLON, /* before the colon behind its name */
	DOCUMENT_BEFORE,
	DOCUMENT_INSIDE,
	DOCUMENT_STRING,
	DOCUMENT_ESCAPE, /* in a string, behind a '\\' */
	DOCUMENT_BEHIND,
};

enum document_comment {
	DOCUMENT_NO_COMMENT,
	DOCUMENT_SLASH, /* one that begins a comment */
	DOCUMENT_LINE,	/* up to the end of the line */
	DOCUMENT_BLOCK, /* up to an asterisk and a slash */
	DOCUMENT_STAR,	/* in such a one, behind an asterisk */
};

struct document {
	struct bytes text;	/* owned; what was copied */
	bool too_long;		/* it has more than DOCUMENT_BYTES_MAX, and no text */
	uint8_t place, comment; /* enums of above */
	unsigned depth;		/* brackets that are open */
	uint64_t objects[JSON_DEPTH_MAX / 64]; /* a bit for each of them: it is an object's */
};

/* A new one, which begins behind its name. Memory of the one before is used again. */
void document_begin(struct document *d);
/* Takes bytes from the front of *s. */
enum document_taken document_take(struct document *d, struct span *s);
void document_free(struct document *d);

#endif
