#ifndef CONTROL_AUDIT_LOOK_H
#define CONTROL_AUDIT_LOOK_H

/* Reads the end of audit.jsonl at a start, to compare it with the state file. */

#include "control/state.h"

struct audit_seen {
	bool there;
	struct state_values last; /* the last change of weights in the file; epoch 0: none */
	bool drains;		  /* it has a line about a drained node */
	unsigned damaged_n;	  /* bad lines that are not explained by a power cut */
	bool whole;		  /* the file was read from its beginning */
};

void audit_look(int directory, struct audit_seen *to);

#define AUDIT_TROUBLE_BYTES 256
/*
 * Compares audit.jsonl with the weights of `epoch`. True: the file has lost something, and `text`
 * says what, for an operator. Nothing is removed or repaired: the lines stay, and new lines are
 * appended.
 */
bool audit_trouble(const struct audit_seen *seen, uint64_t epoch, char text[AUDIT_TROUBLE_BYTES]);

#endif
