#include "replay/replay_private.h"

#include <stdio.h>

#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"

/* The marks' member. */
#define KNOWN "requests"

/* --- what others tell --- */

static void replay_requests_keep(void *user, json_t *known)
{
	struct replay *r = user;
	if (r->begun)
		upkeep_keep_part(&r->upkeep, KNOWN, known);
	else
		json_decref(known);
}

static size_t replay_requests_decide(void *user, bool send)
{
	struct replay *r = user;
	return resend_decide(r->resend, send);
}

static bool replay_requests_are_held(void *user)
{
	const struct replay *r = user;
	return resend_is_held(r->resend);
}

/* --- a turn --- */

static void replay_requests_begin(struct replay *r)
{
	resend_set_known(r->resend, marks_part(&r->upkeep.kept.marks, KNOWN));
	log_line(LOG_INFO, "replay: begins");
}

static bool replay_requests_may_send(struct replay *r)
{
	return r->begun;
}

static void replay_requests_tune(struct replay *r)
{
	resend_tune(r->resend, &r->tuning);
}

static void replay_requests_turn(struct replay *r, bool on)
{
	resend_turn(r->resend, on);
}

static uint64_t replay_requests_due_ms(struct replay *r, bool on)
{
	return resend_due_ms(r->resend, on);
}

/* Nothing tells what the replica lacks. A restart from a later time ends what this begins. */
static void replay_requests_take_lost(struct replay *r, const struct handed *h)
{
	char why[128];
	struct span name = handed_span(&r->batch, h->name);
	snprintf(why, sizeof why, "%.*s", (int)least(name.n, sizeof why - 1), name.at);
	log_line(LOG_ERROR,
		 "replay: %s. `crossfade capture gaps` tells more; replay cannot repair it: copy "
		 "the "
		 "owner's data by other means, then `crossfade replay restart --from` the time of "
		 "the copy",
		 why);
	upkeep_not_exact_write(&r->upkeep, SPAN("*"), why, h->tag);
}

/* What was not heard of by an earlier process is known before anything is added. */
static bool replay_requests_take(struct replay *r, struct handed *h)
{
	if (!r->begun)
		return false;
	if (!h->request) {
		replay_requests_take_lost(r, h);
		return true;
	}
	if (!resend_add(r->resend, h->request))
		return false;
	h->request = NULL;
	return true;
}

static bool replay_requests_have_tag(struct replay *r, uintptr_t tag)
{
	(void)r, (void)tag;
	return false;
}

/* --- the end --- */

static void replay_requests_stop(struct replay *r)
{
	resend_stop(r->resend, false);
}

static void replay_requests_break_off(struct replay *r)
{
	resend_stop(r->resend, true);
}

static bool replay_requests_are_quiet(const struct replay *r)
{
	return resend_is_quiet(r->resend);
}

/* Those that were not are known by their names. */
static bool replay_requests_have_heard_all(const struct replay *r)
{
	(void)r;
	return true;
}

/* --- what is seen --- */

static uint64_t replay_requests_oldest_ns(const struct replay *r)
{
	return resend_oldest_ns(r->resend);
}

static const char *replay_requests_trouble(const struct replay *r)
{
	return resend_trouble(r->resend);
}

static bool replay_requests_are_stopped(const struct replay *r)
{
	return resend_is_held(r->resend);
}

static void replay_requests_see(struct replay *r, struct replay_seen *s)
{
	s->resends = s->settled = true;
	s->requests = resend_counts(r->resend);
}

static json_t *replay_requests_held(struct replay *r)
{
	return resend_held_json(r->resend);
}

/* --- the reading thread --- */

static bool replay_requests_read(struct replay *r)
{
	recorded_feed_turn(&r->feed);
	return false;
}

static void replay_requests_leave_log(struct replay *r)
{
	(void)r;
}

/* --- a life --- */

static void replay_requests_open(struct replay *r)
{
	const struct replay_config *c = &r->config;
	recorded_feed_open(&r->feed, c->directory, &r->waker, replay_handed, r);
	r->resend = resend_open(&(struct resend_config){ .subrequests = &r->subrequests,
							 .feed = &r->feed,
							 .to = arm_other(c->owner),
							 .uncertain = c->uncertain,
							 .refused = c->refused,
							 .back = replay_tag_back,
							 .keep = replay_requests_keep,
							 .user = r });
}

static void replay_requests_open_upkeep(struct replay *r, struct upkeep_config *to)
{
	(void)r;
	to->decide = replay_requests_decide;
	to->is_held = replay_requests_are_held;
}

static void replay_requests_close(struct replay *r)
{
	resend_close(r->resend);
	recorded_feed_close(&r->feed);
}

const struct replay_work replay_requests = {
	.play = log_reader_play_request,
	.keep_ms = RESEND_KEEP_MS,
	.open = replay_requests_open,
	.open_upkeep = replay_requests_open_upkeep,
	.begin = replay_requests_begin,
	.may_send = replay_requests_may_send,
	.tune = replay_requests_tune,
	.turn = replay_requests_turn,
	.due_ms = replay_requests_due_ms,
	.take = replay_requests_take,
	.has_tag = replay_requests_have_tag,
	.stop = replay_requests_stop,
	.break_off = replay_requests_break_off,
	.is_quiet = replay_requests_are_quiet,
	.has_heard_all = replay_requests_have_heard_all,
	.close = replay_requests_close,
	.oldest_ns = replay_requests_oldest_ns,
	.is_stopped = replay_requests_are_stopped,
	.trouble = replay_requests_trouble,
	.see = replay_requests_see,
	.listed = "held",
	.list = replay_requests_held,
	.read = replay_requests_read,
	.leave_log = replay_requests_leave_log,
};
