#include "replay/compare_bodies.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "replay/compare_around.h"

enum { BODY_OWNER, BODY_REPLICA, BODY_AGAIN, BODY_STEPS };

static uint64_t bodies_now_ms(const struct bodies *b)
{
	return loop_now_ms(b->ask.subrequest.of->loop);
}

/* NULL: what is at hand belongs to no index. */
static const char *bodies_index(const struct bodies *b)
{
	return b->at < b->names->n ? b->names->list[b->at].name : NULL;
}

static enum around_kind bodies_kind(const struct bodies *b)
{
	return (enum around_kind)(b->at - b->names->n);
}

static enum arm bodies_arm(const struct bodies *b)
{
	return b->step == BODY_REPLICA ? arm_other(b->owner) : b->owner;
}

static void bodies_forget(struct bodies *b)
{
	for (int i = 0; i < BODY_STEPS; i++) {
		json_decref(b->bodies[i]);
		b->bodies[i] = NULL;
	}
	b->step = BODY_OWNER;
}

/* --- telling --- */

static void bodies_tell(void *user, const char *what, const char *known)
{
	struct bodies *b = user;
	const char *index = bodies_index(b);
	char text[900];
	if (!known) {
		compare_result_around(b->result, index, what);
		return;
	}
	snprintf(text, sizeof text, "%.255s%s%.500s (%.100s)", index ? index : "",
		 index ? ": " : "", what, known);
	compare_result_hint(b->result, text);
}

static void bodies_tell_nothing(void *user, const char *what, const char *known)
{
	(void)user;
	(void)what;
	(void)known;
}

static bool bodies_compare(struct bodies *b, around_told *told)
{
	const json_t *owner = b->bodies[BODY_OWNER], *replica = b->bodies[BODY_REPLICA];
	if (!bodies_index(b))
		return around_compare_kind(bodies_kind(b), owner, replica, told, b);
	if (owner && replica)
		return around_compare_index(owner, replica, told, b);
	if (owner)
		told(b, "the replica does not have this index", NULL);
	else if (replica)
		told(b, "the owner does not have this index", NULL);
	return !owner && !replica;
}

static void bodies_next(struct bodies *b)
{
	if (bodies_index(b) && b->bodies[BODY_OWNER] && b->bodies[BODY_REPLICA])
		b->both(b->user, bodies_index(b));
	bodies_forget(b);
	b->rounds = 0;
	b->at++;
}

static bool bodies_are_one(const json_t *a, const json_t *b)
{
	return a && b ? json_equal(a, b) : !a && !b;
}

static void bodies_again(struct bodies *b)
{
	if (b->rounds++ < COMPARE_ROUNDS) {
		b->not_before_ms = bodies_now_ms(b) + COMPARE_PAUSE_MS;
		bodies_forget(b);
		return;
	}
	bodies_tell(b, "it changed at each look", "nothing is said of it");
	bodies_next(b);
}

/* The first time two looks that show no difference are enough. */
static void bodies_judge(struct bodies *b)
{
	if (b->step == BODY_REPLICA) {
		if (bodies_compare(b, bodies_tell_nothing)) {
			bodies_compare(b, bodies_tell);
			bodies_next(b);
		} else if (!b->rounds) {
			bodies_again(b);
		} else {
			b->step = BODY_AGAIN;
		}
	} else if (bodies_are_one(b->bodies[BODY_OWNER], b->bodies[BODY_AGAIN])) {
		bodies_compare(b, bodies_tell);
		bodies_next(b);
	} else {
		bodies_again(b);
	}
}

/* --- asking --- */

static void bodies_fail(struct bodies *b, enum err why)
{
	char trouble[160];
	ask_trouble(&b->ask, why, trouble, sizeof trouble);
	snprintf(b->trouble, sizeof b->trouble, "the %s (the %s) does not tell of its indices: %s",
		 bodies_arm(b) == b->owner ? "owner" : "replica", arm_name(bodies_arm(b)), trouble);
	b->not_before_ms = bodies_now_ms(b) + COMPARE_RETRY_MS;
	if (!b->failing_ms)
		b->failing_ms = bodies_now_ms(b);
}

/* A request that a cluster does not know is as none of them. */
static bool bodies_have_none(const struct bodies *b)
{
	unsigned status = b->ask.subrequest.status;
	return status == 404 || (!bodies_index(b) && (status == 400 || status == 405));
}

static void bodies_have(struct ask *a, enum err why)
{
	struct bodies *b = a->user;
	const char *index = bodies_index(b);
	bool none = why == ERR_NONE && bodies_have_none(b);
	if (!none && (!ask_succeeded(a, why) || !a->json)) {
		bodies_fail(b, why);
		return;
	}
	b->failing_ms = b->not_before_ms = 0;
	const json_t *body = index ? json_object_get(a->json, index) : a->json;
	b->bodies[b->step] = none ? NULL : json_incref((json_t *)(uintptr_t)body);
	if (b->step != BODY_OWNER) {
		bodies_judge(b);
		return;
	}
	b->wall_ns = clock_wall_ns();
	b->waits_ms = bodies_now_ms(b);
	b->step = BODY_REPLICA;
}

bool bodies_turn(struct bodies *b)
{
	if (b->at >= b->end)
		return true;
	if (!ask_is_idle(&b->ask) || b->not_before_ms > bodies_now_ms(b))
		return false;
	if (b->step == BODY_REPLICA && b->rounds && b->copied(b->user, true) <= b->wall_ns) {
		if (bodies_now_ms(b) - b->waits_ms < COMPARE_STUCK_MS)
			return false;
		bodies_tell(b, "writes that had begun before are not copied yet",
			    "nothing is said of it");
		bodies_next(b);
		return b->at >= b->end;
	}
	const char *index = bodies_index(b);
	char *target = index ? ask_target("/", index, "") : strdup(around_path(bodies_kind(b)));
	ask_json(&b->ask, bodies_arm(b), "GET", target, NULL, ASK_TIMEOUT_MS, bodies_have);
	return false;
}

/* --- a life --- */

void bodies_begin(struct bodies *b, bool all)
{
	bodies_forget(b);
	b->at = 0;
	b->rounds = 0;
	b->end = b->names->n + (all ? AROUND_KINDS : 0);
	b->failing_ms = b->not_before_ms = 0;
}

const char *bodies_failure(const struct bodies *b)
{
	bool late = b->failing_ms && bodies_now_ms(b) - b->failing_ms >= COMPARE_TROUBLE_MS;
	return late ? b->trouble : NULL;
}

void bodies_stop(struct bodies *b)
{
	b->failing_ms = 0;
	b->at = b->end;
	ask_stop(&b->ask);
	bodies_forget(b);
}

void bodies_open(struct bodies *b, struct subrequests *subrequests, enum arm owner)
{
	*b = (struct bodies){ .owner = owner };
	ask_open(&b->ask, subrequests, b);
}

void bodies_close(struct bodies *b)
{
	bodies_forget(b);
	ask_close(&b->ask);
}
