#ifndef PROXY_RECORDING_H
#define PROXY_RECORDING_H

/*
 * What the capture log gets of an exchange, and what waits until that is durable: the end of a
 * request that changes something, and the end of its answer.
 */

#include "capture/tap.h"

struct exchange;

struct recording {
	struct tap *tap;      /* NULL: nothing is recorded, and nothing waits */
	bool request_shut;    /* what is left of the request waits */
	bool answer_shut;     /* the end of the answer waits */
	bool told;	      /* the outcome was recorded */
	uint64_t released_ns; /* when the request's end could go; 0: it did not wait, or still does
			       */
	/* What has come of an answer and waits. */
	struct msg *head; /* NULL: it has gone, or has not come */
	struct chain body;
	struct msg *trailers;
	bool over; /* nothing more comes */
};

enum recording_verdict {
	RECORDING_NOT, /* it passes as it is */
	RECORDING_BEGUN,
	RECORDING_REFUSED, /* the log cannot take it */
	RECORDING_TUNNEL,  /* it cannot be recorded */
};

/*
 * The request's head has come and its arm is chosen. Whatever is done to the head afterwards is not
 * recorded. `settled` is called when what was told before tap_wait() is durable, or cannot be.
 */
enum recording_verdict recording_begin(struct exchange *ex, bool end,
				       void (*settled)(struct tap *t, bool durable));
/* The request passes though it cannot be recorded: counted for the gap. */
void recording_forgo(struct exchange *ex);
/* An answer's head. */
void recording_answer(struct exchange *ex, const struct msg *m, bool end);
/* What became of the request; once. */
void recording_tell(struct exchange *ex);
/* The log has nothing of it, and gets nothing more. */
void recording_drop(struct exchange *ex);
/* The exchange is over. */
void recording_end(struct exchange *ex);

#endif
