#ifndef REPLAY_EFFECTS_PRIVATE_H
#define REPLAY_EFFECTS_PRIVATE_H

/* For effects.c, which leads, effects_bulk.c, effects_many.c and effects_tell.c. */

#include "replay/bulk_items.h"
#include "replay/bulk_line.h"
#include "replay/effects.h"
#include "replay/operation.h"
#include "replay/request_look.h"
#include "replay/told.h"
#include "replay/unpack.h"

/* What an exchange's outcome says of its effects. */
enum effects_verdict {
	VERDICT_NOTHING,   /* it has none */
	VERDICT_DONE,	   /* they are there */
	VERDICT_REFUSED,   /* there may be some, and there will be no more */
	VERDICT_UNCERTAIN, /* there may be some, now or later */
};

enum effects_phase {
	PHASE_OVER,
	PHASE_REQUEST,	/* all of the request's body is looked at */
	PHASE_RESPONSE, /* then all of the response's */
	/* Of a bulk: */
	PHASE_LINE,	/* a line of the request is read that says what is done */
	PHASE_ITEM,	/* what the response says of it */
	PHASE_DOCUMENT, /* the line with its document is passed over */
	PHASE_REST,	/* all lines were read: the response must have no other item */
};

/* What a bulk's response is good for. */
enum effects_items {
	ITEMS_TRUSTED, /* items fit their lines up to here */
	ITEMS_DOUBTED, /* one had another id: now only those count that have the id of their line */
	ITEMS_HIDDEN,  /* it says nothing of single items */
	ITEMS_UNFIT,   /* it is cut, no JSON, or of another request */
};

/* A document as a request names it. */
struct effects_named {
	struct span index, id, type, routing;
	bool external_version;
	/* They are no text, and cannot be repeated; of a line, `odd_name` may be its index, too. */
	bool odd_index, odd_name, odd_routing;
};

struct effects {
	effects_told *told_to;
	void *user;
	struct unpack *request, *response; /* owned */

	struct operation op;
	enum effects_verdict verdict;
	enum effects_phase phase;
	unsigned status;
	bool request_readable, response_readable;
	bool is_task;
	struct effects_named named; /* by its path and its query, into `names` */
	char names[REQUEST_LINE_BYTES];

	/* Of one document, or of a request as a whole. */
	struct json_scan json; /* of its request, then of its response; of lines */
	struct told told;
	struct request_look look;
	bool in_query;	   /* what a sweep would ask stands in the path's query */
	bool has_pipeline; /* its query names one */
	char *query;	   /* owned; of a sweep */
	size_t query_n, query_room;

	/* Of a bulk. */
	enum effects_items trust;
	bool any_item, blamed;
	struct bulk_items items;
	struct bulk_line line;
	size_t line_n; /* above ACTION_LINE_BYTES: it is longer */
	char line_text[ACTION_LINE_BYTES];

	/* The last scan, which need not be told again at once. */
	struct span scanned;
	bool scanned_uncertain;
	char scanned_name[INDEX_NAME_BYTES_MAX];
};

/* --- effects_tell.c: effects --- */

/* A document that the request names so, and the response, if it is not NULL, as `told`. */
void effects_tell_document(struct effects *e, const struct effects_named *named,
			   const struct told *told, bool uncertain);
/* An effect of the request as a whole. */
void effects_tell_index(struct effects *e, enum effect_kind kind, struct span index);
void effects_tell_walk(struct effects *e, struct span index, struct span name);
void effects_tell_unknown(struct effects *e, struct span name);
void effects_tell(struct effects *e, struct effect effect);

/* Refusals that change nothing. */
bool effects_status_is_harmless(unsigned status);
/* Those that say nothing about what may still act. */
bool effects_status_is_uncertain(unsigned status);

/* --- the others: false: more bytes are needed --- */

void effects_bulk_open(struct effects *e);
bool effects_bulk_step(struct effects *e);
void effects_many_open(struct effects *e);
bool effects_many_step(struct effects *e);

#endif
