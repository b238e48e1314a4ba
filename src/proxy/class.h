#ifndef PROXY_CLASS_H
#define PROXY_CLASS_H

/*
 * Is a request a read or a write, may it be repeated, and does a cluster act on parts of it? What
 * is not known to be a read is a write.
 *
 * profile: http asks the method alone: GET, HEAD, OPTIONS and TRACE are safe (RFC 9110, 9.2.1),
 * hence reads that may be repeated.
 *
 * profile: opensearch asks a table of methods and paths, class.def, for Elasticsearch 7 and
 * OpenSearch. What no rule of it names is decided by its method: GET, HEAD and OPTIONS read, others
 * write.
 *
 * A search cluster compares the segments of a path as they came and decodes only what its wildcards
 * take: POST /i/%5fsearch is not a search there, and in Elasticsearch 7 stores a document. A proxy
 * in front of it may decode first, and resolve dots. So a rule counts only for a path that all of
 * them read alike, the canonical one:
 *   - its bytes are RFC 3986's for a segment, without ';', at which some cut a segment off;
 *   - what is percent-encoded is visible ASCII that must be (as * in an index' name), and none of
 *     / \ % ; ? #, nor a letter, digit, '-', '.', '_' or '~', all of which read otherwise decoded;
 *   - no segment is empty, "." or ".."; one '/' at the end is forgiven, as clusters do.
 * With any other path GET, HEAD and OPTIONS are reads that are not repeated, all else is a write
 * that may be acted on in parts.
 * Case counts, in methods and in paths. The query begins at the first '?', and decides one thing
 * only: a search that opens a scroll is not repeated.
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
