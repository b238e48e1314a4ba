#ifndef APP_REPLAY_COMMAND_H
#define APP_REPLAY_COMMAND_H

/* What the files of `crossfade replay` share. */

#include "app/client.h"

/* `crossfade replay backfill`. */
int replay_backfill(const struct command *c, int argc, char **argv);
/* Whether a response says that the order is carried out; else says it. */
bool replay_order_is_done(const json_t *response);

#endif
