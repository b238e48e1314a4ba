#ifndef APP_UPGRADE_H
#define APP_UPGRADE_H

/*
 * The way from one version of the program to the next within the keeper's process: a child of the
 * new program is asked whether it could go on, and if so, the keeper becomes that program.
 */

#include "app/handover.h"

struct upgrade {
	pid_t checker;	 /* the child that is asked; 0: there is none */
	int binary;	 /* of the new program, while there is a checker */
	uint64_t due_ms; /* when it must have answered */
};

/*
 * The path that this program was executed by, where a later one will be looked for; absolute.
 * Symbolic links stay: to change one is to install.
 */
void upgrade_find_program(char path[1024]);

/* Asks. False: it is logged why not. */
bool upgrade_begin(struct upgrade *u, const struct handover *h, const char *config);
/* Kills the checker when it is late; its end follows. */
void upgrade_lose_patience(struct upgrade *u, uint64_t now_ms);
/* It answers no, or does not in time. */
void upgrade_end(struct upgrade *u);
/* It has answered yes: becomes the new program, and returns only when that is impossible. */
void upgrade_become(struct upgrade *u, const struct handover *h, const char *config);

#endif
