#include "replay/compare.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "replay/compare_bodies.h"
#include "replay/compare_repair.h"
#include "replay/compare_sample.h"
#include "replay/compare_touched.h"
#include "replay/id_pages.h"

enum compare_stage {
	STAGE_IDLE,
	STAGE_NAMES,  /* which indices there are */
	STAGE_BODIES, /* mappings, aliases, settings, templates, pipelines */
	STAGE_KEYS,   /* ids of an index come, and documents are judged */
	STAGE_JUDGE,  /* no more ids come */
	STAGE_REPAIR, /* what differs is copied */
	STAGE_AGAIN,  /* and judged once more */
	STAGE_PLACE,  /* the place in the log is saved */
};

/* Where keys come from, one after the other. */
enum compare_way { WAY_TOUCHED, WAY_OWNER, WAY_REPLICA };

static const char *const stage_words[] = {
	[STAGE_BODIES] = "mappings and settings",
	[STAGE_IDLE] = "over",
	[STAGE_NAMES] = "indices",
	[STAGE_KEYS] = "documents",
	[STAGE_JUDGE] = "documents",
	[STAGE_REPAIR] = "repair",
	[STAGE_AGAIN] = "repaired documents",
	[STAGE_PLACE] = "place in the log",
};

struct compare {
	struct compare_config config;
	struct compare_order order;
	enum compare_stage stage;
	enum compare_way way;
	struct judge *judge;
	struct compare_names names;
	struct bodies bodies;
	/* What is compared as a whole: names, or, of what the log says, patterns. */
	char **list; /* owned, each */
	size_t list_n, list_room, at;
	struct touched *touched;
	struct sampler *samplers[ARMS];
	struct id_pages *pages;
	uint64_t failing_ms, not_before_ms; /* of pages; 0: they do not fail */
	char pages_trouble[256];
	struct repair repair;
	size_t repair_out;
	uint64_t repair_ms; /* since when the repair has not moved */
	struct compare_result result;
	uint64_t began_wall_ns, ended_wall_ns;
	const char *verdict; /* NULL: it runs */
	char why[400];
	uint64_t off_ms; /* since when replay is off; 0: it is on */
	uint64_t shown_ms;
	bool stopped;
	/* Shared. */
	pthread_mutex_t lock;
	struct compare_order ordered;
	bool begins, runs, cancels;
	char *report; /* owned */
	char *last;   /* owned: of the run that ended last */
	uint64_t ended;
};

static uint64_t compare_now_ms(const struct compare *c)
{
	return loop_now_ms(c->config.subrequests->loop);
}

/* --- the report --- */

static json_t *compare_time(uint64_t wall_ns)
{
	char text[CLOCK_TEXT_BYTES];
	if (!wall_ns)
		return json_null();
	clock_text(wall_ns, text);
	return json_string(text);
}

static json_t *compare_json_of(const struct compare *c)
{
	static const char *const whats[] = {
		[COMPARE_TOUCHED] = "touched", [COMPARE_SAMPLE] = "sample", [COMPARE_ALL] = "all"
	};
	bool at_index = c->stage == STAGE_KEYS && c->at < c->list_n;
	return json_pack("{s:s,s:s,s:s,s:b,s:s,s:o,s:o,s:s,s:s*,s:s,s:o,s:O,s:O}", "state",
			 c->verdict ? "over" : "running", "what", whats[c->order.what], "indices",
			 c->order.indices, "repair", c->order.repair, "owner",
			 arm_name(c->config.owner), "began", compare_time(c->began_wall_ns),
			 "ended", compare_time(c->ended_wall_ns), "stage", stage_words[c->stage],
			 "index", at_index ? c->list[c->at] : NULL, "why", c->why, "numbers",
			 compare_result_numbers(&c->result), "differences", c->result.differences,
			 "hints", c->result.hints);
}

static void compare_show(struct compare *c)
{
	json_t *j = compare_json_of(c);
	must(j);
	if (c->verdict) {
		json_int_t ended_s = (json_int_t)(c->ended_wall_ns / 1000000000);
		json_object_set_new(j, "result", json_string(c->verdict));
		json_object_set_new(j, "ended_s", json_integer(ended_s));
	}
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	c->shown_ms = compare_now_ms(c);
	pthread_mutex_lock(&c->lock);
	free(c->report);
	c->report = text;
	pthread_mutex_unlock(&c->lock);
}

char *compare_report(struct compare *c)
{
	pthread_mutex_lock(&c->lock);
	char *text = c->report ? strdup(c->report) : NULL;
	pthread_mutex_unlock(&c->lock);
	return text;
}

