#include "replay/backfill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"

#define BACKFILL_TAG (KEYS_LOOSE | (uintptr_t)1 << 20)
#define PART "backfill"

enum backfill_step {
	BACKFILL_LIST,	  /* the owner's indices are to be asked for */
	BACKFILL_LISTING, /* it is under way */
	BACKFILL_NEXT,	  /* an index is to be begun */
	BACKFILL_PAGING,  /* its ids are read */
	BACKFILL_COPYING, /* all were, and not all are copied */
};

/* Ids of one page of one shard, whose keys are out. */
struct backfill_page {
	bool given; /* all of them are in the table */
	unsigned shard;
	json_int_t until; /* sequence number; -1: it ends at no known place */
	size_t out;
};

/* A figure of some seconds ago, for the rate. */
struct backfill_rate {
	uint64_t at_ms, n;
	double a_second;
};

struct backfill {
	struct backfill_config config;
	struct ask ask;
	struct id_pages *pages;
	enum backfill_step step;
	char index[INDEX_NAME_BYTES_MAX + 1]; /* at work */
	struct backfill_page ring[BACKFILL_PAGES_MAX];
	unsigned first, n;
	size_t out;
	uint64_t time_ns, not_before_ms;
	size_t keys_max;
	uint64_t copied; /* not in the marks yet */
	double tokens;	 /* of the rate */
	uint64_t tokens_ms;
	struct backfill_rate speed;
	bool stopped;
	char trouble[256];
};

static uint64_t backfill_now_ms(const struct backfill *b)
{
	return loop_now_ms(b->config.subrequests->loop);
}

static json_t *backfill_part(const struct backfill *b)
{
	return marks_part(&b->config.kept->marks, PART);
}

static bool backfill_is(const json_t *part, const char *state)
{
	const char *text = json_string_value(json_object_get(part, "state"));
	return text && !strcmp(text, state);
}

static void backfill_add(json_t *part, const char *name, uint64_t n)
{
	json_int_t was = json_integer_value(json_object_get(part, name));
	json_object_set_new(part, name, json_integer(was + (json_int_t)n));
}

static void backfill_set_state(json_t *part, const char *state)
{
	json_object_set_new(part, "state", json_string(state));
}

static void backfill_set_time(json_t *part, const char *name)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ns(), text);
	json_object_set_new(part, name, json_string(text));
}

static void backfill_retry(struct backfill *b, const char *why)
{
	snprintf(b->trouble, sizeof b->trouble, "%s", why);
	b->step = BACKFILL_LIST;
	b->not_before_ms = backfill_now_ms(b) + BACKFILL_PAUSE_MS;
}

/* --- pages --- */

static struct backfill_page *backfill_page(struct backfill *b, unsigned i)
{
	return &b->ring[(b->first + i) % BACKFILL_PAGES_MAX];
}

/* The one that is being filled. NULL: there is no room for one more. */
static struct backfill_page *backfill_open_page(struct backfill *b)
{
	struct backfill_page *last = b->n ? backfill_page(b, b->n - 1) : NULL;
	if (last && !last->given)
		return last;
	if (b->n == BACKFILL_PAGES_MAX)
		return NULL;
	last = backfill_page(b, b->n++);
	*last = (struct backfill_page){ .until = -1 };
	return last;
}

static json_t *backfill_index(json_t *part, const char *name)
{
	return json_object_get(json_object_get(part, "indices"), name);
}

static void backfill_put_place(struct backfill *b, json_t *part, const struct backfill_page *p)
{
	char number[16];
	json_t *shards = json_object_get(backfill_index(part, b->index), "shards");
	snprintf(number, sizeof number, "%u", p->shard);
	if (p->until >= 0 && shards)
		json_object_set_new(shards, number, json_integer(p->until));
}

/* Pages whose keys are all copied, in their order: that is the place that is kept. */
static void backfill_settle(struct backfill *b)
{
	struct kept_marks *k = b->config.kept;
	if (!b->n || !backfill_page(b, 0)->given || backfill_page(b, 0)->out)
		return;
	json_t *part = marks_part(kept_change(k), PART);
	for (struct backfill_page *p; b->n && (p = backfill_page(b, 0))->given && !p->out;) {
		backfill_put_place(b, part, p);
		b->first = (b->first + 1) % BACKFILL_PAGES_MAX;
		b->n--;
	}
	backfill_add(part, "copied", b->copied);
	b->copied = 0;
	kept_changed(k, false);
}

