#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

/*
 * Everything that talks HTTP is a stream with six verbs. Two parties that exchange one request and
 * its response each own a `struct stream`: the end at which they *receive*. The two ends are each
 * other's peer. To send something, a party calls stream_*() with the peer's end.
 *
 *   head      a message's head; for responses several times, all but the last 1xx
 *   data      body bytes, moved in; only as many as were granted
 *   trailers  the fields behind the body
 *   grant     the peer may send so many more body bytes; starts at 0; head, trailers, end are free
 *   squeeze   memory is short: I can send no more until the peer frees some of what I have sent;
 *             the peer drops what it keeps only for later
 *   abort     STREAM_RESET: what I was sending breaks off here, it is not whole
 *             STREAM_STOP: I take no more of what you send, and have what I need
 *
 * Each direction runs head+ data* and then closes: by `end` of head or data, by trailers, or by an
 * abort from either party. When both directions are closed the exchange is over, and each party may
 * go without telling the other. A 1xx head never ends its direction, except that 101 opens a
 * tunnel: from then on the data has no framing.
 *
 * Calls are direct and may call back before they return. Therefore nobody frees an end inside a
 * call: ends that are over are freed at the end of the turn.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/err.h"
#include "http/msg.h"
#include "base/limits.h"

struct stream;

enum stream_way { STREAM_RESET, STREAM_STOP };

struct stream_verbs {
	void (*head)(struct stream *to, struct msg *m /* borrowed; stays until the exchange ends */,
		     bool end);
	void (*data)(struct stream *to, struct chain *c /* moved in; empty afterwards */, bool end);
	void (*trailers)(struct stream *to, struct msg *m);
	void (*grant)(struct stream *to, size_t bytes);
	void (*squeeze)(struct stream *to); /* NULL: this end keeps nothing */
	void (*abort)(struct stream *to, enum stream_way way, enum err why);
};

struct stream_tracer {
	void (*said)(const struct stream_tracer *t, const struct stream *to, const char *verb,
		     unsigned long long number, bool end);
};

enum stream_state {
	STREAM_HEAD, /* a head is due */
	STREAM_BODY, /* the last head has come */
	STREAM_CLOSED,
};

struct stream {
	const struct stream_verbs *verbs;
	struct stream *peer;
	const struct stream_tracer *tracer; /* NULL: no tracer */
	const char *name;		    /* for the tracer */
	uint32_t credit;		    /* body bytes that may still come in here */
	uint8_t in;			    /* enum stream_state of what comes in here */
	bool sends;			    /* the direction to the peer is still open */
};

static inline void stream_init(struct stream *s, const struct stream_verbs *verbs, const char *name)
{
	*s = (struct stream){ .verbs = verbs, .name = name, .in = STREAM_CLOSED };
}

/* Makes the two ends peers: a new hop, with no credit either way. The tracer of `a` traces both. */
static inline void stream_join(struct stream *a, struct stream *b)
{
	must(a->in == STREAM_CLOSED && b->in == STREAM_CLOSED);
	a->peer = b;
	b->peer = a;
	a->credit = b->credit = 0;
	a->in = b->in = STREAM_HEAD;
	a->sends = b->sends = true;
	b->tracer = a->tracer;
}

/*
 * stream_receives(): the owner of this end may still receive here. stream_sends(): it may still
 * send to the peer.
 */
static inline bool stream_receives(const struct stream *s)
{
	return s->in != STREAM_CLOSED;
}

static inline bool stream_sends(const struct stream *s)
{
	return s->sends;
}

static inline bool stream_over(const struct stream *s)
{
	return !stream_receives(s) && !stream_sends(s);
}

/* The peer may be freed as soon as both directions are closed, so each end keeps its own state. */
static inline void stream_shut(struct stream *to)
{
	to->in = STREAM_CLOSED;
	to->peer->sends = false;
}

static inline void stream_said(const struct stream *to, const char *verb, unsigned long long number,
			       bool end)
{
	if (to->tracer)
		to->tracer->said(to->tracer, to, verb, number, end);
}

static inline void stream_head(struct stream *to, struct msg *m, bool end)
{
	must(to->in == STREAM_HEAD);
	bool last = m->kind == MSG_REQUEST || m->status >= 200 || m->status == 101;
	must(last || !end);
	must(!end || m->body != BODY_LENGTH || m->length == 0 || m->kind == MSG_RESPONSE);
	if (last)
		to->in = STREAM_BODY;
	if (end)
		stream_shut(to);
	stream_said(to, "head", m->status, end);
	to->verbs->head(to, m, end);
}

static inline void stream_data(struct stream *to, struct chain *c, bool end)
{
	must(to->in == STREAM_BODY && c->bytes <= to->credit && (c->bytes || end));
	to->credit -= (uint32_t)c->bytes;
	if (end)
		stream_shut(to);
	stream_said(to, "data", c->bytes, end);
	to->verbs->data(to, c, end);
	must(chain_empty(c));
}

static inline void stream_trailers(struct stream *to, struct msg *m)
{
	must(to->in == STREAM_BODY && m->kind == MSG_TRAILERS);
	stream_shut(to);
	stream_said(to, "trailers", m->field_n, true);
	to->verbs->trailers(to, m);
}

/* Lets the owner of `to` send `bytes` more. Only while its direction is open. */
static inline void stream_grant(struct stream *to, size_t bytes)
{
	must(stream_sends(to) && bytes > 0 && to->peer->credit + bytes <= STREAM_CREDIT_BYTES);
	to->peer->credit += (uint32_t)bytes;
	stream_said(to, "grant", bytes, false);
	to->verbs->grant(to, bytes);
}

/* Only while the direction to `to` is open. */
static inline void stream_squeeze(struct stream *to)
{
	must(stream_receives(to));
	stream_said(to, "squeeze", 0, false);
	if (to->verbs->squeeze)
		to->verbs->squeeze(to);
}

/*
 * STREAM_RESET closes the direction toward `to`, STREAM_STOP the one from it. That direction must
 * be open. Data that the owner of `to` still holds for it is useless from then on.
 */
static inline void stream_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct stream *closed = way == STREAM_RESET ? to : to->peer;
	must(closed->in != STREAM_CLOSED);
	stream_shut(closed);
	stream_said(to, way == STREAM_RESET ? "reset" : "stop", (unsigned long long)why, true);
	to->verbs->abort(to, way, why);
}

/* --- the same, for the owner of an end (`own`): a direction that is closed already stays so --- */

static inline void stream_abort_open(struct stream *own, enum stream_way way, enum err why)
{
	if (way == STREAM_RESET ? stream_sends(own) : stream_receives(own))
		stream_abort(own->peer, way, why);
}

/* The owner gives up what it asked for: its own message breaks off, and it takes no more. */
static inline void stream_leave(struct stream *own, enum err why)
{
	stream_abort_open(own, STREAM_RESET, why);
	stream_abort_open(own, STREAM_STOP, why);
}

/* The owner fails: it takes no more, and the message that it was sending breaks off. */
static inline void stream_fail(struct stream *own, enum err why)
{
	stream_abort_open(own, STREAM_STOP, why);
	stream_abort_open(own, STREAM_RESET, why);
}

#endif