char *compare_last(struct compare *c, uint64_t *ended)
{
	pthread_mutex_lock(&c->lock);
	char *text = c->ended != *ended ? strdup(c->last) : NULL;
	*ended = c->ended;
	pthread_mutex_unlock(&c->lock);
	return text;
}

/* --- the end --- */

static void compare_end(struct compare *c, const char *verdict, const char *why)
{
	c->stage = STAGE_IDLE;
	c->verdict = verdict;
	c->ended_wall_ns = clock_wall_ns();
	snprintf(c->why, sizeof c->why, "%s", why);
	judge_stop(c->judge);
	compare_names_stop(&c->names);
	bodies_stop(&c->bodies);
	id_pages_stop(c->pages);
	sampler_stop(c->samplers[ARM_SOURCE]);
	sampler_stop(c->samplers[ARM_TARGET]);
	id_pages_forget(c->pages);
	repair_clear(&c->repair);
	touched_end(c->touched, false);
	compare_show(c);
	pthread_mutex_lock(&c->lock);
	c->runs = c->cancels = false;
	free(c->last);
	c->last = strdup(c->report);
	must(c->last);
	c->ended++;
	pthread_mutex_unlock(&c->lock);
}

/* It cannot go on: whatever was found stays found. */
static void compare_fail(struct compare *c, const char *why)
{
	const char *word = compare_result_word(&c->result);
	compare_end(c, !strcmp(word, "different") ? word : "unknown", why);
}

static bool compare_has_failed(struct compare *c)
{
	const char *trouble = c->config.trouble(c->config.user);
	char why[sizeof c->why];
	uint64_t now_ms = compare_now_ms(c);
	const char *failure = judge_failure(c->judge);
	if (!failure)
		failure = compare_names_failure(&c->names);
	if (!failure)
		failure = bodies_failure(&c->bodies);
	if (!failure && c->order.what == COMPARE_TOUCHED)
		failure = touched_failure(c->touched);
	if (!failure && c->failing_ms && now_ms - c->failing_ms >= COMPARE_TROUBLE_MS)
		failure = c->pages_trouble;
	if (!failure && c->stage == STAGE_REPAIR && now_ms - c->repair_ms >= COMPARE_STUCK_MS)
		failure = "replay does not copy what is to be repaired";
	if (!failure)
		return false;
	snprintf(why, sizeof why, "%.300s%s%.90s", failure, *trouble ? "; replay: " : "", trouble);
	compare_fail(c, why);
	return true;
}

/* --- documents --- */

static uint64_t compare_copied(void *user, bool begun)
{
	struct compare *c = user;
	return c->config.copied(c->config.user, begun);
}

static void compare_told(void *user, const struct judge_key *k, enum judge_verdict verdict,
			 const char *what)
{
	struct compare *c = user;
	bool differs =
		verdict == JUDGE_DIFFERENT || verdict == JUDGE_MISSING || verdict == JUDGE_EXTRA;
	bool again = c->stage == STAGE_AGAIN;
	if (differs && c->order.repair && !again && repair_add(&c->repair, k))
		return;
	compare_result_take(&c->result, k, verdict, what, again);
	if (verdict != JUDGE_EQUAL && verdict != JUDGE_PASSED)
		compare_names_doubt(&c->names, k->index);
	if (k->is_touched && verdict == JUDGE_EQUAL)
		touched_done(c->touched, k->number);
}

static bool compare_each(void *user, struct span index, struct span id, struct span routing)
{
	struct compare *c = user;
	return judge_add(c->judge, &(struct judge_key){ .index = index,
							.id = id,
							.routing = routing,
							.of_replica = c->way == WAY_REPLICA });
}

static void compare_paged(void *user, const char *why)
{
	struct compare *c = user;
	uint64_t now_ms = compare_now_ms(c);
	if (!why) {
		c->failing_ms = 0;
		id_pages_forget(c->pages);
		c->result.n.indices += c->way == WAY_OWNER;
		c->at++;
		return;
	}
	bool owner = c->way == WAY_OWNER;
	snprintf(c->pages_trouble, sizeof c->pages_trouble,
		 "the %s does not tell the ids of its documents: %.180s",
		 owner ? "owner" : "replica", why);
	c->not_before_ms = now_ms + COMPARE_RETRY_MS;
	if (!c->failing_ms)
		c->failing_ms = now_ms;
}

/* --- stages --- */

static void compare_set_stage(struct compare *c, enum compare_stage stage)
{
	c->stage = stage;
	c->at = 0;
	c->failing_ms = c->not_before_ms = 0;
}

