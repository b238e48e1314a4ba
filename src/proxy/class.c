#include "proxy/class.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"

/* --- segments --- */

/*
 * A segment is one byte, and a path is eight: a rule is then compared at once. Bit 6 says that
 * there is a segment, bit 7 that it is a keyword. Words that rules name have numbers of their own.
 */
enum {
	SEGMENT_end = 0,
	SEGMENT_index = 0x40,
	SEGMENT_type,
	SEGMENT_id,
	SEGMENT_FIRST_WORD,
	SEGMENT_FIRST_KEYWORD = 0xc0,
	SEGMENT_OTHER_KEYWORD = 0xff,
};

#define RULE(method, class, repeat, a, b, c, d, e)
enum {
	BEFORE_WORDS = SEGMENT_FIRST_WORD - 1,
#define WORD(text) SEGMENT_##text,
#define KEYWORD(text)
#include "proxy/class.def"
#undef KEYWORD
#undef WORD
	WORDS_END,
};

enum {
	BEFORE_KEYWORDS = SEGMENT_FIRST_KEYWORD - 1,
#define WORD(text)
#define KEYWORD(text) SEGMENT_##text,
#include "proxy/class.def"
#undef KEYWORD
#undef WORD
	KEYWORDS_END,
};

static_assert((int)WORDS_END <= 0x80, "bit 7 is for keywords");
static_assert((int)KEYWORDS_END <= SEGMENT_OTHER_KEYWORD, "numbers of keywords");

#define WORD_ROOM 24

struct word {
	char text[WORD_ROOM];
	uint8_t n, segment;
};

#define WORD(name) { #name, sizeof(#name) - 1, SEGMENT_##name },
#define KEYWORD(name) WORD(name)
static const struct word words[] = {
#include "proxy/class.def"
};
#undef KEYWORD
#undef WORD

