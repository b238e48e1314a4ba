#ifndef REPLAY_OPERATION_H
#define REPLAY_OPERATION_H

/*
 * What a request to a search cluster may change, by its method and its path alone (operation.def).
 * A path is read as clusters read it: parted at its '/', words compared as they came, names and ids
 * decoded once. One walk, nothing is allocated.
 */

#include <stdbool.h>

#include "base/span.h"
#include "http/msg.h"

enum operation_act {
	OPERATION_READ,		   /* nothing */
	OPERATION_MAINTENANCE,	   /* nothing: refresh, flush, forcemerge, caches */
	OPERATION_DOCUMENT,	   /* the document that the response names */
	OPERATION_BULK,		   /* those that the items of its response name */
	OPERATION_BULK_STREAM,	   /* the same, of which a part may be done whatever its status */
	OPERATION_UPDATE_BY_QUERY, /* documents of `index` */
	OPERATION_DELETE_BY_QUERY,
	OPERATION_REINDEX,	/* documents of an index that its body names */
	OPERATION_SQL,		/* a statement in its body, or in its query */
	OPERATION_FENCE,	/* `index` is deleted */
	OPERATION_FENCE_STREAM, /* the data stream `index` is */
	OPERATION_ALIASES,	/* surroundings, and indices that its body deletes */
	OPERATION_SURROUNDINGS, /* mappings, settings, aliases, templates, pipelines, scripts */
	OPERATION_RESIZE,	/* `index` is made of another one */
	OPERATION_RESTORE,	/* indices come out of a snapshot */
	OPERATION_UNKNOWN,	/* `name` says what it is, if anything is known */
	OPERATION_ACTS,
};

struct operation {
	enum operation_act act;
	struct span name;	     /* OPERATION_UNKNOWN: a word of a fixed set */
	struct span index, type, id; /* in the path, as they came; empty: it has none */
	struct span query;	     /* without its '?' */
};

struct operation operation_of(enum method method, struct span target);

/* For people: what replay makes of it, as "key", or "nothing". */
const char *operation_effect(const struct operation *o);

/*
 * The value of a parameter of a query, decoded into `to`, which has room for the whole query: '+'
 * is a space there. Of several the last one counts, as with clusters. False: there is none.
 */
bool operation_parameter(struct span query, struct span name, char *to, struct span *value);

#endif
