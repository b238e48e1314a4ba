#ifndef SAMPLE_ALIAS_H
#define SAMPLE_ALIAS_H

/* Aliases of an index: {"NAME":{"index_routing":...,"is_write_index":...}}. */

#include "sample/sample.h"

/* Makes it, or replaces it. `given` is borrowed, and may have other members. */
void sample_alias_set(struct sample_index *x, struct span name, const json_t *given);

#endif
