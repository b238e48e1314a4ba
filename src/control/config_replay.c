#include "control/config_replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "capture/policy.h"
#include "control/config_fields.h"
#include "proxy/class.h"
#include "replay/index_filter.h"

#define KEYS(table) .keys = (table), .key_n = sizeof(table) / sizeof((table)[0])

/* --- a rate --- */

static void rate_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	char *end;
	unsigned long n = strtoul(y->text, &end, 10);
	if (end == y->text || strcmp(end, "/s") != 0 || n < 1 || n > REPLAY_RATE_MAX ||
	    *y->text == '-')
		diagnose(b->diagnostics, y->at, "%s: '%s' is no rate from 1/s to %u/s, as 2000/s",
			 k->name, y->text, REPLAY_RATE_MAX);
	else
		*(uint32_t *)to = (uint32_t)n;
}

static void rate_preset(const struct key *k, void *to)
{
	(void)k;
	*(uint32_t *)to = 0;
}

static const struct key_type key_rate = { rate_bind, rate_preset, true,
					  "operations a second, as 2000/s" };

/* --- patterns of indices --- */

static const char *indices_trouble(const char *pattern)
{
	if (*pattern == '-')
		pattern++;
	if (!*pattern)
		return "it is empty";
	if (strlen(pattern) > INDEX_NAME_BYTES_MAX)
		return "it is longer than an index' name may be";
	/* What clusters allow in no name. Expressions of theirs with a comma are a list here. */
	return strpbrk(pattern, ", \"\\/|<>?#:") ? "an index' name, in which '*' stands for any "
						   "characters, has no such character"
						 : NULL;
}

static void indices_add(struct binder *b, const struct key *k, const struct yaml *y,
			const char **list, size_t *n)
{
	if (!key_is_scalar(b, k, y))
		return;
	const char *wrong = indices_trouble(y->text);
	if (wrong)
		diagnose(b->diagnostics, y->at, "%s: '%s' is no pattern of indices: %s", k->name,
			 y->text, wrong);
	else
		list[(*n)++] = key_copy(b, span_of(y->text));
}

static void indices_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct config_indices *indices = to;
	size_t n = y->kind == YAML_LIST ? 0 : 1;
	for (const struct yaml *item = y->first; item && y->kind == YAML_LIST; item = item->next)
		n++;
	if (!n || n > REPLAY_PATTERNS_MAX) {
		diagnose(b->diagnostics, y->at, "%s: a list of 1 to %d patterns is expected",
			 k->name, REPLAY_PATTERNS_MAX);
		return;
	}
	*indices = (struct config_indices){ NULL, 0 };
	const char **list = arena_take(b->arena, n * sizeof *list);
	if (y->kind != YAML_LIST)
		indices_add(b, k, y, list, &indices->n);
	else
		for (const struct yaml *item = y->first; item; item = item->next)
			indices_add(b, k, item, list, &indices->n);
	indices->list = list;
}

static const char *const preset_indices[] = INDEX_FILTER_PRESET;

static void indices_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_indices *)to =
		(struct config_indices){ preset_indices,
					 sizeof preset_indices / sizeof preset_indices[0] };
}

static const struct key_type key_indices = {
	indices_bind, indices_preset, true,
	"a list of patterns of indices; one behind '-' excludes, and the last that fits decides"
};

/* --- a time --- */

static void time_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	if (!clock_read(y->text, to))
		diagnose(b->diagnostics, y->at, "%s: '%s' is no time, as 2026-11-24T10:00:00Z",
			 k->name, y->text);
}

static void time_preset(const struct key *k, void *to)
{
	(void)k;
	*(uint64_t *)to = 0;
}

static const struct key_type key_time = { time_bind, time_preset, true,
					  "a time, as 2026-11-24T10:00:00Z" };

/* --- sections --- */

