#include "sample/query.h"
#include "sample/word.h"

#include <string.h>

#include "base/bug.h"
#include "base/least.h"

/* A bool in a bool in a bool: nobody's are deeper than a few. */
#define NESTING_MAX 16

/* --- which are known --- */

static bool query_check(const json_t *query, unsigned depth, struct sample_trouble *t);

static bool query_check_each(const json_t *list, unsigned depth, struct sample_trouble *t)
{
	size_t i;
	json_t *member;
	if (json_is_object(list))
		return query_check(list, depth, t);
	json_array_foreach(list, i, member)
		if (!query_check(member, depth, t))
			return false;
	return true;
}

static const char *const clauses[] = { "must", "filter", "should", "must_not" };

static bool query_check_bool(const json_t *body, unsigned depth, struct sample_trouble *t)
{
	if (depth > NESTING_MAX)
		return sample_refuse(t, 400, "parsing_exception", "the query is too deep");
	for (unsigned i = 0; i < 4; i++)
		if (!query_check_each(json_object_get(body, clauses[i]), depth, t))
			return false;
	return true;
}

static bool query_check(const json_t *query, unsigned depth, struct sample_trouble *t)
{
	static const char *const known[] = {
		"match_all", "ids", "term", "terms", "range", "exists"
	};
	const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)query));
	for (size_t i = 0; name && i < sizeof known / sizeof known[0]; i++)
		if (!strcmp(name, known[i]))
			return true;
	if (name && !strcmp(name, "bool"))
		return query_check_bool(json_object_get(query, name), depth + 1, t);
	return sample_refuse(
		t, 400, "parsing_exception",
		"unknown query [%s]: a sample cluster knows match_all, ids, term, terms, "
		"range, exists and bool",
		name ? name : "");
}

bool sample_query_is_known(const json_t *query, struct sample_trouble *t)
{
	return !query || query_check(query, 0, t);
}

/* --- values --- */

/* What is asked about: a document, whose text is read when a query wants it. */
struct subject {
	const struct sample_version *version;
	json_t *source; /* owned */
};

static const json_t *subject_source(struct subject *s)
{
	if (!s->source)
		s->source = json_loadb(s->version->source.at, s->version->source.n, JSON_ALLOW_NUL,
				       NULL);
	must(s->source);
	return s->source;
}

typedef bool (*query_test)(const json_t *value, const json_t *wanted);

/* Whether a value at that path, "a.b", passes; an array does when a member does. */
static bool values_pass(const json_t *at, const char *path, query_test test, const json_t *wanted)
{
	size_t i;
	json_t *member;
	if (json_is_array(at)) {
		json_array_foreach(at, i, member)
			if (values_pass(member, path, test, wanted))
				return true;
		return false;
	}
	if (!*path)
		return at && test(at, wanted);
	const json_t *whole = json_object_get(at, path);
	if (whole)
		return values_pass(whole, "", test, wanted);
	const char *dot = strchr(path, '.');
	/* The end may be a field of the field, as "name.keyword". */
	if (!dot || !json_is_object(at))
		return !strcmp(path, "keyword") && at && test(at, wanted);
	const json_t *inner = json_object_getn(at, path, (size_t)(dot - path));
	return inner && values_pass(inner, dot + 1, test, wanted);
}

static bool value_is(const json_t *value, const json_t *wanted)
{
	if (json_is_number(value) && json_is_number(wanted))
		return json_number_value(value) == json_number_value(wanted);
	return json_equal(value, wanted);
}

static bool value_exists(const json_t *value, const json_t *wanted)
{
	(void)wanted;
	return !json_is_null(value);
}

static int value_compare(const json_t *a, const json_t *b)
{
	if (json_is_string(a) && json_is_string(b))
		return strcmp(json_string_value(a), json_string_value(b));
	double x = json_number_value(a), y = json_number_value(b);
	return (x > y) - (x < y);
}

static bool value_is_within(const json_t *value, const json_t *range)
{
	const char *bound;
	json_t *limit;
	json_object_foreach((json_t *)(uintptr_t)range, bound, limit) {
		int order = value_compare(value, limit);
		if ((!strcmp(bound, "gt") && order <= 0) || (!strcmp(bound, "gte") && order < 0) ||
		    (!strcmp(bound, "lt") && order >= 0) || (!strcmp(bound, "lte") && order > 0))
			return false;
	}
	return true;
}

/* --- queries --- */

static bool query_matches(const json_t *query, struct subject *s);

static bool matches_ids(const json_t *body, const struct subject *s)
{
	const struct sample_document *d = s->version->document;
	size_t i;
	json_t *id;
	json_array_foreach(json_object_get(body, "values"), i, id)
		if (json_is_string(id) &&
		    span_is((struct span){ json_string_value(id), json_string_length(id) },
			    (struct span){ d->id, d->id_n }))
			return true;
	return false;
}

/* {"term":{"a":1}} or {"term":{"a":{"value":1}}} */
static bool matches_term(const char *field, const json_t *wanted, struct subject *s)
{
	const json_t *inner = json_object_get(wanted, "value");
	return values_pass(subject_source(s), field, value_is, inner ? inner : wanted);
}

