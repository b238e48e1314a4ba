#ifndef CONTROL_SERVING_H
#define CONTROL_SERVING_H

/*
 * Whether a cluster that gets requests has a node that serves. A change by an operator can leave it
 * without one, and so can failing nodes and a reload.
 */

#include "control/nodes.h"
#include "proxy/board.h"

#define SERVING_TEXT_BYTES 512

/* True when `weights` give more traffic to a cluster without a node that serves; `why` names it. */
bool serving_forbids_weights(const struct nodes *s, const struct board_values *now,
			     const uint32_t weights[ARMS], char why[SERVING_TEXT_BYTES]);
/* True when `node` is the last node that serves in a cluster with weight; `why` says so. */
bool serving_forbids_drain(const struct nodes *s, const struct board_values *now,
			   const struct node_record *node, char why[SERVING_TEXT_BYTES]);

/* Clusters with weight that have no node that serves, as last logged. */
struct serving_watch {
	bool lost[ARMS];
};

/* Logs when a cluster is in this state, and when it serves again. */
void serving_look(struct serving_watch *w, const struct nodes *s, const struct board_values *now);

#endif
