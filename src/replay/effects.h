#ifndef REPLAY_EFFECTS_H
#define REPLAY_EFFECTS_H

/*
 * What a recorded exchange changed at its cluster: a request to a search cluster and its response
 * become effects, each of which is something to copy, to look at, or to do. No I/O, no clock, no
 * log: bytes in, effects out, the same ones whatever pieces the bytes come in.
 *
 * Request and response are read in step: a bulk of any size is never held, its lines and the items
 * of its response are paired one by one. One reader takes exchanges one after the other and holds
 * 80 KiB; once bodies were compressed 44 KiB more for each of the two; and the query of a delete by
 * query, SWEEP_QUERY_BYTES at most. What a body expands to costs time and no memory.
 *
 * A cluster's response is believed in what it names: keys are concrete indices and ids. Where it
 * names nothing (it was filtered, not recorded, is no JSON, is no response to that request) the
 * request is asked, and rather too much is told than too little: for effects are copies, and a copy
 * is right whenever it is made.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "capture/frame.h"
#include "http/msg.h"

enum effect_kind {
	EFFECT_KEY,	     /* a document may be another one: `index`, `id`, `routing`, `type` */
	EFFECT_SCAN,	     /* documents of `index` were written, and nobody says which */
	EFFECT_SURROUNDINGS, /* what surrounds documents of `index`; empty: of any */
	EFFECT_FENCE,	     /* `index` was deleted: an index, a stream, a list, a pattern */
	EFFECT_SWEEP,	     /* documents of `index` that `query` finds were deleted */
	EFFECT_WALK,	     /* any document of `index` may be another one, or gone: for `name` */
	EFFECT_UNKNOWN,	     /* what this changed is not known: counted by `name` */
	EFFECT_LOST,	     /* of no exchange: writes are not in the log; `name` says why */
	EFFECT_KINDS,
};

/* Spans are valid during the call. */
struct effect {
	enum effect_kind kind;
	/*
	 * As its cluster names it, decoded. Of scans, sweeps, walks and fences it is what the
	 * request says: a list, a pattern, an alias; "*" is every index, which stands for date
	 * math, too. A fence never has that: it becomes surroundings, and unknown.
	 */
	struct span index;
	struct span id, routing, type; /* of a key; empty: it has none. They are UTF-8 */
	struct span query;	       /* of a sweep: the request's body, clear */
	struct span name;	       /* of a walk or an unknown one: a word of a fixed set */
	struct span task;	       /* `is_task`: its id; empty: the response hides it */
	bool by_request;	       /* of a key, or a scan for one: `index` may be an alias */
	bool external_version;	       /* of a key: its version is the client's own */
	bool uncertain;		       /* it may not have happened, or not yet */
	bool is_stream;		       /* of a fence: `index` names data streams */
	bool is_task;		       /* it goes on behind the response, until a task has ended */
};

/* What is known of an exchange besides its bodies. Spans are borrowed until the next one. */
struct effects_facts {
	enum method method;
	struct span target;
	/* Values of Content-Type and Content-Encoding; empty: there is none. */
	struct span request_type, request_coding, response_type, response_coding;
	enum outcome outcome;
	unsigned status; /* 0: there is none */
	/* Whether bodies stand in the log; one that is empty does. */
	bool request_recorded, response_recorded;
};

enum effects_want { EFFECTS_REQUEST, EFFECTS_RESPONSE, EFFECTS_DONE };

typedef void effects_told(void *user, const struct effect *e);

struct effects;

struct effects *effects_make(effects_told *told, void *user);
void effects_free(struct effects *e);

/* A new exchange; another one that was not done is left. It may tell effects at once. */
void effects_open(struct effects *e, const struct effects_facts *facts);

/* Of which body bytes are wanted next. Once it is done the rest of both need not be read. */
enum effects_want effects_want(const struct effects *e);

/*
 * The next bytes of a body as they were recorded; `end`: there are none behind them. Returns how
 * many were used: the others are given again, with what follows them, when they are wanted. All
 * that was used may go.
 */
size_t effects_request(struct effects *e, struct span bytes, bool end);
size_t effects_response(struct effects *e, struct span bytes, bool end);

#endif
