#ifndef REPLAY_REQUEST_LOOK_H
#define REPLAY_REQUEST_LOOK_H

/* What the JSON of a request says that changes many documents at a time. */

#include "base/limits.h"
#include "replay/json_scan.h"

/* What the member of the outermost object is that is being read. */
enum look_member {
	LOOK_ELSE,
	LOOK_DESTINATION,
	LOOK_SCRIPT,
	LOOK_ACTIONS,
	LOOK_QUERY,
	LOOK_CURSOR
};

struct request_look {
	/* Whether what the query finds may be another thing at another time, or at another place.
	 */
	bool scripted; /* it has a script */
	bool dated;    /* it may have a date relative to now */
	bool remote;   /* it may ask for what stands in another document */
	/* Whether a script may write to another index than it is told to. */
	bool elsewhere;
	bool pipeline; /* `dest` of a reindex has one */
	/* dest.index of a reindex; empty: it is not there. */
	char written[INDEX_NAME_BYTES_MAX];
	size_t written_n;
	/* `query` of SQL, its first bytes; and whether it goes on with an earlier one. */
	char statement[INDEX_NAME_BYTES_MAX + 32];
	size_t statement_n;
	bool cursor;
	/* actions.remove_index of a request to _aliases: the name that was read last. */
	char removed[INDEX_NAME_BYTES_MAX];
	size_t removed_n;

	enum look_member member;
	bool in_remove, names_index;
};

void request_look_open(struct request_look *l);

/* A token of the request's body. True: it names an index that is removed, which is `removed`. */
bool request_look_take(struct request_look *l, const struct json_scan *j, enum json_token token);

/* Whether SQL deletes, or may; and where: an index' name or pattern, "*" for any. */
bool request_look_deletes(struct span statement, struct span *index);

#endif
