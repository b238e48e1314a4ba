#include "sample/search.h"

#include <stdlib.h>

#include "sample/query.h"
#include "sample/read.h"
#include "base/bug.h"
#include "base/least.h"

/* Defaults of OpenSearch: hits of a page, index.max_result_window, track_total_hits. */
#define SIZE 10
#define WINDOW 10000
#define TOTAL_TRACKED 10000

enum order { ORDER_INDEX, ORDER_ASCENDING, ORDER_DESCENDING };

struct search {
	json_t *body; /* owned */
	const json_t *query;
	struct sample_hit_parts parts;
	size_t from, size, total_max;
	enum order order;
	struct sample_range range;
	char preference[64];
	struct span shards;	 /* a list of their numbers; at = NULL: all */
	struct sample_hit *hits; /* owned; the first from + size */
	size_t n, total;
	const struct sample_index *index; /* that is looked at now */
};

/* --- what is asked --- */

static bool search_number(const struct sample_call *c, const json_t *body, const char *name,
			  size_t *n)
{
	char text[24];
	struct span value;
	unsigned long long number;
	const json_t *j = json_object_get(body, name);
	if (j && (!json_is_integer(j) || json_integer_value(j) < 0))
		return false;
	if (j)
		*n = (size_t)json_integer_value(j);
	if (!sample_parameter(c, name, text, sizeof text, &value))
		return true;
	if (!span_to_u64(value, INT64_MAX, &number))
		return false;
	*n = number;
	return true;
}

static bool search_flag(const struct sample_call *c, const json_t *body, const char *name)
{
	return json_is_true(json_object_get(body, name)) || sample_is_asked(c, name);
}

void sample_hit_parts_read(const struct sample_call *c, const json_t *body,
			   struct sample_hit_parts *p)
{
	bool body_none = json_is_false(json_object_get(body, "_source"));
	p->source = !body_none && sample_wants_source(c);
	p->seq_no = search_flag(c, body, "seq_no_primary_term");
	p->version = search_flag(c, body, "version");
}

static bool search_read_sort_by(struct search *s, struct span field, const char *order)
{
	if (span_is(field, SPAN("_doc")))
		return true;
	s->order = order && !strcmp(order, "desc") ? ORDER_DESCENDING : ORDER_ASCENDING;
	return span_is(field, SPAN("_seq_no"));
}

/* "_seq_no", {"_seq_no":"asc"}, {"_seq_no":{"order":"asc"}}, and a list of one of these. */
static bool search_read_sort(struct search *s, const json_t *sort)
{
	if (!sort)
		return true;
	if (json_is_array(sort))
		return json_array_size(sort) == 1 && search_read_sort(s, json_array_get(sort, 0));
	if (json_is_string(sort))
		return search_read_sort_by(s, span_of(json_string_value(sort)), NULL);
	const char *field = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)sort));
	const json_t *how = field ? json_object_get(sort, field) : NULL;
	const json_t *order = json_is_object(how) ? json_object_get(how, "order") : how;
	return field && search_read_sort_by(s, span_of(field), json_string_value(order));
}

/* sort=_seq_no:desc */
static bool search_read_sort_parameter(const struct sample_call *c, struct search *s)
{
	char text[64];
	struct span value;
	if (!sample_parameter(c, "sort", text, sizeof text - 1, &value))
		return true;
	text[value.n] = 0;
	char *colon = strchr(text, ':');
	if (colon)
		*colon = 0;
	return search_read_sort_by(s, span_of(text), colon ? colon + 1 : NULL);
}

static bool search_read_after(struct search *s)
{
	const json_t *after = json_object_get(s->body, "search_after");
	const json_t *value = json_array_get(after, 0);
	if (!after)
		return true;
	if (s->order == ORDER_INDEX || json_array_size(after) != 1 || !json_is_integer(value))
		return false;
	uint64_t n = json_integer_value(value) < 0 ? 0 : (uint64_t)json_integer_value(value);
	if (s->order == ORDER_DESCENDING)
		s->range.to = least(s->range.to, n);
	else if (json_integer_value(value) >= 0)
		s->range.from = most(s->range.from, n + 1);
	return true;
}

static void search_read_total(struct search *s)
{
	const json_t *track = json_object_get(s->body, "track_total_hits");
	s->total_max = TOTAL_TRACKED;
	if (json_is_boolean(track))
		s->total_max = json_is_true(track) ? SIZE_MAX : 0;
	if (json_is_integer(track) && json_integer_value(track) >= 0)
		s->total_max = (size_t)json_integer_value(track);
}

