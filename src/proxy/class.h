#ifndef PROXY_CLASS_H
#define PROXY_CLASS_H

/*
 * Is a request a read or a write, may it be repeated, and does a cluster act on parts of it? A
 * request that is not known to be a read is a write.
 *
 * profile: http decides by the method alone: GET, HEAD, OPTIONS and TRACE are safe (RFC 9110,
 * 9.2.1), hence reads that may be repeated. (TRACE never reaches a cluster: recipient.h.)
 *
 * profile: opensearch decides by a table of methods and paths, class.def, for Elasticsearch 7 and
 * OpenSearch. A request that matches no rule is decided by its method: GET, HEAD and OPTIONS are
 * reads, others are writes.
 *
 * A search cluster splits a path at each '/', compares the raw segments with its keywords, and
 * decodes only what its wildcards match (%XX once, '+' stays '+'): it does not take /i/%5fsearch
 * for a search, and Elasticsearch 7 takes a POST of it for a document. A proxy in front of the
 * cluster may decode first, decode twice, merge slashes, or cut a segment at ';'. So a path in
 * which any of that makes a difference is read in every such way, and the request is a read only if
 * all readings are reads: GET /_%66lush is a write, POST /i/%5fsearch too. Codes that occur only in
 * a name or an id (%20, UTF-8, encoded commas and stars, a slash in date math or in an id) make no
 * difference and do not change the class. Some paths have no certain meaning: dot segments, a '%'
 * without two digits, codes that are not UTF-8, or many such doubts in a long path. Such a request
 * is a write, for every method, and may be acted on in parts. Methods and paths are case-sensitive.
 * The query begins at the first '?', and decides one thing only: a search that opens a scroll is
 * not repeated.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/msg.h"
#include "proxy/classes.h"

enum profile { PROFILE_HTTP, PROFILE_OPENSEARCH, PROFILES };

struct classed {
	uint8_t class; /* enum class */
	bool repeatable;
	bool in_parts; /* a cluster acts on the part of it that has come, before the rest comes */
	uint16_t rule; /* for class_rule_text() */
};

/* `target` is a message's request target: origin-form or "*". One pass, no allocation. */
struct classed class_of(enum profile profile, enum method method, struct span target);

/* "read", "write" */
const char *class_name(enum class class);

/*
 * The reason for the decision, for people: a row of the table, as "POST /{index}/_search", or a
 * sentence.
 */
const char *class_rule_text(struct classed c, char to[CLASS_RULE_BYTES]);

#endif
