#ifndef CONTROL_SERVING_H
#define CONTROL_SERVING_H

/* What an operator is about to do would leave a cluster's requests to nobody: why, for a refusal.
 */

#include "control/nodes.h"
#include "proxy/board.h"

#define SERVING_TEXT_BYTES 512

/* Weights that give a cluster more than now, which has no node that serves. True: `why` says it. */
bool serving_forbids_weights(const struct nodes *s, const struct board_values *now,
			     const uint32_t weights[ARMS], char why[SERVING_TEXT_BYTES]);
/* The drain of the last node that serves a cluster with weight. */
bool serving_forbids_drain(const struct nodes *s, const struct board_values *now,
			   const struct node_record *node, char why[SERVING_TEXT_BYTES]);

#endif