static void compare_list_add(struct compare *c, char *indices /* moved in */)
{
	must(indices);
	if (c->list_n == c->list_room) {
		c->list_room = 2 * c->list_room + 16;
		c->list = realloc(c->list, c->list_room * sizeof *c->list);
		must(c->list);
	}
	c->list[c->list_n++] = indices;
}

static void compare_list_clear(struct compare *c)
{
	while (c->list_n)
		free(c->list[--c->list_n]);
}

/* Its documents are compared, where all of them are. */
static void compare_both(void *user, const char *index)
{
	struct compare *c = user;
	const struct compare_index *x = compare_names_of(&c->names, span_of(index));
	bool closed = x->closed[ARM_SOURCE] || x->closed[ARM_TARGET];
	if (c->order.what != COMPARE_TOUCHED && !closed)
		compare_list_add(c, strdup(index));
}

static void compare_turn_pages(struct compare *c)
{
	enum arm owner = c->config.owner;
	id_pages_go_on(c->pages);
	if (!id_pages_are_idle(c->pages) || compare_now_ms(c) < c->not_before_ms)
		return;
	if (c->at == c->list_n) {
		compare_set_stage(c, STAGE_JUDGE);
		return;
	}
	id_pages_begin(c->pages, &(struct id_pages_config){
					 .arm = c->way == WAY_REPLICA ? arm_other(owner) : owner,
					 .indices = c->list[c->at],
					 .from_start = true,
					 .each = compare_each,
					 .over = compare_paged,
					 .user = c });
}

/* Of either cluster, so that what the other one lacks is among them. */
static void compare_turn_sample(struct compare *c)
{
	enum arm owner = c->config.owner;
	struct sampler *s = c->samplers[c->way == WAY_REPLICA ? arm_other(owner) : owner];
	sampler_go_on(s);
	if (!sampler_is_idle(s) || compare_now_ms(c) < c->not_before_ms)
		return;
	if (c->at == c->list_n)
		compare_set_stage(c, STAGE_JUDGE);
	else
		sampler_begin(s, c->list[c->at], c->order.sample);
}

static void compare_turn_keys(struct compare *c)
{
	char *indices;
	if (c->order.what == COMPARE_SAMPLE) {
		compare_turn_sample(c);
		return;
	}
	if (c->way != WAY_TOUCHED) {
		compare_turn_pages(c);
		return;
	}
	if (c->order.what == COMPARE_TOUCHED && !touched_turn(c->touched, c->judge))
		return;
	while (c->order.what == COMPARE_TOUCHED && (indices = touched_take_whole(c->touched)))
		compare_list_add(c, indices);
	compare_set_stage(c, STAGE_JUDGE);
}

/* All of one way is judged: repaired, and then the next way. */
static void compare_turn_over(struct compare *c)
{
	if (!judge_is_done(c->judge))
		return;
	if (c->repair.n) {
		compare_set_stage(c, STAGE_REPAIR);
		c->repair_ms = compare_now_ms(c);
	} else if (c->way == WAY_TOUCHED && c->order.what == COMPARE_TOUCHED &&
		   !touched_turn(c->touched, c->judge)) {
		/* What was written once more while it was repaired. */
		return;
	} else if (c->way != WAY_REPLICA) {
		c->way++;
		compare_set_stage(c, STAGE_KEYS);
	} else {
		compare_set_stage(c, STAGE_PLACE);
	}
}

/* Only a comparison of all that there is may pass what the log names as a whole. */
static bool compare_was_whole(const struct compare *c)
{
	return !*c->order.indices && c->order.what != COMPARE_SAMPLE &&
	       !strcmp(compare_result_word(&c->result), "equal") && !c->result.n.moving;
}

static void compare_tell_exact(struct compare *c)
{
	if (c->order.what != COMPARE_ALL)
		return;
	for (size_t i = 0; i < c->list_n; i++)
		if (!compare_names_of(&c->names, span_of(c->list[i]))->doubted)
			c->config.exact(c->config.user, c->list[i]);
	if (compare_was_whole(c))
		c->config.exact(c->config.user, NULL);
}

static void compare_turn_place(struct compare *c)
{
	bool lost = touched_failure(c->touched);
	if (!lost && !touched_turn(c->touched, c->judge))
		return;
	touched_end(c->touched, compare_was_whole(c));
	if (!touched_is_over(c->touched))
		return;
	if (lost || touched_failure(c->touched))
		compare_result_hint(&c->result, "the place of the follower compare in the capture "
						"log could not be saved: the next comparison looks "
						"at the same documents again");
	touched_forget(c->touched);
	compare_tell_exact(c);
	compare_end(c, compare_result_word(&c->result), "");
}

