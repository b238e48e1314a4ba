#include "replay/replay_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"

/* The marks' member of scans' places. */
#define SCANS "scans"

/* --- a turn --- */

static void replay_key_over(void *user, const struct keys_taken *t, const struct copy *c,
			    const struct cluster_error *e)
{
	struct replay *r = user;
	upkeep_key_over(&r->upkeep, t, c, e);
}

/* Scans go on where they were. */
static void replay_begin(struct replay *r)
{
	if (r->begun || !kept_is_ready(&r->upkeep.kept))
		return;
	r->begun = true;
	upkeep_recall(&r->upkeep, copier_surroundings(r->copier));
	jobs_set_places(r->jobs, marks_part(&r->upkeep.kept.marks, SCANS));
	bool all_heard = r->upkeep.kept.all_heard;
	log_line(LOG_INFO, "replay: begins%s",
		 all_heard ? "" : ", when the replica has nothing of an earlier process in work");
	if (all_heard)
		unheard_need_not_begin(&r->unheard);
}

static void replay_lost(void *user, struct span index, const char *why)
{
	struct replay *r = user;
	upkeep_not_exact(&r->upkeep, index, why);
}

static void replay_learned(void *user, const struct surrounding *one)
{
	struct replay *r = user;
	upkeep_know_index(&r->upkeep, span_of(one->index), surroundings_memory(one));
}

static void replay_deleted(void *user, struct span name, bool is_stream)
{
	struct replay *r = user;
	upkeep_forget_index(&r->upkeep, name, is_stream);
}

static void replay_keep_places(void *user)
{
	struct replay *r = user;
	upkeep_keep_part(&r->upkeep, SCANS, jobs_places(r->jobs));
}

/* The log is read from its beginning: what was known of the time is not any more. */
static void replay_look_at_restart(struct replay *r)
{
	if (upkeep_has_restarted(&r->upkeep))
		r->until_wall_ns = r->batch.until_wall_ns = 0;
}

static bool replay_is_on(const struct replay *r)
{
	return atomic_load(&r->config.mailbox->wish) == REPLAY_ON &&
	       kept_is_ready(&r->upkeep.kept) && !upkeep_is_paused(&r->upkeep) &&
	       !upkeep_is_full(&r->upkeep) && !r->stopping;
}

/* The reading thread saves what somebody waits for. */
static void replay_save_soon(struct replay *r)
{
	uint64_t urgent = atomic_load(&r->upkeep.kept.urgent);
	if (urgent == r->urgent)
		return;
	r->urgent = urgent;
	waker_wake(&r->waker);
}

/* What a reload has changed. */
static void replay_tune(struct replay *r)
{
	r->tuning = tuning_read(&r->config.mailbox->tuning);
	copier_tune(r->copier, &r->tuning);
	jobs_set_response_ms(r->jobs, r->tuning.response_ms);
}

/* Of a backfill: two rounds of batches. */
static size_t replay_backfill_keys(const struct tuning *t)
{
	return 2 * (size_t)t->in_flight * t->operations;
}

static void replay_keep_up(struct replay *r)
{
	replay_tune(r);
	replay_begin(r);
	replay_look_at_restart(r);
	upkeep_turn(&r->upkeep, &(struct upkeep_turn){
					.on = replay_is_on(r),
					.watermark_ns = r->seen.watermark_wall_ns,
					.time_ns = r->until_wall_ns,
					.backfill_keys_max = replay_backfill_keys(&r->tuning),
				});
	replay_save_soon(r);
}

/* Nothing is sent before what another process has sent can act no more. */
static bool replay_may_send(struct replay *r)
{
	if (!atomic_load(&r->placed))
		unheard_begin_anew(&r->unheard);
	return replay_is_on(r) && kept_has_begun(&r->upkeep.kept) && atomic_load(&r->placed) &&
	       unheard_may_begin(&r->unheard);
}

