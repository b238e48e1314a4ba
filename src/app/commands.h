#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

/*
 * The tables of commands. The help, the manual pages and the shell completion are made from them.
 */

#include "app/command.h"

/* The commands of `crossfade`, in the order of the help. */
const struct command *commands_list(size_t *n);
/* The commands of `crossfade capture`: "capture ls", ... */
const struct command *commands_of_capture(size_t *n);
/* The commands of `crossfade replay`: "replay status", ... */
const struct command *commands_of_replay(size_t *n);

#endif
