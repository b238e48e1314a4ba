#ifndef SAMPLE_INDEX_H
#define SAMPLE_INDEX_H

/*
 * One index of a sample cluster, in memory: its documents, and what is said of it. A document
 * stands in the shard that its routing leads to, or its id where it has none: so the same id may be
 * there several times. Each change of a document has the next sequence number of its shard. A read
 * by id sees the last one at once, a search what there was at the last refresh: of a document that
 * was changed since both versions are kept. A deletion leaves a version without a source, which is
 * forgotten after a while: until then the document's version goes on from there.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/span.h"

/* The longest name, and the longest id, that OpenSearch takes. */
#define SAMPLE_NAME_BYTES 255
#define SAMPLE_ID_BYTES 512
/* OpenSearch's index.number_of_shards.max. */
#define SAMPLE_SHARDS_MAX 1024
/* What its index.gc_deletes is. */
#define SAMPLE_FORGET_MS 60000

struct sample_version {
	struct sample_document *document; /* borrowed */
	uint64_t seq_no, primary_term, version;
	uint64_t at_ms;
	size_t place;		/* of it among the shard's versions */
	struct list forgetting; /* in the index, when it is a deletion that searches see */
	struct span routing;	/* at = NULL: none; both stand in `bytes` */
	struct span source;	/* at = NULL: it was deleted */
	char bytes[];
};

struct sample_document {
	struct sample_document *next;	/* of its bucket */
	struct sample_version *current; /* owned */
	struct sample_version *shown;	/* what searches see, NULL: nothing; owned unless current */
	uint64_t hash;
	unsigned shard;
	size_t id_n;
	char id[];
};

/* A version at the place that its sequence number gives it; NULL: it is no more. */
struct sample_place {
	uint64_t seq_no;
	struct sample_version *version;
};

struct sample_shard {
	uint64_t next_seq_no;
	struct sample_place *places; /* owned; by sequence number */
	size_t place_n, place_room, empty_n;
	size_t refreshed_n; /* places that searches see */
};

struct sample_index {
	char name[SAMPLE_NAME_BYTES + 1], uuid[24];
	bool closed;
	uint64_t created_ms;
	json_t *mappings, *settings, *aliases; /* owned */
	uint64_t mapping_version, settings_version, aliases_version;
	uint64_t primary_term;
	struct sample_shard *shards; /* owned */
	unsigned shard_n;
	struct sample_document **buckets;
	size_t bucket_n, document_n;
	size_t live_n, shown_n; /* documents that are there: now, and for searches */
	struct list forgetting; /* deletions: the oldest first */
	uint64_t *bytes;	/* borrowed: what all versions of the cluster take */
};

/* `uuid` of 22 characters. It has one shard. */
struct sample_index *sample_index_open(const char *name, const char *uuid, uint64_t now_ms,
				       uint64_t *bytes);
void sample_index_close(struct sample_index *x);
/* While it has no documents: it has so many shards, 1 to SAMPLE_SHARDS_MAX. */
void sample_index_divide(struct sample_index *x, unsigned shard_n);

/* The number of the shard of a document; routing.at = NULL: it has none. */
unsigned sample_index_shard(const struct sample_index *x, struct span id, struct span routing);
/* The last version in that shard, which may be a deletion; NULL: nothing is known of the id. */
struct sample_version *sample_index_find(const struct sample_index *x, unsigned shard,
					 struct span id);
/* The one that searches see; NULL: there is none. */
struct sample_version *sample_index_find_shown(const struct sample_index *x, unsigned shard,
					       struct span id);

struct sample_change {
	struct span id, routing, source; /* source.at NULL: a deletion */
	uint64_t version, now_ms;
};

/* The new version; what it replaces is kept for searches only. */
struct sample_version *sample_index_change(struct sample_index *x, const struct sample_change *c);

/* Searches see from now on what there is. */
void sample_index_refresh(struct sample_index *x);
/* Deletions of SAMPLE_FORGET_MS ago are forgotten. */
void sample_index_forget(struct sample_index *x, uint64_t now_ms);
/* The first place that searches see with at least that sequence number. */
size_t sample_shard_seek(const struct sample_shard *s, uint64_t seq_no);

#endif
