#ifndef CONTROL_EVIDENCE_H
#define CONTROL_EVIDENCE_H

/*
 * What the state directory and the capture log say about the weights, apart from the state file. A
 * start whose state file is missing, zeroed or restored from a backup must not silently begin with
 * older weights. A first start finds no such evidence: no audit.jsonl, no requests in the log, no
 * counts.
 */

#include "capture/newest_epoch.h"
#include "control/audit_look.h"
#include "control/config.h"
#include "control/state.h"

struct evidence {
	const char *witness;	     /* a file that only an earlier run can have left; NULL: none */
	struct state_values audited; /* of the last change in the audit; epoch 0: none */
	struct newest_epoch logged;  /* the newest epoch of the capture log; 0: none */
	bool drains_lost;	     /* nodes were drained, and drained.json is missing */
	bool audit_damaged;	     /* its last change may be missing */
	bool untold; /* the last change has no audit line; the state file has its note */
	struct state_values kept;	 /* the state file's values; epoch 0: none */
	char audit[AUDIT_TROUBLE_BYTES]; /* what audit.jsonl has lost; "": nothing */
};

void evidence_look(struct evidence *e, const struct config *c);
/*
 * Looks at the state directory only: for a process that knows the weights in force from the board.
 */
void evidence_look_at_state(struct evidence *e, const struct config *c);
/* For `check`, which does not start the balancer: adds a warning where a start would be refused. */
void evidence_warning(struct config *c);
/* Logs what is missing but does not prevent a start. */
void evidence_say(const struct evidence *e, const char *directory);

#define EVIDENCE_TEXT_BYTES 256
/* Whether `kept` can be the values that were in force last. False: `why` says what they lack. */
bool evidence_allows(const struct evidence *e, const struct state_values *kept,
		     char why[EVIDENCE_TEXT_BYTES]);
/*
 * Finds the values that were in force last: those of the last change in the audit, unless something
 * knows of a later epoch. False: an operator must give the weights, because a request in the
 * capture log shows only one cluster, and no later change. In both cases the epoch of `to` is above
 * every epoch that may have been in force.
 */
bool evidence_weights(const struct evidence *e, const struct state_values *kept,
		      struct state_values *to);

#endif
