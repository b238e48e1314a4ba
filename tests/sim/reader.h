#ifndef TESTS_SIM_READER_H
#define TESTS_SIM_READER_H

/*
 * HTTP/1 as the two ends of the world read it: written from RFC 9112 and not from src/http, so that
 * what the balancer says is judged by somebody else. It is as strict as can be: the balancer has no
 * excuse for anything unusual.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/text.h"

struct reader;

struct reader_user {
	/* A head is whole. Sets `key`, of the body to come, and for answers `bodiless`. */
	void (*head)(struct reader *r);
	/* More of the body was read. May be NULL. */
	void (*body)(struct reader *r);
	/* The message is whole. Not for 1xx answers. */
	void (*end)(struct reader *r);
	/* After reader_pass(): bytes that are no HTTP. */
	void (*raw)(struct reader *r, const uint8_t *bytes, size_t n);
};

enum reader_state {
	READ_HEAD,
	READ_LENGTH,
	READ_CHUNK_SIZE,
	READ_CHUNK,
	READ_CHUNK_END,
	READ_TRAILERS,
	READ_UNTIL_CLOSE,
	READ_RAW,
	READ_BAD,
};

struct reader {
	const struct reader_user *user;
	bool answers; /* it reads answers, not requests */
	enum reader_state state;
	const char *bad;   /* READ_BAD: why */
	struct text lines; /* of the head, or of what stands between chunks */
	/* of the head */
	struct text head; /* its lines, each ended by NUL */
	char method[16];
	char target[64];
	unsigned status, minor;
	/* of the body */
	bool bodiless; /* for the user to set: none comes, whatever the head says */
	bool chunked;
	uint64_t key;
	uint64_t left; /* of the body, or of the chunk */
	uint64_t body_n;
	bool equal;	      /* all of it was as the key says */
	struct text trailers; /* as `head` */
};

void reader_open(struct reader *r, const struct reader_user *user, bool answers);
void reader_close(struct reader *r);
void reader_feed(struct reader *r, const uint8_t *bytes, size_t n);
/* FIN has come. False when it came in the midst of a message. */
bool reader_finish(struct reader *r);
/* From now on bytes are passed on as they come. */
void reader_pass(struct reader *r);

/* Whether this message, an answer, says that it is the connection's last. */
bool reader_closes(const struct reader *r);

/* A field's value, "" when it is empty, NULL when it is not there or there twice. */
const char *reader_field(const struct text *head, const char *name);
/* So many fields of that name. */
unsigned reader_count(const struct text *head, const char *name);
/* Whether a list has this member. */
bool reader_lists(const char *value, const char *member);

#endif
