#include "proxy/class.h"

#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "proxy/class_rule.h"
#include "proxy/path.h"

/* --- the query --- */

/* A name with a percent code may be any name. Clusters split parameters at '&' and at ';'. */
static bool may_be_scroll(struct span name)
{
	return span_is(name, SPAN("scroll")) || memchr(name.at, '%', name.n);
}

/* `query` begins with '?', or is empty. */
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

/* --- decisions --- */

/* The reasons for a decision without a row of the table; numbered after the rows. */
enum {
	BY_METHOD_READ = CLASS_RULES,
	BY_METHOD_WRITE,
	UNKNOWN_WRITE,
	DOUBTFUL_WRITE,
	ODD_PATH_WRITE,
	DECISIONS_END,
};

static const char *const sentences[DECISIONS_END - CLASS_RULES] = {
	"the method changes nothing",
	"the method may change something",
	"no rule says that it is a read",
	"the path can be read in several ways, and not all of them are reads",
	"the meaning of the path is uncertain: a write, maybe in parts",
};

static struct classed read_by(unsigned rule, bool repeatable)
{
	return (struct classed){ CLASS_READ, repeatable, false, (uint16_t)rule };
}

static struct classed write_by(unsigned rule, bool in_parts)
{
	return (struct classed){ CLASS_WRITE, false, in_parts, (uint16_t)rule };
}

static struct classed by_rule(const struct class_rule *r, struct span query)
{
	bool repeatable =
		r->repeat == REPEATABLE || (r->repeat == NO_SCROLL && !asks_for_scroll(query));
	return (struct classed){ r->class, repeatable, r->repeat == IN_PARTS,
				 (uint16_t)class_rule_number(r) };
}

static bool method_reads(enum method method)
{
	return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
}

static struct classed by_segments(enum method method, const struct path *p, struct span query)
{
	/*
	 * No cluster accepts HEAD for what its rules call a write; a proxy in front of the cluster
	 * may.
	 */
	const struct class_rule *r =
		class_rule_find(method == METHOD_HEAD ? METHOD_GET : method, p->segments);
	if (r)
		return by_rule(r, query);
	return method_reads(method) ? read_by(BY_METHOD_READ, true)
				    : write_by(UNKNOWN_WRITE, false);
}

/*
 * A segment that contains an encoded slash (an id, date math) and is split there gives more
 * segments than any rule has; a cluster has no handler for such a path either.
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
	/*
	 * In this reading the path may end early. What follows is then a query, which may ask for a
	 * scroll.
	 */
	if (as & DOUBT_ENDS && c.rule < CLASS_RULES && class_rule_at(c.rule)->repeat == NO_SCROLL)
		c.repeatable = false;
	return is_nothing(&p, c, as) ? first : c;
}

/* The result is a read only if both readings are reads, and repeatable only if both are. */
static struct classed classed_both(struct classed a, struct classed b)
{
	struct classed c = a;
	if (a.class == CLASS_READ && b.class == CLASS_WRITE)
		c = b;
	/* UNKNOWN_WRITE is not the reason here: the other reading matches a rule. */
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
		doubts |= DOUBT_EMPTY; /* a split or a cut may leave an empty segment */
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

static struct classed class_by_method(enum method method)
{
	bool safe = method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS ||
		    method == METHOD_TRACE;
	return safe ? read_by(BY_METHOD_READ, true) : write_by(BY_METHOD_WRITE, false);
}

struct classed class_of(enum profile profile, enum method method, struct span target)
{
	return profile == PROFILE_HTTP ? class_by_method(method) : by_path(method, target);
}

/* --- for people --- */

const char *class_name(enum class class)
{
	return class == CLASS_READ ? "read" : "write";
}

const char *class_rule_text(struct classed c, char to[CLASS_RULE_BYTES])
{
	must(c.rule < DECISIONS_END);
	if (c.rule >= CLASS_RULES)
		return sentences[c.rule - CLASS_RULES];
	class_rule_say(class_rule_at(c.rule), to);
	return to;
}
