#include "ends/reply.h"

#include <stdio.h>

#include "base/bug.h"

void reply_start(struct reply *r, struct stream *to, struct msg *m, struct chain *body,
		 bool head_only)
{
	must(to->in == STREAM_HEAD);
	*r = (struct reply){ .to = to };
	msg_set_length(m, body->bytes);
	if (head_only)
		chain_drop(body);
	chain_move(&r->body, body);
	r->bytes = m->text_n + 2 + r->body.bytes;
	stream_head(to, m, !r->body.bytes);
	reply_go_on(r);
}

void reply_go_on(struct reply *r)
{
	if (!r->body.bytes || r->to->in != STREAM_BODY || !r->to->credit)
		return;
	struct chain part = { 0 };
	size_t n = r->body.bytes < r->to->credit ? r->body.bytes : r->to->credit;
	chain_move_some(&part, &r->body, n);
	stream_data(r->to, &part, !r->body.bytes);
}

void reply_stop(struct reply *r)
{
	chain_drop(&r->body);
}

void reply_text(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		unsigned status, struct span type, struct span body, bool head_only)
{
	struct msg *m = arena_take(arena, sizeof *m);
	msg_open(m, arena, MSG_RESPONSE);
	msg_set_status(m, status, status_reason(status));
	msg_add(m, NAME_CONTENT_TYPE, type);
	struct chain bytes = { 0 };
	chain_copy_in(&bytes, bufs, body.at, body.n);
	reply_start(r, to, m, &bytes, head_only);
}

void reply_options(struct reply *r, struct stream *to, struct arena *arena)
{
	struct msg *m = arena_take(arena, sizeof *m);
	struct chain nothing = { 0 };
	msg_open(m, arena, MSG_RESPONSE);
	msg_set_status(m, 200, status_reason(200));
	msg_add_named(m, SPAN("Allow"), SPAN(REPLY_ALLOW));
	reply_start(r, to, m, &nothing, false);
}

unsigned reply_status(enum err why)
{
	int status = err_status(why);
	if (status)
		return (unsigned)status;
	return err_side(why) == SIDE_OURS ? 503 : 500;
}

static void send_error(struct reply *r, struct stream *to, struct arena *arena, struct chain *body,
		       struct span word, unsigned status, bool head_only)
{
	struct msg *m = arena_take(arena, sizeof *m);
	msg_open(m, arena, MSG_RESPONSE);
	msg_set_status(m, status, status_reason(status));
	msg_add(m, NAME_CONTENT_TYPE, SPAN("application/json"));
	msg_add(m, NAME_X_CROSSFADE_ERROR, word);
	if (status == 503)
		msg_add(m, NAME_RETRY_AFTER, SPAN("1"));
	reply_start(r, to, m, body, head_only);
}

void reply_error(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		 enum err why, const char *more, bool head_only)
{
	unsigned status = reply_status(why);
	char text[640];
	int n = snprintf(text, sizeof text,
			 "{\"error\":\"%s\",\"status\":%u,\"message\":\"%s%s%s\"}\n", err_word(why),
			 status, err_sentence(why), *more ? " " : "", more);
	struct chain bytes = { 0 };
	chain_copy_in(&bytes, bufs, text, (size_t)n);
	send_error(r, to, arena, &bytes, span_of(err_word(why)), status, head_only);
}

/*
 * The status is not 503: that adds Retry-After, and a client that repeats the write would apply it
 * twice.
 */
void reply_unknown(struct reply *r, struct stream *to, struct arena *arena, struct bufs *bufs,
		   enum err why, unsigned status, bool head_only)
{
	must(status != 503);
	char text[512], word[128];
	int n = snprintf(text, sizeof text,
			 "{\"error\":\"%s\",\"status\":%u,\"outcome\":\"unknown\",\"message\":\"%s "
			 "The request was sent and may have been applied: check before you send it "
			 "again.\"}\n",
			 err_word(why), status, err_sentence(why));
	int word_n = snprintf(word, sizeof word, "%s; outcome=unknown", err_word(why));
	struct chain bytes = { 0 };
	chain_copy_in(&bytes, bufs, text, (size_t)n);
	send_error(r, to, arena, &bytes, (struct span){ word, (size_t)word_n }, status, head_only);
}
