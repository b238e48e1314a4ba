#ifndef CONTROL_EVIDENCE_H
#define CONTROL_EVIDENCE_H

/*
 * What the state directory and the capture log say of the weights besides the state file: a start
 * on a file that is missing, zeroed or restored from a backup must not begin with older weights in
 * silence. A first start finds none of it: no audit.jsonl, no requests in the log, nothing counted.
 */

#include "capture/newest.h"
#include "control/audit_look.h"
#include "control/config.h"
#include "control/state.h"

struct evidence {
	const char *witness; /* a file here that a balancer with a state has left; NULL: none */
	struct state_values audited; /* the audit's last word of weights; epoch 0: none */
	struct newest logged;	     /* the newest epoch of the capture log; 0: none */
	bool drains_lost;	     /* nodes were drained, and the file of drains is gone */
	bool audit_damaged;	     /* its last word may not be the last */
	bool untold; /* the last change has no line there, and the state file knows what it says */
	struct state_values kept;	 /* what the state file holds; epoch 0: nothing */
	char audit[AUDIT_TROUBLE_BYTES]; /* what it has lost; empty: nothing */
};

void evidence_look(struct evidence *e, const struct config *c);
/* For who does not run it: a caution where a start would be refused. */
void evidence_caution(struct config *c);
/* Says in the log what is gone and does not hinder a start. */
void evidence_say(const struct evidence *e, const char *directory);

#define EVIDENCE_TEXT_BYTES 256
/* Whether `kept` can be what was in force last. False: `why` says what it lacks. */
bool evidence_allows(const struct evidence *e, const struct state_values *kept,
		     char why[EVIDENCE_TEXT_BYTES]);
/*
 * What was in force last: the audit's last word, where nothing knows of a later epoch. False: who
 * knows it must say it, for a request of the log tells of one side alone, and of no change behind
 * it. The epoch of `to` is above all that may have been in force, in either case.
 */
bool evidence_weights(const struct evidence *e, const struct state_values *kept,
		      struct state_values *to);

#endif
