#ifndef REPLAY_BULK_LINE_H
#define REPLAY_BULK_LINE_H

/*
 * A line of a bulk's request that says what is to be done: {"index":{"_index":"i","_id":"1"}}. The
 * line of a document behind it is not looked at.
 */

#include <stdbool.h>

#include "base/limits.h"
#include "base/span.h"
#include "replay/json_scan.h"

enum bulk_action {
	BULK_INDEX, /* "create" too, which is an index with an op_type: a response has either word
		     */
	BULK_UPDATE,
	BULK_DELETE, /* no document follows it */
	BULK_NO_ACTION,
};

struct bulk_line {
	enum bulk_action action;
	/* Into the text of the line, decoded; empty: it does not say it. */
	struct span index, type, id, routing;
	bool external_version;
	/* They have half a character, or more than JSON_TEXT_BYTES: nobody can repeat them. */
	bool odd_name, odd_routing;
};

/*
 * Reads the `n` bytes at `text`, without their end of line, and decodes names in place. `j` is
 * somebody's scanner that is not in use. What stands behind the action's object is not looked at,
 * as clusters do not. False: it is no such line.
 */
bool bulk_line_read(struct bulk_line *line, struct json_scan *j, char *text, size_t n);

/* "index", "create", "update", "delete", as a key; BULK_NO_ACTION: none of them. */
enum bulk_action bulk_action_of(const struct json_scan *j);

/* Blanks alone: clusters pass over such a line before an action. */
bool bulk_line_is_blank(struct span text);

#endif
