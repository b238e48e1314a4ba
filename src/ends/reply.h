#ifndef ENDS_REPLY_H
#define ENDS_REPLY_H

/*
 * A response that Crossfade itself makes: an error page, the admin API's JSON. A reply uses a
 * stream as any other end does. It sends one message and a body from memory as credit allows.
 */

#include "http/stream.h"

struct reply {
	struct stream *to;
	struct chain body;
	uint64_t bytes; /* size of head and body together */
};

/* Bytes that were handed to the stream; 0 for a reply that never began. */
static inline uint64_t reply_told(const struct reply *r)
{
	return r->bytes - r->body.bytes;
}

/* The value of Allow: in a response to OPTIONS that Crossfade makes, and where TRACE is refused. */
#define REPLY_ALLOW "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/*
 * Sends `m` (a status and fields; this function sets the length) and then `body`, moved in, to
 * `to`, as far as its credit goes. reply_go_on() sends the rest after a grant. `head_only`: the
 * request was HEAD; the length is sent, the body is not.
 */
void reply_start(struct reply *r, struct stream *to, struct msg *m, struct chain *body,
		 bool head_only);
/* Call it after a grant. Does nothing when all is sent. */
void reply_go_on(struct reply *r);
/* Drops the unsent rest: the client has gone. */
void reply_stop(struct reply *r);

/*
 * The status of the response for an error. An error that has no status of its own gets 503 on our
 * side, else 500.
 */
unsigned reply_status(enum err why);

/*
 * The response for an error: its status, X-Crossfade-Error and a JSON body
 *   {"error":"WORD","status":N,"message":"SENTENCE MORE"}
 * `more`: JSON's text without its quotes; "": nothing.
 */
void reply_error(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		 enum err why, const char *more, bool head_only);

/*
 * The same for a write that has reached a node and may have been applied, with the given status,
 * and
 *   X-Crossfade-Error: WORD; outcome=unknown
 *   {"error":"WORD","status":N,"outcome":"unknown","message":"SENTENCE ..."}
 */
void reply_unknown(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		   enum err why, unsigned status, bool head_only);

/* The response to OPTIONS: 200, Allow, no body. */
void reply_options(struct reply *r, struct stream *to, struct arena *arena);

/* A response with a body of the given type; `body` is copied. */
void reply_text(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		unsigned status, struct span type, struct span body, bool head_only);

#endif
