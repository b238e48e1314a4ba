#ifndef PROXY_CLASS_H
#define PROXY_CLASS_H

/*
 * Is a request a read or a write, may it be repeated, and does a cluster act on parts of it? What
 * is not known to be a read is a write.
 *
 * profile: http asks the method alone: GET, HEAD, OPTIONS and TRACE are safe (RFC 9110, 9.2.1),
 * hence reads that may be repeated. (TRACE ends at recipient.h.)
 *
 * profile: opensearch asks a table of methods and paths, class.def, for Elasticsearch 7 and
 * OpenSearch. What no rule of it names is decided by its method: GET, HEAD and OPTIONS read, others
 * write.
 *
 * A search cluster parts a path at its '/', compares the segments with its own words as they came,
 * and decodes only what its wildcards take (%XX once, '+' stays '+'): /i/%5fsearch is no search for
 * it, and Elasticsearch 7 takes a POST for a document. A proxy in front of it may decode first,
 * twice, merge slashes, and cut a segment at ';'. So a path in which any of that makes a difference
 * is read in every such way, and the request is a read only where all of them are reads: GET
 * /_%66lush is a write, POST /i/%5fsearch too. What only a name or an id has in it (%20, UTF-8,
 * encoded commas and stars, a slash in date math or in an id) makes no difference and leaves the
 * class what it is. Nobody can tell what dots as segments, a '%' without two digits, codes that
 * are no UTF-8, or many such doubts in a long path mean: a write, for every method, which may be
 * acted on in parts. Case counts, in methods and in paths. The query begins at the first '?', and
 * decides one thing only: a search that opens a scroll is not repeated.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/msg.h"

enum profile { PROFILE_HTTP, PROFILE_OPENSEARCH, PROFILES };

enum class { CLASS_READ, CLASS_WRITE, CLASSES };

struct classed {
	uint8_t class; /* enum class */
	bool repeatable;
	bool in_parts; /* a cluster acts on what has come of it, before the rest has */
	uint16_t rule; /* for class_rule_text() */
};

/* `target` is a message's: origin-form or "*". One walk, nothing is allocated. */
struct classed class_of(enum profile profile, enum method method, struct span target);

/* "read", "write" */
const char *class_name(enum class class);

/* What decided, for people: a row of the table, as "POST /{index}/_search", or a sentence. */
#define CLASS_RULE_BYTES 96
const char *class_rule_text(struct classed c, char to[CLASS_RULE_BYTES]);

#endif
