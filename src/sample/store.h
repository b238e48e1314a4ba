#ifndef SAMPLE_STORE_H
#define SAMPLE_STORE_H

/* The indices of a sample cluster and how requests name them: by name, by alias, by pattern. */

#include "sample/index.h"
#include "sample/trouble.h"

/* OpenSearch's default of shards on a node. */
#define SAMPLE_INDICES_MAX 1000
/* All versions of all documents: a million of a KiB twice, on a machine with 8 GiB. */
#define SAMPLE_STORE_BYTES ((uint64_t)3 * 1024 * 1024 * 1024)

struct sample_store {
	struct sample_index **indices; /* by name */
	size_t n;
	uint64_t bytes, bytes_max;
	uint64_t now_ms; /* of the wall; set by the owner */
	json_t *streams; /* owned: of each data stream the names of its indices, oldest first */
	char origin[9];	 /* of ids that are made here: no two stores have the same */
	uint64_t made_n;
};

void sample_store_open(struct sample_store *s);
void sample_store_close(struct sample_store *s);

/* The data stream that an index stands behind; at = NULL: none. */
struct span sample_store_stream_of(const struct sample_store *s, const struct sample_index *x);
/* One more index of a data stream, which is made with its first one. NULL after a trouble. */
struct sample_index *sample_store_roll(struct sample_store *s, struct span stream,
				       struct sample_trouble *t);
/* Borrowed; NULL: there is none of that very name. */
struct sample_index *sample_store_find(const struct sample_store *s, struct span name);
/* NULL after a trouble: the name is bad or taken, or there are too many. */
struct sample_index *sample_store_create(struct sample_store *s, struct span name,
					 struct sample_trouble *t);
void sample_store_delete(struct sample_store *s, struct sample_index *x);

/*
 * The index that a write to `name` goes to: the one of that name, or the alias' one; if there is
 * neither it is made, where it `makes`. `*routing` is the alias' own, where it has one. NULL after
 * a trouble.
 */
struct sample_index *sample_store_target(struct sample_store *s, struct span name, bool makes,
					 struct span *routing, struct sample_trouble *t);
/* The same for a read: nothing is made. */
struct sample_index *sample_store_source(const struct sample_store *s, struct span name,
					 struct sample_trouble *t);

/*
 * The indices of an expression ("a,b-*"; empty, "_all", "*": all) in the order of their names:
 * `found` has room for SAMPLE_INDICES_MAX. Aliases stand for their indices. False after a trouble:
 * a plain name is nobody's; the others are there all the same.
 */
bool sample_store_resolve(const struct sample_store *s, struct span expression,
			  struct sample_index **found, size_t *n, struct sample_trouble *t);

/* Searches see from now on what there is. */
void sample_store_refresh(struct sample_store *s);
/* A second has passed: indices are refreshed that may be, and old deletions are forgotten. */
void sample_store_second(struct sample_store *s);

/* An id of our own; `text` has room for SAMPLE_MADE_BYTES. */
#define SAMPLE_MADE_BYTES 40
struct span sample_store_make_id(struct sample_store *s, char text[SAMPLE_MADE_BYTES]);

#endif
