#ifndef CONTROL_SERVING_H
#define CONTROL_SERVING_H

/*
 * Whether a cluster's requests have a node: what an operator is about to do may leave them to
 * nobody, and so may nodes that fail or a reload.
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

/* Clusters with weight of which no node serves, as last told. */
struct serving_watch {
	bool lost[ARMS];
};

/* Writes a line to the log when there is one, and when it serves again. */
void serving_look(struct serving_watch *w, const struct nodes *s, const struct board_values *now);

#endif
