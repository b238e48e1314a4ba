#include "replay/compare_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"

struct sampler_shard {
	unsigned number;
	json_int_t last; /* the greatest sequence number */
};

struct sampler {
	struct sampler_config config;
	struct ask ask;
	char *index;		      /* owned; NULL: it is idle */
	struct sampler_shard *shards; /* owned */
	size_t shard_n;
	uint32_t wanted; /* documents that are still to come */
	uint32_t runs;	 /* searches that are still to come */
	bool whole;	 /* the index has no more than that: all of it is read, shard by shard */
	size_t shard;	 /* that is read then, */
	json_int_t from; /* from this sequence number on */
	uint64_t random;
	json_t *page; /* owned: hits that there was no room for */
	size_t at;
	char why[256];
};

/* Marsaglia's xorshift: good enough to choose by. */
static uint64_t sampler_random(struct sampler *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/* --- the end --- */

static void sampler_clear(struct sampler *s)
{
	free(s->index);
	free(s->shards);
	json_decref(s->page);
	s->index = NULL;
	s->shards = NULL;
	s->page = NULL;
	s->shard_n = 0;
}

static void sampler_end(struct sampler *s, const char *why)
{
	sampler_clear(s);
	s->config.over(s->config.user, why);
}

static bool sampler_good(struct sampler *s, enum err why)
{
	char trouble[160];
	if (ask_succeeded(&s->ask, why))
		return true;
	ask_trouble(&s->ask, why, trouble, sizeof trouble);
	snprintf(s->why, sizeof s->why, "%.80s: %s", s->index, trouble);
	sampler_end(s, s->why);
	return false;
}

/* --- runs --- */

static void sampler_ask(struct sampler *s);

static void sampler_give(struct sampler *s)
{
	for (; s->at < json_array_size(s->page) && (s->wanted || s->whole); s->at++) {
		const json_t *hit = json_array_get(s->page, s->at);
		const char *index = json_string_value(json_object_get(hit, "_index"));
		const char *id = json_string_value(json_object_get(hit, "_id"));
		const char *routing = json_string_value(json_object_get(hit, "_routing"));
		s->from = json_integer_value(json_object_get(hit, "_seq_no")) + 1;
		if (!index || !id)
			continue;
		if (!s->config.each(s->config.user, span_of(index), span_of(id),
				    span_of(routing ? routing : "")))
			return;
		s->wanted -= s->wanted > 0;
	}
	bool full = json_array_size(s->page) == ID_PAGES_SIZE;
	json_decref(s->page);
	s->page = NULL;
	if (s->whole && !full) {
		s->shard++;
		s->from = 0;
	}
	if (s->whole ? s->shard < s->shard_n : s->wanted && s->runs)
		sampler_ask(s);
	else
		sampler_end(s, NULL);
}

static void sampler_have_page(struct ask *a, enum err why)
{
	struct sampler *s = a->user;
	if (!sampler_good(s, why))
		return;
	s->page = json_incref(json_object_get(json_object_get(a->json, "hits"), "hits"));
	s->at = 0;
	sampler_give(s);
}

static void sampler_ask_from(struct sampler *s, unsigned shard, json_int_t from, uint32_t size)
{
	char more[96];
	json_t *body = json_pack("{s:I,s:b,s:b,s:{s:{s:{s:I}}},s:[{s:s}]}", "size",
				 (json_int_t)size, "_source", 0, "seq_no_primary_term", 1, "query",
				 "range", "_seq_no", "gte", from, "sort", "_seq_no", "asc");
	snprintf(more, sizeof more, "/_search?preference=_shards:%u", shard);
	ask_json(&s->ask, s->config.arm, "POST", ask_target("/", s->index, more), body,
		 ASK_TIMEOUT_MS, sampler_have_page);
	json_decref(body);
}

static void sampler_ask(struct sampler *s)
{
	if (s->whole) {
		sampler_ask_from(s, s->shards[s->shard].number, s->from, ID_PAGES_SIZE);
		return;
	}
	const struct sampler_shard *shard = &s->shards[sampler_random(s) % s->shard_n];
	json_int_t from = (json_int_t)(sampler_random(s) % ((uint64_t)shard->last + 1));
	uint32_t size = (uint32_t)least((s->wanted + s->runs - 1) / s->runs, ID_PAGES_SIZE);
	s->runs--;
	sampler_ask_from(s, shard->number, from, size);
}

/* --- which shards there are --- */

static json_int_t sampler_last(const json_t *copies)
{
	json_int_t last = -1;
	size_t i;
	const json_t *one;
	json_array_foreach(copies, i, one) {
		json_int_t n = json_integer_value(
			json_object_get(json_object_get(one, "seq_no"), "max_seq_no"));
		last = n > last ? n : last;
	}
	return last;
}

static void sampler_have_shards(struct ask *a, enum err why)
{
	struct sampler *s = a->user;
	const char *number;
	json_t *copies;
	if (!sampler_good(s, why))
		return;
	json_t *index = json_object_get(json_object_get(a->json, "indices"), s->index);
	json_t *shards = json_object_get(index, "shards");
	s->shards = calloc(json_object_size(shards) + 1, sizeof *s->shards);
	must(s->shards);
	json_object_foreach(shards, number, copies) {
		json_int_t last = sampler_last(copies);
		if (last >= 0)
			s->shards[s->shard_n++] =
				(struct sampler_shard){ (unsigned)strtoul(number, NULL, 10), last };
	}
	uint64_t most = 0;
	for (size_t i = 0; i < s->shard_n; i++)
		most += (uint64_t)s->shards[i].last + 1;
	s->whole = most <= s->wanted;
	if (s->shard_n && s->runs)
		sampler_ask(s);
	else
		sampler_end(s, NULL);
}

/* What the cluster has not refreshed no search sees. */
static void sampler_refreshed(struct ask *a, enum err why)
{
	struct sampler *s = a->user;
	if (!sampler_good(s, why))
		return;
	ask_json(&s->ask, s->config.arm, "GET",
		 ask_target("/", s->index,
			    "/_stats?level=shards&filter_path=indices.*.shards.*.seq_no"),
		 NULL, ASK_TIMEOUT_MS, sampler_have_shards);
}

/* --- a life --- */

void sampler_begin(struct sampler *s, const char *index, uint32_t n)
{
	must(!s->index);
	s->index = strdup(index);
	must(s->index);
	s->wanted = n;
	s->shard = 0;
	s->from = 0;
	s->runs = (uint32_t)least(n, COMPARE_SAMPLE_RUNS + n / ID_PAGES_SIZE);
	ask_json(&s->ask, s->config.arm, "POST", ask_target("/", index, "/_refresh"), NULL,
		 ASK_TIMEOUT_MS, sampler_refreshed);
}

void sampler_go_on(struct sampler *s)
{
	if (s->page)
		sampler_give(s);
}

bool sampler_is_idle(const struct sampler *s)
{
	return !s->index;
}

void sampler_stop(struct sampler *s)
{
	ask_stop(&s->ask);
	sampler_clear(s);
}

struct sampler *sampler_open(struct subrequests *subrequests, const struct sampler_config *c)
{
	struct sampler *s = calloc(1, sizeof *s);
	must(s);
	s->config = *c;
	s->random = c->seed | 1;
	ask_open(&s->ask, subrequests, s);
	return s;
}

void sampler_close(struct sampler *s)
{
	sampler_clear(s);
	ask_close(&s->ask);
	free(s);
}
