#ifndef HTTP_RELAY_H
#define HTTP_RELAY_H

/*
 * For a party between a sender and a receiver that may have to hold back a body. `front` is its end
 * toward the sender, `back` its end toward the receiver, `pending` the bytes that have come and
 * were not passed on.
 */

#include "http/stream.h"

/* True when nothing more comes in at `front`. */
static inline bool relay_is_whole(const struct stream *front)
{
	return !stream_receives(front);
}

/* Passes the head on. It ends the message if no body and no trailers follow. */
void relay_head(const struct stream *front, struct stream *back, struct msg *head,
		const struct chain *pending, const struct msg *trailers);

/*
 * Passes pending bytes on, as far as the receiver's credit goes; then the end, if it has come:
 * `trailers` (NULL: none) or the end alone. Call it only after the head. Does nothing when the
 * receiver takes nothing more.
 */
void relay_body(const struct stream *front, struct stream *back, struct chain *pending,
		struct msg *trailers);

/*
 * The bytes that may still be granted to the sender: the receiver's credit, less the pending bytes
 * and less what the sender may send already.
 */
size_t relay_room(const struct stream *front, const struct stream *back,
		  const struct chain *pending);
/* Grants those bytes to the sender. */
void relay_grant(struct stream *front, const struct stream *back, const struct chain *pending);

#endif
