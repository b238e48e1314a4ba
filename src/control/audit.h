#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

/* audit.jsonl in the state directory: a line for each change, only ever appended. */

#include "control/state.h"

#define AUDIT_FILE "audit.jsonl"

struct audit_entry {
	const char *who, *why; /* `why` may be NULL */
	struct state_values from, to;
	bool saved;  /* the state file has it */
	bool forced; /* it would have been refused otherwise */
	/* Changes just before this one that get no line of their own, and the first one's epoch. */
	uint64_t lineless_n, lineless_epoch;
};

struct audit_drain {
	const char *who, *why; /* `why` may be NULL */
	const char *node;
	bool drain, was_drained;
	uint32_t delay_ms; /* of a drain */
	bool saved, forced;
};

struct audit {
	int fd;
	char directory[4096];
};

/*
 * False with errno. A last line that was cut short is ended first. A file that is moved or removed
 * later is noticed before the next line, which goes to the file that has the name then.
 */
bool audit_open(struct audit *a, const char *directory);
void audit_close(struct audit *a);
/* The file of that name, which may be another one by now. False with errno: it stays the old one.
 */
bool audit_reopen(struct audit *a, const char *directory);

/*
 * {"when":"...Z","who":"...","from":{"source":N,"target":N},"to":{...},"epoch":N,"why":"...",
 * "saved":true,"rollback":false}, and "forced":true; "without_a_line":{"changes":N,"first_epoch":N,
 * "last_epoch":N}. False with errno: then the file is as it was before.
 */
bool audit_append(struct audit *a, const struct audit_entry *e);
/*
 * Before a change is made: whether the next line will find room on the disk, which is taken for it.
 * False with errno. What was done all the same has its line when there is room again.
 */
bool audit_has_room(struct audit *a);
/* {"when":"...Z","who":"...","node":"...","from":"ready","to":"drain","delay_ms":N,"why":"...",
 * "saved":true}, and "forced":true */
bool audit_append_drain(struct audit *a, const struct audit_drain *e);

#endif
