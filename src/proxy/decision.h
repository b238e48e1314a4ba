#ifndef PROXY_DECISION_H
#define PROXY_DECISION_H

/* Which cluster a request goes to, and which node, now or later. */

#include <stdbool.h>

struct exchange;

/* Whom the request comes from: the peer, or who it says, where it is trusted. */
void decision_find_client(struct exchange *ex);
/* False: the client wants what nobody can understand. */
bool decision_arm(struct exchange *ex);
/* What changes in the head on its way; false: it has no room for that. */
bool decision_prepare(struct exchange *ex);
/* Chooses a node, now or later. The arm was chosen when the request came, and stays. */
void decision_node(struct exchange *ex);
/* It waits for no decision any more. */
void decision_withdraw(struct exchange *ex);

#endif
