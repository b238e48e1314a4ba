#include "replay/replay_private.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/least.h"
#include "base/limits.h"

/* --- what is seen --- */

static enum replay_state replay_state_of(const struct replay *r, const struct replay_seen *s)
{
	if (atomic_load(&r->config.mailbox->wish) == REPLAY_OFF)
		return REPLAY_IDLE;
	int kept = atomic_load(&r->upkeep.kept.state);
	if (atomic_load(&r->trouble) || kept == KEPT_NEWER || kept == KEPT_UNREADABLE)
		return REPLAY_FAILED;
	if (atomic_load(&r->busy))
		return REPLAY_WAITING;
	if (upkeep_is_paused(&r->upkeep))
		return REPLAY_RESTS;
	if (r->work->is_stopped(r))
		return REPLAY_STOPPED;
	bool behind = !s->watermark_wall_ns || s->lag_ms > REPLAY_CURRENT_MS;
	return behind || !s->settled ? REPLAY_CATCHING_UP : REPLAY_CURRENT;
}

uint64_t replay_watermark(const struct replay *r)
{
	uint64_t oldest = least(r->work->oldest_ns(r), r->until_wall_ns);
	return r->at < r->batch.n ? least(oldest, r->batch.list[r->at].wall_ns) : oldest;
}

const char *replay_trouble(void *user)
{
	const struct replay *r = user;
	const char *upkeep = upkeep_trouble(&r->upkeep);
	return upkeep ? upkeep : r->work->trouble(r);
}

static void replay_see_log(const struct log_reader_counts *c, struct replay_seen *s)
{
	s->exchanges = atomic_load(&c->exchanges);
	s->passed = atomic_load(&c->passed);
	s->rejected = atomic_load(&c->rejected);
	s->holes = atomic_load(&c->holes);
	s->lost = atomic_load(&c->lost);
	s->behind = atomic_load(&c->behind);
	for (int i = 0; i < EFFECT_KINDS; i++)
		s->effects[i] = atomic_load(&c->effects[i]);
}

void replay_show(struct replay *r)
{
	uint64_t now_ns = r->loop->io->now_ns, wall_ns = clock_wall_ns();
	if (now_ns - r->shown_ns < REPLAY_SHOW_MS * 1000000ull)
		return;
	r->shown_ns = now_ns;
	json_t *listed = r->work->list(r);
	upkeep_show(&r->upkeep);
	pthread_mutex_lock(&r->lock);
	json_t *listed_before = r->listed;
	r->listed = listed;
	struct replay_seen *s = &r->seen;
	s->tuning = r->tuning;
	s->owner = r->config.owner;
	s->watermark_wall_ns = replay_watermark(r);
	s->lag_ms = s->watermark_wall_ns && wall_ns > s->watermark_wall_ns
			    ? (wall_ns - s->watermark_wall_ns) / 1000000
			    : 0;
	replay_see_log(&r->log_counts, s);
	r->work->see(r, s);
	s->state = replay_state_of(r, s);
	int trouble = atomic_load(&r->trouble);
	snprintf(s->trouble, sizeof s->trouble, "%s",
		 trouble ? strerror(trouble) : replay_trouble(r));
	pthread_mutex_unlock(&r->lock);
	json_decref(listed_before);
}

void replay_see(struct replay *r, struct replay_seen *to)
{
	pthread_mutex_lock(&r->lock);
	*to = r->seen;
	pthread_mutex_unlock(&r->lock);
}
