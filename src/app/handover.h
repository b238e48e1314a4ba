#ifndef APP_HANDOVER_H
#define APP_HANDOVER_H

/*
 * What one execution of the keeper gives to the next one in the same process: open descriptors, and
 * a list in a memfd that says what each of them is. The two programs may be of different versions.
 * Therefore the new program is asked, before it is executed, whether it can use the list. Versions
 * of the list and of the channel's messages work as those of a board (proxy/board.h):
 * - A list of another major version is refused. Then the balancer must be stopped and started.
 * - A list of a newer minor version is used. Records of an unknown kind are skipped, and their
 *   descriptors are closed: this version would not accept from such a socket, or keep such memory
 *   up to date. A newer program makes them again when it is installed again.
 * - Data that must survive a change to an older program needs a new major version.
 */

#include "app/process.h"

#define HANDOVER_MAJOR 5
#define HANDOVER_MINOR 0
#define HANDOVER_ERROR_BYTES 256

/*
 * The hidden command with which a new program says whether it can take over: HANDOVER_COMMAND
 * CONFIG FD
 */
#define HANDOVER_COMMAND "handover"
int handover_main(int argc, char **argv);

struct handover {
	struct inherited inherited;
	struct processes processes;
	uint64_t rotate_ms;   /* when the ticket keys must be rotated */
	int log_from, log_to; /* of logger.h; -1: processes write to standard error directly */
	char program[1024];   /* the path where an upgrade finds the new program */
};

/* Writes the list to a memfd. Returns its descriptor; -1 with errno. */
int handover_write(const struct handover *h);
/*
 * Reads the list in the program that was executed since, and checks every descriptor that it names.
 * Closes the descriptors of records that it does not know. False: `error` says what does not fit;
 * then nothing has been closed.
 */
bool handover_read(int fd, struct handover *h, char error[HANDOVER_ERROR_BYTES]);
/* Sets whether all descriptors that `h` names, and the list `fd` itself, stay open over exec. */
void handover_keep(const struct handover *h, int fd, bool keep);

#endif
