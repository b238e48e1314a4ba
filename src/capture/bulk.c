#include "capture/bulk.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bug.h"
#include "capture/head_text.h"

#define INFLATED_BYTES 16384
/* Longer than any name that is looked for. */
#define WORD_BYTES 16
/* { "items": [ { "index": { "status": 201 } } ] }: how many brackets each name stands in. */
#define DEPTH_ACTION 4
#define DEPTH_ITEM 3
#define DEPTH_RESPONSE 1

struct bulk {
	z_stream *packed; /* owned; NULL: the body is clear */
	bool broken;	  /* the body is no JSON, or cannot be decompressed */
	uint32_t depth;
	bool in_string, escaped, wants_value;
	/* the string, number or literal that is read, as far as there is room */
	char word[WORD_BYTES];
	size_t word_n;
	char names[DEPTH_ACTION + 1][WORD_BYTES]; /* the last name at each depth */
	uint64_t objects;			  /* whole responses: a stream has several */
	bool errors;
	/* The item that is read. */
	bool has_error;
	unsigned status;
	uint64_t accepted, refused, without_status;
};

/* --- bulk requests --- */

bool bulk_is(struct span target)
{
	static const char word[] = "/_bulk";
	const char *query = target.n ? memchr(target.at, '?', target.n) : NULL;
	size_t n = query ? (size_t)(query - target.at) : target.n;
	const char *at = n ? memmem(target.at, n, word, sizeof word - 1) : NULL;
	struct span rest = at ? (struct span){ at + sizeof word - 1, n } : (struct span){ NULL, 0 };
	if (!at)
		return false;
	rest.n = (size_t)(target.at + n - rest.at);
	return !rest.n || span_is(rest, SPAN("/")) || span_is(rest, SPAN("/stream"));
}

/* --- the response's JSON --- */

static bool is_name(const struct bulk *b, uint32_t depth, const char *name)
{
	return !strcmp(b->names[depth], name);
}

static bool is_in_items(const struct bulk *b)
{
	return is_name(b, DEPTH_RESPONSE, "items");
}

/* A delete that does not find its item has status 404. That is no error. */
static void end_item(struct bulk *b)
{
	bool gone = b->status == 404 && is_name(b, DEPTH_ITEM, "delete");
	if (b->has_error || (b->status >= 400 && !gone))
		b->refused++;
	else
		b->accepted++;
	b->without_status += b->status == 0;
}

static void bulk_take_word(struct bulk *b)
{
	b->word[b->word_n] = 0;
	if (b->depth == DEPTH_RESPONSE && is_name(b, DEPTH_RESPONSE, "errors"))
		b->errors |= !strcmp(b->word, "true");
	if (b->depth == DEPTH_ACTION && is_in_items(b) && is_name(b, DEPTH_ACTION, "status"))
		b->status = (unsigned)strtoul(b->word, NULL, 10);
	b->word_n = 0;
}

/* A refused item has an `error`: an object, or a text from old clusters. */
static void bulk_take_name(struct bulk *b)
{
	b->word[b->word_n] = 0;
	b->word_n = 0;
	if (b->depth > DEPTH_ACTION)
		return;
	memcpy(b->names[b->depth], b->word, sizeof b->word);
	if (b->depth == DEPTH_ACTION && is_in_items(b))
		b->has_error |= !strcmp(b->word, "error");
}

static void open_bracket(struct bulk *b)
{
	b->depth++;
	b->wants_value = false;
	if (b->depth > DEPTH_ACTION)
		return;
	b->names[b->depth][0] = 0;
	if (b->depth == DEPTH_ACTION) {
		b->has_error = false;
		b->status = 0;
	}
}

static void close_bracket(struct bulk *b, char c)
{
	b->broken |= b->depth == 0;
	if (b->depth == DEPTH_ACTION && c == '}' && is_in_items(b))
		end_item(b);
	b->depth -= b->depth > 0;
	b->objects += b->depth == 0;
	b->wants_value = false;
}

static void word_keep(struct bulk *b, char c)
{
	if (b->word_n < WORD_BYTES - 1)
		b->word[b->word_n++] = c;
}

static void take_in_string(struct bulk *b, char c)
{
	if (b->escaped || c == '\\') {
		b->escaped = !b->escaped;
		word_keep(b, '\\'); /* no name that is looked for contains a backslash */
	} else if (c == '"') {
		b->in_string = false;
	} else {
		word_keep(b, c);
	}
}

static void take_byte(struct bulk *b, char c)
{
	switch (c) {
	case '"':
		b->in_string = true;
		b->word_n = 0;
		return;
	case ':':
		bulk_take_name(b);
		b->wants_value = true;
		return;
	case '{':
	case '[':
		open_bracket(b);
		return;
	case '}':
	case ']':
	case ',':
		if (b->wants_value)
			bulk_take_word(b);
		b->word_n = 0;
		b->wants_value = false;
		if (c != ',')
			close_bracket(b, c);
		return;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return;
	default:
		word_keep(b, c);
		b->broken |= b->depth == 0;
	}
}

static void take_clear(struct bulk *b, const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b->in_string)
			take_in_string(b, at[i]);
		else
			take_byte(b, at[i]);
}

/* --- open, take and close --- */

static void take_packed(struct bulk *b, struct span s)
{
	char clear[INFLATED_BYTES];
	b->packed->next_in = (unsigned char *)(uintptr_t)s.at;
	b->packed->avail_in = (unsigned)s.n;
	do {
		b->packed->next_out = (unsigned char *)clear;
		b->packed->avail_out = sizeof clear;
		int said = inflate(b->packed, Z_NO_FLUSH);
		b->broken |= said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR;
		take_clear(b, clear, sizeof clear - b->packed->avail_out);
	} while (!b->broken && b->packed->avail_out == 0);
}

void bulk_take(struct bulk *b, struct span s)
{
	if (b->broken || !s.n)
		return;
	if (b->packed)
		take_packed(b, s);
	else
		take_clear(b, s.at, s.n);
}

struct bulk *bulk_open(struct span head)
{
	struct span coding = head_value(head, SPAN("content-encoding"));
	bool packed = span_is_nocase(coding, SPAN("gzip"));
	if (coding.n && !packed && !span_is_nocase(coding, SPAN("identity")))
		return NULL;
	struct bulk *b = calloc(1, sizeof *b);
	must(b);
	if (!packed)
		return b;
	b->packed = calloc(1, sizeof *b->packed);
	/* 15: a window of any size; 16: with gzip's header. */
	must(b->packed && inflateInit2(b->packed, 15 + 16) == Z_OK);
	return b;
}

void bulk_close(struct bulk *b)
{
	if (b && b->packed)
		inflateEnd(b->packed);
	if (b)
		free(b->packed);
	free(b);
}

bool bulk_has_refused(const struct bulk *b, struct bulk_counts *counts)
{
	*counts = (struct bulk_counts){ .accepted = b->accepted,
					.refused = b->refused,
					.counted = b->without_status == 0 && b->refused > 0 };
	return !b->broken && b->objects && b->depth == 0 && b->errors;
}
