#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

/*
 * A worker's part of the access log: what an exchange keeps for its line; the line itself, in AWS
 * ALB's format or as JSON, both from one table (access.def); and the ring through which a thread of
 * control gets the line. A line that finds the ring full is dropped and counted: no worker waits.
 *
 * What a client sends is escaped, so that it cannot end a field or a line: in ALB's format quotes,
 * backslashes and all bytes that are not printable ASCII are \xHH, in JSON \u00HH. A value that is
 * longer than the table allows is cut.
 */

#include "base/ring.h"
#include "ends/front.h"
#include "http/scan.h"
#include "io/waker.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

struct request;

/* What an exchange keeps only for its line, in its arena. */
struct access_notes {
	/* Of the client's connection, which may be closed before the line is written. */
	const char *cipher, *version; /* NULL: no TLS */
	const char *server_name;      /* NULL: the client named none */
	const char *certificate;      /* its name; NULL: no TLS */
	bool resumed;
	uint64_t connection;
	uint32_t request_head_bytes, response_head_bytes; /* as received */
	struct access_attempt {
		struct addr to;
		const char *node;
		uint16_t status; /* 0: no response */
	} attempts[CONNECT_ATTEMPTS_MAX];
	unsigned attempt_n;
};

/* What the line of an ended exchange is made from. All borrowed. */
struct access_entry {
	const struct request *request; /* has notes */
	uint64_t now_ns, wall_ns;      /* when the exchange ended */
	uint64_t asked_ns;	       /* when the request could go to its node */
	uint64_t responded_ns;	       /* when the response's head came; 0: it has not */
	/* Of bodies; the whole size of a response that Crossfade made. */
	uint64_t request_bytes, response_bytes;
	unsigned status; /* of the response; 0: there was none */
	enum err why;	 /* the error, or ERR_NONE */
	bool unknown;	 /* the outcome at the node is unknown */
};

struct access_notes *access_note(struct arena *arena, const struct front_facts *facts);
void access_note_attempt(struct access_notes *n, struct arena *arena, const struct addr *to,
			 const char *node);
/* Sets the address that the last attempt used in the end. */
void access_note_address(struct access_notes *n, const struct addr *to);
void access_note_response(struct access_notes *n, const struct msg *head);

/* Bytes for any line with its end of line: the sum of access.def. */
enum {
	ACCESS_LINE_BYTES = 8 + SCAN_SLACK
#define FIELD(shape, name, most, put) +(most) + (int)sizeof(#name) + 8
#define JSON(shape, name, most, put) +(most) + (int)sizeof(#name) + 8
#include "proxy/access.def"
#undef JSON
#undef FIELD
};

/* One worker's end of the log; shared with the thread that writes the log. */
struct access {
	struct ring ring;
	struct waker *waker; /* borrowed: of that thread, which also looks by itself */
	char *line;	     /* owned, ACCESS_LINE_BYTES: the buffer of access_line() */
	uint64_t seed;	     /* makes connection ids differ from other workers' ids */
	/* The last second that was formatted, and its text. */
	uint64_t second;
	char second_text[20];
};

void access_open(struct access *a, struct waker *waker, uint64_t seed);
void access_close(struct access *a);

/* Puts the line of an ended exchange into the ring. Its request must have notes. */
void access_write(struct access *a, const struct access_entry *e, struct counters *counters);

/* Writes the line to a->line and returns its length. `format` must not be ACCESS_OFF. */
size_t access_line(struct access *a, const struct access_entry *e, enum access_format format);

#endif
