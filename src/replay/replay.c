#include "replay/replay_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"

/* --- tags --- */

static void replay_tag_read(struct replay *r, uintptr_t tag)
{
	if (r->back_n == r->back_room) {
		r->back_room = 2 * r->back_room + 1024;
		r->back = realloc(r->back, r->back_room * sizeof *r->back);
		must(r->back);
	}
	r->back[r->back_n++] = tag;
}

void replay_tag_settle(void *user, uintptr_t tag)
{
	struct replay *r = user;
	if (!r->work->has_tag(r, tag))
		replay_tag_read(r, tag);
}

void replay_tag_back(void *user, uintptr_t tag)
{
	struct replay *r = user;
	if (upkeep_tag_back(&r->upkeep, tag) || r->work->has_tag(r, tag) ||
	    upkeep_keep_tag(&r->upkeep, tag))
		return;
	replay_tag_read(r, tag);
}

/* The reading thread gets the tags that came back. */
static void replay_give_back(struct replay *r)
{
	if (!r->back_n)
		return;
	handoff_back(&r->handoff, r->back, r->back_n);
	r->back_n = 0;
	waker_wake(&r->waker);
}

/* As much of what was handed over as there is room for. */
static void replay_take_all(struct replay *r)
{
	if (r->at == r->batch.n) {
		handed_clear(&r->batch);
		r->at = 0;
		if (!handoff_take(&r->handoff, &r->batch))
			return;
	}
	while (r->at < r->batch.n && r->work->take(r, &r->batch.list[r->at]))
		r->at++;
	if (r->at < r->batch.n)
		return;
	r->until_wall_ns = r->batch.until_wall_ns;
	r->over_wall_ns = r->batch.over_wall_ns;
}

/* --- a turn --- */

static void replay_begin(struct replay *r)
{
	if (r->begun || !kept_is_ready(&r->upkeep.kept))
		return;
	r->begun = true;
	r->work->begin(r);
}

/* The log is read from its beginning: what was known of the time is not any more. */
static void replay_look_at_restart(struct replay *r)
{
	if (upkeep_has_restarted(&r->upkeep))
		r->until_wall_ns = r->batch.until_wall_ns = 0;
}

bool replay_is_on(const struct replay *r)
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
	r->work->tune(r);
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

static bool replay_may_send(struct replay *r)
{
	bool may = r->work->may_send(r);
	return may && replay_is_on(r) && kept_has_begun(&r->upkeep.kept) && atomic_load(&r->placed);
}

static bool replay_is_quiet(const struct replay *r)
{
	return r->stopping && r->work->is_quiet(r) && upkeep_is_quiet(&r->upkeep) &&
	       !r->subrequests.open_n;
}

/* The reading thread gives the follower's place to another process when this one sends no more. */
static void replay_settle(struct replay *r)
{
	if (!replay_is_quiet(r) || atomic_load(&r->quiet))
		return;
	if (r->work->has_heard_all(r) && kept_is_ready(&r->upkeep.kept)) {
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
	replay_take_all(r);
	r->work->turn(r, on);
	replay_give_back(r);
	replay_settle(r);
	replay_show(r);
	/* What was begun is sent at the end of the worker's turn, which must not wait before. */
	if (r->subrequests.open_n != open_n)
		return 0;
	uint64_t due_ms = least(r->work->due_ms(r, on), upkeep_due_ms(&r->upkeep));
	due_ms = least(due_ms, loop_now_ms(r->loop) + REPLAY_SHOW_MS);
	return due_ms * 1000000;
}

void replay_stop(struct replay *r, bool now)
{
	if (!r->stopping) {
		r->work->stop(r);
		upkeep_stop(&r->upkeep);
	}
	r->stopping = true;
	if (now)
		r->work->break_off(r);
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
	json_object_set_new(j, r->work->listed,
			    r->listed ? json_deep_copy(r->listed) : json_array());
	pthread_mutex_unlock(&r->lock);
	return j;
}

json_t *replay_aside_json(struct replay *r, size_t from)
{
	return r->keys ? upkeep_aside_json(&r->upkeep, from) : NULL;
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

void replay_handed(void *user)
{
	replay_wake(user);
}

static void replay_open_upkeep(struct replay *r)
{
	struct upkeep_config c = { .directory = r->config.state,
				   .subrequests = &r->subrequests,
				   .filter = &r->config.filter,
				   .owner = r->config.owner,
				   .back = replay_tag_settle,
				   .user = r };
	r->work->open_upkeep(r, &c);
	upkeep_open(&r->upkeep, &c);
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
	subrequests_open(&r->subrequests, c->worker);
	r->work = c->resends ? &replay_requests : &replay_copies;
	r->work->open(r);
	replay_open_upkeep(r);
	handoff_open(&r->handoff, replay_handed, r);
	return r;
}

void replay_close(struct replay *r)
{
	must(replay_is_over(r));
	r->work->close(r);
	upkeep_close(&r->upkeep);
	json_decref(r->listed);
	subrequests_close(&r->subrequests);
	handoff_close(&r->handoff);
	handed_free(&r->batch);
	free(r->back);
	free((char *)(uintptr_t)r->config.directory);
	free((char *)(uintptr_t)r->config.state);
	index_filter_free(&r->config.filter);
	waker_close(&r->waker);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
