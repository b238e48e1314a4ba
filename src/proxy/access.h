#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

/*
 * The access log, as far as a worker has to do with it: what an exchange keeps for its line, the
 * line itself in AWS ALB's format or as JSON, both from one table (access.def), and the ring
 * through which a thread of control gets it. A line that finds the ring full is dropped and
 * counted: nobody waits.
 *
 * Whatever a client sends is escaped, so that it cannot end a field or a line: in ALB's format
 * quotes, backslashes and all that is not printable ASCII are \xHH, in JSON \u00HH. What is longer
 * than the table allows is cut.
 */

#include "base/ring.h"
#include "ends/front.h"
#include "http/scan.h"
#include "io/waker.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

struct exchange;

/* What an exchange keeps only for its line; in its arena. */
struct access_notes {
	/* Of the connection, which may be gone before the line is written. */
	const char *cipher, *version; /* NULL: in the clear */
	const char *server_name;      /* NULL: none was asked for */
	const char *certificate;      /* what it is called; NULL: in the clear */
	bool resumed;
	uint64_t connection;
	uint32_t request_head_bytes, answer_head_bytes; /* as they came in */
	struct access_attempt {
		struct addr to;
		const char *node;
		uint16_t status; /* 0: it gave none */
	} attempts[CONNECT_ATTEMPTS_MAX];
	unsigned attempt_n;
};

struct access_notes *access_note(struct arena *arena, const struct front_facts *facts);
void access_note_attempt(struct access_notes *n, struct arena *arena, const struct addr *to,
			 const char *node);
/* Where the last attempt led in the end. */
void access_note_address(struct access_notes *n, const struct addr *to);
void access_note_answer(struct access_notes *n, const struct msg *head);

/* Room that every line fits in, with its end of line: the sum of access.def. */
enum {
	ACCESS_LINE_BYTES = 8 + SCAN_SLACK
#define FIELD(shape, name, most, put) +(most) + (int)sizeof(#name) + 8
#define JSON(shape, name, most, put) +(most) + (int)sizeof(#name) + 8
#include "proxy/access.def"
#undef JSON
#undef FIELD
};

/* One worker's end of the log; shared with the thread that writes. */
struct access {
	struct ring ring;
	struct waker *waker; /* borrowed: of that thread, which looks by itself now and then */
	char *line;	     /* owned, ACCESS_LINE_BYTES: where lines are made */
	uint64_t seed;	     /* makes connections' numbers differ from other workers' */
	/* The last second that was written out. */
	uint64_t second;
	char second_text[20];
};

void access_open(struct access *a, struct waker *waker, uint64_t seed);
void access_close(struct access *a);

/* Puts the line of an exchange that is over, and that has notes, into the ring. */
void access_write(struct access *a, const struct exchange *ex, struct counters *counters);

/* Makes the line at a->line; its length. Not ACCESS_OFF. */
size_t access_line(struct access *a, const struct exchange *ex, enum access_format format);

#endif
