#include "replay/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"

/* --- what was found --- */

static struct span place_text(const json_t *hit, const char *name)
{
	const json_t *text = json_object_get(hit, name);
	return (struct span){ json_string_value(text), json_string_length(text) };
}

/* Of a document that is there twice the one of the younger index, whose name is greater. */
static bool place_is_younger(struct span index, const struct copy_place *than)
{
	size_t n = least(index.n, than->index.n);
	int order = n ? memcmp(index.at, than->index.at, n) : 0;
	return order ? order > 0 : index.n > than->index.n;
}

static void place_take_routing(struct place_wanted *w, struct span routing)
{
	for (unsigned i = 0; i < w->routing_n; i++)
		if (span_is(w->routings[i], routing))
			return;
	if (w->routing_n < PLACE_ROUTINGS_MAX)
		w->routings[w->routing_n++] = routing;
}

static void place_take(const struct places *p, struct place_wanted *w, const json_t *hit)
{
	if (w->by_routing) {
		place_take_routing(w, place_text(hit, "_routing"));
		return;
	}
	struct copy_place *to = p->arm == p->owner ? &w->owner : &w->replica;
	struct span index = place_text(hit, "_index");
	if (!place_is_younger(index, to))
		return;
	*to = (struct copy_place){
		.index = index,
		.routing = place_text(hit, "_routing"),
		.seq_no = (uint64_t)json_integer_value(json_object_get(hit, "_seq_no")),
		.primary_term = (uint64_t)json_integer_value(json_object_get(hit, "_primary_term")),
	};
}

static void places_take(struct places *p, const json_t *response)
{
	const json_t *hits = json_object_get(json_object_get(response, "hits"), "hits"), *hit;
	struct span in = p->list[p->at].in;
	size_t i;
	json_array_foreach(hits, i, hit) {
		struct span id = place_text(hit, "_id");
		for (size_t k = p->at; id.at && k < p->n; k++)
			if (span_is(p->list[k].in, in) && span_is(p->list[k].id, id))
				place_take(p, &p->list[k], hit);
	}
	json_array_append(p->kept, (json_t *)(uintptr_t)response);
}

/* --- asking --- */

static char *places_target(const struct places *p, const char *behind)
{
	struct span in = p->list[p->at].in;
	char *name = strndup(in.at, in.n), *target = ask_target("/", name, behind);
	free(name);
	return target;
}

static bool places_is_first(const struct places *p, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (span_is(p->list[i].in, p->list[at].in))
			return false;
	return p->list[at].in.n > 0;
}

static void places_refreshed(struct ask *a, enum err why);

/* From `at` on: the next stream, the other cluster, or the end. */
static void places_next(struct places *p)
{
	while (p->at < p->n && !places_is_first(p, p->at))
		p->at++;
	if (p->at == p->n && p->arm == p->owner) {
		p->arm = arm_other(p->owner);
		p->at = 0;
		places_next(p);
		return;
	}
	if (p->at == p->n)
		p->done(p, true);
	else
		ask_json(&p->ask, p->arm, "POST", places_target(p, "/_refresh"), NULL,
			 ASK_TIMEOUT_MS, places_refreshed);
}

static void places_fail(struct places *p, enum err why)
{
	ask_trouble(&p->ask, why, p->trouble, sizeof p->trouble);
	p->done(p, false);
}

/* Shards that did not answer may have it. */
static bool places_is_whole(const json_t *response)
{
	const json_t *shards = json_object_get(response, "_shards");
	return json_is_object(json_object_get(response, "hits")) &&
	       !json_integer_value(json_object_get(shards, "failed")) &&
	       !json_is_true(json_object_get(response, "timed_out"));
}

static void places_found(struct ask *a, enum err why)
{
	struct places *p = list_entry(a, struct places, ask);
	if (!ask_succeeded(a, why) || !places_is_whole(a->json)) {
		places_fail(p, why);
		return;
	}
	places_take(p, a->json);
	p->at++;
	places_next(p);
}

static json_t *places_question(const struct places *p)
{
	json_t *ids = json_array();
	struct span in = p->list[p->at].in;
	for (size_t i = p->at; i < p->n; i++)
		if (span_is(p->list[i].in, in))
			json_array_append_new(ids, json_stringn(p->list[i].id.at, p->list[i].id.n));
	json_int_t size =
		(json_int_t)least(PLACE_ROUTINGS_MAX * json_array_size(ids), PLACES_HITS_MAX);
	return json_pack("{s:{s:{s:o}},s:I,s:b,s:b}", "query", "ids", "values", ids, "size", size,
			 "_source", 0, "seq_no_primary_term", 1);
}

static void places_refreshed(struct ask *a, enum err why)
{
	struct places *p = list_entry(a, struct places, ask);
	bool missing = why == ERR_NONE && a->subrequest.status == 404;
	const json_t *shards = json_object_get(a->json, "_shards");
	if (missing) {
		p->at++;
		places_next(p);
		return;
	}
	if (!ask_succeeded(a, why) || json_integer_value(json_object_get(shards, "failed"))) {
		places_fail(p, why);
		return;
	}
	json_t *question = places_question(p);
	ask_json(a, p->arm, "POST", places_target(p, "/_search"), question, ASK_TIMEOUT_MS,
		 places_found);
	json_decref(question);
}

void places_look(struct places *p, struct place_wanted *list, size_t n,
		 void (*done)(struct places *p, bool good))
{
	json_array_clear(p->kept);
	p->list = list;
	p->n = n;
	p->at = 0;
	p->arm = p->owner;
	p->done = done;
	*p->trouble = 0;
	places_next(p);
}

/* --- a life --- */

void places_open(struct places *p, struct subrequests *subrequests, enum arm owner)
{
	*p = (struct places){ .owner = owner, .kept = json_array() };
	must(p->kept);
	ask_open(&p->ask, subrequests, NULL);
}

void places_stop(struct places *p)
{
	ask_stop(&p->ask);
}

void places_close(struct places *p)
{
	ask_close(&p->ask);
	json_decref(p->kept);
}
