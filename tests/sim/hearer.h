#ifndef TESTS_SIM_HEARER_H
#define TESTS_SIM_HEARER_H

/*
 * HTTP/1 as the two ends of the world read it: written from RFC 9112 and not from src/http, so that
 * what the balancer says is judged by somebody else. It is as strict as can be: the balancer has no
 * excuse for anything unusual.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/text.h"

struct hearer;

struct hearer_user {
	/* A head is whole. Sets `key`, of the body to come, and for answers `bodiless`. */
	void (*head)(struct hearer *r);
	/* More of the body was read. May be NULL. */
	void (*body)(struct hearer *r);
	/* The message is whole. Not for 1xx answers. */
	void (*end)(struct hearer *r);
	/* After hearer_pass(): bytes that are no HTTP. */
	void (*raw)(struct hearer *r, const uint8_t *bytes, size_t n);
};

enum hearer_state {
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

struct hearer {
	const struct hearer_user *user;
	bool answers; /* it reads answers, not requests */
	enum hearer_state state;
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

void hearer_open(struct hearer *r, const struct hearer_user *user, bool answers);
void hearer_close(struct hearer *r);
void hearer_feed(struct hearer *r, const uint8_t *bytes, size_t n);
/* FIN has come. False when it came in the midst of a message. */
bool hearer_finish(struct hearer *r);
/* From now on bytes are passed on as they come. */
void hearer_pass(struct hearer *r);

/* Whether this message, an answer, says that it is the connection's last. */
bool hearer_closes(const struct hearer *r);

/* A field's value, "" when it is empty, NULL when it is not there or there twice. */
const char *hearer_field(const struct text *head, const char *name);
/* So many fields of that name. */
unsigned hearer_count(const struct text *head, const char *name);
/* Whether a list has this member. */
bool hearer_lists(const char *value, const char *member);

#endif
