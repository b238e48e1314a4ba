#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

/*
 * Reads the configuration anew while traffic flows: all of it is applied, or, with the reason said,
 * nothing of it. Workers get a new plan; what a node lives through (its health, its connections) is
 * kept when both configurations have it.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct control;

#define RELOAD_TEXT_BYTES 1200

/* How the last one went. */
struct reload {
	uint64_t wall_ns; /* 0: there was none */
	bool good;
	unsigned good_n, bad_n;
	char text[RELOAD_TEXT_BYTES]; /* what has changed; or what is wrong first, and where */
	json_t *mistakes;	      /* owned: all that is wrong, as texts; NULL: nothing is */
	size_t mistakes_more;	      /* that are not among them */
	/* What is in force is older than the file, since a crash: what is wrong with that, or that
	 * it was not read yet. "": it is the file's. */
	char file_text[RELOAD_TEXT_BYTES];
};

/* Whether what the file says is in force, as it was last looked at. */
bool reload_is_in_force(const struct reload *r);

/* At the end of control's turn. The outcome stands in c->reload, and in the log. */
void reload_now(struct control *c);

/* After a crash, with the configuration that was in force: is the file on disk another one? */
void reload_compare(struct control *c);

#endif
