#ifndef TESTS_SIM_DEED_H
#define TESTS_SIM_DEED_H

/* What a scripted node does with a request. */

#include <stdbool.h>
#include <stdint.h>

#include "sim/dice.h"
#include "sim/text.h"

struct ask;
struct temper;

enum framing {
	FRAMED_NONE, /* there is no body, and nothing says how long it is */
	FRAMED_LENGTH,
	FRAMED_CHUNKED,
	FRAMED_CLOSE,
};

enum moment {
	AT_HEAD, /* as soon as the request's head is there */
	IN_BODY, /* after some of its body */
	AT_END,
};

enum fate {
	FATE_WHOLE,
	FATE_RESET_BEFORE, /* the connection ends instead of an answer */
	FATE_FIN_BEFORE,
	FATE_RUBBISH,  /* what comes is no HTTP */
	FATE_RESET_IN, /* it ends in the midst of the answer's body */
	FATE_FIN_IN,
	FATE_BAD_CHUNK,
	FATE_SILENT, /* nothing ever comes */
	FATE_STUCK,  /* nothing more comes in the midst of the answer's body */
};

struct deed {
	enum moment moment;
	uint64_t after_bytes; /* IN_BODY */
	unsigned delay_ms;
	unsigned interims; /* 1xx answers before the last */
	unsigned minor;	   /* HTTP/1.minor */
	unsigned status;
	enum framing framing;
	uint64_t body_n;
	bool trailers;
	bool both_ways;	     /* begins at once, ends only when the request has */
	bool tunnel;	     /* agrees to an upgrade */
	uint64_t hang_up_at; /* bytes of its echo behind which it leaves; 0: it waits for the client
			      */
	bool slams;	  /* behind that, or an early answer, more makes it reset the connection */
	bool closes;	  /* says that it closes, and does */
	bool slips;	  /* closes without a word */
	bool babbles;	  /* says more than it was asked for */
	const char *late; /* what it says behind the answer all the same; NULL: nothing */
	unsigned late_ms;
	enum fate fate;
	uint64_t cut_at; /* bytes of the body before it breaks off */
	const char *rubbish;
};

void deed_make(struct deed *d, const struct ask *a, struct dice *dice, const struct temper *t);

/* Whether the answer ends before the request has to. */
bool deed_is_early(const struct deed *d);
/* Bytes of the body that the answer's reader gets to see, when it is whole. */
uint64_t deed_body_n(const struct deed *d, const struct ask *a);
/* Whether no body follows the head, whatever that says. */
bool deed_is_bodiless(const struct deed *d, const struct ask *a);

void deed_write_interims(const struct deed *d, const struct ask *a, struct text *to);
void deed_write_head(const struct deed *d, const struct ask *a, struct text *to);
/* Bytes [from, to) of the answer's body. */
void deed_write_body(const struct deed *d, const struct ask *a, struct dice *dice, struct text *out,
		     uint64_t from, uint64_t to);
/* What ends a chunked body. */
void deed_write_end(const struct deed *d, const struct ask *a, struct text *to);

/* For requests too: a body as it is framed, and its end. */
void framing_write(enum framing f, uint64_t key, struct dice *dice, struct text *out, uint64_t from,
		   uint64_t to);
void framing_write_end(enum framing f, bool trailers, uint64_t id, struct text *to);

#endif