bool backfill_tag_back(struct backfill *b, uintptr_t tag)
{
	if ((tag & BACKFILL_TAG) != BACKFILL_TAG)
		return false;
	struct backfill_page *p = &b->ring[tag & ~BACKFILL_TAG];
	must(p->out > 0 && b->out > 0);
	p->out--;
	b->out--;
	b->copied++;
	backfill_settle(b);
	return true;
}

/* --- what id_pages finds --- */

static void backfill_refill(struct backfill *b, uint32_t rate)
{
	uint64_t now_ms = backfill_now_ms(b);
	b->tokens += (double)(now_ms - b->tokens_ms) * rate / 1000;
	b->tokens_ms = now_ms;
	/* What was not used is not made up for. */
	if (b->tokens > (rate + 9.0) / 10)
		b->tokens = (rate + 9.0) / 10;
}

static uint32_t backfill_rate(const struct backfill *b)
{
	return (uint32_t)json_integer_value(json_object_get(backfill_part(b), "rate"));
}

/* Live writes go first: it adds while few of them wait, and a small share otherwise. */
static bool backfill_may_add(const struct backfill *b)
{
	if (!backfill_is(backfill_part(b), "running"))
		return false;
	if (backfill_rate(b) && b->tokens < 1)
		return false;
	return b->out < BACKFILL_SHARE || keys_n(b->config.keys) < b->keys_max;
}

static bool backfill_found(void *user, struct span index, struct span id, struct span routing)
{
	struct backfill *b = user;
	struct backfill_page *p = backfill_may_add(b) ? backfill_open_page(b) : NULL;
	if (!p)
		return false;
	const struct keys_write w = { .index = index,
				      .id = id,
				      .routing = routing,
				      .tag = BACKFILL_TAG | (uintptr_t)(p - b->ring),
				      .time_ns = b->time_ns };
	p->out++;
	b->out++;
	enum keys_added added = keys_add(b->config.keys, &w);
	if (added == KEYS_ADDED || added == KEYS_REPLACED) {
		b->tokens -= 1;
		return true;
	}
	p->out--;
	b->out--;
	if (added == KEYS_FULL)
		return false;
	b->config.lost(b->config.user, index,
		       added == KEYS_ILLEGAL
			       ? "a backfill found a document whose id or routing is too long"
			       : "a backfill found more documents than a parked index can have");
	return true;
}

static void backfill_have_page(void *user, const char *index, unsigned shard, json_int_t until)
{
	struct backfill *b = user;
	struct backfill_page *p = backfill_open_page(b);
	(void)index;
	/* Without room the place of a later page is kept. */
	if (!p)
		return;
	p->given = true;
	p->shard = shard;
	p->until = until;
	backfill_settle(b);
}

static void backfill_paged(void *user, const char *why)
{
	struct backfill *b = user;
	if (why) {
		struct backfill_page *last = b->n ? backfill_page(b, b->n - 1) : NULL;
		/* Where it ends is not known: its keys are found again. */
		if (last)
			last->given = true;
		backfill_retry(b, why);
		backfill_settle(b);
		return;
	}
	*b->trouble = 0;
	b->step = BACKFILL_COPYING;
}

/* --- which indices there are --- */

static bool backfill_wants(const struct backfill *b, const json_t *part, const char *index)
{
	const json_t *patterns = json_object_get(part, "patterns"), *one;
	const char *list[REPLAY_PATTERNS_MAX];
	size_t i, n = 0;
	if (!json_is_array(patterns))
		return index_filter_has(b->config.filter, span_of(index));
	json_array_foreach(patterns, i, one)
		if (n < REPLAY_PATTERNS_MAX && json_is_string(one))
			list[n++] = json_string_value(one);
	const struct index_filter asked = { list, n };
	return index_filter_has(&asked, span_of(index)) &&
	       index_filter_has(b->config.filter, span_of(index));
}

