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
	if (upkeep_is_full(&r->upkeep))
		return REPLAY_STOPPED;
	bool behind = !s->watermark_wall_ns || s->lag_ms > REPLAY_CURRENT_MS;
	return behind || s->unheard || !r->unheard.started ? REPLAY_CATCHING_UP : REPLAY_CURRENT;
}

static uint64_t replay_watermark(const struct replay *r, const struct keys_count *k)
{
	uint64_t oldest = k->oldest_ns;
	if (r->at < r->batch.n && (!oldest || r->batch.list[r->at].wall_ns < oldest))
		oldest = r->batch.list[r->at].wall_ns;
	return oldest && oldest < r->until_wall_ns ? oldest : r->until_wall_ns;
}

struct parked_list {
	const struct surroundings *surroundings;
	json_t *list;
};

static void replay_see_parked(void *user, const struct keys_index_count *i)
{
	struct parked_list *p = user;
	if (!i->parked || json_array_size(p->list) >= REPLAY_PARKED_LISTED)
		return;
	const struct surrounding *s = surroundings_of(p->surroundings, i->name);
	json_array_append_new(p->list,
			      json_pack("{s:s%,s:I,s:s}", "index", i->name.at, i->name.n, "keys",
					(json_int_t)i->waiting, "why", s ? s->why : ""));
}

static json_t *replay_parked(struct replay *r)
{
	struct parked_list p = { copier_surroundings(r->copier), json_array() };
	keys_each_index(r->keys, replay_see_parked, &p);
	return p.list;
}

/* For compare: scans and what is uncertain count too, as they may name any document. */
uint64_t replay_copied(void *user, bool begun)
{
	const struct replay *r = user;
	struct keys_count keys;
	keys_count(r->keys, &keys);
	uint64_t copied_ns = replay_watermark(r, &keys);
	if (!begun)
		return copied_ns;
	if (r->later)
		copied_ns = least(copied_ns, r->later->wall_ns);
	return least(least(copied_ns, r->over_wall_ns), jobs_oldest_ns(r->jobs));
}

const char *replay_trouble(void *user)
{
	const struct replay *r = user;
	const char *upkeep = upkeep_trouble(&r->upkeep);
	if (upkeep)
		return upkeep;
	if (*r->unheard.trouble)
		return r->unheard.trouble;
	if (*copier_trouble(r->copier))
		return copier_trouble(r->copier);
	return *r->objects.trouble ? r->objects.trouble : jobs_trouble(r->jobs);
}

void replay_show(struct replay *r)
{
	uint64_t now_ns = r->loop->io->now_ns, wall_ns = clock_wall_ns();
	const struct log_reader_counts *c = &r->log_counts;
	if (now_ns - r->shown_ns < REPLAY_SHOW_MS * 1000000ull)
		return;
	r->shown_ns = now_ns;
	json_t *parked = replay_parked(r);
	upkeep_show(&r->upkeep);
	pthread_mutex_lock(&r->lock);
	json_t *parked_before = r->parked;
	r->parked = parked;
	struct replay_seen *s = &r->seen;
	keys_count(r->keys, &s->keys);
	s->tuning = r->tuning;
	s->owner = r->config.owner;
	s->watermark_wall_ns = replay_watermark(r, &s->keys);
	s->lag_ms = s->watermark_wall_ns && wall_ns > s->watermark_wall_ns
			    ? (wall_ns - s->watermark_wall_ns) / 1000000
			    : 0;
	s->exchanges = atomic_load(&c->exchanges);
	s->passed = atomic_load(&c->passed);
	s->holes = atomic_load(&c->holes);
	s->lost = atomic_load(&c->lost);
	s->behind = atomic_load(&c->behind);
	for (int i = 0; i < EFFECT_KINDS; i++)
		s->effects[i] = atomic_load(&c->effects[i]);
	s->copies = *copier_counts(r->copier);
	s->brought = copier_surroundings(r->copier)->brought + r->objects.put;
	s->uncertain = r->later_n;
	s->unheard = unheard_n(&r->unheard);
	s->left_out = r->left_out;
	s->jobs = *jobs_counts(r->jobs);
	s->state = replay_state_of(r, s);
	int trouble = atomic_load(&r->trouble);
	snprintf(s->trouble, sizeof s->trouble, "%s",
		 trouble ? strerror(trouble) : replay_trouble(r));
	pthread_mutex_unlock(&r->lock);
	json_decref(parked_before);
}

void replay_see(struct replay *r, struct replay_seen *to)
{
	pthread_mutex_lock(&r->lock);
	*to = r->seen;
	pthread_mutex_unlock(&r->lock);
}
