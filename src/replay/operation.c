#include "replay/operation.h"

#include <string.h>

#include "base/bug.h"
#include "http/percent.h"
#include "proxy/class.h"

/* More than any row has; a longer path fits those that end with a "**". */
#define SEGMENTS_MAX 6

#define BIT(method) (1u << METHOD_##method)

enum operation_methods {
	POST = BIT(POST),
	PUT = BIT(PUT),
	PUT_POST = BIT(PUT) | BIT(POST),
	DELETE = BIT(DELETE),
	CHANGES = BIT(OTHER) | BIT(POST) | BIT(PUT) | BIT(DELETE) | BIT(PATCH),
	ALL = CHANGES | BIT(GET) | BIT(HEAD),
};

struct operation_row {
	unsigned methods;
	enum operation_act act;
	struct span path, name;
};

#define OPERATION(methods, path, act, name)                                                        \
	{ methods, OPERATION_##act, SPAN_INIT(path), SPAN_INIT(name) },
static const struct operation_row rows[] = {
#include "replay/operation.def"
};
#undef OPERATION

/* --- a path in its segments --- */

struct operation_path {
	struct span segments[SEGMENTS_MAX];
	size_t n;
	bool longer; /* it has more of them */
	bool empty;  /* one of them has no bytes */
};

/* Takes what stands before the next '/'. */
static struct span operation_cut(struct span *rest)
{
	if (!rest->n)
		return *rest;
	const char *slash = memchr(rest->at, '/', rest->n);
	struct span first = { rest->at, slash ? (size_t)(slash - rest->at) : rest->n };
	size_t used = first.n + (slash != NULL);
	*rest = (struct span){ rest->at + used, rest->n - used };
	return first;
}

/* `path` has no query. A '/' at its end is forgiven. */
static void operation_read_path(struct operation_path *p, struct span path)
{
	*p = (struct operation_path){ 0 };
	operation_cut(&path);
	while (path.n) {
		struct span segment = operation_cut(&path);
		p->empty |= !segment.n;
		p->longer |= p->n == SEGMENTS_MAX;
		if (p->n < SEGMENTS_MAX)
			p->segments[p->n++] = segment;
	}
}

/* --- rows --- */

static bool operation_is_name(struct span segment)
{
	return segment.at[0] != '_' || span_is(segment, SPAN("_all"));
}

/* `of` is a segment of a row. */
static bool operation_fits(struct span of, struct span segment, struct operation *o)
{
	if (of.at[0] != '{')
		return span_is(of, segment);
	if (!span_is(of, SPAN("{id}")) && !operation_is_name(segment))
		return false;
	if (span_is(of, SPAN("{index}")))
		o->index = segment;
	else if (span_is(of, SPAN("{type}")))
		o->type = segment;
	else if (span_is(of, SPAN("{id}")))
		o->id = segment;
	return true;
}

static bool operation_row_fits(const struct operation_row *row, const struct operation_path *p,
			       struct operation *o)
{
	struct span rest = row->path;
	o->index = o->type = o->id = (struct span){ NULL, 0 };
	for (size_t i = 0; rest.n; i++) {
		struct span of = operation_cut(&rest);
		if (span_is(of, SPAN("**")))
			return true;
		if (i == p->n || !operation_fits(of, p->segments[i], o))
			return false;
		if (!rest.n)
			return i + 1 == p->n && !p->longer;
	}
	return false;
}

static const struct operation_row *
operation_find(enum method method, const struct operation_path *p, struct operation *o)
{
	for (size_t i = 0; !p->empty && i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].methods >> method & 1 && operation_row_fits(&rows[i], p, o))
			return &rows[i];
	return NULL;
}

static bool operation_method_reads(enum method method)
{
	return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS ||
	       method == METHOD_TRACE;
}

