#ifndef TESTS_SIM_HTTP_READER_H
#define TESTS_SIM_HTTP_READER_H

/*
 * HTTP/1 as the scripted clients and nodes read it. It is written from RFC 9112 and shares no code
 * with src/http, so that the balancer's output is judged independently. It is as strict as
 * possible: the balancer has no reason to send anything unusual.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/text.h"

struct http_reader;

struct http_reader_user {
	/* A head is whole. The user sets `key` of the body, and `bodiless` for responses. */
	void (*head)(struct http_reader *r);
	/* More of the body was read. May be NULL. */
	void (*body)(struct http_reader *r);
	/* The message is whole. Not for 1xx responses. */
	void (*end)(struct http_reader *r);
	/* After http_reader_pass(): bytes that are not HTTP. */
	void (*raw)(struct http_reader *r, const uint8_t *bytes, size_t n);
};

enum http_reader_state {
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

struct http_reader {
	const struct http_reader_user *user;
	bool responses; /* it reads responses, not requests */
	enum http_reader_state state;
	const char *bad;   /* the reason, in READ_BAD */
	struct text lines; /* lines of the head, or between chunks */
	/* of the head */
	struct text head; /* its lines, each ended by NUL */
	char method[16];
	char target[64];
	unsigned status, minor;
	/* the body */
	bool bodiless; /* the user sets it: no body comes, whatever the head says */
	bool chunked;
	uint64_t key;
	uint64_t left; /* bytes left of the body, or of the chunk */
	uint64_t body_n;
	bool equal;	      /* all bytes so far match the key */
	struct text trailers; /* as `head` */
};

void http_reader_open(struct http_reader *r, const struct http_reader_user *user, bool responses);
void http_reader_close(struct http_reader *r);
void http_reader_feed(struct http_reader *r, const uint8_t *bytes, size_t n);
/* FIN has come. False if that is within a message. */
bool http_reader_finish(struct http_reader *r);
/* From now on bytes go to raw() as they come. */
void http_reader_pass(struct http_reader *r);

/* Whether this response announces that it is the connection's last. */
bool http_reader_closes(const struct http_reader *r);

/* The value of a field; "": empty; NULL: the field is missing, or is there twice. */
const char *http_reader_field(const struct text *head, const char *name);
/* The number of fields with that name. */
unsigned http_reader_count(const struct text *head, const char *name);
/* Whether a list contains the member. */
bool http_reader_lists(const char *value, const char *member);

#endif
