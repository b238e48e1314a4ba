#ifndef SAMPLE_QUERY_H
#define SAMPLE_QUERY_H

/*
 * The queries that sample clusters know: match_all, ids, term, terms, range, exists, bool. A term
 * is compared with the values of _source as they stand; no text is analysed.
 */

#include "sample/index.h"
#include "sample/trouble.h"

/* `query` NULL: match_all. False after a trouble: it is another one. */
bool sample_query_is_known(const json_t *query, struct sample_trouble *t);

/* Sequence numbers from `from` on, below `to`. */
struct sample_range {
	uint64_t from, to;
};

/* Which sequence numbers a document that matches can have. */
struct sample_range sample_query_range(const json_t *query);

/*
 * Shows the matching documents of what searches see of one shard, within the range, by sequence
 * number or backwards, until `each` returns false. False: it did.
 */
bool sample_query_each_in(const struct sample_index *x, unsigned shard, const json_t *query,
			  struct sample_range range, bool backwards,
			  bool (*each)(void *to, struct sample_version *v), void *to);
/* The same of one shard after the other. */
bool sample_query_each(const struct sample_index *x, const json_t *query, struct sample_range range,
		       bool (*each)(void *to, struct sample_version *v), void *to);

#endif
