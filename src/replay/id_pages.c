#include "replay/id_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

#define ID_PAGES_FORGOTTEN "an index was deleted while ids were read"

/* How far a shard of an index was read. */
struct id_shard {
	struct id_shard *next;
	char *index; /* owned */
	unsigned number;
	json_int_t seen; /* sequence number; -1: nothing */
	json_int_t read; /* of this time */
	bool due;
};

enum id_pages_state {
	ID_PAGES_IDLE,
	ID_PAGES_ASKING,
	ID_PAGES_FULL, /* `page` has documents that there was no room for */
};

struct id_pages {
	struct id_pages_config config; /* its `indices` is owned */
	enum id_pages_state state;
	struct ask ask;
	struct id_shard *shards; /* owned */
	struct id_shard *shard;	 /* being read */
	bool forgets;		 /* what was read may be of an index that is no more */
	json_t *page;		 /* owned: hits */
	size_t at;
	json_int_t page_from; /* what was read before it */
	char why[256];
};

/* --- shards --- */

static struct id_shard *id_pages_shard(struct id_pages *p, const char *index, unsigned number)
{
	for (struct id_shard *s = p->shards; s; s = s->next)
		if (s->number == number && !strcmp(s->index, index))
			return s;
	struct id_shard *s = malloc(sizeof *s);
	must(s);
	*s = (struct id_shard){
		.next = p->shards, .index = strdup(index), .number = number, .seen = -1
	};
	must(s->index);
	p->shards = s;
	return s;
}

static void id_pages_free_shards(struct id_pages *p)
{
	for (struct id_shard *s; (s = p->shards);) {
		p->shards = s->next;
		free(s->index);
		free(s);
	}
	p->shard = NULL;
	p->forgets = false;
}

void id_pages_forget(struct id_pages *p)
{
	p->forgets = true;
	if (p->state == ID_PAGES_IDLE)
		id_pages_free_shards(p);
}

void id_pages_set_place(struct id_pages *p, const char *index, unsigned shard, json_int_t seen)
{
	id_pages_shard(p, index, shard)->seen = seen;
}

json_t *id_pages_places(const struct id_pages *p)
{
	json_t *places = json_object();
	for (const struct id_shard *s = p->shards; s; s = s->next) {
		char number[16];
		json_t *index = json_object_get(places, s->index);
		if (s->seen < 0)
			continue;
		if (!index) {
			index = json_object();
			json_object_set_new(places, s->index, index);
		}
		snprintf(number, sizeof number, "%u", s->number);
		json_object_set_new(index, number, json_integer(s->seen));
	}
	return places;
}

void id_pages_set_places(struct id_pages *p, const json_t *places)
{
	const char *index, *number;
	json_t *shards, *seen;
	json_object_foreach((json_t *)(uintptr_t)places, index, shards)
		json_object_foreach(shards, number, seen)
			if (json_is_integer(seen))
				id_pages_set_place(p, index, (unsigned)strtoul(number, NULL, 10),
						   json_integer_value(seen));
}

/* --- the end --- */

static void id_pages_clear(struct id_pages *p)
{
	json_decref(p->page);
	json_decref(p->config.query);
	free((char *)(uintptr_t)p->config.indices);
	p->page = p->config.query = NULL;
	p->config.indices = NULL;
	p->state = ID_PAGES_IDLE;
	for (struct id_shard *s = p->shards; s; s = s->next)
		s->due = false;
	if (p->forgets)
		id_pages_free_shards(p);
}

static void id_pages_end(struct id_pages *p, const char *why)
{
	struct id_pages_config c = p->config;
	id_pages_clear(p);
	c.over(c.user, why);
}

static bool id_pages_good(struct id_pages *p, const struct ask *a, enum err why, const char *what)
{
	char trouble[sizeof p->why - 64];
	if (p->forgets) {
		id_pages_end(p, ID_PAGES_FORGOTTEN);
		return false;
	}
	if (ask_succeeded(a, why))
		return true;
	ask_trouble(a, why, trouble, sizeof trouble);
	snprintf(p->why, sizeof p->why, "%.60s: %s", what, trouble);
	id_pages_end(p, p->why);
	return false;
}

/* --- pages --- */

static void id_pages_next(struct id_pages *p);

static void id_pages_ask(struct id_pages *p);

/* False: there was no room for one of them. */
static bool id_pages_give(struct id_pages *p)
{
	for (; p->at < json_array_size(p->page); p->at++) {
		const json_t *hit = json_array_get(p->page, p->at);
		const char *index = json_string_value(json_object_get(hit, "_index"));
		const char *id = json_string_value(json_object_get(hit, "_id"));
		const char *routing = json_string_value(json_object_get(hit, "_routing"));
		json_int_t sequence = json_integer_value(json_object_get(hit, "_seq_no"));
		/* Without an order there would be no end. */
		if (!index || !id || sequence <= p->shard->read)
			continue;
		if (!p->config.each(p->config.user, span_of(index), span_of(id),
				    span_of(routing ? routing : "")))
			return false;
		p->shard->read = sequence;
	}
	return true;
}

static unsigned id_pages_size(const struct id_pages *p)
{
	return p->config.page_size ? p->config.page_size : ID_PAGES_SIZE;
}

