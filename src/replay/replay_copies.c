#include "replay/replay_private.h"

#include <stdlib.h>

#include "base/least.h"
#include "base/log.h"

/* The marks' member of scans' places. */
#define SCANS "scans"

/* --- what others tell --- */

static void replay_key_over(void *user, const struct keys_taken *t, const struct copy *c,
			    const struct cluster_error *e)
{
	struct replay *r = user;
	upkeep_key_over(&r->upkeep, t, c, e);
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

/* --- a turn --- */

/* Scans go on where they were. */
static void replay_copies_begin(struct replay *r)
{
	upkeep_recall(&r->upkeep, copier_surroundings(r->copier));
	jobs_set_places(r->jobs, marks_part(&r->upkeep.kept.marks, SCANS));
	bool all_heard = r->upkeep.kept.all_heard;
	log_line(LOG_INFO, "replay: begins%s",
		 all_heard ? "" : ", when the replica has nothing of an earlier process in work");
	if (all_heard)
		unheard_need_not_begin(&r->unheard);
}

static bool replay_copies_may_send(struct replay *r)
{
	if (!atomic_load(&r->placed))
		unheard_begin_anew(&r->unheard);
	return unheard_may_begin(&r->unheard);
}

static void replay_copies_tune(struct replay *r)
{
	copier_tune(r->copier, &r->tuning);
	jobs_set_response_ms(r->jobs, r->tuning.response_ms);
}

static void replay_copies_turn(struct replay *r, bool on)
{
	unheard_turn(&r->unheard);
	copier_pause(r->copier, !on || objects_are_due(&r->objects));
	replay_look_later(r);
	if (on) {
		objects_turn(&r->objects);
		jobs_turn(r->jobs, r->until_wall_ns);
	}
	compare_turn(r->compare, replay_is_on(r));
	copier_turn(r->copier);
}

static uint64_t replay_copies_due_ms(struct replay *r, bool on)
{
	uint64_t due_ms = least(copier_due_ms(r->copier), jobs_due_ms(r->jobs));
	due_ms = least(due_ms, compare_due_ms(r->compare));
	if (r->later)
		due_ms = least(due_ms, r->later->due_ms);
	due_ms = least(due_ms, unheard_due_ms(&r->unheard));
	return on ? least(due_ms, objects_due_ms(&r->objects)) : due_ms;
}

static bool replay_copies_has_tag(struct replay *r, uintptr_t tag)
{
	return jobs_tag_back(r->jobs, tag) || compare_tag_back(r->compare, tag);
}

/* --- the end --- */

static void replay_copies_stop(struct replay *r)
{
	unheard_leave(&r->unheard);
	jobs_stop(r->jobs);
	objects_stop(&r->objects);
	compare_stop(r->compare);
}

static void replay_copies_break_off(struct replay *r)
{
	copier_stop(r->copier);
}

static bool replay_copies_are_quiet(const struct replay *r)
{
	return copier_is_quiet(r->copier) && jobs_are_quiet(r->jobs) &&
	       compare_is_quiet(r->compare);
}

static bool replay_copies_have_heard_all(const struct replay *r)
{
	return unheard_has_heard_all(&r->unheard);
}

/* --- the reading thread --- */

static bool replay_copies_read(struct replay *r)
{
	return compare_read_log(r->compare);
}

static void replay_copies_leave_log(struct replay *r)
{
	compare_leave_log(r->compare);
}

/* --- a life --- */

/* What copies documents. */
static void replay_copies_open_copier(struct replay *r)
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

static void replay_copies_open_compare(struct replay *r)
{
	const struct replay_config *c = &r->config;
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

static void replay_copies_open(struct replay *r)
{
	const struct replay_config *c = &r->config;
	r->later_end = &r->later;
	unheard_open(&r->unheard, &r->subrequests, arm_other(c->owner), c->seed);
	r->subrequests.unheard = &r->unheard;
	r->keys = keys_open(
		&(struct keys_config){ .seed = c->seed, .back = replay_tag_back, .user = r });
	replay_copies_open_copier(r);
	objects_open(&r->objects, &r->subrequests, c->owner, replay_tag_back, r);
	replay_copies_open_compare(r);
}

static void replay_copies_open_upkeep(struct replay *r, struct upkeep_config *to)
{
	to->keys = r->keys;
}

static void replay_copies_close(struct replay *r)
{
	objects_close(&r->objects);
	compare_close(r->compare);
	jobs_close(r->jobs);
	copier_close(r->copier);
	keys_close(r->keys);
	unheard_close(&r->unheard);
	for (struct later *l; (l = r->later);) {
		r->later = l->next;
		free(l);
	}
}

static bool replay_copies_are_stopped(const struct replay *r)
{
	return upkeep_is_full(&r->upkeep);
}

const struct replay_work replay_copies = {
	.play = log_reader_play_effects,
	.open = replay_copies_open,
	.open_upkeep = replay_copies_open_upkeep,
	.begin = replay_copies_begin,
	.may_send = replay_copies_may_send,
	.tune = replay_copies_tune,
	.turn = replay_copies_turn,
	.due_ms = replay_copies_due_ms,
	.take = replay_take,
	.has_tag = replay_copies_has_tag,
	.stop = replay_copies_stop,
	.break_off = replay_copies_break_off,
	.is_quiet = replay_copies_are_quiet,
	.has_heard_all = replay_copies_have_heard_all,
	.close = replay_copies_close,
	.oldest_ns = replay_copies_oldest_ns,
	.is_stopped = replay_copies_are_stopped,
	.trouble = replay_copies_trouble,
	.see = replay_copies_see,
	.listed = "parked",
	.list = replay_copies_parked,
	.read = replay_copies_read,
	.leave_log = replay_copies_leave_log,
};
