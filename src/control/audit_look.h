#ifndef CONTROL_AUDIT_LOOK_H
#define CONTROL_AUDIT_LOOK_H

/* What audit.jsonl tells, for whoever starts beside it: the end of it is read. */

#include "control/state.h"

struct audit_seen {
	bool there;
	struct state_values last; /* change of weights that it tells of; epoch 0: none */
	bool drains;		  /* it tells of a node that was drained */
	unsigned damaged_n; /* lines that neither we have written nor a power cut has cut short */
	bool whole;	    /* all of it was read */
};

void audit_look(int directory, struct audit_seen *to);

#define AUDIT_TROUBLE_BYTES 256
/*
 * Beside weights of that epoch: whether it has lost something, and what, for an operator. Nothing
 * is taken away or put right: what is there stays, and lines are appended.
 */
bool audit_trouble(const struct audit_seen *seen, uint64_t epoch, char text[AUDIT_TROUBLE_BYTES]);

#endif
