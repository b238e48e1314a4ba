#ifndef PROXY_RECORDING_H
#define PROXY_RECORDING_H

/*
 * What the capture log gets of an exchange, and what waits until that is durable: the end of a
 * request that changes something, and the end of its answer.
 */

#include "capture/tap.h"

struct desk;
struct exchange;

struct recording {
	struct tap *tap;      /* NULL: nothing is recorded, and nothing waits */
	bool request_shut;    /* what is left of the request waits */
	bool in_pieces;	      /* nothing of it goes that is not durable itself */
	bool answer_shut;     /* the end of the answer waits */
	bool told;	      /* the outcome was recorded */
	bool forgone;	      /* it passes without a whole record, and was counted */
	uint64_t released_ns; /* when the request's end could go; 0: it did not wait, or still does
			       */
	/* What has come of an answer and waits. */
	struct msg *head; /* NULL: it has gone, or has not come */
	struct chain body;
	struct msg *trailers;
	bool over;   /* nothing more comes */
	bool tunnel; /* nothing is recorded, and a gap is to tell of it */
};

enum recording_verdict {
	RECORDING_NOT, /* it passes as it is */
	RECORDING_BEGUN,
	RECORDING_REFUSED, /* the log cannot take it */
	RECORDING_LATER,   /* the log has no room: it is asked again when it has */
	RECORDING_TUNNEL,  /* it cannot be recorded, and must not pass */
};

/*
 * The request's head has come and its arm is chosen. Whatever is done to the head afterwards is not
 * recorded.
 */
enum recording_verdict recording_begin(struct exchange *ex);
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

/* --- what waits --- */

/*
 * A request that must be durable first passes but for its end; piece by piece with `gate: piece`,
 * and where its class says that a cluster acts on parts.
 */
bool recording_holds_back(const struct exchange *ex);
/*
 * A request that must be durable before it is whole at a node is not begun there before: it goes in
 * one piece then. A large one, and one whose client waits to be told to go on, is begun at once; or
 * when its head is durable, where it goes piece by piece.
 */
bool recording_gathers(const struct exchange *ex, bool end);
void recording_gather(struct exchange *ex, bool end);
/* A piece of a recorded request: once all of it is, its end waits until that is durable. */
void recording_asked_data(struct exchange *ex, struct chain *c, bool end);
/* An answer whose end must wait is not begun before, where it is small: it goes in one piece. */
bool recording_holds_answer(const struct exchange *ex, const struct msg *m, bool end);
/* Memory is short: what has come of such an answer goes, but for the end. */
void recording_yield(struct exchange *ex);
/* Whether the log has no room for more of it: the client may send no more until it has. */
bool recording_stalls(struct exchange *ex);
/* Each turn that has any who wait for room in the log: it has some again, or has none for long. */
void recording_resume(struct desk *d);
/* All of it has come: what became of the request is known, and the client hears when that is safe.
 */
void recording_answer_is_over(struct exchange *ex);

#endif
