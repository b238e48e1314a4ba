#include "control/replay_json.h"

#include "base/clock.h"

static const char *const replay_states[] = {
	[REPLAY_IDLE] = "idle",
	[REPLAY_WAITING] = "waiting",
	[REPLAY_CATCHING_UP] = "catching up",
	[REPLAY_CURRENT] = "current",
	[REPLAY_RESTS] = "paused",
	[REPLAY_FAILED] = "failed",
	[REPLAY_STOPPED] = "stopped",
};

static const char *const replay_effects[EFFECT_KINDS] = {
	[EFFECT_KEY] = "keys",
	[EFFECT_SCAN] = "scans",
	[EFFECT_SURROUNDINGS] = "surroundings",
	[EFFECT_FENCE] = "fences",
	[EFFECT_SWEEP] = "sweeps",
	[EFFECT_WALK] = "walks",
	[EFFECT_UNKNOWN] = "unknown",
	[EFFECT_LOST] = "lost",
};

static json_t *replay_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void replay_add(json_t *j, json_t *more /* moved in */)
{
	json_object_update(j, more);
	json_decref(more);
}

static json_t *replay_effects_json(const struct replay_seen *s)
{
	json_t *j = json_object();
	for (int i = 0; i < EFFECT_KINDS; i++)
		json_object_set_new(j, replay_effects[i], replay_number(s->effects[i]));
	return j;
}

static json_t *replay_unknown_json(const struct replay_seen *s)
{
	json_t *j = json_object();
	for (unsigned i = 0; i < s->unknown_n; i++)
		json_object_set_new(j, s->unknown[i].name, replay_number(s->unknown[i].n));
	return j;
}

static json_t *replay_log_json(const struct replay_seen *s)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o}", "exchanges", replay_number(s->exchanges),
			 "passed", replay_number(s->passed), "behind", replay_number(s->behind),
			 "holes", replay_number(s->holes), "lost", replay_number(s->lost));
}

/* Of requests that are sent as they were. */
static json_t *replay_requests_json(const struct replay_seen *s)
{
	const struct resend_counts *c = &s->requests;
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "waiting",
			 replay_number(c->waiting), "in_flight", replay_number(c->in_flight),
			 "held", replay_number(c->held), "sent", replay_number(c->sent), "again",
			 replay_number(c->again), "unheard", replay_number(c->unheard), "refused",
			 replay_number(c->refused), "skipped", replay_number(c->skipped),
			 "rejected", replay_number(s->rejected), "bytes", replay_number(c->bytes));
}

static json_t *replay_keys_json(const struct replay_seen *s)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "waiting", replay_number(s->keys.waiting),
			 "in_flight", replay_number(s->keys.in_flight), "parked",
			 replay_number(s->keys.parked), "set_aside",
			 replay_number(s->keys.set_aside), "uncertain", replay_number(s->uncertain),
			 "bytes", replay_number(s->keys.bytes));
}

static json_t *replay_copies_json(const struct replay_seen *s)
{
	const struct copier_counts *c = &s->copies;
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "documents", replay_number(c->copies),
			 "deletions", replay_number(c->deletes), "batches",
			 replay_number(c->batches), "again", replay_number(c->again), "unreadable",
			 replay_number(c->unreadable), "surroundings", replay_number(s->brought),
			 "owner_failures", replay_number(c->owner_failures), "replica_failures",
			 replay_number(c->replica_failures));
}

static json_t *replay_jobs_json(const struct replay_seen *s)
{
	const struct jobs_counts *c = &s->jobs;
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "waiting", replay_number(c->waiting),
			 "scans", replay_number(c->done[EFFECT_SCAN]), "sweeps",
			 replay_number(c->done[EFFECT_SWEEP]), "walks",
			 replay_number(c->done[EFFECT_WALK]), "deletions",
			 replay_number(c->done[EFFECT_FENCE]), "keys", replay_number(c->keys),
			 "indices_deleted", replay_number(c->deleted));
}

/* How fast it may be. */
static json_t *replay_tuning_json(const struct replay_seen *s)
{
	const struct tuning *t = &s->tuning;
	json_t *j = json_pack("{s:o,s:o}", "rate", t->rate ? replay_number(t->rate) : json_null(),
			      "in_flight", replay_number(t->in_flight));
	if (!s->resends)
		replay_add(j, json_pack("{s:o,s:o,s:o}", "batch_operations",
					replay_number(t->operations), "batch_bytes",
					replay_number(t->bulk_bytes), "batch_wait_ms",
					replay_number(t->wait_ms)));
	return j;
}

/* Of documents that are copied. */
static json_t *replay_documents_json(const struct replay_seen *s)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "effects", replay_effects_json(s), "keys",
			 replay_keys_json(s), "copies", replay_copies_json(s), "jobs",
			 replay_jobs_json(s), "unheard", replay_number(s->unheard), "left_out",
			 replay_number(s->left_out), "unknown", replay_unknown_json(s));
}

json_t *replay_json(const struct workers *w)
{
	struct replay_seen s;
	char watermark[CLOCK_TEXT_BYTES] = "";
	if (!workers_see_replay(w, &s))
		return NULL;
	if (s.watermark_wall_ns)
		clock_text(s.watermark_wall_ns, watermark);
	json_t *j = json_pack("{s:s,s:s,s:o,s:o,s:s*,s:o,s:s}", "state", replay_states[s.state],
			      "owner", arm_name(s.owner), "lag_ms",
			      s.watermark_wall_ns ? replay_number(s.lag_ms) : json_null(), "tuning",
			      replay_tuning_json(&s), "watermark", *watermark ? watermark : NULL,
			      "log", replay_log_json(&s), "trouble", s.trouble);
	replay_add(j, s.resends ? json_pack("{s:o}", "requests", replay_requests_json(&s))
				: replay_documents_json(&s));
	replay_add(j, workers_replay_upkeep(w));
	return j;
}
