#ifndef ENDS_REPLY_H
#define ENDS_REPLY_H

/*
 * An answer that is made here: an error page, the admin API's JSON. It is a party to a stream like
 * any other, with one message and a body in memory that it sends as credit allows.
 */

#include "http/stream.h"

struct reply {
	struct stream *to;
	struct chain body;
	uint64_t bytes; /* of head and body together */
};

/* Bytes that were handed over: 0 for a reply that never began. */
static inline uint64_t reply_told(const struct reply *r)
{
	return r->bytes - r->body.bytes;
}

/* Allow, in an answer to OPTIONS that is made here, and where TRACE is refused. */
#define REPLY_ALLOW "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/*
 * Sends `m` (a status and fields; the length is set here) and then `body`, moved in, to `to`, as
 * far as its credit goes; reply_go_on() sends the rest when more is granted. `head_only`: the
 * request was HEAD, the length is told and no body is sent.
 */
void reply_start(struct reply *r, struct stream *to, struct msg *m, struct chain *body,
		 bool head_only);
/* After a grant; does nothing when all is sent. */
void reply_go_on(struct reply *r);
/* Drops what was not sent: the client has gone. */
void reply_stop(struct reply *r);
/* True when the whole answer has been handed over. */
bool reply_done(const struct reply *r);

/*
 * The status of the answer for an error. One that nobody should be answered with has one too: 503
 * where it is ours, else 500.
 */
unsigned reply_status(enum err why);

/*
 * The answer for an error: its status, X-Crossfade-Error and a JSON body
 *   {"error":"WORD","status":N,"message":"SENTENCE MORE"}
 * `more`: JSON's text without its quotes; "": nothing.
 */
void reply_error(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		 enum err why, const char *more, bool head_only);

/*
 * The same for a write that has reached a node and may have been applied: with that status, and
 *   X-Crossfade-Error: WORD; outcome=unknown
 *   {"error":"WORD","status":N,"outcome":"unknown","message":"SENTENCE ..."}
 */
void reply_unknown(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		   enum err why, unsigned status, bool head_only);

/* An answer with a body of that type; `body` is copied. */
void reply_text(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		unsigned status, struct span type, struct span body, bool head_only);

#endif
