#include "proxy/class.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

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
	return n && *at == '_' ? SEGMENT_OTHER_KEYWORD : SEGMENT_index;
}

/* --- what may be read in more than one way --- */

/* What is in a path that not everybody reads alike; each has a plain reading and another one. */
enum {
	DOUBT_CODE = 1,	  /* %5f may be '_' for who compares segments, and is not for a cluster */
	DOUBT_TWICE = 2,  /* %25 and what may be the rest of another code */
	DOUBT_SLASH = 4,  /* %2F may part segments */
	DOUBT_PARAM = 8,  /* ';' may end what of a segment is looked at */
	DOUBT_END = 16,	  /* %3F, '#' and controls may end the path */
	DOUBT_EMPTY = 32, /* "//" may be '/' */
	DOUBT_BACKSLASH = 256, /* '\\' may be a slash too */
	DOUBT_ALL = 64,	       /* nobody can tell */
	DOUBT_SLASHES = DOUBT_SLASH | DOUBT_BACKSLASH,
	STRUCTURE = 128, /* no doubt: '/', '?' and '%' as they are */
};

/* What a byte may mean but itself. */
static const uint16_t doubt_of_byte[256] = {
	[0 ... ' '] = DOUBT_ALL,  [0x7f] = DOUBT_ALL, ['#'] = DOUBT_END, [';'] = DOUBT_PARAM,
	['\\'] = DOUBT_BACKSLASH, ['/'] = STRUCTURE,  ['?'] = STRUCTURE, ['%'] = STRUCTURE,
};

