#ifndef REPLAY_TOLD_H
#define REPLAY_TOLD_H

/*
 * What a cluster's response tells of one document, or of one request: the members of one object
 * that replay looks at. Of a member that is there twice the last one counts.
 */

#include "base/limits.h"
#include "replay/json_scan.h"

/* A name that may be missing, and may be none. */
enum told_name_state {
	TOLD_NOTHING,
	TOLD_NAME,
	TOLD_IMPOSSIBLE, /* it is longer than clusters take, or no text: no document has it */
};

struct told_name {
	enum told_name_state state;
	size_t n;
};

enum told_result {
	TOLD_NO_RESULT,
	TOLD_NO_CHANGE,
	TOLD_OTHER_RESULT, /* "created", "updated", "deleted", "not_found" */
};

/* What the member is that is being read. */
enum told_member {
	TOLD_ELSE,
	TOLD_INDEX,
	TOLD_TYPE,
	TOLD_ID,
	TOLD_RESULT,
	TOLD_STATUS,
	TOLD_ERROR,
	TOLD_DELETED,
	TOLD_ACKNOWLEDGED,
	TOLD_TASK,
};

struct told {
	struct told_name index_n, type_n, id_n, task_n;
	char index[INDEX_NAME_BYTES_MAX], type[INDEX_NAME_BYTES_MAX], id[DOCUMENT_ID_BYTES];
	char task[TASK_ID_BYTES];
	unsigned status; /* 0: it tells none */
	enum told_result result;
	bool error;	      /* it has a member of that name */
	bool index_not_found; /* which is an index_not_found_exception */
	bool deleted_none;    /* of a request by query: it says that it has deleted nothing */
	bool unacknowledged;

	enum told_member member;
	bool type_of_error; /* the member of `error` that is being read is `type` */
};

/* Nothing is told yet. Its bytes are not touched. */
void told_open(struct told *t);

/* A token of the object whose members stand at `depth` (json_scan.h). */
void told_take(struct told *t, const struct json_scan *j, enum json_token token, unsigned depth);

/* Spans into `t`; empty: it is not told, or impossible. */
struct span told_index(const struct told *t);
struct span told_type(const struct told *t);
struct span told_id(const struct told *t);
struct span told_task(const struct told *t);

#endif
