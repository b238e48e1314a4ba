#ifndef SAMPLE_LOG_H
#define SAMPLE_LOG_H

/*
 * The operations of a sample cluster in the order in which they were applied: a line of JSON each,
 * written when it is applied. For tests, which judge by it; and a cluster that was killed becomes
 * by it what it was.
 */

#include "sample/index.h"
#include "sample/text.h"

struct sample_log {
	int fd; /* owned; -1: none is kept */
	uint64_t n;
	struct sample_text line;
};

/* `path` NULL: none is kept. False with errno. */
bool sample_log_open(struct sample_log *l, const char *path);
void sample_log_close(struct sample_log *l);

struct sample_event {
	/*
	 * "index", "create", "update", "delete" of a document; "create_index", "delete_index",
	 * "map", "settings", "alias" of an index
	 */
	const char *operation;
	const struct sample_index *index;
	const struct sample_version *version; /* NULL: of no document */
	struct span opaque_id;		      /* at = NULL: none */
	uint64_t now_ms;
};

/*
 * {"n":1,"at_ms":...,"operation":"index","index":"a","uuid":...,"id":"1","seq_no":0,
 * "primary_term":1,"version":1,"routing":...,"opaque_id":...,"source":{...}}; numbers begin at 1.
 * Without a document, but for a deletion, the line has the index' mappings, settings and aliases.
 * A file that takes nothing ends the process: a log with holes would lead tests astray.
 */
void sample_log_add(struct sample_log *l, const struct sample_event *e);

#endif
