#ifndef HTTP_H1_BODY_H
#define HTTP_H1_BODY_H

/*
 * The body of an HTTP/1 message: RFC 9112, 6 and 7. Moves body bytes from the wire's chain to
 * another chain without copying. Chunk lines and extensions are checked and dropped; trailers go
 * into a message of their own. A node may send chunks as small, and extensions as long, as it
 * likes: a server sends events one by one, or signatures.
 */

#include "base/buf.h"
#include "http/h1_parse.h"

enum h1_body_state {
	H1_BODY_NONE, /* over */
	H1_BODY_LENGTH,
	H1_BODY_CLOSE, /* until the connection ends (responses only) */
	H1_BODY_CHUNK_LINE,
	H1_BODY_CHUNK_DATA,
	H1_BODY_CHUNK_END,
	H1_BODY_TRAILERS,
};

/* The position inside a chunk's size line. */
enum h1_chunk_part {
	H1_CHUNK_SIZE_DUE,
	H1_CHUNK_SIZE,
	H1_CHUNK_GAP, /* white space behind the size, or behind a complete extension */
	H1_CHUNK_NAME_DUE,
	H1_CHUNK_NAME,
	H1_CHUNK_NAME_GAP,
	H1_CHUNK_VALUE_DUE,
	H1_CHUNK_VALUE,
	H1_CHUNK_QUOTED,
	H1_CHUNK_ESCAPED,
	H1_CHUNK_BAD,
};

struct h1_body {
	uint8_t state;	   /* enum h1_body_state */
	uint8_t part;	   /* CHUNK_LINE: enum h1_chunk_part */
	bool has_trailers; /* after the end: `trailers` holds at least one field */
	bool cr;	   /* a CR has come, the LF must follow */
	bool has_slack;	   /* a client's body: the size of its chunk framing is limited */
	uint8_t last;	   /* the last byte of the chunk framing */
	uint16_t line_n;   /* bytes of the unfinished chunk line, or trailer at `line` */
	uint16_t line_room;
	int32_t slack;		  /* framing bytes that may come before the next body byte */
	uint64_t left;		  /* LENGTH: of the body; CHUNK_LINE, CHUNK_DATA: of the chunk */
	char *line;		  /* in the arena */
	struct msg *trailers;	  /* taken from the arena when the first trailer line comes */
	struct h1_parser *parser; /* likewise */
	enum err err;		  /* after H1_BAD */
};

/*
 * `chunked`: a BODY_UNKNOWN message of a parser is chunked; otherwise the connection's end ends it.
 */
void h1_body_open(struct h1_body *b, const struct msg *m, bool chunked);

/*
 * Takes bytes from `in`, and moves at most `max` body bytes to `out`. H1_DONE: the body and its
 * trailers are over; what is left in `in` belongs to the next message. H1_MORE: `in` is used up, or
 * `max` is reached. H1_BAD: see b->err. At H1_BODY_CLOSE the body never ends by itself. Bytes that
 * are not body bytes (chunk lines, trailers) are taken whatever `max` is.
 */
enum h1_progress h1_body_read(struct h1_body *b, struct arena *arena, struct chain *in,
			      struct chain *out, size_t max);

/*
 * Call it before the first read. Checks the first chunk's size line, as far as it has come. Returns
 * the error, and sets b->err to it. Takes no bytes.
 */
enum err h1_body_look(struct h1_body *b, const struct chain *in);

/* A lower bound of the bytes that are still missing from the body. */
static inline uint64_t h1_body_lacks(const struct h1_body *b)
{
	return b->state == H1_BODY_LENGTH || b->state == H1_BODY_CHUNK_DATA ? b->left : 0;
}

#endif
