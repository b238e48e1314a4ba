#ifndef CONTROL_VALUES_H
#define CONTROL_VALUES_H

/*
 * Converts the values in force between the board and the state file, and chooses those of a start.
 */

#include "control/state.h"

struct state_values values_of_board(const struct board_values *b, uint64_t wall_ns);
/* The values to publish. All that `v` does not have is taken from `now`, the present values. */
struct board_values values_for_board(const struct board_values *now, const struct state_values *v);

/*
 * Those of the board, the state file or the audit, whichever epoch is greatest, or `initial` where
 * none has one. A hold of writes is ended: the process that wanted it has gone.
 */
struct state_values values_at_start(const struct board_values *b, const struct state_values *kept,
				    const struct state_values *audited,
				    const uint32_t initial[ARMS]);

#endif