static void id_pages_read(struct id_pages *p)
{
	if (p->forgets) {
		id_pages_end(p, ID_PAGES_FORGOTTEN);
		return;
	}
	bool last = json_array_size(p->page) < id_pages_size(p);
	if (!id_pages_give(p)) {
		p->state = ID_PAGES_FULL;
		return;
	}
	p->state = ID_PAGES_ASKING;
	json_decref(p->page);
	p->page = NULL;
	if (p->config.page)
		p->config.page(p->config.user, p->shard->index, p->shard->number, p->shard->read);
	if (!last && p->shard->read > p->page_from) {
		id_pages_ask(p);
		return;
	}
	/* A query does not see all of a shard: that is not what the next scan begins with. */
	if (!p->config.query)
		p->shard->seen = p->shard->read;
	p->shard->due = false;
	id_pages_next(p);
}

/* A new reference; NULL: they are not all that the shard has. No hits are left out of a response.
 */
static json_t *id_pages_hits(const json_t *response)
{
	const json_t *failed = json_object_get(json_object_get(response, "_shards"), "failed");
	json_t *hits = json_object_get(json_object_get(response, "hits"), "hits");
	if (json_is_true(json_object_get(response, "timed_out")) || !json_is_integer(failed) ||
	    json_integer_value(failed))
		return NULL;
	return json_is_array(hits) ? json_incref(hits) : json_array();
}

static void id_pages_have_page(struct ask *a, enum err why)
{
	struct id_pages *p = a->user;
	if (!id_pages_good(p, a, why, p->shard->index))
		return;
	p->page = id_pages_hits(a->json);
	if (!p->page) {
		id_pages_end(p, "a search's response is not of the whole shard");
		return;
	}
	p->at = 0;
	p->page_from = p->shard->read;
	id_pages_read(p);
}

static void id_pages_ask(struct id_pages *p)
{
	char more[160];
	json_t *range = json_pack("{s:{s:{s:I}}}", "range", "_seq_no", "gt", p->shard->read);
	json_t *query = p->config.query ? json_pack("{s:{s:[o,O]}}", "bool", "filter", range,
						    p->config.query)
					: range;
	json_t *body =
		json_pack("{s:i,s:b,s:b,s:o,s:[{s:s}]}", "size", (int)id_pages_size(p), "_source",
			  0, "seq_no_primary_term", 1, "query", query, "sort", "_seq_no", "asc");
	snprintf(more, sizeof more,
		 "/_search?preference=_shards:%u&filter_path=timed_out,_shards.failed,"
		 "hits.hits._index,hits.hits._id,hits.hits._routing,hits.hits._seq_no",
		 p->shard->number);
	ask_json(&p->ask, p->config.arm, "POST", ask_target("/", p->shard->index, more), body,
		 ASK_TIMEOUT_MS, id_pages_have_page);
	json_decref(body);
}

/* The next shard; or all pages were read. */
static void id_pages_next(struct id_pages *p)
{
	p->shard = p->shards;
	while (p->shard && !p->shard->due)
		p->shard = p->shard->next;
	if (p->shard)
		id_pages_ask(p);
	else
		id_pages_end(p, NULL);
}

/* --- which shards there are --- */

static void id_pages_have_shards(struct ask *a, enum err why)
{
	struct id_pages *p = a->user;
	const char *index, *number;
	json_t *stats, *shard;
	if (!id_pages_good(p, a, why, "_stats"))
		return;
	json_t *indices = json_object_get(a->json, "indices");
	json_object_foreach(indices, index, stats) {
		json_t *shards = json_object_get(stats, "shards");
		json_object_foreach(shards, number, shard) {
			struct id_shard *s =
				id_pages_shard(p, index, (unsigned)strtoul(number, NULL, 10));
			s->due = true;
			s->read = p->config.from_start ? -1 : s->seen;
		}
	}
	id_pages_next(p);
}

/* What the cluster has not refreshed no search sees. */
static void id_pages_refreshed(struct ask *a, enum err why)
{
	struct id_pages *p = a->user;
	if (!id_pages_good(p, a, why, "_refresh"))
		return;
	ask_json(a, p->config.arm, "GET",
		 ask_target("/", p->config.indices,
			    "/_stats?level=shards&filter_path=indices.*.shards.*.seq_no"
			    "&ignore_unavailable=true&allow_no_indices=true"
			    "&expand_wildcards=open,hidden"),
		 NULL, ASK_TIMEOUT_MS, id_pages_have_shards);
}

void id_pages_begin(struct id_pages *p, const struct id_pages_config *c)
{
	must(p->state == ID_PAGES_IDLE);
	p->config = *c;
	p->config.indices = strdup(c->indices);
	must(p->config.indices);
	p->state = ID_PAGES_ASKING;
	ask_json(&p->ask, c->arm, "POST",
		 ask_target("/", c->indices,
			    "/_refresh?ignore_unavailable=true"
			    "&allow_no_indices=true&expand_wildcards=open,hidden"),
		 NULL, ASK_TIMEOUT_MS, id_pages_refreshed);
}

void id_pages_go_on(struct id_pages *p)
{
	if (p->state == ID_PAGES_FULL)
		id_pages_read(p);
}

bool id_pages_are_idle(const struct id_pages *p)
{
	return p->state == ID_PAGES_IDLE;
}

void id_pages_stop(struct id_pages *p)
{
	ask_stop(&p->ask);
	id_pages_clear(p);
}

struct id_pages *id_pages_make(struct subrequests *s)
{
	struct id_pages *p = calloc(1, sizeof *p);
	must(p);
	ask_open(&p->ask, s, p);
	return p;
}

void id_pages_free(struct id_pages *p)
{
	id_pages_clear(p);
	id_pages_forget(p);
	ask_close(&p->ask);
	free(p);
}
