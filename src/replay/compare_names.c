#include "replay/compare_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

/* What is asked of a cluster, one after the other. */
enum names_step { NAMES_STATE, NAMES_COUNTS, NAMES_STEPS };

static uint64_t names_now_ms(const struct compare_names *s)
{
	return loop_now_ms(s->ask.subrequest.of->loop);
}

static enum arm names_arm(const struct compare_names *s)
{
	return s->step < NAMES_STEPS ? s->owner : arm_other(s->owner);
}

/* --- indices --- */

/* Hidden indices are a cluster's own, but for those behind data streams. */
bool compare_names_want(const struct compare_names *s, struct span index)
{
	return *s->expression || !index.n || *index.at != '.' ||
	       (index.n > 4 && !memcmp(index.at, ".ds-", 4));
}

static struct compare_index *names_find(const struct compare_names *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->list[i].name, name))
			return &s->list[i];
	return NULL;
}

static struct compare_index *names_add(struct compare_names *s, const char *name)
{
	struct compare_index *one = names_find(s, name);
	if (one)
		return one;
	if (s->n == s->room) {
		s->room = 2 * s->room + 16;
		s->list = realloc(s->list, s->room * sizeof *s->list);
		must(s->list);
	}
	one = &s->list[s->n++];
	*one = (struct compare_index){ .name = strdup(name), .documents = { -1, -1 } };
	must(one->name);
	return one;
}

const struct compare_index *compare_names_of(const struct compare_names *s, struct span index)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_is(span_of(s->list[i].name), index))
			return &s->list[i];
	return NULL;
}

void compare_names_doubt(struct compare_names *s, struct span index)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_is(span_of(s->list[i].name), index))
			s->list[i].doubted = true;
}

static void names_take_state(struct compare_names *s, const json_t *response)
{
	const char *name;
	json_t *one;
	json_t *indices = json_object_get(json_object_get(response, "metadata"), "indices");
	json_object_foreach(indices, name, one) {
		const char *state = json_string_value(json_object_get(one, "state"));
		if (!compare_names_want(s, span_of(name)))
			continue;
		struct compare_index *x = names_add(s, name);
		x->closed[names_arm(s)] = state && !strcmp(state, "close");
	}
}

static void names_take_counts(struct compare_names *s, const json_t *response)
{
	const char *name;
	json_t *one;
	json_object_foreach(json_object_get(response, "indices"), name, one) {
		struct compare_index *x = names_find(s, name);
		const json_t *docs = json_object_get(json_object_get(one, "primaries"), "docs");
		if (x)
			x->documents[names_arm(s)] =
				json_integer_value(json_object_get(docs, "count"));
	}
}

/* --- asking --- */

/* What a cluster says that it does not have is none. */
static bool names_good(const struct ask *a, enum err why)
{
	return why == ERR_NONE &&
	       (a->subrequest.status == 404 || (a->subrequest.status < 300 && a->json));
}

static void names_fail(struct compare_names *s, enum err why)
{
	char trouble[160];
	ask_trouble(&s->ask, why, trouble, sizeof trouble);
	snprintf(s->trouble, sizeof s->trouble, "the %s (the %s) does not tell its indices: %s",
		 names_arm(s) == s->owner ? "owner" : "replica", arm_name(names_arm(s)), trouble);
	s->not_before_ms = names_now_ms(s) + COMPARE_RETRY_MS;
	if (!s->failing_ms)
		s->failing_ms = names_now_ms(s);
}

static void names_have(struct ask *a, enum err why)
{
	struct compare_names *s = a->user;
	if (!names_good(a, why)) {
		names_fail(s, why);
		return;
	}
	if (a->subrequest.status == 404)
		;
	else if (s->step % NAMES_STEPS == NAMES_STATE)
		names_take_state(s, a->json);
	else
		names_take_counts(s, a->json);
	s->failing_ms = s->not_before_ms = 0;
	s->step++;
}

static void names_ask(struct compare_names *s)
{
	const char *expression = *s->expression ? s->expression : "*";
	char *target =
		s->step % NAMES_STEPS == NAMES_STATE
			? ask_target("/_cluster/state/metadata/", expression,
				     "?filter_path=metadata.indices.*.state"
				     "&ignore_unavailable=true&allow_no_indices=true"
				     "&expand_wildcards=all")
			: ask_target("/", expression,
				     "/_stats/docs?filter_path=indices.*.primaries.docs.count"
				     "&expand_wildcards=open,hidden");
	ask_json(&s->ask, names_arm(s), "GET", target, NULL, ASK_TIMEOUT_MS, names_have);
}

/* --- a life --- */

static void names_clear(struct compare_names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->list[i].name);
	free(s->list);
	free(s->expression);
	s->list = NULL;
	s->expression = NULL;
	s->n = s->room = 0;
}

void compare_names_open(struct compare_names *s, struct subrequests *subrequests, enum arm owner)
{
	*s = (struct compare_names){ .owner = owner };
	ask_open(&s->ask, subrequests, s);
}

void compare_names_close(struct compare_names *s)
{
	names_clear(s);
	ask_close(&s->ask);
}

void compare_names_begin(struct compare_names *s, const char *expression)
{
	names_clear(s);
	s->expression = strdup(expression);
	must(s->expression);
	s->step = 0;
	s->failing_ms = s->not_before_ms = 0;
}

bool compare_names_turn(struct compare_names *s)
{
	if (s->step == 2 * NAMES_STEPS)
		return true;
	if (ask_is_idle(&s->ask) && s->not_before_ms <= names_now_ms(s))
		names_ask(s);
	return false;
}

const char *compare_names_failure(const struct compare_names *s)
{
	bool late = s->failing_ms && names_now_ms(s) - s->failing_ms >= COMPARE_TROUBLE_MS;
	return late ? s->trouble : NULL;
}

void compare_names_stop(struct compare_names *s)
{
	ask_stop(&s->ask);
}

bool compare_names_tell(const struct compare_names *s, const struct compare_index *x,
			struct compare_result *r)
{
	bool at_owner = x->closed[s->owner];
	if (!at_owner && !x->closed[arm_other(s->owner)])
		return true;
	compare_result_unknown(r, x->name,
			       at_owner ? "it is closed at the owner: its documents cannot be read"
					: "it is closed at the replica: its documents cannot be "
					  "read");
	return false;
}
