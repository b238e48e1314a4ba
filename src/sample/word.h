#ifndef SAMPLE_WORD_H
#define SAMPLE_WORD_H

/*
 * Words of a request, as an id or a routing: OpenSearch takes numbers for them, and so does a
 * sample cluster. A number is replaced by its text where it stands, so that the text has an owner.
 */

#include <jansson.h>

#include "base/span.h"

/* at = NULL: there is none, or it is neither text nor number. */
struct span sample_word_of(json_t *object, const char *name);
struct span sample_word_at(json_t *array, size_t i);

#endif
