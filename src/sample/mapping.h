#ifndef SAMPLE_MAPPING_H
#define SAMPLE_MAPPING_H

/*
 * Which fields the documents of an index have, and of which type. A field that no mapping names
 * gets the type of its first value, so that the order of the first documents decides it, as in
 * OpenSearch. A mapping is {"properties":{...},...}.
 */

#include <jansson.h>

#include "sample/trouble.h"

/* OpenSearch's defaults: index.mapping.total_fields.limit, .depth.limit. */
#define SAMPLE_FIELDS_MAX 1000
#define SAMPLE_DEPTH_MAX 20

/*
 * Whether the document fits; new fields are added, and `*mapping`, owned, is replaced then.
 * `*grown`: it was. False after a trouble of status 400; then it is as it was.
 */
bool sample_mapping_takes(json_t **mapping, const json_t *document, bool *grown,
			  struct sample_trouble *t);
/* Adds what `more` names; the type of a field stays. As above. */
bool sample_mapping_merge(json_t **mapping, const json_t *more, bool *grown,
			  struct sample_trouble *t);

#endif
