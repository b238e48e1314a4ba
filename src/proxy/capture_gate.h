#ifndef PROXY_CAPTURE_GATE_H
#define PROXY_CAPTURE_GATE_H

/*
 * The capture gate stands between the client's side and the delivery of a request that is recorded.
 * It writes the request and its response to the capture log, and holds back what must wait until
 * the log is durable: the end of a request that changes something, and the end of its response. It
 * holds back a sender by not granting credit.
 */

#include "capture/tap.h"
#include "proxy/delivery.h"

enum gate_request {
	GATE_REQUEST_IDLE,     /* the request's head has not come */
	GATE_REQUEST_STALLED,  /* the head waits: the log has no room for it */
	GATE_REQUEST_GATHERED, /* the request is recorded as it comes, and nothing of it has been
				  passed on */
	GATE_REQUEST_PIECES,   /* the request is passed on in pieces, each when it is durable */
	GATE_REQUEST_END_HELD, /* the request is passed on as it comes, except its end */
	GATE_REQUEST_OPEN,     /* the request is passed on as it comes */
	GATE_REQUEST_TUNNEL,   /* likewise, unrecorded; a gap will report it */
};

enum gate_response {
	GATE_RESPONSE_OPEN,	/* the response is passed on as it comes */
	GATE_RESPONSE_END_HELD, /* likewise, except its end */
	GATE_RESPONSE_GATHERED, /* nothing of the response has been passed on: it will go in one
				   piece */
	GATE_RESPONSE_WHOLE,	/* all of it has come, and the rest waits for the log */
	GATE_RESPONSE_DONE,	/* all of it has come and was passed on */
};

struct capture_gate {
	struct stream front; /* its peer is the client's side */
	struct stream back;  /* its peer is the delivery, or another stage before that */
	struct exchanges *exchanges;
	const struct request *request;	 /* borrowed */
	const struct delivery *delivery; /* borrowed: the state of the attempts */
	struct tap *tap;		 /* NULL: nothing is recorded, and nothing waits */
	struct list stall_link;		 /* in exchanges->stalled */
	struct chain pending;		 /* request body that has come and was not passed on */
	struct msg *trailers;		 /* of the request */
	struct msg *response_head;	 /* of a response that is gathered */
	struct chain response_body;	 /* the part of its body that has come */
	struct msg *response_trailers;	 /* its trailers */
	uint64_t released_ns; /* when the request's end was let go; 0: it did not wait, or still
				 waits */
	uint64_t request_bytes, response_bytes; /* of bodies, as received */
	uint8_t request_state;			/* enum gate_request */
	uint8_t response_state;			/* enum gate_response */
};

/*
 * Whether a request whose arm is chosen must pass a gate. Counts a request that `skip` rules
 * exclude.
 */
bool capture_gate_is_wanted(const struct exchanges *d, const struct request *r);
/* In the request's arena; joined with the delivery `to`. The caller joins its `front`. */
struct capture_gate *capture_gate_open(struct exchanges *d, const struct request *r,
				       struct delivery *to);

/* Nothing more passes, in either direction. */
bool capture_gate_is_over(const struct capture_gate *g);
/* The end of the request was never passed on: no cluster has acted on it. */
bool capture_gate_kept_end(const struct capture_gate *g);
/*
 * The request is over: records its outcome, unless it was recorded before. `status`: of the
 * response that the client was to get; 0: none. `why`: the error, or ERR_NONE.
 */
void capture_gate_end(struct capture_gate *g, unsigned status, enum err why);

/*
 * Checks the relations between its members at the end of each verb (base/checks.h):
 * proxy/stage_check.c.
 */
void capture_gate_check(const struct capture_gate *g);

/*
 * A worker calls it in each turn in which gates wait for room in the log. It resumes those for
 * which the log has room again, or has had none for too long.
 */
void capture_gates_resume(struct exchanges *d);

#endif
