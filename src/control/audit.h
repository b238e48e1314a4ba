#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

/* audit.jsonl in the state directory: a line for each change of the weights, only ever appended. */

#include "control/state.h"

struct audit_entry {
	const char *who, *why; /* `why` may be NULL */
	struct state_values from, to;
	bool saved; /* the state file has it */
};

struct audit {
	int fd;
};

/* False with errno. */
bool audit_open(struct audit *a, const char *directory);
void audit_close(struct audit *a);

/*
 * {"when":"...Z","who":"...","from":{"source":N,"target":N},"to":{...},"epoch":N,"why":"...",
 * "saved":true}. False with errno: then the file is as it was before.
 */
bool audit_append(struct audit *a, const struct audit_entry *e);

#endif
