#ifndef PROXY_ATTEMPT_H
#define PROXY_ATTEMPT_H

/* An exchange and a node: an attempt begins, passes what there is both ways, fails, is made again.
 */

#include "http/stream.h"

struct exchange;
struct live_node;

/* What the exchange's end toward the node hears. */
extern const struct stream_verbs attempt_verbs;

void attempt_begin(struct exchange *ex, struct live_node *node);
/* Whether there is a node's stream to pass anything to. */
bool attempt_is_on(const struct exchange *ex);
/* What waits of the body goes to the node, as far as that may and takes it; then the end. */
void attempt_pass_body(struct exchange *ex);
/* The client may send what the node takes, where there is room for it in the log. */
void attempt_grant_client(struct exchange *ex);
/* The node has no more to say, and nothing more to hear. */
void attempt_leave_if_over(struct exchange *ex);
/* Gives the cluster's side up, both ways. */
void attempt_abandon(struct exchange *ex, enum err why);
/* The node's side broke: another attempt, or an answer made here, or a reset. */
void attempt_failed(struct exchange *ex, enum err why);
/*
 * A write of which a node may have got a byte, and the rest is here: what becomes of it is to be
 * known, and an answer that has begun says that. When all is broken off nobody waits.
 */
bool attempt_is_to_be_seen_through(const struct exchange *ex, enum err why);
/* Its answer is read, as far as this credit goes, and dropped: nobody waits for more of it. */
void attempt_see_through(struct exchange *ex);

#endif