/* An index of that name which is another one now begins anew. */
static void backfill_take_index(json_t *indices, const char *name, const json_t *stats)
{
	const char *uuid = json_string_value(json_object_get(stats, "uuid"));
	const json_t *docs = json_object_get(json_object_get(stats, "primaries"), "docs");
	const json_t *count = json_object_get(docs, "count");
	json_t *was = json_object_get(indices, name);
	const char *uuid_was = json_string_value(json_object_get(was, "uuid"));
	if (was && (!uuid || !uuid_was || !strcmp(uuid, uuid_was)))
		return;
	json_object_set_new(indices, name,
			    json_pack("{s:s*,s:I,s:b,s:{}}", "uuid", uuid, "documents",
				      json_integer_value(count), "done", 0, "shards"));
}

static void backfill_total(json_t *part)
{
	const char *name;
	json_t *one;
	json_int_t documents = 0;
	json_object_foreach(json_object_get(part, "indices"), name, one)
		documents += json_integer_value(json_object_get(one, "documents"));
	json_object_set_new(part, "documents", json_integer(documents));
}

/* What is not there any more needs no copy. */
static void backfill_drop_gone(json_t *indices, const json_t *there)
{
	const char *name;
	json_t *one;
	void *next;
	json_object_foreach_safe(indices, next, name, one)
		if (!json_object_get(there, name) && !json_is_true(json_object_get(one, "done")))
			json_object_del(indices, name);
}

static void backfill_take_indices(struct backfill *b, const json_t *there)
{
	const char *name;
	json_t *stats, *part = marks_part(kept_change(b->config.kept), PART);
	json_t *indices = json_object_get(part, "indices");
	json_object_foreach((json_t *)(uintptr_t)there, name, stats)
		if (strlen(name) <= INDEX_NAME_BYTES_MAX && backfill_wants(b, part, name))
			backfill_take_index(indices, name, stats);
	backfill_drop_gone(indices, there);
	backfill_total(part);
	kept_changed(b->config.kept, false);
}

static void backfill_have_list(struct ask *a, enum err why)
{
	struct backfill *b = a->user;
	char trouble[200], text[240];
	if (!ask_succeeded(a, why) || !json_is_object(a->json)) {
		ask_trouble(a, why, trouble, sizeof trouble);
		snprintf(text, sizeof text, "_stats: %s", trouble);
		backfill_retry(b, text);
		return;
	}
	backfill_take_indices(b, json_object_get(a->json, "indices"));
	b->step = BACKFILL_NEXT;
}

static void backfill_list(struct backfill *b)
{
	b->step = BACKFILL_LISTING;
	ask_json(&b->ask, b->config.owner, "GET",
		 ask_target("/_stats/docs?filter_path=indices.*.uuid,indices.*.primaries.docs.count"
			    "&expand_wildcards=open,hidden",
			    "", ""),
		 NULL, ASK_TIMEOUT_MS, backfill_have_list);
}

/* --- an index after the other --- */

static void backfill_begin_index(struct backfill *b, const char *name, const json_t *one)
{
	json_t *places = json_pack("{s:O}", name, json_object_get(one, "shards"));
	snprintf(b->index, sizeof b->index, "%s", name);
	id_pages_forget(b->pages);
	id_pages_set_places(b->pages, places);
	json_decref(places);
	b->step = BACKFILL_PAGING;
	id_pages_begin(b->pages, &(struct id_pages_config){ .arm = b->config.owner,
							    .indices = b->index,
							    .page_size = BACKFILL_PAGE,
							    .each = backfill_found,
							    .page = backfill_have_page,
							    .over = backfill_paged,
							    .user = b });
}

static void backfill_end(struct backfill *b)
{
	json_t *part = marks_part(kept_change(b->config.kept), PART);
	backfill_set_state(part, "done");
	backfill_set_time(part, "ended");
	log_line(LOG_INFO,
		 "replay: the backfill is done: %lld documents of %zu indices were copied. What "
		 "was deleted at the owner before is not looked at: compare tells",
		 (long long)json_integer_value(json_object_get(part, "copied")),
		 json_object_size(json_object_get(part, "indices")));
	kept_changed(b->config.kept, true);
	b->step = BACKFILL_LIST;
}

