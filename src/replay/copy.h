#ifndef REPLAY_COPY_H
#define REPLAY_COPY_H

/* One key in a batch: what is asked for, and what became of it. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum copy_verdict {
	/* Of the rest nothing is known: it is copied again. This is so at first. */
	COPY_AGAIN,
	COPY_DONE, /* the replica has what the owner has */
	/*
	 * Of an external version: the replica has a newer one. That may be of a deletion, for each
	 * delete without a version counts on from the last one, also of a document that is not
	 * there (seen with Elasticsearch 7.10 and OpenSearch 2.19). If the replica has the document
	 * it is done; else it is copied again when the replica has forgotten the deletion
	 * (index.gc_deletes, 60 s).
	 */
	COPY_NEWER,
	COPY_REFUSED,	 /* the replica says that it cannot have this document */
	COPY_UNREADABLE, /* the owner does not give the document: its index is not exact */
	/* The owner has no such index: it was deleted, and the log will say so, or else an alias
	 * was taken for it. */
	COPY_NO_INDEX,
	/* The owner does not have it by the routing that is known: it is copied again, and looked
	 * for by a search (COPY_SEARCHED). */
	COPY_UNSURE,
	COPY_TOO_LONG, /* the document has more than DOCUMENT_BYTES_MAX */
};

/* What is said to the replica. */
enum copy_action {
	COPY_NOTHING,
	COPY_INDEX,
	COPY_CREATE, /* in data streams */
	COPY_DELETE,
};

/* How the versions of documents of an index come about. */
enum copy_versions { COPY_OWN_VERSIONS, COPY_EXTERNAL_VERSIONS };

/* What it means that the owner does not have the document by the routing that is asked for. */
enum copy_absence {
	COPY_ABSENCE_UNSURE, /* it may have it by another one */
	COPY_ABSENCE_SURE,
	COPY_SEARCHED, /* a search of all shards, at both clusters, has told the routing */
};

/* Where a search has found a document: of a data stream in its backing index. */
struct copy_place {
	struct span index;   /* empty: it is nowhere */
	struct span routing; /* empty: it has none */
	uint64_t seq_no, primary_term;
};

/* All texts are borrowed for as long as the batch is at work, and UTF-8. */
struct copy_of {
	struct span index; /* the concrete one */
	struct span id;
	struct span routing;	 /* empty: none is known */
	struct span stream;	 /* whose backing index it is; empty: none's */
	struct copy_place place; /* where the replica has it, if it was searched for */
	uint8_t absence;	 /* enum copy_absence */
	uint8_t versions;	 /* enum copy_versions: external ones are written as external_gte */
	bool one_shard; /* of the owner's index: by no routing the id is another document */
};

/* The replica's index where it stands. */
static inline struct span copy_index(const struct copy_of *of)
{
	return of->place.index.n ? of->place.index : of->index;
}

struct copy {
	struct copy_of of;
	uint8_t verdict, action; /* enums of above */
	uint16_t status;	 /* of the replica's item; 0: it has said nothing of it */
	uint32_t error;		 /* the number of what was said of it, from 1; 0: nothing */
};

#endif
