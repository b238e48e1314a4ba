#ifndef APP_UPGRADE_H
#define APP_UPGRADE_H

/*
 * The way from one version of the program to the next in the keeper's process. A child executes the
 * new program to check whether it can take over. If it can, the keeper executes that program.
 */

#include "app/handover.h"

struct upgrade {
	pid_t checker;	 /* the child that checks; 0: there is none */
	int binary;	 /* of the new program, while a check is under way */
	uint64_t due_ms; /* when the check must have ended */
};

/*
 * Writes the absolute path by which this program was executed; an upgrade finds the new program
 * there. Symbolic links are not resolved: to change one is a way to install.
 */
void upgrade_find_program(char path[1024]);

/* Starts the check. False: the reason is logged. */
bool upgrade_begin(struct upgrade *u, const struct handover *h, const char *config);
/* Kills the checker if it is late. SIGCHLD follows. */
void upgrade_give_up_waiting(struct upgrade *u, uint64_t now_ms);
/* The check has failed or was killed: closes the new program. */
void upgrade_end(struct upgrade *u);
/* The check has succeeded: executes the new program. Returns only if that fails. */
void upgrade_become(struct upgrade *u, const struct handover *h, const char *config);

#endif