static void backfill_set_looked(struct backfill *b, bool looked)
{
	json_t *part = marks_part(kept_change(b->config.kept), PART);
	json_object_set_new(part, "looked", json_boolean(looked));
	kept_changed(b->config.kept, false);
}

/* After the last one it looks once more for indices that were made meanwhile. */
static void backfill_next(struct backfill *b)
{
	json_t *part = backfill_part(b), *one;
	const char *name;
	json_object_foreach(json_object_get(part, "indices"), name, one)
		if (!json_is_true(json_object_get(one, "done"))) {
			backfill_set_looked(b, false);
			backfill_begin_index(b, name, one);
			return;
		}
	if (json_is_true(json_object_get(part, "looked"))) {
		backfill_end(b);
		return;
	}
	backfill_set_looked(b, true);
	b->step = BACKFILL_LIST;
}

static void backfill_end_index(struct backfill *b)
{
	json_t *part = marks_part(kept_change(b->config.kept), PART);
	json_t *one = backfill_index(part, b->index);
	if (one)
		json_object_set_new(one, "done", json_true());
	kept_changed(b->config.kept, false);
	b->step = BACKFILL_NEXT;
}

/* --- a turn --- */

static void backfill_measure(struct backfill *b, const json_t *part)
{
	uint64_t now_ms = backfill_now_ms(b);
	uint64_t n = (uint64_t)json_integer_value(json_object_get(part, "copied")) + b->copied;
	if (b->speed.at_ms && now_ms - b->speed.at_ms < 1000)
		return;
	if (b->speed.at_ms && n >= b->speed.n) {
		double now = (double)(n - b->speed.n) * 1000 / (double)(now_ms - b->speed.at_ms);
		/* Of some seconds. */
		b->speed.a_second = b->speed.a_second > 0 ? (3 * b->speed.a_second + now) / 4 : now;
	}
	b->speed.at_ms = now_ms;
	b->speed.n = n;
}

void backfill_turn(struct backfill *b, uint64_t time_ns, size_t keys_max)
{
	b->keys_max = keys_max;
	const json_t *part = backfill_part(b);
	if (b->stopped || !time_ns || !backfill_is(part, "running"))
		return;
	b->time_ns = time_ns;
	backfill_measure(b, part);
	backfill_refill(b, backfill_rate(b));
	if (b->step == BACKFILL_PAGING)
		id_pages_go_on(b->pages);
	if (b->step == BACKFILL_COPYING && !b->n)
		backfill_end_index(b);
	if (b->step == BACKFILL_NEXT)
		backfill_next(b);
	if (b->step == BACKFILL_LIST && !b->n && backfill_now_ms(b) >= b->not_before_ms &&
	    backfill_is(backfill_part(b), "running"))
		backfill_list(b);
}

uint64_t backfill_due_ms(const struct backfill *b)
{
	/* Copies that end wake the loop in any case; for the rest it looks now and then. */
	if (b->stopped || !backfill_is(backfill_part(b), "running"))
		return UINT64_MAX;
	return backfill_now_ms(b) + JOBS_LOOK_MS;
}

/* --- orders --- */

static void backfill_refuse(struct order_outcome *to, const char *word, const char *text)
{
	*to = (struct order_outcome){ .status = 409, .word = word };
	snprintf(to->text, sizeof to->text, "%s", text);
}

static void backfill_refuse_second(const json_t *part, struct order_outcome *to)
{
	const char *who = json_string_value(json_object_get(part, "who"));
	const char *begun = json_string_value(json_object_get(part, "begun"));
	char text[REPLAY_ORDER_TEXT_BYTES];
	snprintf(text, sizeof text,
		 "a backfill is under way already, begun by %.60s at %.30s: `crossfade replay "
		 "status` shows it, `crossfade replay backfill stop` ends it",
		 who ? who : "somebody", begun ? begun : "an unknown time");
	backfill_refuse(to, "backfill_under_way", text);
}

/* Ids that are being read are left; keys that are out are copied all the same. */
static void backfill_leave(struct backfill *b)
{
	id_pages_stop(b->pages);
	ask_stop(&b->ask);
	id_pages_forget(b->pages);
	struct backfill_page *last = b->n ? backfill_page(b, b->n - 1) : NULL;
	if (last && !last->given)
		last->given = true;
	b->step = BACKFILL_LIST;
	b->not_before_ms = 0;
	*b->trouble = 0;
}