/* The same of what is percent-encoded. 0xc0, 0xc1 and 0xf5 up are in no UTF-8 (RFC 3629, 4). */
static const uint16_t doubt_of_code[256] = {
	[0 ... 0x1f] = DOUBT_END,    ['#'] = DOUBT_END,		  ['%'] = DOUBT_TWICE,
	['-'] = DOUBT_CODE,	     ['.'] = DOUBT_CODE,	  ['/'] = DOUBT_SLASH,
	['0' ... '9'] = DOUBT_CODE,  [';'] = DOUBT_PARAM,	  ['?'] = DOUBT_END,
	['A' ... 'Z'] = DOUBT_CODE,  ['\\'] = DOUBT_BACKSLASH,	  ['_'] = DOUBT_CODE,
	['a' ... 'z'] = DOUBT_CODE,  ['~'] = DOUBT_CODE,	  [0x7f] = DOUBT_END,
	[0xc0 ... 0xc1] = DOUBT_ALL, [0xf5 ... 0xff] = DOUBT_ALL,
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Two digits, or -1. */
static int code_at(const char *at, size_t left)
{
	int high = left > 1 ? hex(at[0]) : -1, low = left > 1 ? hex(at[1]) : -1;
	return high >= 0 && low >= 0 ? high << 4 | low : -1;
}

/* A digit of a code that a first decoding has made, itself as it is or by a code. */
static size_t digit_at(const char *at, size_t left, int *digit)
{
	int code = left && *at == '%' ? code_at(at + 1, left - 1) : -1;
	*digit = code >= 0 ? hex((char)code) : left ? hex(*at) : -1;
	return code >= 0 ? 3 : 1;
}

/* What `at`, behind a %25, makes of it for who decodes twice; -1: nothing. */
static int second_at(const char *at, size_t left, size_t *used)
{
	int high, low;
	*used = digit_at(at, left, &high);
	if (high < 0)
		return -1;
	*used += digit_at(at + *used, left - *used, &low);
	return low < 0 ? -1 : high << 4 | low;
}

/* `at` is behind a code of 0xe0 or 0xf0: a longer form of what has a shorter one may be a '/'. */
static bool is_overlong(int lead, const char *at, size_t left)
{
	int next = left > 2 && *at == '%' ? code_at(at + 1, left - 1) : -1;
	return next >= 0x80 && next < (lead == 0xe0 ? 0xa0 : 0x90);
}

/* `at` is a '%'. */
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

/* --- the walk --- */

/* Segments of a path that rules look at; a longer path fits no rule. */
#define DEPTH 5

static bool is_dots(const char *at, size_t n)
{
	return at[0] == '.' && (n == 1 || (n == 2 && at[1] == '.'));
}

struct walk {
	uint64_t path;
	size_t path_n; /* bytes before the query */
	unsigned depth, doubts;
};

static void walk_add(struct walk *w, const char *at, size_t n)
{
	unsigned shift = 8 * (w->depth < DEPTH ? w->depth : DEPTH);
	w->path |= (uint64_t)segment_of(at, n) << shift;
	w->depth++;
}

/* An empty one is forgiven at the end, which `last` says it is. */
static void walk_segment(struct walk *w, const char *at, size_t n, bool last)
{
	if (!n)
		w->doubts |= last ? 0 : DOUBT_EMPTY;
	else if (is_dots(at, n))
		w->doubts |= DOUBT_ALL;
	else
		walk_add(w, at, n);
}

/* Reads it plainly, and finds what may be read otherwise. */
static void walk(struct walk *w, struct span target)
{
	size_t begin = 1;
	for (size_t i = 1;; i++) {
		char c = i < target.n ? target.at[i] : '?';
		unsigned doubt = doubt_of_byte[(uint8_t)c];
		if (!doubt)
			continue;
		if (doubt != STRUCTURE) {
			w->doubts |= doubt;
			continue;
		}
		if (c == '%') {
			w->doubts |= doubts_of_code(target.at + i, target.n - i);
			continue;
		}
		walk_segment(w, target.at + begin, i - begin, c == '?');
		begin = i + 1;
		w->path_n = i;
		if (c == '?')
			return;
	}
}

/* --- another reading --- */

/*
 * One reading of a path with doubts: those in `as` are decided the other way. A segment's first
 * bytes are enough to know it.
 */
struct reading {
	struct walk walk;
	unsigned as;
	char piece[WORD_ROOM];
	size_t piece_n;
	bool in_param;
	bool split;	 /* the piece began behind an encoded slash */
	bool underscore; /* the whole segment begins with '_' */
	bool angle;   /* a '<' was in the segment: an index' name by date math, as <logs-{now/d}> */
	bool keyword; /* a keyword came before the segment */
	bool risky;   /* an encoded slash is where it may make another rule's path */
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

/* `split`: by an encoded slash, else the segment is over. */
static void piece_end(struct reading *r, bool split, bool last)
{
	struct walk *w = &r->walk;
	if (split || r->split)
		r->risky |= r->underscore || (r->split && r->piece_n && r->piece[0] == '_') ||
			    (!r->keyword && !r->angle);
	if (r->piece_n && is_dots(r->piece, r->piece_n))
		w->doubts |= DOUBT_ALL;
	else if (r->piece_n || !(last || r->as & DOUBT_EMPTY))
		walk_add(w, r->piece, r->piece_n < WORD_ROOM ? r->piece_n : WORD_ROOM);
	r->piece_n = 0;
	r->in_param = false;
	r->split = split;
	if (split)
		return;
	r->keyword |= r->underscore;
	r->underscore = r->angle = false;
}

/* `c` is not as it stands there: it came of a code. */
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

/* Bytes of one code; `c` is what it says. */
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

/* `path` has no DOUBT_ALL, and no query. */
static void reading_walk(struct reading *r, struct span path)
{
	for (size_t i = 1; i < path.n;) {
		char c = path.at[i];
		bool coded = c == '%';
		i += coded ? code_take(r, path.at + i, path.n - i, &c) : 1;
		unsigned doubt = coded ? doubt_of_code[(uint8_t)c] : doubt_of_byte[(uint8_t)c];
		if (doubt == DOUBT_END && r->as & DOUBT_END)
			break;
		if (coded)
			reading_take_code(r, c);
		else
			reading_take(r, c);
	}
	piece_end(r, false, true);
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
	UNKNOWN_WRITE,
	DOUBTFUL_WRITE,
	ODD_PATH_WRITE,
	DECISIONS_END,
};

static const char *const sentences[DECISIONS_END - RULE_N] = {
	"the method changes nothing",
	"the method may change something",
	"no rule says that it is a read",
	"the path can be read in several ways, and not all of them are reads",
	"nobody can tell what the path means: a write, maybe in parts",
};

/* What is found without a look at any rule: most of what is asked about documents. */
#define WORD(text)
#define KEYWORD(text)
#define RULE(m, k, r, a, b, c, d, e)                                                               \
	static_assert(!IS(SEGMENT_##a, SEGMENT_id) && !IS(SEGMENT_##b, SEGMENT_id),                \
		      "a keyword that no rule names fits none of a rule's first two segments");
#include "proxy/class.def"
#undef RULE
#undef KEYWORD
#undef WORD

static bool no_rule_fits(uint64_t path)
{
	return (uint8_t)path == SEGMENT_OTHER_KEYWORD ||
	       (uint8_t)(path >> 8) == SEGMENT_OTHER_KEYWORD;
}

static const struct rule *find_rule(enum method method, uint64_t path)
{
	if (no_rule_fits(path))
		return NULL;
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

static bool method_reads(enum method method)
{
	return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
}

static struct classed by_walk(enum method method, const struct walk *w, struct span query)
{
	/* No cluster takes HEAD for what its rules call a write; who stands before one may. */
	const struct rule *r = find_rule(method == METHOD_HEAD ? METHOD_GET : method, w->path);
	if (r)
		return by_rule(r, query);
	return method_reads(method) ? read_by(BY_METHOD_READ, true)
				    : write_by(UNKNOWN_WRITE, false);
}

/*
 * An id or date math with a slash in it, parted there, has more segments than any rule: nor has
 * a cluster anything to do with such a path.
 */
static bool reading_is_nothing(const struct reading *r, struct classed c)
{
	return c.rule == UNKNOWN_WRITE && r->as & DOUBT_SLASHES && !r->risky;
}

static struct classed by_reading(enum method method, struct span path, struct span query,
				 struct classed first, unsigned as)
{
	struct reading r = { .as = as };
	reading_walk(&r, path);
	if (r.walk.doubts & DOUBT_ALL)
		return write_by(ODD_PATH_WRITE, true);
	struct classed c = by_walk(method, &r.walk, query);
	/* What follows the end that it may have is a query then, and may ask for a scroll. */
	if (as & DOUBT_END && c.rule < RULE_N && rules[c.rule].repeat == NO_SCROLL)
		c.repeatable = false;
	return reading_is_nothing(&r, c) ? first : c;
}

/* A read only where all readings are; then as little repeatable as the least of them. */
static struct classed classed_both(struct classed a, struct classed b)
{
	struct classed c = a;
	if (a.class == CLASS_READ && b.class == CLASS_WRITE)
		c = b;
	/* Not by their own word: another reading has a rule for it. */
	if (a.class != b.class && c.rule == UNKNOWN_WRITE)
		c.rule = DOUBTFUL_WRITE;
	c.repeatable = a.repeatable && b.repeatable;
	c.in_parts = a.in_parts || b.in_parts;
	return c;
}

static struct classed by_readings(enum method method, const struct walk *w, struct span target)
{
	struct span path = { target.at, w->path_n };
	struct span query = { target.at + w->path_n, target.n - w->path_n };
	unsigned doubts = w->doubts;
	if (doubts & (DOUBT_SLASHES | DOUBT_PARAM))
		doubts |= DOUBT_EMPTY; /* where it parts or cuts */
	unsigned kinds = (unsigned)__builtin_popcount(doubts);
	if (doubts & DOUBT_ALL || kinds > PATH_DOUBTS_MAX || path.n << kinds > PATH_READ_BYTES_MAX)
		return write_by(ODD_PATH_WRITE, true);
	struct classed first = by_reading(method, path, query, (struct classed){ 0 }, 0), c = first;
	for (unsigned as = doubts; as; as = (as - 1) & doubts)
		c = classed_both(c, by_reading(method, path, query, first, as));
	return c;
}

static struct classed by_path(enum method method, struct span target)
{
	struct walk w = { 0 };
	if (!target.n || target.at[0] != '/')
		return span_is(target, SPAN("*")) && method_reads(method)
			       ? read_by(BY_METHOD_READ, true)
			       : write_by(ODD_PATH_WRITE, true);
	walk(&w, target);
	if (w.doubts)
		return by_readings(method, &w, target);
	return by_walk(method, &w, (struct span){ target.at + w.path_n, target.n - w.path_n });
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
