#ifndef HTTP_MSG_H
#define HTTP_MSG_H

/*
 * A message's head in canonical form: HTTP/1.1 text, "Name: value\r
 * " for each field in the case it came in, and an index over it. Only a parser or a maker of
 * messages builds one. So what is not canonical cannot be expressed: there is one framing, one
 * Host, no folding, no white space before a colon.
 *
 * Fields that belong to one connection (Connection and the fields it names, Keep-Alive, TE,
 * Transfer-Encoding, Upgrade: RFC 9110, 7.6.1) are not part of a message; the members below hold
 * what they say. A request from a parser has one Host, which is empty when the request had none
 * (only HTTP/1.0 may). Memory comes from the exchange's arena and ends with it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "http/scan.h"

enum msg_kind { MSG_REQUEST, MSG_RESPONSE, MSG_TRAILERS };

enum method {
	METHOD_OTHER,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_PATCH,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_CONNECT,
};

/* Fields that the code looks up by name: one row each in names.def. */
enum name {
	NAME_OTHER,
#define NAME(id, text, how) NAME_##id,
#include "http/names.def"
#undef NAME
	NAMES,
};

/* The treatment of a field, from names.def. NAME_OTHER is HOW_KEEP. */
enum how { HOW_KEEP, HOW_HEAD, HOW_ONCE, HOW_FRAME, HOW_HOP };

enum body {
	BODY_NONE,    /* nothing follows the head */
	BODY_LENGTH,  /* exactly msg->length bytes, and Content-Length is among the fields */
	BODY_UNKNOWN, /* its end is known only when it comes */
};

struct field {
	uint32_t at;	  /* offset of the name in the text */
	uint16_t value_n; /* the value begins at `at + name_n + 2` */
	uint8_t name_n;
	uint8_t name; /* enum name */
	bool dropped; /* stays in the text, but is no longer part of the message */
};

struct msg {
	struct arena *arena; /* borrowed */
	char *text;
	uint32_t text_n, text_room;
	struct field *fields;
	uint16_t field_n, field_room;
	uint8_t kind;		     /* enum msg_kind */
	uint8_t method;		     /* requests: enum method */
	uint8_t minor;		     /* of the HTTP version it came with: 0 for HTTP/1.0, else 1 */
	uint8_t body;		     /* enum body */
	uint16_t status;	     /* responses */
	uint16_t first_n;	     /* bytes of the first line with its CR LF; 0 in trailers */
	uint16_t method_n, target_n; /* requests: the target begins at method_n + 1 */
	uint64_t length;	     /* BODY_LENGTH */
	bool close;   /* the sender closes the connection after this message, or cannot keep it */
	bool tunnel;  /* a request to upgrade, or the 101 that accepts it */
	bool expects; /* requests: Expect: 100-continue, which stays among the fields */
	uint16_t index[NAMES]; /* 1 + number of the first field of that name; 0: none */
};

/* Empty: no first line, no field. */
void msg_open(struct msg *m, struct arena *arena, enum msg_kind kind);
/* Makes it empty again and reuses its memory: nobody may use its old content any more. */
void msg_clear(struct msg *m);

static inline struct span msg_method(const struct msg *m)
{
	return (struct span){ m->text, m->method_n };
}

/* Origin-form ("/path?query"), or "*" (RFC 9112, 3.2). */
static inline struct span msg_target(const struct msg *m)
{
	return (struct span){ m->text + m->method_n + 1, m->target_n };
}

/* The part behind the target's '?'; empty when there is none. */
static inline struct span msg_query(const struct msg *m)
{
	struct span target = msg_target(m);
	const char *mark = memchr(target.at, '?', target.n);
	const char *from = mark ? mark + 1 : target.at + target.n;
	return (struct span){ from, (size_t)(target.at + target.n - from) };
}

static inline struct span field_name(const struct msg *m, const struct field *f)
{
	return (struct span){ m->text + f->at, f->name_n };
}

static inline struct span field_value(const struct msg *m, const struct field *f)
{
	return (struct span){ m->text + f->at + f->name_n + 2, f->value_n };
}

/* The first field of that name that is not dropped, or NULL. `name` is not NAME_OTHER. */
struct field *msg_find(const struct msg *m, enum name name);
/* The value of msg_find(), or an empty span with at = NULL. */
struct span msg_value(const struct msg *m, enum name name);

/* Drops all fields of that name. */
void msg_drop(struct msg *m, enum name name);
/* Drops all fields with that name, whatever its id. */
void msg_drop_named(struct msg *m, struct span name);

/*
 * True when the names are equal for software that ignores case and treats '_' as '-', as CGI and
 * its successors do.
 */
bool name_is_alike(struct span a, struct span b);
/* Drops all fields whose name is alike. */
void msg_drop_alike(struct msg *m, struct span name);
/* Drops the fields with a '_' in their name that, with '-' instead, have a row in names.def. */
void msg_drop_disguised(struct msg *m);

/*
 * Set the first line of a message that Crossfade makes. They must be called before any field is
 * added. `method` is a token; `target` is canonical, checked by a parser or written by our own
 * code; `reason` has no control character. A line that is longer than a client may send is a bug
 * (must()).
 */
void msg_set_request(struct msg *m, struct span method, struct span target);
void msg_set_status(struct msg *m, unsigned status, struct span reason);

/*
 * Adds a field at the end. `name` is a token and `value` has no control character but HTAB;
 * anything else is a bug (must()). False, and nothing is added, at a limit: FIELD_LINE_BYTES,
 * FIELD_NAME_BYTES, or FIELDS_MAX (of a response RESPONSE_FIELDS_MAX) and FIELDS_ADDED_MAX
 * together, dropped fields included.
 */
bool msg_add(struct msg *m, enum name name, struct span value);
bool msg_add_named(struct msg *m, struct span name, struct span value);
/* Adds a field whose whole line, "name: value" and CR LF, was built and checked before. */
bool msg_add_line(struct msg *m, enum name name, struct span line);
/* Drops the fields of that name, then adds this one as msg_add() does. */
bool msg_set(struct msg *m, enum name name, struct span value);
/* Sets the length of the body, and Content-Length accordingly. */
void msg_set_length(struct msg *m, uint64_t length);

/* The id of a name (a token), without regard to case; NAME_OTHER when it has no row. */
enum name name_find(struct span name);
struct span name_text(enum name name);
enum how name_how(enum name name);
enum method method_find(struct span method); /* case matters: RFC 9110, 9.1 */
/* "Not Found"; an empty span for a status without a registered phrase. */
struct span status_reason(unsigned status);

/*
 * For parsers, which write the text themselves. Reserves `bytes` more bytes, SCAN_SLACK behind
 * them, and one more field. The parser fills in the field in its final place behind the last one,
 * then calls msg_push().
 */
void msg_grow(struct msg *m, size_t bytes);

static inline void msg_reserve(struct msg *m, size_t bytes)
{
	if (m->text_n + bytes + SCAN_SLACK > m->text_room || m->field_n == m->field_room)
		msg_grow(m, bytes);
}

static inline struct field *msg_next(const struct msg *m)
{
	return &m->fields[m->field_n];
}

static inline void msg_push(struct msg *m, const struct field *next)
{
	m->field_n++;
	if (!m->index[next->name])
		m->index[next->name] = m->field_n;
}

#endif
