#ifndef APP_HANDOVER_H
#define APP_HANDOVER_H

/*
 * What one execution of the keeper gives to the next in the same process: open descriptors, and in
 * memory of its own the list that says what each of them is. The two may be of different versions;
 * which lists fit is HANDOVER_VERSION's to say, and a new program is asked before it is executed.
 */

#include "app/process.h"

/* Of the list, of the layouts of what is shared, and of the channel's. */
#define HANDOVER_VERSION 3
#define HANDOVER_ERROR_BYTES 256

/* The hidden command by which a new program says whether it could go on: HANDOVER_COMMAND CONFIG FD
 */
#define HANDOVER_COMMAND "handover"
int handover_main(int argc, char **argv);

struct handover {
	struct holdings holdings;
	struct processes processes;
	uint64_t rotate_ms;   /* when the ticket keys are due */
	int log_from, log_to; /* of logger.h; -1: the log is written to standard error itself */
	char program[1024];   /* where a new version is looked for */
};

/* The list, in memory with a descriptor of its own; -1 with errno. */
int handover_write(const struct handover *h);
/*
 * Reads it again, in a program that was executed since, and looks at every descriptor that it
 * names. False: `error` says in words what does not fit; nothing is closed then.
 */
bool handover_read(int fd, struct handover *h, char error[HANDOVER_ERROR_BYTES]);
/* Whether all that it names, and the list `fd` itself, stay open over exec. */
void handover_keep(const struct handover *h, int fd, bool keep);

#endif