static bool matches_range(const char *field, const json_t *body, struct subject *s)
{
	if (strcmp(field, "_seq_no") != 0)
		return values_pass(subject_source(s), field, value_is_within, body);
	json_t *seq_no = json_integer((json_int_t)s->version->seq_no);
	bool within = value_is_within(seq_no, body);
	json_decref(seq_no);
	return within;
}

static bool matches_terms(const char *field, const json_t *list, struct subject *s)
{
	size_t i;
	json_t *wanted;
	json_array_foreach(list, i, wanted)
		if (matches_term(field, wanted, s))
			return true;
	return false;
}

/* How many of a clause's queries match, and how many there are. */
static size_t matches_of(const json_t *list, struct subject *s, size_t *n)
{
	size_t i, matched = 0;
	json_t *query;
	*n = json_is_object(list) ? 1 : json_array_size(list);
	if (json_is_object(list))
		return query_matches(list, s);
	json_array_foreach(list, i, query)
		matched += query_matches(query, s);
	return matched;
}

static bool matches_bool(const json_t *body, struct subject *s)
{
	size_t must_n, filter_n, should_n, not_n;
	bool good = matches_of(json_object_get(body, "must"), s, &must_n) == must_n &&
		    matches_of(json_object_get(body, "filter"), s, &filter_n) == filter_n &&
		    matches_of(json_object_get(body, "must_not"), s, &not_n) == 0;
	if (!good || must_n || filter_n)
		return good;
	size_t matched = matches_of(json_object_get(body, "should"), s, &should_n);
	return !should_n || matched;
}

static bool query_matches(const json_t *query, struct subject *s)
{
	const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)query));
	const json_t *body = name ? json_object_get(query, name) : NULL;
	const char *field = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)body));
	if (!name || !strcmp(name, "match_all"))
		return true;
	if (!strcmp(name, "ids"))
		return matches_ids(body, s);
	if (!strcmp(name, "bool"))
		return matches_bool(body, s);
	if (!field)
		return false;
	const json_t *wanted = json_object_get(body, field);
	if (!strcmp(name, "term"))
		return matches_term(field, wanted, s);
	if (!strcmp(name, "terms"))
		return matches_terms(field, wanted, s);
	if (!strcmp(name, "range"))
		return matches_range(field, wanted, s);
	const char *path = json_string_value(wanted);
	return path && values_pass(subject_source(s), path, value_exists, NULL);
}

static bool query_takes(const json_t *query, const struct sample_version *v)
{
	struct subject s = { .version = v };
	bool matches = !query || query_matches(query, &s);
	json_decref(s.source);
	return matches;
}

/* --- which documents --- */

static void range_narrow(struct sample_range *r, const char *bound, json_int_t n)
{
	uint64_t value = n < 0 ? 0 : (uint64_t)n, behind = n < 0 ? 0 : (uint64_t)n + 1;
	if (!strcmp(bound, "gt"))
		r->from = most(r->from, behind);
	else if (!strcmp(bound, "gte"))
		r->from = most(r->from, value);
	else if (!strcmp(bound, "lt"))
		r->to = least(r->to, value);
	else if (!strcmp(bound, "lte"))
		r->to = least(r->to, behind);
}

struct sample_range sample_query_range(const json_t *query)
{
	struct sample_range r = { 0, UINT64_MAX };
	const json_t *body = json_object_get(json_object_get(query, "range"), "_seq_no");
	const char *bound;
	json_t *limit;
	json_object_foreach((json_t *)(uintptr_t)body, bound, limit)
		if (json_is_integer(limit))
			range_narrow(&r, bound, json_integer_value(limit));
	return r;
}

static bool query_each_id(const struct sample_index *x, unsigned shard, json_t *ids,
			  struct sample_range range,
			  bool (*each)(void *to, struct sample_version *v), void *to)
{
	for (size_t i = 0; i < json_array_size(ids); i++) {
		struct span name = sample_word_at(ids, i);
		struct sample_version *v = name.n ? sample_index_find_shown(x, shard, name) : NULL;
		if (v && v->seq_no >= range.from && v->seq_no < range.to && !each(to, v))
			return false;
	}
	return true;
}

bool sample_query_each_in(const struct sample_index *x, unsigned shard, const json_t *query,
			  struct sample_range range, bool backwards,
			  bool (*each)(void *to, struct sample_version *v), void *to)
{
	const struct sample_shard *s = &x->shards[shard];
	const json_t *ids = json_object_get(query, "ids");
	if (ids)
		return query_each_id(x, shard, json_object_get(ids, "values"), range, each, to);
	size_t from = sample_shard_seek(s, range.from), end = sample_shard_seek(s, range.to);
	for (size_t n = from; n < end; n++) {
		size_t at = backwards ? end - 1 - (n - from) : n;
		struct sample_version *v = s->places[at].version;
		if (v && query_takes(query, v) && !each(to, v))
			return false;
	}
	return true;
}

bool sample_query_each(const struct sample_index *x, const json_t *query, struct sample_range range,
		       bool (*each)(void *to, struct sample_version *v), void *to)
{
	for (unsigned i = 0; i < x->shard_n; i++)
		if (!sample_query_each_in(x, i, query, range, false, each, to))
			return false;
	return true;
}
