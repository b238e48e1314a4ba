#ifndef PROXY_NODE_TROUBLE_H
#define PROXY_NODE_TROUBLE_H

/*
 * What a failed attempt means for its node: whether it counts towards ejection, and what is logged.
 */

#include "proxy/exchanges.h"
#include "proxy/request.h"

/*
 * The attempt on stream `end`, with that node, failed. `responded`: its response had begun, so the
 * failure does not count against the node.
 */
void node_trouble(struct exchanges *d, const struct request *r, struct live_node *node,
		  struct stream *end, enum err why, bool responded);

#endif
