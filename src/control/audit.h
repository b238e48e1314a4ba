#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

/* audit.jsonl in the state directory: one line for each change. The file is only appended to. */

#include "control/state.h"

#define AUDIT_FILE "audit.jsonl"

struct audit_entry {
	const char *who, *why; /* `why` may be NULL */
	struct state_values from, to;
	bool saved;  /* the state file has the change */
	bool forced; /* without force the change would have been refused */
	/*
	 * Changes just before this one that have no line of their own, and the epoch of the first
	 * of them.
	 */
	uint64_t lineless_n, lineless_epoch;
};

struct audit_drain {
	const char *who, *why; /* `why` may be NULL */
	const char *node;
	bool drain, was_drained;
	uint32_t delay_ms; /* for a drain */
	bool saved, forced;
};

/* An order to replay. */
struct audit_order {
	const char *who, *why; /* `why` may be NULL */
	const char *what;
	bool done; /* false: it was given, and its outcome was not known in time */
};

struct audit {
	int fd;
	char directory[4096];
};

/*
 * False with errno. If the last line of the file was cut short, a newline is added first. If the
 * file is moved or removed later, the next append notices it and goes to the file that has the name
 * then.
 */
bool audit_open(struct audit *a, const char *directory);
void audit_close(struct audit *a);
/*
 * Opens the file of that name again; it may be another file by now. False with errno: the old file
 * stays open.
 */
bool audit_reopen(struct audit *a, const char *directory);

/*
 * {"when":"...Z","who":"...","from":{"source":N,"target":N},"to":{...},"epoch":N,"why":"...",
 * "saved":true,"rollback":false}, and, where it applies, "forced":true and
 * "without_a_line":{"changes":N,"first_epoch":N, "last_epoch":N}. False with errno: the file is
 * unchanged.
 */
bool audit_append(struct audit *a, const struct audit_entry *e);
/*
 * Call it before a change is made. It reserves room on the disk for the next line. False with
 * errno. A change that is made without room gets its line when there is room again.
 */
bool audit_has_room(struct audit *a);
/*
 * {"when":"...Z","who":"...","node":"...","from":"ready","to":"drain","delay_ms":N,"why":"...",
 * "saved":true}, and "forced":true where it applies
 */
bool audit_append_drain(struct audit *a, const struct audit_drain *e);
/* {"when":"...Z","who":"...","replay":"...","why":"...","saved":true} */
bool audit_append_order(struct audit *a, const struct audit_order *e);

#endif