static void compare_turn_repair(struct compare *c)
{
	if (repair_copy(&c->repair, clock_wall_ns()))
		compare_set_stage(c, STAGE_AGAIN);
	if (c->repair_out != c->repair.out)
		c->repair_ms = compare_now_ms(c);
	c->repair_out = c->repair.out;
}

static bool compare_wants(void *user, struct span index)
{
	const struct compare *c = user;
	return *c->order.indices ? compare_names_of(&c->names, index) != NULL
				 : compare_names_want(&c->names, index);
}

static bool compare_knows(void *user, struct span index)
{
	const struct compare *c = user;
	return compare_names_of(&c->names, index) != NULL;
}

static void compare_begin_touched(struct compare *c)
{
	touched_begin(c->touched, &(struct touched_wish){ .keys = c->order.what == COMPARE_TOUCHED,
							  .until_wall_ns = c->began_wall_ns,
							  .wants = compare_wants,
							  .knows = compare_knows,
							  .user = c });
}

static void compare_have_names(struct compare *c)
{
	bool all = c->order.what == COMPARE_ALL;
	for (size_t i = 0; i < c->names.n; i++) {
		const struct compare_index *x = &c->names.list[i];
		int64_t documents = x->documents[c->config.owner];
		c->result.n.expected += all && documents > 0 ? (uint64_t)documents : 0;
		compare_names_tell(&c->names, x, &c->result);
	}
	/* What is compared in part moves no place in the log. */
	if (c->order.what == COMPARE_TOUCHED || (all && !*c->order.indices))
		compare_begin_touched(c);
	bodies_begin(&c->bodies, !*c->order.indices);
	compare_set_stage(c, STAGE_BODIES);
}

static void compare_turn_bodies(struct compare *c)
{
	if (bodies_turn(&c->bodies))
		compare_set_stage(c, STAGE_KEYS);
}

static void compare_turn_names(struct compare *c)
{
	if (!compare_names_turn(&c->names))
		return;
	if (!c->names.n && *c->order.indices)
		compare_fail(c, "neither cluster has such an index");
	else
		compare_have_names(c);
}

static void compare_go_on(struct compare *c)
{
	switch (c->stage) {
	case STAGE_IDLE:
		return;
	case STAGE_NAMES:
		compare_turn_names(c);
		break;
	case STAGE_BODIES:
		compare_turn_bodies(c);
		break;
	case STAGE_KEYS:
		compare_turn_keys(c);
		break;
	case STAGE_JUDGE:
		compare_turn_over(c);
		break;
	case STAGE_REPAIR:
		compare_turn_repair(c);
		break;
	case STAGE_AGAIN:
		if (repair_judge(&c->repair, c->judge))
			compare_turn_over(c);
		break;
	case STAGE_PLACE:
		compare_turn_place(c);
		break;
	}
}

/* --- turns --- */

static bool compare_take_order(struct compare *c)
{
	pthread_mutex_lock(&c->lock);
	bool begins = c->begins;
	c->begins = false;
	if (begins)
		c->order = c->ordered;
	pthread_mutex_unlock(&c->lock);
	return begins;
}

static bool compare_is_canceled(struct compare *c)
{
	pthread_mutex_lock(&c->lock);
	bool cancels = c->cancels;
	pthread_mutex_unlock(&c->lock);
	return cancels;
}

static void compare_start(struct compare *c)
{
	compare_result_begin(&c->result);
	c->config.begun(c->config.user);
	c->began_wall_ns = clock_wall_ns();
	c->ended_wall_ns = 0;
	c->verdict = NULL;
	*c->why = 0;
	c->way = c->order.what == COMPARE_SAMPLE ? WAY_OWNER : WAY_TOUCHED;
	compare_list_clear(c);
	touched_forget(c->touched);
	compare_names_begin(&c->names, c->order.indices);
	compare_set_stage(c, STAGE_NAMES);
}

/* At a start, and while replay is handed over, it is off for a moment. */
static bool compare_may_go_on(struct compare *c, bool on)
{
	if (on || !c->off_ms)
		c->off_ms = on ? 0 : compare_now_ms(c);
	else if (compare_now_ms(c) - c->off_ms >= COMPARE_TROUBLE_MS)
		compare_fail(c, "replay is paused, or another process replays now");
	return on;
}

