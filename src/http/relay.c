#include "http/relay.h"

#include "base/least.h"

void relay_head(const struct stream *front, struct stream *back, struct msg *head,
		const struct chain *pending, const struct msg *trailers)
{
	stream_head(back->peer, head, relay_is_whole(front) && !pending->bytes && !trailers);
}

void relay_body(const struct stream *front, struct stream *back, struct chain *pending,
		struct msg *trailers)
{
	struct stream *to = back->peer;
	struct chain part = { 0 };
	if (!stream_sends(back) || to->in != STREAM_BODY)
		return;
	chain_move_some(&part, pending, least(pending->bytes, to->credit));
	bool over = relay_is_whole(front) && !pending->bytes;
	if (part.bytes || (over && !trailers))
		stream_data(to, &part, over && !trailers);
	if (over && trailers)
		stream_trailers(to, trailers);
}

size_t relay_room(const struct stream *front, const struct stream *back,
		  const struct chain *pending)
{
	if (relay_is_whole(front) || !stream_sends(back))
		return 0;
	size_t takes = back->peer->credit;
	size_t taken = pending->bytes + front->credit;
	return takes > taken ? takes - taken : 0;
}

void relay_grant(struct stream *front, const struct stream *back, const struct chain *pending)
{
	size_t room = relay_room(front, back, pending);
	if (room)
		stream_grant(front->peer, room);
}