static bool replay_is_quiet(const struct replay *r)
{
	return r->stopping && copier_is_quiet(r->copier) && jobs_are_quiet(r->jobs) &&
	       upkeep_is_quiet(&r->upkeep) && compare_is_quiet(r->compare) &&
	       !r->subrequests.open_n;
}

/* The reading thread gives the follower's place to another process when this one sends no more. */
static void replay_settle(struct replay *r)
{
	if (!replay_is_quiet(r) || atomic_load(&r->quiet))
		return;
	if (unheard_has_heard_all(&r->unheard) && kept_is_ready(&r->upkeep.kept)) {
		marks_set_all_heard(kept_change(&r->upkeep.kept), true);
		kept_changed(&r->upkeep.kept, true);
	}
	atomic_store(&r->quiet, true);
	waker_wake(&r->waker);
}

uint64_t replay_turn(struct replay *r)
{
	unsigned open_n = r->subrequests.open_n;
	replay_keep_up(r);
	bool on = replay_may_send(r);
	unheard_turn(&r->unheard);
	copier_pause(r->copier, !on || objects_are_due(&r->objects));
	replay_take_all(r);
	replay_look_later(r);
	if (on) {
		objects_turn(&r->objects);
		jobs_turn(r->jobs, r->until_wall_ns);
	}
	compare_turn(r->compare, replay_is_on(r));
	copier_turn(r->copier);
	replay_give_back(r);
	replay_settle(r);
	replay_show(r);
	/* What was begun is sent at the end of the worker's turn, which must not wait before. */
	if (r->subrequests.open_n != open_n)
		return 0;
	uint64_t due_ms = least(copier_due_ms(r->copier), jobs_due_ms(r->jobs));
	due_ms = least(due_ms, compare_due_ms(r->compare));
	if (r->later)
		due_ms = least(due_ms, r->later->due_ms);
	due_ms = least(due_ms, unheard_due_ms(&r->unheard));
	due_ms = on ? least(due_ms, objects_due_ms(&r->objects)) : due_ms;
	due_ms = least(due_ms, upkeep_due_ms(&r->upkeep));
	due_ms = least(due_ms, loop_now_ms(r->loop) + REPLAY_SHOW_MS);
	return due_ms * 1000000;
}

void replay_stop(struct replay *r, bool now)
{
	if (!r->stopping) {
		unheard_leave(&r->unheard);
		jobs_stop(r->jobs);
		objects_stop(&r->objects);
		upkeep_stop(&r->upkeep);
		compare_stop(r->compare);
	}
	r->stopping = true;
	if (now)
		copier_stop(r->copier);
	atomic_store(&r->end, true);
	waker_wake(&r->waker);
}

bool replay_is_over(const struct replay *r)
{
	return atomic_load(&r->over) && replay_is_quiet(r);
}

/* --- orders --- */

uint64_t replay_order(struct replay *r, const struct replay_order *one)
{
	uint64_t number = upkeep_order(&r->upkeep, one);
	replay_wake(r);
	return number;
}

bool replay_outcome(struct replay *r, uint64_t number, struct order_outcome *to)
{
	return upkeep_outcome(&r->upkeep, number, to);
}

json_t *replay_upkeep_json(struct replay *r)
{
	json_t *j = upkeep_json(&r->upkeep);
	pthread_mutex_lock(&r->lock);
	json_object_set_new(j, "parked", r->parked ? json_deep_copy(r->parked) : json_array());
	pthread_mutex_unlock(&r->lock);
	return j;
}

json_t *replay_aside_json(struct replay *r, size_t from)
{
	return upkeep_aside_json(&r->upkeep, from);
}

/* --- a life --- */

void replay_wake(struct replay *r)
{
	io_wake(r->loop->io);
}

struct compare *replay_compare(struct replay *r)
{
	return r->compare;
}

static void replay_handed(void *user)
{
	replay_wake(user);
}

