#include <stdio.h>

#include "sample/query.h"
#include "sample/search.h"

#define SIZE 10
#define WINDOW 10000
/* A list of indices is a segment of a path. */
#define SCROLL_ID_BYTES 8192

/* The next page: the documents of a shard from a sequence number on, then of those behind it. */
struct scroll {
	struct sample_hit_parts parts;
	unsigned size;
	char index[SAMPLE_NAME_BYTES + 1];
	unsigned shard;
	uint64_t seq_no;
	struct span indices;
	/* While it is made: */
	struct sample_call *call;
	const struct sample_index *at;
	unsigned n;
};

/* The text of the id: size,parts,shard,seq_no,index,indices. No name of an index has a comma. */
static void scroll_write_id(struct sample_text *to, const struct scroll *s)
{
	char text[SCROLL_ID_BYTES];
	int n = snprintf(text, sizeof text, "%u,%d,%u,%ju,%s,%.*s", s->size,
			 s->parts.source + 2 * s->parts.version + 4 * s->parts.seq_no, s->shard,
			 (uintmax_t)s->seq_no, s->index, (int)s->indices.n, s->indices.at);
	sample_text_member(to, SPAN("_scroll_id"), (struct span){ text, (size_t)n });
}

static bool scroll_read_number(const char **at, unsigned long long max, unsigned long long *n)
{
	const char *comma = strchr(*at, ',');
	if (!comma || !span_to_u64((struct span){ *at, (size_t)(comma - *at) }, max, n))
		return false;
	*at = comma + 1;
	return true;
}

static bool scroll_read_id(struct scroll *s, const char *at)
{
	unsigned long long size, parts, shard, seq_no;
	if (!at || strlen(at) > SCROLL_ID_BYTES / 2 || !scroll_read_number(&at, WINDOW, &size) ||
	    !scroll_read_number(&at, 7, &parts) ||
	    !scroll_read_number(&at, SAMPLE_SHARDS_MAX, &shard) ||
	    !scroll_read_number(&at, UINT64_MAX, &seq_no))
		return false;
	const char *comma = strchr(at, ',');
	if (!comma || comma - at > SAMPLE_NAME_BYTES)
		return false;
	s->size = (unsigned)size;
	s->parts = (struct sample_hit_parts){ parts & 1, parts & 2, parts & 4 };
	s->shard = (unsigned)shard;
	s->seq_no = seq_no;
	memcpy(s->index, at, (size_t)(comma - at));
	s->index[comma - at] = 0;
	s->indices = span_of(comma + 1);
	return true;
}

/* False: the page is full, and this one is the first of the next. */
static bool scroll_take(void *to, struct sample_version *v)
{
	struct scroll *s = to;
	if (s->n == s->size) {
		snprintf(s->index, sizeof s->index, "%s", s->at->name);
		s->shard = v->document->shard;
		s->seq_no = v->seq_no;
		return false;
	}
	if (s->n++)
		SAMPLE_ADD(&s->call->text, ",");
	sample_hit_write(&s->call->text, &(struct sample_hit){ s->at, v }, &s->parts, false);
	return true;
}

/* Behind the last document the scroll stands at its end: a later one may come there. */
static void scroll_end(struct scroll *s)
{
	if (!s->at)
		return;
	snprintf(s->index, sizeof s->index, "%s", s->at->name);
	s->shard = s->at->shard_n - 1;
	s->seq_no = s->at->shards[s->shard].next_seq_no;
}

/* False: the page is full. */
static bool scroll_index(struct scroll *s, unsigned shard, uint64_t seq_no)
{
	for (unsigned i = shard; i < s->at->shard_n; i++) {
		struct sample_range range = { i == shard ? seq_no : 0, UINT64_MAX };
		if (!sample_query_each_in(s->at, i, NULL, range, false, scroll_take, s))
			return false;
	}
	return true;
}

static void scroll_page(struct scroll *s, struct sample_index *const *indices, size_t n)
{
	char index[SAMPLE_NAME_BYTES + 1];
	unsigned shard = s->shard;
	uint64_t seq_no = s->seq_no;
	snprintf(index, sizeof index, "%s", s->index);
	for (size_t i = 0; i < n; i++) {
		int order = strcmp(indices[i]->name, index);
		if (order < 0)
			continue;
		s->at = indices[i];
		if (!scroll_index(s, order ? 0 : shard, order ? 0 : seq_no))
			return;
	}
	scroll_end(s);
}

static void scroll_respond(struct sample_call *c, struct scroll *s)
{
	struct sample_index *indices[SAMPLE_INDICES_MAX];
	size_t n;
	uint64_t total = 0;
	if (!sample_indices_of(c, s->indices, indices, &n))
		return;
	for (size_t i = 0; i < n; i++)
		total += indices[i]->shown_n;
	c->status = 200;
	s->call = c;
	SAMPLE_ADD(&c->text,
		   "{\"took\":1,\"timed_out\":false,\"_shards\":{\"total\":1,\"successful\":1,"
		   "\"skipped\":0,\"failed\":0},\"hits\":{\"total\":{");
	sample_text_count(&c->text, SPAN("value"), total);
	SAMPLE_ADD(&c->text, ",\"relation\":\"eq\"},\"hits\":[");
	scroll_page(s, indices, n);
	SAMPLE_ADD(&c->text, "]}");
	scroll_write_id(&c->text, s);
	SAMPLE_ADD(&c->text, "}");
}

void sample_scroll_begin(struct sample_call *c, const json_t *body, struct span indices)
{
	struct scroll s = { .size = SIZE, .indices = indices };
	const json_t *size = json_object_get(body, "size"), *query = json_object_get(body, "query");
	char text[16];
	struct span value;
	unsigned long long n;
	if (json_is_integer(size) && json_integer_value(size) > 0 &&
	    json_integer_value(size) <= WINDOW)
		s.size = (unsigned)json_integer_value(size);
	if (sample_parameter(c, "size", text, sizeof text, &value) &&
	    span_to_u64(value, WINDOW, &n) && n)
		s.size = (unsigned)n;
	sample_hit_parts_read(c, body, &s.parts);
	if (query && !json_object_get(query, "match_all"))
		sample_respond_error(c, 400, "parsing_exception",
				     "a sample cluster scrolls by match_all only");
	else
		scroll_respond(c, &s);
}

void sample_serve_scroll(struct sample_call *c)
{
	struct scroll s = { 0 };
	json_t *body = sample_body(c);
	if (!body)
		return;
	if (c->method == METHOD_DELETE)
		sample_respond_json(c, 200, json_pack("{s:b,s:i}", "succeeded", 1, "num_freed", 1));
	else if (!scroll_read_id(&s, json_string_value(json_object_get(body, "scroll_id"))))
		sample_respond_error(c, 404, "search_context_missing_exception",
				     "No search context found");
	else
		scroll_respond(c, &s);
	json_decref(body);
}
