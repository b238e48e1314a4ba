#ifndef REPLAY_RECORDED_HEAD_H
#define REPLAY_RECORDED_HEAD_H

/*
 * The head of a recorded request as a message that can be sent once more: all that the client has
 * sent, without Expect, and without fields whose value the log has only as a hash
 * (capture/redact.h).
 */

#include "http/msg.h"

/* `m` is open and empty. False: the text is no head of a request. */
bool recorded_head_read(struct msg *m, struct span text);
/* The query has a hash in place of a secret: nobody knows what was sent. */
bool recorded_hides(const struct msg *m);

#endif
