#include "proxy/class.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "proxy/path.h"

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
	uint8_t segments[PATH_DEPTH];
};

#define IS(s, other) ((unsigned)(s) == (unsigned)(other))
#define MASK(s)                                                                                    \
	(IS(s, SEGMENT_id)							 ? 0x40ull         \
	 : IS(s, SEGMENT_index) || IS(s, SEGMENT_type) || IS(s, SEGMENT_context) ? 0xc0ull         \
										 : 0xffull)
#define MASKS(a, b, c, d, e, f)                                                                    \
	(MASK(a) | MASK(b) << 8 | MASK(c) << 16 | MASK(d) << 24 | MASK(e) << 32 | MASK(f) << 40 |  \
	 0xffffull << 48)
#define BYTES(a, b, c, d, e, f)                                                                    \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |          \
	 (uint64_t)(e) << 32 | (uint64_t)(f) << 40)
#define ROW(m, k, r, a, b, c, d, e, f)                                                             \
	{ MASKS(a, b, c, d, e, f),                                                                 \
	  BYTES(a, b, c, d, e, f) & MASKS(a, b, c, d, e, f),                                       \
	  METHOD_##m,                                                                              \
	  CLASS_##k,                                                                               \
	  r,                                                                                       \
	  { a, b, c, d, e, f } },
/* Of a row's segments, those that it does not have are ends. */
#define ENDED(m, k, r, a, b, c, d, e, f, ...)                                                      \
	ROW(m, k, r, SEGMENT_##a, SEGMENT_##b, SEGMENT_##c, SEGMENT_##d, SEGMENT_##e, SEGMENT_##f)
#define RULE(m, k, r, ...) ENDED(m, k, r, __VA_ARGS__, end, end, end, end, end, end)
static const struct rule rules[] = {
#include "proxy/class.def"
};
#undef RULE
#undef ENDED
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
#define FIRST_TWO(a, b, ...)                                                                       \
	static_assert(!IS(SEGMENT_##a, SEGMENT_id) && !IS(SEGMENT_##b, SEGMENT_id),                \
		      "a keyword that no rule names fits none of a rule's first two segments");
#define RULE(m, k, r, ...) FIRST_TWO(__VA_ARGS__, end, end)
#include "proxy/class.def"
#undef RULE
#undef FIRST_TWO

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

static struct classed by_segments(enum method method, const struct path *p, struct span query)
{
	/* No cluster takes HEAD for what its rules call a write; who stands before one may. */
	const struct rule *r = find_rule(method == METHOD_HEAD ? METHOD_GET : method, p->segments);
	if (r)
		return by_rule(r, query);
	return method_reads(method) ? read_by(BY_METHOD_READ, true)
				    : write_by(UNKNOWN_WRITE, false);
}

/*
 * An id or date math with a slash in it, parted there, has more segments than any rule: nor has
 * a cluster anything to do with such a path.
 */
static bool is_nothing(const struct path *p, struct classed c, unsigned as)
{
	return c.rule == UNKNOWN_WRITE && as & DOUBT_SLASHES && !p->risky;
}

static struct classed by_reading(enum method method, struct span path, struct span query,
				 struct classed first, unsigned as)
{
	struct path p;
	path_read_as(&p, path, as);
	if (p.doubts & DOUBT_ALL)
		return write_by(ODD_PATH_WRITE, true);
	struct classed c = by_segments(method, &p, query);
	/* What follows the end that it may have is a query then, and may ask for a scroll. */
	if (as & DOUBT_ENDS && c.rule < RULE_N && rules[c.rule].repeat == NO_SCROLL)
		c.repeatable = false;
	return is_nothing(&p, c, as) ? first : c;
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

static struct classed by_readings(enum method method, const struct path *p, struct span target)
{
	struct span path = { target.at, p->n };
	struct span query = { target.at + p->n, target.n - p->n };
	unsigned doubts = p->doubts;
	if (doubts & (DOUBT_SLASHES | DOUBT_PARAM))
		doubts |= DOUBT_EMPTY; /* where it parts or cuts */
	if (doubts & DOUBT_ALL || path.n << __builtin_popcount(doubts) > PATH_READ_BYTES_MAX)
		return write_by(ODD_PATH_WRITE, true);
	struct classed first = by_reading(method, path, query, (struct classed){ 0 }, 0), c = first;
	for (unsigned as = doubts; as; as = (as - 1) & doubts)
		c = classed_both(c, by_reading(method, path, query, first, as));
	return c;
}

static struct classed by_path(enum method method, struct span target)
{
	if (!target.n || target.at[0] != '/')
		return span_is(target, SPAN("*")) && method_reads(method)
			       ? read_by(BY_METHOD_READ, true)
			       : write_by(ODD_PATH_WRITE, true);
	struct path p = path_read(target);
	if (p.doubts)
		return by_readings(method, &p, target);
	return by_segments(method, &p, (struct span){ target.at + p.n, target.n - p.n });
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

const char *class_rule_text(struct classed c, char to[CLASS_RULE_BYTES])
{
	must(c.rule < DECISIONS_END);
	if (c.rule >= RULE_N)
		return sentences[c.rule - RULE_N];
	const struct rule *r = &rules[c.rule];
	int n = snprintf(to, CLASS_RULE_BYTES, "%s ", method_text(r));
	for (int i = 0; i < PATH_DEPTH && r->segments[i]; i++)
		n += snprintf(to + n, CLASS_RULE_BYTES - (size_t)n, "/%s",
			      path_segment_text(r->segments[i]));
	must(n < CLASS_RULE_BYTES);
	return to;
}
