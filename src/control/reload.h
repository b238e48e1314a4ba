#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

/*
 * Reads the configuration again while traffic flows. Either all of it is applied, or nothing, and
 * the reason is given. Workers get a new plan. A node that is in both configurations keeps its
 * health and its connections.
 */

#include <jansson.h>

#include "control/workers.h"

#define RELOAD_TEXT_BYTES 1200

/* The outcome of the last reload. */
struct reload {
	uint64_t wall_ns; /* 0: there was no reload */
	bool good;
	unsigned good_n, bad_n;
	char text[RELOAD_TEXT_BYTES]; /* what has changed; or the first mistake, and its place */
	json_t *mistakes;	      /* owned: all mistakes, as texts; NULL: there are none */
	size_t mistakes_more;	      /* mistakes beyond those in the list */
	/*
	 * After a crash the configuration in force may be older than the file: this says what is
	 * wrong with the file, or that it was not read yet. "": the file is in force.
	 */
	char file_text[RELOAD_TEXT_BYTES];
};

/* Whether the configuration in the file is in force, as of the last check. */
bool reload_is_in_force(const struct reload *r);

/* Call it at the end of a turn of the control thread. The outcome is in `r` and in the log. */
void reload_now(struct reload *r, struct workers *w);

/* After a crash, with the configuration that was in force: compares it with the file on disk. */
void reload_compare(struct reload *r, const struct workers *w);

#endif
