#ifndef CONTROL_LEDGER_H
#define CONTROL_LEDGER_H

/*
 * The weights on disk: the values in force in the state file, and one line for each change in the
 * audit. After ledger_open() all functions that wait for the disk are called on the thread of
 * disk_jobs.h only.
 */

#include "base/limits.h"
#include "control/audit.h"
#include "control/evidence.h"
#include "control/state.h"
#include "proxy/board.h"

#define LEDGER_TEXT_BYTES 256 /* ADMIN_BODY_TEXT_BYTES */

/* A change, as it is written to the audit. */
struct ledger_line {
	char who[LEDGER_TEXT_BYTES], why[LEDGER_TEXT_BYTES]; /* why: "" when no reason was given */
	struct state_values from, to;
	bool saved, forced;
	uint64_t lineless_n, lineless_epoch; /* as in audit_entry */
};

struct ledger {
	struct state state;
	struct audit audit;
	char directory[4096];
	int unsaved; /* errno that kept the values in force from being saved; 0: they are saved */
	/*
	 * Changes without a line yet, in their order. When there are too many, the last entry also
	 * stands for the changes before it that have no entry.
	 */
	struct ledger_line owed[AUDIT_OWED_MAX];
	unsigned owed_n;
};

/*
 * Opens the state file and chooses the values to continue with, `now`: those of the board or of the
 * file, whichever epoch is greater, or `initial` on a first start. False: `error` says why. Either
 * the state file cannot be used, or the board has no values and those of the file are not the ones
 * that were in force last.
 */
bool ledger_open(struct ledger *l, const struct board_values *board, const char *directory,
		 const uint32_t initial[ARMS], const struct evidence *evidence,
		 struct state_values *now, char error[LEDGER_TEXT_BYTES]);
/* Tries for the last time to write the owed lines: the next process does not know of them. */
void ledger_close(struct ledger *l);

/*
 * Tries again to open what could not be opened, or could only be opened for reading. False with
 * errno.
 */
bool ledger_reopen(struct ledger *l);
/* False with errno. */
bool ledger_save(struct ledger *l, const struct state_values *v, const struct state_note *n);
/* False with errno: the line is owed. */
bool ledger_tell(struct ledger *l, const struct ledger_line *line);
/*
 * Writes owed lines, the oldest first, as many as there is room for. False with errno: some are
 * still owed.
 */
bool ledger_tell_owed(struct ledger *l);
/* The number of changes without a line in the audit. */
uint64_t ledger_untold(const struct ledger *l);

#endif