void compare_turn(struct compare *c, bool on)
{
	if (c->stage == STAGE_IDLE && !c->stopped && touched_is_over(c->touched) &&
	    compare_take_order(c))
		compare_start(c);
	if (c->stage == STAGE_IDLE)
		return;
	if (compare_is_canceled(c)) {
		compare_end(c, "stopped", "somebody stopped it");
		return;
	}
	if (!compare_may_go_on(c, on))
		return;
	if (compare_has_failed(c))
		return;
	judge_turn(c->judge);
	/* Beside a comparison of all the log is read up to its place. */
	if (c->order.what == COMPARE_ALL)
		touched_turn(c->touched, c->judge);
	compare_go_on(c);
	if (c->stage != STAGE_IDLE && compare_now_ms(c) - c->shown_ms >= REPLAY_SHOW_MS)
		compare_show(c);
}

uint64_t compare_due_ms(const struct compare *c)
{
	return c->stage == STAGE_IDLE ? UINT64_MAX : compare_now_ms(c) + COMPARE_LOOK_MS;
}

void compare_stop(struct compare *c)
{
	c->stopped = true;
	if (c->stage != STAGE_IDLE)
		compare_fail(c, "this process ends");
}

bool compare_is_quiet(const struct compare *c)
{
	return c->stage == STAGE_IDLE && judge_is_quiet(c->judge) && ask_is_idle(&c->names.ask) &&
	       ask_is_idle(&c->bodies.ask) && id_pages_are_idle(c->pages) &&
	       sampler_is_idle(c->samplers[ARM_SOURCE]) && sampler_is_idle(c->samplers[ARM_TARGET]);
}

bool compare_read_log(struct compare *c)
{
	return touched_read(c->touched);
}

void compare_leave_log(struct compare *c)
{
	touched_leave(c->touched);
}

bool compare_tag_back(struct compare *c, uintptr_t tag)
{
	if (tag != COMPARE_TAG)
		return false;
	must(c->repair.out > 0);
	c->repair.out--;
	return true;
}

/* --- other threads --- */

bool compare_begin(struct compare *c, const struct compare_order *o)
{
	pthread_mutex_lock(&c->lock);
	bool free_now = !c->runs;
	if (free_now) {
		c->ordered = *o;
		c->begins = c->runs = true;
		c->cancels = false;
		/* What is told until it begins is not the last one's result. */
		free(c->report);
		c->report = strdup("{\"state\":\"running\"}");
		must(c->report);
	}
	pthread_mutex_unlock(&c->lock);
	return free_now;
}

bool compare_cancel(struct compare *c)
{
	pthread_mutex_lock(&c->lock);
	bool runs = c->runs;
	c->cancels = runs;
	pthread_mutex_unlock(&c->lock);
	return runs;
}

/* --- a life --- */

struct compare *compare_open(const struct compare_config *config)
{
	struct compare *c = calloc(1, sizeof *c);
	must(c);
	c->config = *config;
	must(!pthread_mutex_init(&c->lock, NULL));
	c->judge = judge_open(&(struct judge_config){ .subrequests = config->subrequests,
						      .owner = config->owner,
						      .copied = compare_copied,
						      .told = compare_told,
						      .user = c });
	compare_names_open(&c->names, config->subrequests, config->owner);
	bodies_open(&c->bodies, config->subrequests, config->owner);
	c->bodies.copied = compare_copied;
	c->bodies.both = compare_both;
	c->bodies.user = c;
	c->bodies.names = &c->names;
	c->bodies.result = &c->result;
	c->pages = id_pages_make(config->subrequests);
	for (enum arm arm = 0; arm < ARMS; arm++)
		c->samplers[arm] = sampler_open(
			config->subrequests, &(struct sampler_config){ .arm = arm,
								       .seed = config->seed + arm,
								       .each = compare_each,
								       .over = compare_paged,
								       .user = c });
	repair_open(&c->repair, config->keys);
	c->touched = touched_open(&(struct touched_config){ .directory = config->directory,
							    .owner = config->owner,
							    .since = config->since,
							    .seed = config->seed,
							    .waker = config->waker,
							    .wake = config->wake,
							    .user = config->user });
	return c;
}

void compare_close(struct compare *c)
{
	must(compare_is_quiet(c));
	judge_close(c->judge);
	bodies_close(&c->bodies);
	compare_names_close(&c->names);
	id_pages_free(c->pages);
	sampler_close(c->samplers[ARM_SOURCE]);
	sampler_close(c->samplers[ARM_TARGET]);
	repair_clear(&c->repair);
	touched_close(c->touched);
	compare_list_clear(c);
	free(c->list);
	compare_result_free(&c->result);
	free(c->report);
	free(c->last);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