/* Rows of one length stand together: 1 + number of the last one; the later initializer wins. */
enum {
	ROW_0,
#define WORD(text) ROW_##text,
#define KEYWORD(text) ROW_##text,
#include "proxy/class.def"
#undef KEYWORD
#undef WORD
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint8_t last_of_length[WORD_ROOM] = {
#define WORD(text) [sizeof(#text) - 1] = ROW_##text,
#define KEYWORD(text) WORD(text)
#include "proxy/class.def"
#undef KEYWORD
#undef WORD
};
#pragma GCC diagnostic pop
#undef RULE

static uint8_t segment_of(const char *at, size_t n)
{
	for (size_t row = n < WORD_ROOM ? last_of_length[n] : 0; row && words[row - 1].n == n;
	     row--)
		if (!memcmp(words[row - 1].text, at, n))
			return words[row - 1].segment;
	return *at == '_' ? SEGMENT_OTHER_KEYWORD : SEGMENT_index;
}

/* --- the walk --- */

/* Segments of a path that rules look at; a longer path fits no rule. */
#define DEPTH 5

/* What may stand in a segment as it is: RFC 3986, 3.3, without ';'. */
static const bool plain[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true,
	['.'] = true,	      ['_'] = true,	    ['~'] = true,	  ['!'] = true,
	['$'] = true,	      ['&'] = true,	    ['\''] = true,	  ['('] = true,
	[')'] = true,	      ['*'] = true,	    ['+'] = true,	  [','] = true,
	['='] = true,	      [':'] = true,	    ['@'] = true,
};

/* What means nothing in a path, whether it is decoded or not. */
static const bool harmless[256] = {
	['!'] = true, ['"'] = true, ['$'] = true, ['&'] = true, ['\''] = true, ['('] = true,
	[')'] = true, ['*'] = true, ['+'] = true, [','] = true, [':'] = true,  ['<'] = true,
	['='] = true, ['>'] = true, ['@'] = true, ['['] = true, [']'] = true,  ['^'] = true,
	['`'] = true, ['{'] = true, ['|'] = true, ['}'] = true,
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_harmless_code(const char *at, size_t left)
{
	int high = left > 2 ? hex(at[1]) : -1, low = left > 2 ? hex(at[2]) : -1;
	return high >= 0 && low >= 0 && harmless[high << 4 | low];
}

static bool is_dots(const char *at, size_t n)
{
	return at[0] == '.' && (n == 1 || (n == 2 && at[1] == '.'));
}

struct walk {
	uint64_t path;
	size_t path_n; /* bytes before the query */
	unsigned depth;
};

/* False: it is not canonical. An empty one is forgiven at the end, which `last` says it is. */
static bool take_segment(struct walk *w, const char *at, size_t n, bool last)
{
	if (!n || is_dots(at, n))
		return !n && last;
	unsigned shift = 8 * (w->depth < DEPTH ? w->depth : DEPTH);
	w->path |= (uint64_t)segment_of(at, n) << shift;
	w->depth++;
	return true;
}

/* False: the path is not canonical. */
static bool walk(struct walk *w, struct span target)
{
	if (!target.n || target.at[0] != '/')
		return false;
	size_t begin = 1;
	for (size_t i = 1;; i++) {
		char c = i < target.n ? target.at[i] : '?';
		if (plain[(uint8_t)c])
			continue;
		if (c == '%' && is_harmless_code(target.at + i, target.n - i)) {
			i += 2;
			continue;
		}
		if (c != '/' && c != '?')
			return false;
		if (!take_segment(w, target.at + begin, i - begin, c == '?'))
			return false;
		begin = i + 1;
		w->path_n = i;
		if (c == '?')
			return true;
	}
}

/* --- the query --- */

/* A name with a code may be anything. Clusters part parameters at '&' and at ';'. */
static bool may_be_scroll(struct span name)
{
	return span_is(name, SPAN("scroll")) || memchr(name.at, '%', name.n);
}

/* `query` begins with its '?', or is empty. */
static bool asks_for_scroll(struct span query)
{
	size_t begin = 1;
	bool in_name = true;
	for (size_t i = 1; i <= query.n; i++) {
		char c = i < query.n ? query.at[i] : '&';
		bool over = c == '&' || c == ';';
		if (!over && c != '=')
			continue;
		if (in_name && may_be_scroll((struct span){ query.at + begin, i - begin }))
			return true;
		in_name = over;
		begin = i + 1;
	}
	return false;
}

/* --- rules --- */

enum repeat { REPEATABLE, ONCE, NO_SCROLL, IN_PARTS };

struct rule {
	uint64_t mask, path;
	uint8_t method, class, repeat;
	uint8_t segments[DEPTH];
};

#define IS(s, other) ((unsigned)(s) == (unsigned)(other))
#define MASK(s)                                                                                    \
	(IS(s, SEGMENT_id)			       ? 0x40ull                                   \
	 : IS(s, SEGMENT_index) || IS(s, SEGMENT_type) ? 0xc0ull                                   \
						       : 0xffull)
#define MASKS(a, b, c, d, e)                                                                       \
	(MASK(a) | MASK(b) << 8 | MASK(c) << 16 | MASK(d) << 24 | MASK(e) << 32 | 0xffffffull << 40)
#define BYTES(a, b, c, d, e)                                                                       \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |          \
	 (uint64_t)(e) << 32)
#define ROW(m, k, r, a, b, c, d, e)                                                                \
	{ MASKS(a, b, c, d, e),                                                                    \
	  BYTES(a, b, c, d, e) & MASKS(a, b, c, d, e),                                             \
	  METHOD_##m,                                                                              \
	  CLASS_##k,                                                                               \
	  r,                                                                                       \
	  { a, b, c, d, e } },
#define WORD(text)
#define KEYWORD(text)
#define RULE(m, k, r, a, b, c, d, e)                                                               \
	ROW(m, k, r, SEGMENT_##a, SEGMENT_##b, SEGMENT_##c, SEGMENT_##d, SEGMENT_##e)
static const struct rule rules[] = {
#include "proxy/class.def"
};
#undef RULE
#undef KEYWORD
#undef WORD
#undef ROW

#define RULE_N (sizeof rules / sizeof rules[0])

/* What decides where no row of the table does; numbered behind the rows. */
enum {
	BY_METHOD_READ = RULE_N,
	BY_METHOD_WRITE,
	ODD_PATH_READ,
	ODD_PATH_WRITE,
	UNKNOWN_WRITE,
	DECISIONS_END,
};

static const char *const sentences[DECISIONS_END - RULE_N] = {
	"the method changes nothing",
	"the method may change something",
	"the path is not canonical: read by its method, not repeated",
	"the path is not canonical: a write, maybe in parts",
	"no rule says that it is a read",
};

static const struct rule *find_rule(enum method method, uint64_t path)
{
	for (const struct rule *r = rules; r < rules + RULE_N; r++)
		if ((path & r->mask) == r->path && r->method == method)
			return r;
	return NULL;
}

static struct classed read_by(unsigned rule, bool repeatable)
{
	return (struct classed){ CLASS_READ, repeatable, false, (uint16_t)rule };
}

static struct classed write_by(unsigned rule, bool in_parts)
{
	return (struct classed){ CLASS_WRITE, false, in_parts, (uint16_t)rule };
}

static struct classed by_rule(const struct rule *r, struct span query)
{
	bool repeatable =
		r->repeat == REPEATABLE || (r->repeat == NO_SCROLL && !asks_for_scroll(query));
	return (struct classed){ r->class, repeatable, r->repeat == IN_PARTS,
				 (uint16_t)(r - rules) };
}

static struct classed by_path(enum method method, struct span target)
{
	bool reads = method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
	struct walk w = { 0 };
	if (!walk(&w, target))
		return reads ? read_by(ODD_PATH_READ, false) : write_by(ODD_PATH_WRITE, true);
	const struct rule *r = find_rule(method, w.path);
	if (r)
		return by_rule(r, (struct span){ target.at + w.path_n, target.n - w.path_n });
	return reads ? read_by(BY_METHOD_READ, true) : write_by(UNKNOWN_WRITE, false);
}

static struct classed by_method(enum method method)
{
	bool safe = method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS ||
		    method == METHOD_TRACE;
	return safe ? read_by(BY_METHOD_READ, true) : write_by(BY_METHOD_WRITE, false);
}

struct classed class_of(enum profile profile, enum method method, struct span target)
{
	return profile == PROFILE_HTTP ? by_method(method) : by_path(method, target);
}

/* --- for people --- */

const char *class_name(enum class class)
{
	return class == CLASS_READ ? "read" : "write";
}

static const char *method_text(const struct rule *r)
{
	switch ((enum method)r->method) {
	case METHOD_POST:
		return "POST";
	case METHOD_PUT:
		return "PUT";
	case METHOD_DELETE:
		return "DELETE";
	default:
		return "GET";
	}
}

static const char *segment_text(uint8_t segment)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].segment == segment)
			return words[i].text;
	return segment == SEGMENT_index ? "{index}" : segment == SEGMENT_type ? "{type}" : "{id}";
}

const char *class_rule_text(struct classed c, char to[CLASS_RULE_BYTES])
{
	must(c.rule < DECISIONS_END);
	if (c.rule >= RULE_N)
		return sentences[c.rule - RULE_N];
	const struct rule *r = &rules[c.rule];
	int n = snprintf(to, CLASS_RULE_BYTES, "%s ", method_text(r));
	for (int i = 0; i < DEPTH && r->segments[i]; i++)
		n += snprintf(to + n, CLASS_RULE_BYTES - (size_t)n, "/%s",
			      segment_text(r->segments[i]));
	must(n < CLASS_RULE_BYTES);
	return to;
}