/* "_shards:0", "_shards:0,2|_local" */
static void search_read_shards(const struct sample_call *c, struct search *s)
{
	struct span value;
	size_t prefix = sizeof "_shards:" - 1;
	if (!sample_parameter(c, "preference", s->preference, sizeof s->preference, &value) ||
	    value.n < prefix || memcmp(value.at, "_shards:", prefix) != 0)
		return;
	const char *bar = memchr(value.at, '|', value.n);
	s->shards = (struct span){ value.at + prefix,
				   (bar ? (size_t)(bar - value.at) : value.n) - prefix };
}

static bool search_asks_shard(const struct search *s, unsigned shard)
{
	struct span rest = s->shards, member;
	unsigned long long n;
	while (span_next_member(&rest, &member))
		if (span_to_u64(member, SAMPLE_SHARDS_MAX, &n) && n == shard)
			return true;
	return !s->shards.at;
}

static bool search_read(struct sample_call *c, struct search *s, struct sample_trouble *t)
{
	s->query = json_object_get(s->body, "query");
	s->size = SIZE;
	s->from = 0;
	sample_hit_parts_read(c, s->body, &s->parts);
	s->range = sample_query_range(s->query);
	search_read_total(s);
	if (!search_number(c, s->body, "size", &s->size) ||
	    !search_number(c, s->body, "from", &s->from) || s->size > WINDOW ||
	    s->from + s->size > WINDOW)
		return sample_refuse(t, 400, "illegal_argument_exception",
				     "Result window is too large, from + size must be less than or "
				     "equal to: [%d]",
				     WINDOW);
	if (!search_read_sort(s, json_object_get(s->body, "sort")) ||
	    !search_read_sort_parameter(c, s) || !search_read_after(s))
		return sample_refuse(t, 400, "parsing_exception",
				     "a sample cluster sorts by _seq_no and _doc only");
	search_read_shards(c, s);
	return sample_query_is_known(s->query, t);
}

/* --- hits --- */

static bool search_take(void *to, struct sample_version *v)
{
	struct search *s = to;
	size_t wanted = s->from + s->size;
	s->total++;
	if (s->n < wanted)
		s->hits[s->n++] = (struct sample_hit){ s->index, v };
	return s->n < wanted || s->total < s->total_max;
}

static int hit_compare_ascending(const void *a, const void *b)
{
	const struct sample_hit *x = a, *y = b;
	int order = compare_numbers(x->version->seq_no, y->version->seq_no);
	order = order ? order : strcmp(x->index->name, y->index->name);
	return order ? order
		     : compare_numbers(x->version->document->shard, y->version->document->shard);
}

static int hit_compare_descending(const void *a, const void *b)
{
	return hit_compare_ascending(b, a);
}

/* The first ones of all that were looked at. */
struct sorted {
	struct sample_hit *hits; /* owned; room for twice the page */
	size_t n, total;
};

/* A shard gives its first ones behind those that there are, and what is behind the page is cut. */
static void search_sort_in(struct search *s, unsigned shard, struct sorted *all)
{
	bool descends = s->order == ORDER_DESCENDING;
	s->hits = all->hits + all->n;
	s->n = s->total = 0;
	sample_query_each_in(s->index, shard, s->query, s->range, descends, search_take, s);
	all->total += s->total;
	all->n += s->n;
	qsort(all->hits, all->n, sizeof *all->hits,
	      descends ? hit_compare_descending : hit_compare_ascending);
	all->n = least(all->n, s->from + s->size);
}

static void search_sorted(struct search *s, struct sample_index *const *indices, size_t n)
{
	struct sample_hit *own = s->hits;
	struct sorted all = { .hits = calloc(2 * (s->from + s->size) + 1, sizeof *own) };
	must(all.hits);
	for (size_t i = 0; i < n; i++) {
		s->index = indices[i];
		for (unsigned shard = 0; shard < s->index->shard_n; shard++)
			if (search_asks_shard(s, shard))
				search_sort_in(s, shard, &all);
	}
	memcpy(own, all.hits, all.n * sizeof *own);
	free(all.hits);
	s->hits = own;
	s->n = all.n;
	s->total = all.total;
}

/* False: there are enough. */
static bool search_index(struct search *s)
{
	for (unsigned shard = 0; shard < s->index->shard_n; shard++)
		if (search_asks_shard(s, shard) &&
		    !sample_query_each_in(s->index, shard, s->query, s->range, false, search_take,
					  s))
			return false;
	return true;
}

static void search_in_order(struct search *s, struct sample_index *const *indices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s->index = indices[i];
		if (!search_index(s))
			break;
	}
}

