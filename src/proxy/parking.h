#ifndef PROXY_PARKING_H
#define PROXY_PARKING_H

/*
 * A write that waits before its arm is chosen, while writes are held. It is a stage behind the
 * client's side, with nothing behind it yet. Up to PARKED_BODY_BYTES of the body are read, so that
 * a client that leaves is noticed; then no more credit is granted. When the write is let go,
 * parking passes what it has, and what comes later, to the stage behind.
 *
 * If the client leaves before that, the write was sent nowhere.
 */

#include "http/stream.h"

struct parking {
	struct stream front; /* its peer is the client's side */
	struct stream back;  /* its peer is the stage behind, once the write is let go */
	struct msg *head, *trailers;
	struct chain pending; /* the part of the body that has come and was not passed on */
	bool squeezed;	      /* memory was short while the write waited */
};

/* In the request's arena. The caller joins its `front`. */
struct parking *parking_open(struct arena *arena, const struct stream_tracer *tracer);
/* Joins `to` and passes the request on. The head's fields may have changed meanwhile. */
void parking_let_go(struct parking *p, struct stream *to);
bool parking_is_over(const struct parking *p);
/* At the request's end: drops what is left of the body. */
void parking_close(struct parking *p);

/*
 * Checks the relations between its members at the end of each verb (base/checks.h):
 * proxy/stage_check.c.
 */
void parking_check(const struct parking *p);

#endif