static void backfill_begin(struct backfill *b, struct replay_order *one, struct order_outcome *to)
{
	struct kept_marks *k = b->config.kept;
	backfill_leave(b);
	json_t *part =
		json_pack("{s:s,s:i,s:i,s:i,s:{},s:s*}", "state", "running", "rate", (int)one->rate,
			  "copied", 0, "documents", 0, "indices", "who", one->who);
	if (one->indices)
		json_object_set(part, "patterns", one->indices);
	backfill_set_time(part, "begun");
	b->speed = (struct backfill_rate){ 0 };
	b->copied = 0;
	marks_set_part(kept_change(k), PART, part);
	to->change = kept_changed(k, true);
	log_line(LOG_INFO, "replay: a backfill begins; ordered by %s", one->who);
}

static void backfill_change_state(struct backfill *b, const char *state, struct order_outcome *to)
{
	json_t *part = marks_part(kept_change(b->config.kept), PART);
	backfill_set_state(part, state);
	if (!strcmp(state, "stopped"))
		backfill_set_time(part, "ended");
	to->change = kept_changed(b->config.kept, true);
}

void backfill_order(struct backfill *b, struct replay_order *one, struct order_outcome *to)
{
	const json_t *part = backfill_part(b);
	bool running = backfill_is(part, "running"), paused = backfill_is(part, "paused");
	*to = (struct order_outcome){ .status = 200 };
	if (one->kind == ORDER_BACKFILL && (running || paused))
		backfill_refuse_second(part, to);
	else if (one->kind == ORDER_BACKFILL)
		backfill_begin(b, one, to);
	else if (!running && !paused)
		backfill_refuse(to, "no_backfill", "no backfill is under way");
	else if (one->kind == ORDER_BACKFILL_PAUSE)
		backfill_change_state(b, "paused", to);
	else if (one->kind == ORDER_BACKFILL_RESUME)
		backfill_change_state(b, "running", to);
	else {
		backfill_leave(b);
		backfill_change_state(b, "stopped", to);
		backfill_settle(b);
	}
}

/* --- what is seen --- */

json_t *backfill_json(const struct backfill *b)
{
	const json_t *part = backfill_part(b);
	if (!part)
		return NULL;
	json_t *j = json_object(), *member;
	const char *name;
	json_object_foreach((json_t *)(uintptr_t)part, name, member)
		if (strcmp(name, "indices") != 0 && strcmp(name, "looked") != 0)
			json_object_set_new(j, name, json_deep_copy(member));
	backfill_add(j, "copied", b->copied);
	json_int_t all = json_integer_value(json_object_get(j, "documents"));
	json_int_t copied = json_integer_value(json_object_get(j, "copied"));
	/* Documents that were written meanwhile may have been found, too. */
	if (copied > all)
		json_object_set_new(j, "documents", json_integer(all = copied));
	json_object_set_new(
		j, "indices",
		json_integer((json_int_t)json_object_size(json_object_get(part, "indices"))));
	bool goes = backfill_is(part, "running");
	json_object_set_new(j, "documents_a_second", json_real(goes ? b->speed.a_second : 0));
	json_object_set_new(
		j, "left_seconds",
		goes && b->speed.a_second >= 1
			? json_integer((json_int_t)((double)(all - copied) / b->speed.a_second))
			: json_null());
	json_object_set_new(j, "trouble", json_string(b->trouble));
	return j;
}

/* --- a life --- */

struct backfill *backfill_open(const struct backfill_config *c)
{
	struct backfill *b = calloc(1, sizeof *b);
	must(b);
	b->config = *c;
	b->pages = id_pages_make(c->subrequests);
	ask_open(&b->ask, c->subrequests, b);
	return b;
}

void backfill_stop(struct backfill *b)
{
	b->stopped = true;
	id_pages_stop(b->pages);
	ask_stop(&b->ask);
}

bool backfill_is_quiet(const struct backfill *b)
{
	return ask_is_idle(&b->ask) && id_pages_are_idle(b->pages);
}

void backfill_close(struct backfill *b)
{
	id_pages_free(b->pages);
	ask_close(&b->ask);
	free(b);
}