/* --- the response --- */

void sample_hit_write(struct sample_text *to, const struct sample_hit *h,
		      const struct sample_hit_parts *p, bool sorted)
{
	const struct sample_version *v = h->version;
	SAMPLE_ADD(to, "{");
	sample_text_member(to, SPAN("_index"), span_of(h->index->name));
	sample_text_member(to, SPAN("_id"), (struct span){ v->document->id, v->document->id_n });
	sample_text_name(to, SPAN("_score"));
	sample_text_add(to, sorted ? SPAN("null") : SPAN("1.0"));
	if (v->routing.at)
		sample_text_member(to, SPAN("_routing"), v->routing);
	if (p->version)
		sample_text_count(to, SPAN("_version"), v->version);
	if (p->seq_no) {
		sample_text_count(to, SPAN("_seq_no"), v->seq_no);
		sample_text_count(to, SPAN("_primary_term"), v->primary_term);
	}
	if (p->source) {
		sample_text_name(to, SPAN("_source"));
		sample_text_add(to, v->source);
	}
	if (sorted) {
		SAMPLE_ADD(to, ",\"sort\":[");
		sample_text_number(to, v->seq_no);
		SAMPLE_ADD(to, "]");
	}
	SAMPLE_ADD(to, "}");
}

static void search_respond(struct sample_call *c, const struct search *s)
{
	struct sample_text *to = &c->text;
	bool sorted = s->order != ORDER_INDEX;
	c->status = 200;
	SAMPLE_ADD(to, "{\"took\":1,\"timed_out\":false,\"_shards\":{\"total\":1,\"successful\":1,"
		       "\"skipped\":0,\"failed\":0},\"hits\":{");
	if (s->total_max) {
		SAMPLE_ADD(to, "\"total\":{");
		sample_text_count(to, SPAN("value"), least(s->total, s->total_max));
		sample_text_member(to, SPAN("relation"),
				   s->total < s->total_max ? SPAN("eq") : SPAN("gte"));
		SAMPLE_ADD(to, "},");
	}
	SAMPLE_ADD(to, "\"max_score\":");
	sample_text_add(to, s->n && !sorted ? SPAN("1.0") : SPAN("null"));
	SAMPLE_ADD(to, ",\"hits\":[");
	for (size_t i = s->from; i < s->n; i++) {
		if (i > s->from)
			SAMPLE_ADD(to, ",");
		sample_hit_write(to, &s->hits[i], &s->parts, sorted);
	}
	SAMPLE_ADD(to, "]}}");
}

static void search_do(struct sample_call *c, struct search *s, struct span expression)
{
	struct sample_index *indices[SAMPLE_INDICES_MAX];
	size_t n;
	struct sample_trouble t;
	if (!search_read(c, s, &t)) {
		sample_respond_trouble(c, &t);
		return;
	}
	if (!sample_indices_of(c, expression, indices, &n))
		return;
	s->hits = calloc(s->from + s->size + 1, sizeof *s->hits);
	must(s->hits);
	if (s->order == ORDER_INDEX)
		search_in_order(s, indices, n);
	else
		search_sorted(s, indices, n);
	search_respond(c, s);
	free(s->hits);
}

void sample_serve_search(struct sample_call *c, struct span indices)
{
	struct search s = { .body = sample_body(c) };
	if (!s.body)
		return;
	if (sample_has(c, "scroll"))
		sample_scroll_begin(c, s.body, indices);
	else
		search_do(c, &s, indices);
	json_decref(s.body);
}

/* --- counts --- */

static bool count_one(void *to, struct sample_version *v)
{
	(void)v;
	++*(uint64_t *)to;
	return true;
}

void sample_serve_count(struct sample_call *c, struct span expression)
{
	struct sample_index *indices[SAMPLE_INDICES_MAX];
	size_t n;
	uint64_t count = 0;
	struct sample_trouble t;
	json_t *body = sample_body(c);
	const json_t *query = json_object_get(body, "query");
	if (!body || !sample_indices_of(c, expression, indices, &n))
		goto over;
	if (!sample_query_is_known(query, &t)) {
		sample_respond_trouble(c, &t);
		goto over;
	}
	for (size_t i = 0; i < n; i++)
		if (query)
			sample_query_each(indices[i], query, sample_query_range(query), count_one,
					  &count);
		else
			count += indices[i]->shown_n;
	sample_respond_json(
		c, 200,
		json_pack("{s:I,s:o}", "count", (json_int_t)count, "_shards", sample_shards()));
over:
	json_decref(body);
}
