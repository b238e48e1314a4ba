#include "replay/replay_private.h"

#include "base/least.h"
#include "base/limits.h"

/* --- what is seen of copies --- */

uint64_t replay_copies_oldest_ns(const struct replay *r)
{
	struct keys_count keys;
	keys_count(r->keys, &keys);
	return keys.oldest_ns ? keys.oldest_ns : UINT64_MAX;
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

json_t *replay_copies_parked(struct replay *r)
{
	struct parked_list p = { copier_surroundings(r->copier), json_array() };
	keys_each_index(r->keys, replay_see_parked, &p);
	return p.list;
}

/* For compare: scans and what is uncertain count too, as they may name any document. */
uint64_t replay_copied(void *user, bool begun)
{
	const struct replay *r = user;
	uint64_t copied_ns = replay_watermark(r);
	if (!begun)
		return copied_ns;
	if (r->later)
		copied_ns = least(copied_ns, r->later->wall_ns);
	return least(least(copied_ns, r->over_wall_ns), jobs_oldest_ns(r->jobs));
}

const char *replay_copies_trouble(const struct replay *r)
{
	if (*r->unheard.trouble)
		return r->unheard.trouble;
	if (*copier_trouble(r->copier))
		return copier_trouble(r->copier);
	return *r->objects.trouble ? r->objects.trouble : jobs_trouble(r->jobs);
}

void replay_copies_see(struct replay *r, struct replay_seen *s)
{
	keys_count(r->keys, &s->keys);
	s->copies = *copier_counts(r->copier);
	s->brought = copier_surroundings(r->copier)->brought + r->objects.put;
	s->uncertain = r->later_n;
	s->unheard = unheard_n(&r->unheard);
	s->left_out = r->left_out;
	s->jobs = *jobs_counts(r->jobs);
	s->settled = r->unheard.started && !s->unheard;
}
