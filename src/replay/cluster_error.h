#ifndef REPLAY_CLUSTER_ERROR_H
#define REPLAY_CLUSTER_ERROR_H

/* What a cluster says of one document that it did not read or write: `error` in its response. */

#include "base/limits.h"
#include "base/span.h"
#include "replay/json_scan.h"

struct cluster_error {
	bool there;
	size_t type_n, reason_n;
	char type[ERROR_TYPE_BYTES],
		reason[ERROR_REASON_BYTES]; /* cut at a character; not terminated */
};

static inline struct span cluster_error_type(const struct cluster_error *e)
{
	return (struct span){ e->type, e->type_n };
}

/* Forgets what was told. */
void cluster_error_begin(struct cluster_error *e);
/* The scanner's last token is a key of the error: whether its value is wanted. */
bool cluster_error_wants(const struct json_scan *j, bool *is_type);
/* And its last token is that value. */
void cluster_error_take(struct cluster_error *e, const struct json_scan *j, bool is_type);

/*
 * Whether the cluster, or one of its nodes, is not able to at the moment, and it has nothing to do
 * with the document: it is worth another attempt.
 */
bool cluster_error_passes(const struct cluster_error *e);

#endif
