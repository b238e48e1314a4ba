#ifndef TESTS_UNIT_ENDS_PARTY_H
#define TESTS_UNIT_ENDS_PARTY_H

/* A party to a stream that writes down what it hears, and says what a test wants. */

#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/stream.h"

/* What has happened, in its order: words with a space between them. */
struct words {
	char text[16384];
};

__attribute__((format(printf, 2, 3))) static inline void words_add(struct words *w,
								   const char *format, ...)
{
	size_t n = strlen(w->text);
	if (n)
		w->text[n++] = ' ';
	va_list arguments;
	va_start(arguments, format);
	int more = vsnprintf(w->text + n, sizeof w->text - n, format, arguments);
	va_end(arguments);
	assert_true(more > 0 && n + (size_t)more < sizeof w->text);
}

/* Takes the last word away when it is this one: how bytes are cut into pieces is no promise. */
static inline void words_drop_last(struct words *w, const char *word)
{
	size_t n = strlen(w->text), k = strlen(word);
	if (n < k || strcmp(w->text + n - k, word) != 0)
		return;
	w->text[n - k] = 0;
	if (n > k)
		w->text[n - k - 1] = 0;
}

/* Forgets what was heard afterwards. */
#define assert_words(w, expected)                                                                  \
	do {                                                                                       \
		assert_string_equal((w)->text, expected);                                          \
		(w)->text[0] = 0;                                                                  \
	} while (0)

struct party {
	struct stream stream;
	struct words *words; /* borrowed; others may add theirs */
	struct bufs *bufs;   /* borrowed */
	char *head;	     /* owned; the last one heard, as it goes over a wire */
	uint64_t length;     /* of the body, as it said */
	char *body;	     /* owned; terminated */
	size_t body_n;
	uint64_t granted; /* to it, in all */
};

static inline struct party *party_of(struct stream *s)
{
	return list_entry(s, struct party, stream);
}

/* "head(200)", "data", "trailers(1).", "grant", "reset(WORD)", "stop(WORD)"; "." closes the
 * direction. */
static inline void party_head(struct stream *to, struct msg *m, bool end)
{
	struct party *p = party_of(to);
	struct chain text = { 0 };
	h1_write_head(m, (struct h1_write){ 0 }, &text, p->bufs);
	p->head = realloc(p->head, text.bytes + 1);
	chain_peek(&text, p->head, text.bytes);
	p->head[text.bytes] = 0;
	chain_drop(&text);
	p->length = m->length;
	words_add(p->words, "head(%u)%s", m->status, end ? "." : "");
}

static inline void party_data(struct stream *to, struct chain *c, bool end)
{
	struct party *p = party_of(to);
	p->body = realloc(p->body, p->body_n + c->bytes + 1);
	chain_peek(c, p->body + p->body_n, c->bytes);
	p->body_n += c->bytes;
	p->body[p->body_n] = 0;
	chain_drop(c);
	words_drop_last(p->words, "data");
	words_add(p->words, end ? "data." : "data");
}

static inline void party_trailers(struct stream *to, struct msg *m)
{
	words_add(party_of(to)->words, "trailers(%u).", m->field_n);
}

static inline void party_grant(struct stream *to, size_t bytes)
{
	struct party *p = party_of(to);
	p->granted += bytes;
	words_drop_last(p->words, "grant");
	words_add(p->words, "grant");
}

static inline void party_abort(struct stream *to, enum stream_way way, enum err why)
{
	words_add(party_of(to)->words, "%s(%s)", way == STREAM_RESET ? "reset" : "stop",
		  err_word(why));
}

static inline void party_init(struct party *p, struct words *words, struct bufs *bufs)
{
	static const struct stream_verbs verbs = {
		.head = party_head,
		.data = party_data,
		.trailers = party_trailers,
		.grant = party_grant,
		.abort = party_abort,
	};
	*p = (struct party){ .words = words, .bufs = bufs, .body = calloc(1, 1) };
	stream_init(&p->stream, &verbs, "party");
}

static inline void party_free(struct party *p)
{
	free(p->head);
	free(p->body);
	p->head = p->body = NULL;
}

/* --- what it says --- */

static inline void party_say_bytes(struct party *p, const void *bytes, size_t n, bool end)
{
	struct chain c = { 0 };
	chain_copy_in(&c, p->bufs, bytes, n);
	stream_data(p->stream.peer, &c, end);
}

static inline void party_say(struct party *p, const char *text, bool end)
{
	party_say_bytes(p, text, strlen(text), end);
}

/* Says all that it may, at most `n`. */
static inline void party_say_much(struct party *p, size_t n)
{
	static const char zeros[STREAM_CREDIT_BYTES];
	while (n && stream_sends(&p->stream) && p->stream.peer->credit) {
		size_t part = p->stream.peer->credit < n ? p->stream.peer->credit : n;
		party_say_bytes(p, zeros, part, false);
		n -= part;
	}
}

static inline void party_grants(struct party *p, size_t bytes)
{
	stream_grant(p->stream.peer, bytes);
}

/* It takes and gives nothing more: what a client does that has gone away. */
static inline void party_leave(struct party *p, enum err why)
{
	if (stream_receives(&p->stream))
		stream_abort(p->stream.peer, STREAM_STOP, why);
	if (stream_sends(&p->stream))
		stream_abort(p->stream.peer, STREAM_RESET, why);
}

/* --- messages --- */

/* The head of a request, as a client would have sent it, without the empty line behind it. */
static inline struct msg *request_of(struct arena *a, const char *text)
{
	struct msg *m = arena_take(a, sizeof *m);
	struct h1_parser parser;
	char *whole = arena_take(a, strlen(text) + 3);
	size_t used;
	int n = sprintf(whole, "%s\r\n", text);
	msg_open(m, a, MSG_REQUEST);
	h1_parse_request(&parser, m);
	assert_int_equal(h1_parse(&parser, (struct span){ whole, (size_t)n }, &used), H1_DONE);
	return m;
}

static inline struct msg *trailers_of(struct arena *a, const char *name, const char *value)
{
	struct msg *m = arena_take(a, sizeof *m);
	msg_open(m, a, MSG_TRAILERS);
	assert_true(msg_add_named(m, span_of(name), span_of(value)));
	return m;
}

/* Of the last head heard. An empty value: it has no such field. */
static inline void assert_field(const struct party *p, const char *name, const char *expected)
{
	char begin[64], value[256] = "";
	snprintf(begin, sizeof begin, "\r\n%s: ", name);
	const char *at = strcasestr(p->head, begin);
	if (at)
		sscanf(at + strlen(begin), "%255[^\r]", value);
	assert_string_equal(value, expected);
}

#endif
