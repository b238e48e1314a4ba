#include "proxy/path.h"

#include <string.h>

/* --- segments --- */

#define WORD_ROOM 32

struct word {
	char text[WORD_ROOM];
	uint8_t n, segment;
};

#define WORD(name) { #name, sizeof(#name) - 1, SEGMENT_##name },
#define KEYWORD(name) WORD(name)
static const struct word words[] = {
#include "proxy/path.def"
};
#undef KEYWORD
#undef WORD

/*
 * Words of one length are adjacent in the table. Maps a length to 1 + the index of its last word;
 * the later initializer wins.
 */
enum {
	ROW_0,
#define WORD(text) ROW_##text,
#define KEYWORD(text) ROW_##text,
#include "proxy/path.def"
#undef KEYWORD
#undef WORD
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint8_t last_of_length[WORD_ROOM] = {
#define WORD(text) [sizeof(#text) - 1] = ROW_##text,
#define KEYWORD(text) WORD(text)
#include "proxy/path.def"
#undef KEYWORD
#undef WORD
};
#pragma GCC diagnostic pop

/* Most words of one length differ in their last letter. */
static bool word_is(const struct word *w, const char *at, size_t n)
{
	return w->text[n - 1] == at[n - 1] && !memcmp(w->text, at, n);
}

static uint8_t segment_of(const char *at, size_t n)
{
	for (size_t row = n < WORD_ROOM ? last_of_length[n] : 0; row && words[row - 1].n == n;
	     row--)
		if (word_is(&words[row - 1], at, n))
			return words[row - 1].segment;
	return n && *at == '_' ? SEGMENT_OTHER_KEYWORD : SEGMENT_index;
}

/* --- bytes with more than one meaning --- */

/* No doubt: a literal '/', '?' or '%'. */
#define STRUCTURE 1024

/* Raw UTF-8 bytes, where a listener lets them pass, mean the same as their codes. */
#define LEAD 2048

/* What a raw byte may mean besides itself. */
static const uint16_t doubt_of_byte[256] = {
	[0 ... ' '] = DOUBT_ALL,
	[0x7f] = DOUBT_ALL,
	['#'] = DOUBT_FRAGMENT,
	[';'] = DOUBT_PARAM,
	['\\'] = DOUBT_BACKSLASH,
	['/'] = STRUCTURE,
	['?'] = STRUCTURE,
	['%'] = STRUCTURE,
	[0xc0 ... 0xc1] = DOUBT_ALL,
	[0xf5 ... 0xff] = DOUBT_ALL,
	[0xe0] = LEAD,
	[0xf0] = LEAD,
};

/* The same for a percent-encoded byte. 0xc0, 0xc1 and 0xf5 up are in no UTF-8 (RFC 3629, 4). */
static const uint16_t doubt_of_code[256] = {
	[0 ... 0x1f] = DOUBT_CONTROL, ['#'] = DOUBT_FRAGMENT,	   ['%'] = DOUBT_TWICE,
	['-'] = DOUBT_CODE,	      ['.'] = DOUBT_CODE,	   ['/'] = DOUBT_SLASH,
	['0' ... '9'] = DOUBT_CODE,   [';'] = DOUBT_PARAM,	   ['?'] = DOUBT_QUERY,
	['A' ... 'Z'] = DOUBT_CODE,   ['\\'] = DOUBT_BACKSLASH,	   ['_'] = DOUBT_CODE,
	['a' ... 'z'] = DOUBT_CODE,   ['~'] = DOUBT_CODE,	   [0x7f] = DOUBT_CONTROL,
	[0xc0 ... 0xc1] = DOUBT_ALL,  [0xf5 ... 0xff] = DOUBT_ALL,
};

static int path_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of two hex digits, or -1. */
static int code_at(const char *at, size_t left)
{
	int high = left > 1 ? path_hex_digit(at[0]) : -1,
	    low = left > 1 ? path_hex_digit(at[1]) : -1;
	return high >= 0 && low >= 0 ? high << 4 | low : -1;
}

/* Reads one hex digit of a code that a first decoding produced: raw, or percent-encoded itself. */
static size_t digit_at(const char *at, size_t left, int *digit)
{
	int code = left && *at == '%' ? code_at(at + 1, left - 1) : -1;
	*digit = code >= 0 ? path_hex_digit((char)code) : left ? path_hex_digit(*at) : -1;
	return code >= 0 ? 3 : 1;
}

/* `at` is after a %25. Returns the byte that a second decoding makes of it, or -1. */
static int second_at(const char *at, size_t left, size_t *used)
{
	int high, low;
	*used = digit_at(at, left, &high);
	if (high < 0)
		return -1;
	*used += digit_at(at + *used, left - *used, &low);
	return low < 0 ? -1 : high << 4 | low;
}

/* The next byte of a UTF-8 sequence, raw or percent-encoded. */
static int byte_at(const char *at, size_t left)
{
	if (left && *at == '%')
		return code_at(at + 1, left - 1);
	return left ? (unsigned char)*at : -1;
}

/*
 * `at` is after a byte 0xe0 or 0xf0. An overlong sequence (longer than its character needs) may
 * stand for a '/'.
 */
static bool is_overlong(int lead, const char *at, size_t left)
{
	int next = byte_at(at, left);
	return next >= 0x80 && next < (lead == 0xe0 ? 0xa0 : 0x90);
}

/* `at` is at a '%'. */
static unsigned doubts_of_code(const char *at, size_t left)
{
	int code = code_at(at + 1, left - 1);
	if (code < 0)
		return DOUBT_ALL;
	if ((code == 0xe0 || code == 0xf0) && is_overlong(code, at + 3, left - 3))
		return DOUBT_ALL;
	size_t used;
	int again = code == '%' ? second_at(at + 3, left - 3, &used) : -1;
	return doubt_of_code[code] | (again >= 0 ? doubt_of_code[again] : 0u);
}

/* `at` is at a LEAD byte. */
static unsigned doubts_of_lead(const char *at, size_t left)
{
	return is_overlong((unsigned char)*at, at + 1, left - 1) ? DOUBT_ALL : 0;
}

/* --- the plain reading --- */

static bool path_is_dots(const char *at, size_t n)
{
	return at[0] == '.' && (n == 1 || (n == 2 && at[1] == '.'));
}

static void path_add(struct path *p, const char *at, size_t n)
{
	unsigned shift = 8 * (p->depth < PATH_DEPTH ? p->depth : PATH_DEPTH);
	p->segments |= (uint64_t)segment_of(at, n) << shift;
	p->depth++;
}

/* An empty segment is no doubt at the end of the path (`last`). */
static void path_take_segment(struct path *p, const char *at, size_t n, bool last)
{
	if (!n)
		p->doubts |= last ? 0 : DOUBT_EMPTY;
	else if (path_is_dots(at, n))
		p->doubts |= DOUBT_ALL;
	else
		path_add(p, at, n);
}

struct path path_read(struct span target)
{
	size_t begin = 1;
	struct path p = { 0 };
	for (size_t i = 1;; i++) {
		char c = i < target.n ? target.at[i] : '?';
		unsigned doubt = doubt_of_byte[(uint8_t)c];
		if (!doubt)
			continue;
		if (doubt == LEAD)
			doubt = doubts_of_lead(target.at + i, target.n - i);
		if (doubt != STRUCTURE) {
			p.doubts |= doubt;
			continue;
		}
		if (c == '%') {
			p.doubts |= doubts_of_code(target.at + i, target.n - i);
			continue;
		}
		path_take_segment(&p, target.at + begin, i - begin, c == '?');
		begin = i + 1;
		p.n = i;
		if (c == '?')
			return p;
	}
}

/* --- another reading --- */

/*
 * One reading of a path with doubts: those in `as` are decided the other way. The first WORD_ROOM
 * bytes identify a segment.
 */
struct reading {
	struct path *path;
	unsigned as;
	char piece[WORD_ROOM];
	size_t piece_n;
	bool in_param;
	bool split;	 /* the piece began after an encoded slash */
	bool underscore; /* the whole segment begins with '_' */
	bool angle;   /* a '<' was in the segment: date math in an index name, as <logs-{now/d}> */
	bool keyword; /* a keyword came before this segment */
};

static void piece_add(struct reading *r, char c)
{
	if (r->in_param)
		return;
	if (!r->piece_n && !r->split)
		r->underscore = c == '_';
	if (r->piece_n < WORD_ROOM)
		r->piece[r->piece_n] = c;
	r->angle |= c == '<';
	r->piece_n++;
}

/* Ends a piece. `split`: at an encoded slash; otherwise the segment ends too. */
static void piece_end(struct reading *r, bool split, bool last)
{
	struct path *p = r->path;
	if (split || r->split)
		p->risky |= r->underscore || (r->split && r->piece_n && r->piece[0] == '_') ||
			    (!r->keyword && !r->angle);
	if (r->piece_n && path_is_dots(r->piece, r->piece_n))
		p->doubts |= DOUBT_ALL;
	else if (r->piece_n || !(last || r->as & DOUBT_EMPTY))
		path_add(p, r->piece, r->piece_n < WORD_ROOM ? r->piece_n : WORD_ROOM);
	r->piece_n = 0;
	r->in_param = false;
	r->split = split;
	if (split)
		return;
	r->keyword |= r->underscore;
	r->underscore = r->angle = false;
}

/* `c` came from a percent code, or is a raw '\\' or ';'. */
static void reading_take_code(struct reading *r, char c)
{
	unsigned doubt = doubt_of_code[(uint8_t)c];
	if (doubt & DOUBT_SLASHES && doubt & r->as)
		piece_end(r, true, false);
	else if (doubt == DOUBT_PARAM && r->as & DOUBT_PARAM)
		r->in_param = true;
	else
		piece_add(r, doubt == DOUBT_CODE && !(r->as & DOUBT_CODE) ? '%' : c);
}

static void reading_take(struct reading *r, char c)
{
	if (c == '/')
		piece_end(r, false, false);
	else if (c == '\\' || c == ';')
		reading_take_code(r, c);
	else
		piece_add(r, c);
}

/* Returns the length of one code in bytes; `c` gets its value. */
static size_t code_take(const struct reading *r, const char *at, size_t left, char *c)
{
	int code = code_at(at + 1, left - 1);
	size_t used = 0;
	int again = -1;
	if (code == '%' && r->as & DOUBT_TWICE)
		again = second_at(at + 3, left - 3, &used);
	*c = (char)(again >= 0 ? again : code);
	return again >= 0 ? 3 + used : 3;
}

void path_read_as(struct path *p, struct span path, unsigned as)
{
	struct reading r = { .path = p, .as = as };
	*p = (struct path){ .n = path.n };
	for (size_t i = 1; i < path.n;) {
		char c = path.at[i];
		bool coded = c == '%';
		i += coded ? code_take(&r, path.at + i, path.n - i, &c) : 1;
		unsigned doubt = coded ? doubt_of_code[(uint8_t)c] : doubt_of_byte[(uint8_t)c];
		if (doubt & DOUBT_ENDS & as)
			break;
		if (coded)
			reading_take_code(&r, c);
		else
			reading_take(&r, c);
	}
	piece_end(&r, false, true);
}

/* --- for people --- */

const char *path_segment_text(uint8_t segment)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].segment == segment)
			return words[i].text;
	return segment == SEGMENT_index ? "{index}" : segment == SEGMENT_type ? "{type}" : "{id}";
}