static void replay_compare_begun(void *user)
{
	struct replay *r = user;
	upkeep_compare_begun(&r->upkeep);
}

static void replay_exact(void *user, const char *index)
{
	struct replay *r = user;
	upkeep_exact(&r->upkeep, index);
}

/* What copies documents. */
static void replay_open_copying(struct replay *r)
{
	const struct replay_config *c = &r->config;
	r->copier = copier_open(&(struct copier_config){ .subrequests = &r->subrequests,
							 .unheard = &r->unheard,
							 .keys = r->keys,
							 .owner = c->owner,
							 .over = replay_key_over,
							 .user = r });
	copier_surroundings(r->copier)->learned = replay_learned;
	copier_surroundings(r->copier)->learner = r;
	r->jobs = jobs_open(&(struct jobs_config){ .subrequests = &r->subrequests,
						   .copier = r->copier,
						   .keys = r->keys,
						   .owner = c->owner,
						   .back = replay_tag_back,
						   .belongs = replay_belongs,
						   .lost = replay_lost,
						   .deleted = replay_deleted,
						   .moved = replay_keep_places,
						   .user = r });
}

/* What goes beside the copying. */
static void replay_open_others(struct replay *r)
{
	const struct replay_config *c = &r->config;
	objects_open(&r->objects, &r->subrequests, c->owner, replay_tag_back, r);
	upkeep_open(&r->upkeep, &(struct upkeep_config){
					.directory = r->config.state,
					.subrequests = &r->subrequests,
					.keys = r->keys,
					.filter = &r->config.filter,
					.owner = c->owner,
					.back = replay_tag_settle,
					.user = r,
				});
	r->compare = compare_open(&(struct compare_config){ .subrequests = &r->subrequests,
							    .keys = r->keys,
							    .owner = c->owner,
							    .since = c->since,
							    .seed = c->seed,
							    .directory = c->directory,
							    .waker = &r->waker,
							    .wake = replay_handed,
							    .copied = replay_copied,
							    .trouble = replay_trouble,
							    .begun = replay_compare_begun,
							    .exact = replay_exact,
							    .user = r });
}

struct replay *replay_open(const struct replay_config *c)
{
	struct replay *r = calloc(1, sizeof *r);
	must(r);
	r->config = *c;
	/* A reload may free the configuration. */
	r->config.directory = strdup(c->directory);
	r->config.state = strdup(c->state);
	must(r->config.directory && r->config.state);
	r->config.filter = index_filter_copy(&c->filter);
	r->loop = worker_loop(c->worker);
	must(!pthread_mutex_init(&r->lock, NULL) && waker_open(&r->waker));
	r->later_end = &r->later;
	subrequests_open(&r->subrequests, c->worker);
	unheard_open(&r->unheard, &r->subrequests, arm_other(c->owner), c->seed);
	r->subrequests.unheard = &r->unheard;
	r->keys = keys_open(
		&(struct keys_config){ .seed = c->seed, .back = replay_tag_back, .user = r });
	replay_open_copying(r);
	replay_open_others(r);
	handoff_open(&r->handoff, replay_handed, r);
	return r;
}

void replay_close(struct replay *r)
{
	must(replay_is_over(r));
	objects_close(&r->objects);
	compare_close(r->compare);
	jobs_close(r->jobs);
	upkeep_close(&r->upkeep);
	json_decref(r->parked);
	copier_close(r->copier);
	keys_close(r->keys);
	unheard_close(&r->unheard);
	subrequests_close(&r->subrequests);
	handoff_close(&r->handoff);
	handed_free(&r->batch);
	for (struct later *l; (l = r->later);) {
		r->later = l->next;
		free(l);
	}
	free(r->back);
	free((char *)(uintptr_t)r->config.directory);
	free((char *)(uintptr_t)r->config.state);
	index_filter_free(&r->config.filter);
	waker_close(&r->waker);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
