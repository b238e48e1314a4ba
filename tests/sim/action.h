#ifndef TESTS_SIM_ACTION_H
#define TESTS_SIM_ACTION_H

/* What a scripted node does when it gets a request. */

#include <stdbool.h>
#include <stdint.h>

#include "sim/dice.h"
#include "sim/text.h"

struct ask;
struct scenario;

enum framing {
	FRAMED_NONE, /* no body, and no field that gives its length */
	FRAMED_LENGTH,
	FRAMED_CHUNKED,
	FRAMED_CLOSE,
};

enum moment {
	AT_HEAD, /* when the request's head has come */
	IN_BODY, /* after `after_bytes` of the body */
	AT_END,
};

enum fate {
	FATE_WHOLE,
	FATE_RESET_BEFORE, /* the connection is reset instead of a response */
	FATE_FIN_BEFORE,
	FATE_RUBBISH,  /* the response is not HTTP */
	FATE_RESET_IN, /* the connection is reset within the response's body */
	FATE_FIN_IN,
	FATE_BAD_CHUNK,
	FATE_SILENT, /* no response ever comes */
	FATE_STUCK,  /* the response stops within its body, and the connection stays open */
};

struct action {
	enum moment moment;
	uint64_t after_bytes; /* IN_BODY */
	unsigned delay_ms;
	unsigned interims; /* 1xx responses before the final one */
	unsigned minor;	   /* HTTP/1.minor */
	unsigned status;
	enum framing framing;
	uint64_t body_n;
	bool trailers;
	bool both_ways;	     /* the response begins at once, and ends only after the request */
	bool tunnel;	     /* accepts an upgrade */
	uint64_t hang_up_at; /* the node closes its half after so many tunnel bytes; 0: it waits for
				the client */
	bool resets; /* after hanging up, or after an early response, the node resets the connection
			when more bytes come */
	bool closes; /* says Connection: close, and closes */
	bool closes_silently; /* closes without Connection: close */
	bool sends_extra;     /* sends an extra response */
	const char *late;     /* stray bytes that the node sends after the response; NULL: none */
	unsigned late_ms;
	enum fate fate;
	uint64_t cut_at; /* bytes of the body before the response breaks off */
	const char *rubbish;
};

void action_make(struct action *d, const struct ask *a, struct dice *dice,
		 const struct scenario *t);

/* Whether the response may end before the request does. */
bool action_is_early(const struct action *d);
/* Bytes of the body that the receiver of the whole response gets. */
uint64_t action_body_n(const struct action *d, const struct ask *a);
/* Whether no body follows the head, whatever the head says. */
bool action_is_bodiless(const struct action *d, const struct ask *a);

void action_write_interims(const struct action *d, const struct ask *a, struct text *to);
void action_write_head(const struct action *d, const struct ask *a, struct text *to);
/* Writes bytes [from, to) of the response's body. */
void action_write_body(const struct action *d, const struct ask *a, struct dice *dice,
		       struct text *out, uint64_t from, uint64_t to);
/* Writes the end of a chunked body. */
void action_write_end(const struct action *d, const struct ask *a, struct text *to);

/* For requests too: a body in its framing, and its end. */
void framing_write(enum framing f, uint64_t key, struct dice *dice, struct text *out, uint64_t from,
		   uint64_t to);
void framing_write_end(enum framing f, bool trailers, uint64_t id, struct text *to);

#endif