#define AT(member) .offset = offsetof(struct config_replay_batch, member)
static const struct key batch_keys[] = {
	{ "bytes", &key_size, AT(bytes), .preset = REPLAY_BATCH_BYTES,
	  .least = REPLAY_BATCH_BYTES_MIN, .most = REPLAY_BATCH_BYTES_MAX },
	{ "operations", &key_integer, AT(operations), REPLAY_BATCH_OPERATIONS, 1,
	  REPLAY_BATCH_OPERATIONS_MAX },
	{ "wait", &key_duration, AT(wait_ms), 0, 0, REPLAY_BATCH_WAIT_MS_MAX },
};
#undef AT
static const struct section batch_section = { KEYS(batch_keys), NULL };

#define AT(member) .offset = offsetof(struct config_replay_credentials, member)
static const struct key credentials_keys[] = {
	{ "source", &key_credential, AT(arms[ARM_SOURCE]) },
	{ "target", &key_credential, AT(arms[ARM_TARGET]) },
};
#undef AT
static const struct section credentials_section = { KEYS(credentials_keys), NULL };

static const char *const uncertain_words[] = { "stop", "skip", "send", NULL };
static const char *const refused_words[] = { "stop", "skip", NULL };

#define AT(member) .offset = offsetof(struct config_replay, member)
static const struct key replay_keys[] = {
	{ "from", &key_time, AT(from_ns) },
	{ "indices", &key_indices, AT(indices) },
	{ "credentials", &key_section, AT(credentials), .section = &credentials_section },
	{ "rate", &key_rate, AT(rate) },
	{ "batch", &key_section, AT(batch), .section = &batch_section },
	{ "in_flight", &key_integer, AT(in_flight), REPLAY_IN_FLIGHT, 1, REPLAY_IN_FLIGHT_MAX },
	{ "uncertain", &key_choice, AT(uncertain), .preset = CONFIG_UNSET,
	  .words = uncertain_words },
	{ "refused", &key_choice, AT(refused), .preset = CONFIG_UNSET, .words = refused_words },
};
#undef AT
const struct section replay_section = { KEYS(replay_keys), NULL };

/* A cluster's own credential goes with all requests, ours among them. */
static void replay_check_credentials(struct binder *b, const struct config *c)
{
	static const char *const names[ARMS] = { "source", "target" };
	for (int arm = 0; arm < ARMS; arm++)
		if (c->replay.credentials.arms[arm].value && c->clusters[arm].authorization.value)
			diagnose(b->diagnostics, c->replay.credentials.head.at,
				 "replay.credentials.%s: it would never be used, for '%s' has the "
				 "key 'authorization', which all requests to that cluster get: "
				 "take one of them away",
				 names[arm], names[arm]);
}

/* profile: opensearch */
static void replay_check_documents(struct binder *b, const struct config_replay *r)
{
	static const char text[] = "replay.%s: it is for profile: http, where requests are sent as "
				   "they were; with profile: opensearch documents are copied";
	if (r->uncertain != CONFIG_UNSET)
		diagnose(b->diagnostics, r->head.at, text, "uncertain");
	if (r->refused != CONFIG_UNSET)
		diagnose(b->diagnostics, r->head.at, text, "refused");
}

/* profile: http */
static void replay_check_requests(struct binder *b, const struct config_replay *r)
{
	static const char text[] = "replay.%s: it is for profile: opensearch, where documents are "
				   "copied; with profile: http requests are sent as they were";
	if (r->indices.list != preset_indices)
		diagnose(b->diagnostics, r->head.at, text, "indices");
	if (r->batch.head.at != NOWHERE)
		diagnose(b->diagnostics, r->batch.head.at, text, "batch");
}

void replay_check(struct binder *b, const struct config *c)
{
	const struct config_replay *r = &c->replay;
	if (r->head.at == NOWHERE)
		return;
	replay_check_credentials(b, c);
	if (c->capture.head.at == NOWHERE)
		diagnose(b->diagnostics, r->head.at,
			 "replay: there is no section 'capture': what is replayed is read from the "
			 "capture log");
	else if (c->capture.responses == RESPONSES_HEADS && c->profile == PROFILE_OPENSEARCH)
		diagnose(b->diagnostics, r->head.at,
			 "replay: capture.responses: heads leaves out what tells which documents a "
			 "write has changed; say writes or all");
	if (c->profile == PROFILE_OPENSEARCH)
		replay_check_documents(b, r);
	else
		replay_check_requests(b, r);
}