struct operation operation_of(enum method method, struct span target)
{
	struct operation o = { .act = OPERATION_READ, .name = SPAN("") };
	struct operation_path p;
	const char *mark = target.n ? memchr(target.at, '?', target.n) : NULL;
	size_t path_n = mark ? (size_t)(mark - target.at) : target.n;
	if (mark)
		o.query = (struct span){ mark + 1, target.n - path_n - 1 };
	if (class_of(PROFILE_OPENSEARCH, method, target).class == CLASS_READ)
		return o;
	operation_read_path(&p, (struct span){ target.at, path_n });
	const struct operation_row *row = operation_find(method, &p, &o);
	if (row) {
		o.act = row->act;
		o.name = row->name;
		return o;
	}
	o.index = o.type = o.id = (struct span){ NULL, 0 };
	if (!operation_method_reads(method)) {
		o.act = OPERATION_UNKNOWN;
		o.name = SPAN("other");
	}
	return o;
}

/* --- parameters --- */

/* `to` has room for `s`. */
static struct span operation_decode(struct span s, char *to)
{
	size_t n;
	must(percent_decode(s, to, s.n, &n));
	return (struct span){ to, n };
}

static bool operation_parts(char c)
{
	return c == '&' || c == ';';
}

/* Takes the next "name=value" out of *rest. */
static struct span operation_cut_pair(struct span *rest)
{
	size_t n = 0;
	while (n < rest->n && !operation_parts(rest->at[n]))
		n++;
	struct span pair = { rest->at, n };
	size_t used = n + (n < rest->n);
	*rest = (struct span){ rest->at + used, rest->n - used };
	return pair;
}

/* Decoded, it is `name`. `to` has room for it. */
static bool operation_is_named(struct span coded, struct span name, char *to)
{
	return span_is(memchr(coded.at, '%', coded.n) ? operation_decode(coded, to) : coded, name);
}

static struct span operation_value(struct span coded, char *to)
{
	for (size_t i = 0; i < coded.n; i++)
		to[i] = (char)(coded.at[i] == '+' ? ' ' : coded.at[i]);
	return operation_decode((struct span){ to, coded.n }, to);
}

bool operation_parameter(struct span query, struct span name, char *to, struct span *value)
{
	struct span found = { NULL, 0 };
	bool is_there = false;
	while (query.n) {
		struct span pair = operation_cut_pair(&query);
		const char *sign = pair.n ? memchr(pair.at, '=', pair.n) : NULL;
		size_t name_n = sign ? (size_t)(sign - pair.at) : pair.n;
		if (!name_n || !operation_is_named((struct span){ pair.at, name_n }, name, to))
			continue;
		is_there = true;
		found = sign ? (struct span){ sign + 1, pair.n - name_n - 1 }
			     : (struct span){ to, 0 };
	}
	if (is_there)
		*value = operation_value(found, to);
	return is_there;
}

/* --- for people --- */

const char *operation_effect(const struct operation *o)
{
	static const char *const effects[OPERATION_ACTS] = {
		[OPERATION_READ] = "nothing",
		[OPERATION_MAINTENANCE] = "nothing",
		[OPERATION_DOCUMENT] = "key",
		[OPERATION_BULK] = "key of each item",
		[OPERATION_BULK_STREAM] = "key of each item",
		[OPERATION_UPDATE_BY_QUERY] = "scan",
		[OPERATION_DELETE_BY_QUERY] = "sweep",
		[OPERATION_REINDEX] = "scan",
		[OPERATION_SQL] = "walk, of a statement that deletes",
		[OPERATION_FENCE] = "fence",
		[OPERATION_FENCE_STREAM] = "fence",
		[OPERATION_ALIASES] = "surroundings",
		[OPERATION_SURROUNDINGS] = "surroundings",
		[OPERATION_RESIZE] = "walk",
		[OPERATION_RESTORE] = "walk",
		[OPERATION_UNKNOWN] = "unknown",
	};
	return effects[o->act];
}
