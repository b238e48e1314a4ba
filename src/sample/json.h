#ifndef SAMPLE_JSON_H
#define SAMPLE_JSON_H

/*
 * JSON text that is known to be valid (a parser has read it, or we have made it), walked as it
 * stands: so a document leaves a sample cluster byte by byte as it came, as it does in OpenSearch.
 */

#include "sample/text.h"

/* White space is passed. */
const char *sample_json_skip(const char *at, const char *end);
/* Where the value that begins at `at` ends. */
const char *sample_json_end(const char *at, const char *end);
/* The value without white space between its parts. */
void sample_json_compact(struct sample_text *to, struct span value);

/*
 * `filter_path` of a request: of `json` only what the comma-separated paths name. A part of a path
 * may have '*'; "**" stands for any number of parts; arrays are no part of a path. False: the paths
 * have more than 64 parts.
 */
bool sample_filter(struct span paths, struct span json, struct sample_text *to);

#endif
