#ifndef REPLAY_INDEX_FILTER_H
#define REPLAY_INDEX_FILTER_H

/*
 * Which indices are replayed, by a list of patterns: '*' stands for any characters, and a pattern
 * behind '-' excludes. The last one that fits decides; where none fits the index is left out. A
 * backing index of a data stream goes with its stream: of .ds-logs-2026.11.24-000001 the name is
 * logs.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* As the configuration has it where it names none: all but those that begin with '.'. */
#define INDEX_FILTER_PRESET                                                                        \
	{                                                                                          \
		"*", "-.*"                                                                         \
	}

struct index_filter {
	const char *const *patterns; /* borrowed */
	size_t n;
};

/* A copy of its own texts, from malloc. */
struct index_filter index_filter_copy(const struct index_filter *f);
void index_filter_free(struct index_filter *f);

bool index_filter_has(const struct index_filter *f, struct span index);

/* It may have a name that begins with '.', but for those of backing indices. */
bool index_filter_has_dots(const struct index_filter *f);

/* The stream whose backing index it is: a part of `index`; empty: none's. */
struct span index_filter_stream(struct span index);

/* '*' stands for any characters, in `pattern` alone. */
bool index_pattern_fits(struct span pattern, struct span name);

#endif
