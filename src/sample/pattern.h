#ifndef SAMPLE_PATTERN_H
#define SAMPLE_PATTERN_H

/* Names with '*' in them, as the paths of OpenSearch have them. */

#include "base/span.h"

/* '*' stands for any bytes. */
bool sample_pattern_matches(struct span pattern, struct span text);

/*
 * Whether a comma-separated list names it: "logs-*,-logs-old,more". A later member outweighs an
 * earlier one; "_all", "*" and an empty list name everything.
 */
bool sample_list_names(struct span list, struct span text);
/* The next member that has no '*' and excludes nothing. */
bool sample_list_next_plain(struct span *rest, struct span *name);

#endif
