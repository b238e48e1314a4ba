#include "replay/document.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* --- bytes that do not matter --- */

static bool document_matters(unsigned char c, bool in_string)
{
	if (c < 0x20 || c == '"')
		return true;
	return in_string ? c == '\\' : c == '/' || (c | 0x20) == '{' || (c | 0x20) == '}';
}

#ifdef __SSE2__

static __m128i document_is(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* A bit for each of sixteen bytes that matters. "[" and "]" with 0x20 are "{" and "}". */
static unsigned document_mask(__m128i v, bool in_string)
{
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i common = _mm_or_si128(low, document_is(v, '"'));
	if (in_string)
		return (unsigned)_mm_movemask_epi8(_mm_or_si128(common, document_is(v, '\\')));
	__m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
	__m128i bracket = _mm_or_si128(document_is(folded, '{'), document_is(folded, '}'));
	common = _mm_or_si128(common, document_is(v, '/'));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(common, bracket));
}

#endif

/* How many bytes there are before one that matters. */
static size_t document_pass(const char *at, size_t n, bool in_string)
{
	size_t i = 0;
#ifdef __SSE2__
	for (; n - i >= 16; i += 16) {
		unsigned mask = document_mask(_mm_loadu_si128((const void *)(at + i)), in_string);
		if (mask)
			return i + (unsigned)__builtin_ctz(mask);
	}
#endif
	while (i < n && !document_matters((unsigned char)at[i], in_string))
		i++;
	return i;
}

/* --- brackets --- */

static bool document_open_bracket(struct document *d, char c)
{
	if (d->depth == JSON_DEPTH_MAX)
		return false;
	uint64_t bit = 1ull << d->depth % 64, *word = &d->objects[d->depth / 64];
	*word = c == '{' ? *word | bit : *word & ~bit;
	d->depth++;
	return true;
}

static bool document_close_bracket(struct document *d, char c)
{
	d->depth--;
	if (d->depth == 0)
		d->place = DOCUMENT_BEHIND;
	return (d->objects[d->depth / 64] >> d->depth % 64 & 1) == (c == '}');
}

/* --- copying --- */

/* Whoever copies has the bytes from `from` on still to copy. */
struct document_run {
	const char *from, *at, *end;
};

static void document_copy(struct document *d, const struct document_run *r)
{
	size_t n = (size_t)(r->at - r->from);
	if (d->text.n + n > DOCUMENT_BYTES_MAX) {
		d->too_long = true;
		bytes_free(&d->text);
	}
	if (!d->too_long)
		bytes_add(&d->text, (struct span){ r->from, n });
}

/* The next byte, which was copied up to, is not part of the document. */
static void document_leave_out(struct document *d, struct document_run *r)
{
	document_copy(d, r);
	r->from = ++r->at;
}

/* Behind a '/' outside of strings. */
static bool document_in_comment(struct document *d, struct document_run *r)
{
	char c = *r->at;
	r->from = ++r->at;
	switch ((enum document_comment)d->comment) {
	case DOCUMENT_SLASH:
		d->comment = c == '*' ? DOCUMENT_BLOCK : DOCUMENT_LINE;
		return c == '*' || c == '/';
	case DOCUMENT_LINE:
		if (c == '\n' || c == '\r')
			d->comment = DOCUMENT_NO_COMMENT;
		return true;
	case DOCUMENT_BLOCK:
	case DOCUMENT_STAR:
		if (d->comment == DOCUMENT_STAR && c == '/')
			d->comment = DOCUMENT_NO_COMMENT;
		else
			d->comment = c == '*' ? DOCUMENT_STAR : DOCUMENT_BLOCK;
		return true;
	case DOCUMENT_NO_COMMENT:
		break;
	}
	return false;
}

static bool document_inside(struct document *d, struct document_run *r)
{
	r->at += document_pass(r->at, (size_t)(r->end - r->at), false);
	if (r->at == r->end)
		return true;
	char c = *r->at;
	if (c == '/' || c == '\n' || c == '\r') {
		d->comment = c == '/' ? DOCUMENT_SLASH : DOCUMENT_NO_COMMENT;
		document_leave_out(d, r);
		return true;
	}
	r->at++;
	if (c == '"')
		d->place = DOCUMENT_STRING;
	if (c == '{' || c == '[')
		return document_open_bracket(d, c);
	return (c != '}' && c != ']') || document_close_bracket(d, c);
}

static bool document_string(struct document *d, struct document_run *r)
{
	r->at += document_pass(r->at, (size_t)(r->end - r->at), true);
	if (r->at == r->end)
		return true;
	char c = *r->at++;
	if (c == '"')
		d->place = DOCUMENT_INSIDE;
	if (c == '\\')
		d->place = DOCUMENT_ESCAPE;
	return c != '\n' && c != '\r';
}

static bool document_escape(struct document *d, struct document_run *r)
{
	char c = *r->at++;
	d->place = DOCUMENT_STRING;
	return c != '\n' && c != '\r';
}

/* Blanks and comments; a document may begin with the mark of UTF-8's order of bytes. */
static bool document_before(struct document *d, struct document_run *r)
{
	char c = *r->at;
	if (d->place == DOCUMENT_BEFORE && c == '{') {
		d->place = DOCUMENT_INSIDE;
		r->from = r->at++;
		return document_open_bracket(d, c);
	}
	r->from = ++r->at;
	if (d->place == DOCUMENT_COLON && c == ':')
		d->place = DOCUMENT_BEFORE;
	else if (c == '/')
		d->comment = DOCUMENT_SLASH;
	else
		return c && strchr(" \t\r\n\xef\xbb\xbf", c);
	return true;
}

static bool document_step(struct document *d, struct document_run *r)
{
	if (d->comment != DOCUMENT_NO_COMMENT)
		return document_in_comment(d, r);
	switch ((enum document_place)d->place) {
	case DOCUMENT_INSIDE:
		return document_inside(d, r);
	case DOCUMENT_STRING:
		return document_string(d, r);
	case DOCUMENT_ESCAPE:
		return document_escape(d, r);
	case DOCUMENT_COLON:
	case DOCUMENT_BEFORE:
	case DOCUMENT_BEHIND:
		break;
	}
	return document_before(d, r);
}

/* The byte ends what is behind the document. */
static bool document_ends(const struct document *d, char c)
{
	return d->place == DOCUMENT_BEHIND && d->comment == DOCUMENT_NO_COMMENT &&
	       (c == ',' || c == '}');
}

enum document_taken document_take(struct document *d, struct span *s)
{
	struct document_run r = { .from = s->at, .at = s->at, .end = s->at + s->n };
	enum document_taken taken = DOCUMENT_MORE;
	while (taken == DOCUMENT_MORE && r.at < r.end) {
		bool was_inside = d->place != DOCUMENT_BEHIND;
		if (document_ends(d, *r.at))
			taken = DOCUMENT_WHOLE;
		else if (!document_step(d, &r))
			taken = DOCUMENT_BAD;
		else if (was_inside && d->place == DOCUMENT_BEHIND)
			document_copy(d, &r);
	}
	if (d->place >= DOCUMENT_INSIDE && d->place <= DOCUMENT_ESCAPE)
		document_copy(d, &r);
	*s = (struct span){ r.at, (size_t)(r.end - r.at) };
	return taken;
}

/* --- a life --- */

void document_begin(struct document *d)
{
	d->text.n = 0;
	d->too_long = false;
	d->place = DOCUMENT_COLON;
	d->comment = DOCUMENT_NO_COMMENT;
	d->depth = 0;
}

void document_free(struct document *d)
{
	bytes_free(&d->text);
}
