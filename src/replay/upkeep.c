#include "replay/upkeep.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/plain.h"

/* Of a key that was set aside and is tried again: it stands in the marks until it succeeds. */
#define RETRY_TAG (KEYS_LOOSE | (uintptr_t)1 << 19)

/* --- what is against copying --- */

bool upkeep_is_paused(const struct upkeep *u)
{
	return kept_is_ready(&u->kept) && marks_paused(&u->kept.marks);
}

bool upkeep_is_full(const struct upkeep *u)
{
	return kept_is_ready(&u->kept) && marks_aside_n(&u->kept.marks) >= REPLAY_ASIDE_MAX &&
	       !u->retries;
}

const char *upkeep_trouble(const struct upkeep *u)
{
	switch ((enum kept_state)atomic_load(&u->kept.state)) {
	case KEPT_NEWER:
		return MARKS_FILE " in the state directory was written by a newer version of "
				  "crossfade: nothing is copied";
	case KEPT_UNREADABLE:
		return MARKS_FILE " in the state directory cannot be read";
	case KEPT_UNREAD:
	case KEPT_READY:
		break;
	}
	if (upkeep_is_full(u))
		return "nothing is copied, because too many documents are set aside: `crossfade "
		       "replay set-aside list` says why; retry or drop them";
	return atomic_load(&u->kept.error) ? MARKS_FILE " in the state directory cannot be saved"
					   : NULL;
}

/* --- keys --- */

void upkeep_not_exact(struct upkeep *u, struct span index, const char *why)
{
	marks_not_exact(kept_change(&u->kept), index, why, clock_wall_ns());
	kept_changed(&u->kept, true);
}

void upkeep_not_exact_write(struct upkeep *u, struct span index, const char *why, uintptr_t tag)
{
	upkeep_not_exact(u, index, why);
	kept_hold(&u->kept, tag);
}

/* --- indices that are known --- */

#define KNOWN_OF "indices_of"

void upkeep_know_index(struct upkeep *u, struct span index, json_t *what)
{
	if (!kept_is_ready(&u->kept)) {
		json_decref(what);
		return;
	}
	struct marks *m = kept_change(&u->kept);
	bool good = marks_know_index(m, index, what);
	u->known = kept_changed(&u->kept, false);
	if (!good && !u->knows_too_many)
		log_line(LOG_WARN,
			 "replay: it has seen more than %d indices: the others are not remembered "
			 "over a start (docs/migration.md, What is kept)",
			 MARKS_INDICES_MAX);
	u->knows_too_many |= !good;
}

void upkeep_forget_index(struct upkeep *u, struct span name, bool is_stream)
{
	const char *index;
	json_t *one;
	void *next;
	struct marks *m = kept_change(&u->kept);
	json_t *all = marks_part(m, "indices");
	if (!is_stream)
		marks_forget_index(m, name);
	else
		json_object_foreach_safe(all, next, index, one) {
			const char *stream = json_string_value(json_object_get(one, "stream"));
			if (stream && span_is(name, span_of(stream)))
				marks_forget_index(m, span_of(index));
		}
	kept_changed(&u->kept, false);
}

/* What another owner said of its indices says nothing of this one's. */
void upkeep_recall(struct upkeep *u, struct surroundings *s)
{
	const char *owner = arm_name(u->config.owner), *index;
	const char *of = json_string_value(marks_part(&u->kept.marks, KNOWN_OF));
	bool same = !of || !strcmp(of, owner);
	json_t *what;
	json_object_foreach((json_t *)(uintptr_t)marks_known_indices(&u->kept.marks), index, what)
		if (index_filter_has(u->config.filter, span_of(index)))
			surroundings_recall(s, span_of(index), what, same);
	if (!same) {
		upkeep_keep_part(u, "scans", NULL);
		upkeep_keep_part(u, "backfill", NULL);
	}
	if (!same || !of)
		upkeep_keep_part(u, KNOWN_OF, json_string(owner));
}

/* --- what is exact again --- */

void upkeep_compare_begun(struct upkeep *u)
{
	json_decref(u->not_exact);
	u->not_exact = NULL;
	if (kept_is_ready(&u->kept) && marks_all_not_exact(&u->kept.marks))
		u->not_exact = json_deep_copy(marks_all_not_exact(&u->kept.marks));
}

static void upkeep_exact_one(struct upkeep *u, const char *index)
{
	bool now = marks_exact(kept_change(&u->kept), index, u->not_exact);
	kept_changed(&u->kept, now);
	if (now)
		log_line(LOG_INFO,
			 "replay: index %s is exact again: all its documents were compared, and "
			 "are the same",
			 index);
}

/* What a comparison without names has looked at. */
static bool upkeep_is_compared(const struct upkeep *u, const char *index)
{
	if (!strcmp(index, "*"))
		return !index_filter_has_dots(u->config.filter);
	return *index != '.' || index_filter_stream(span_of(index)).n;
}

void upkeep_exact(struct upkeep *u, const char *index)
{
	const char *name;
	json_t *one;
	json_object_foreach(u->not_exact, name, one)
		if (index ? !strcmp(name, index) : upkeep_is_compared(u, name))
			upkeep_exact_one(u, name);
}

static void upkeep_log_refusal(const struct copy *c, struct span type, struct span reason)
{
	char text[DOCUMENT_ID_BYTES + 1], id[64];
	memcpy(text, c->of.id.at, c->of.id.n);
	text[c->of.id.n] = 0;
	plain_copy(id, sizeof id, text);
	log_line(LOG_WARN, "replay: the replica refuses document %s of index %.*s: %u %.*s: %.*s",
		 id, (int)c->of.index.n, c->of.index.at, c->status, (int)type.n, type.at,
		 (int)reason.n, reason.at);
}

static void upkeep_set_aside(struct upkeep *u, const struct keys_taken *t, const struct copy *c,
			     const struct cluster_error *e)
{
	struct span none = { "", 0 };
	const struct marks_document d = {
		.index = c->of.index,
		.id = c->of.id,
		.routing = c->of.routing,
		.one_shard = c->of.one_shard,
		.status = c->status,
		.type = e			      ? cluster_error_type(e)
			: c->verdict == COPY_TOO_LONG ? SPAN("too_long")
						      : none,
		.reason = e				? (struct span){ e->reason, e->reason_n }
			  : c->verdict == COPY_TOO_LONG ? SPAN("it is longer than clusters take")
							: none,
		.now_ns = clock_wall_ns(),
		.written_ns = t->time_ns,
		.origin = t->origin,
	};
	upkeep_log_refusal(c, d.type, d.reason);
	marks_set_aside(kept_change(&u->kept), &d);
	kept_changed(&u->kept, true);
	u->holds = true;
}

static void upkeep_clear_aside(struct upkeep *u, const struct copy *c)
{
	const struct marks_document d = { .index = c->of.index,
					  .id = c->of.id,
					  .routing = c->of.routing,
					  .one_shard = c->of.one_shard };
	if (!marks_is_aside(&u->kept.marks, &d))
		return;
	marks_clear_aside(kept_change(&u->kept), &d);
	kept_changed(&u->kept, false);
}

void upkeep_key_over(struct upkeep *u, const struct keys_taken *t, const struct copy *c,
		     const struct cluster_error *e)
{
	switch ((enum copy_verdict)c->verdict) {
	case COPY_NO_INDEX:
	case COPY_DONE:
		upkeep_clear_aside(u, c);
		break;
	case COPY_REFUSED:
	case COPY_TOO_LONG:
		upkeep_set_aside(u, t, c, e);
		break;
	case COPY_UNREADABLE:
		upkeep_not_exact(u, c->of.index, "the owner does not give a document that it has");
		u->holds = true;
		break;
	case COPY_AGAIN:
	case COPY_NEWER:
	case COPY_UNSURE:
		break;
	}
}

/* The tag is one of a key from here. */
static bool upkeep_tag_settle(struct upkeep *u, uintptr_t tag)
{
	if (backfill_tag_back(u->backfill, tag))
		return true;
	if (tag != RETRY_TAG)
		return false;
	must(u->retries > 0);
	u->retries--;
	return true;
}

bool upkeep_tag_back(struct upkeep *u, uintptr_t tag)
{
	if (!u->holds)
		return upkeep_tag_settle(u, tag);
	u->holds = false;
	kept_hold(&u->kept, tag);
	return true;
}

/* After a start the log is read from behind that write: what it told must be known then. */
bool upkeep_keep_tag(struct upkeep *u, uintptr_t tag)
{
	if (kept_is_saved(&u->kept, u->known))
		return false;
	kept_hold(&u->kept, tag);
	return true;
}

static void upkeep_release(struct upkeep *u)
{
	uintptr_t tag;
	while (kept_release(&u->kept, &tag))
		if (!upkeep_tag_settle(u, tag))
			u->config.back(u->config.user, tag);
}

void upkeep_keep_part(struct upkeep *u, const char *name, json_t *part)
{
	marks_set_part(kept_change(&u->kept), name, part);
	kept_changed(&u->kept, false);
}

static void upkeep_lost(void *user, struct span index, const char *why)
{
	upkeep_not_exact(user, index, why);
}

/* --- orders --- */

__attribute__((format(printf, 4, 5))) static void
order_refuse(struct order_outcome *to, unsigned status, const char *word, const char *format, ...)
{
	va_list rest;
	*to = (struct order_outcome){ .status = status, .word = word };
	va_start(rest, format);
	vsnprintf(to->text, sizeof to->text, format, rest);
	va_end(rest);
}

static void upkeep_pause(struct upkeep *u, const struct replay_order *one, struct order_outcome *to)
{
	bool paused = upkeep_is_paused(u);
	struct marks *m = kept_change(&u->kept);
	if (one->kind == ORDER_RESUME)
		marks_resume(m);
	else if (!paused)
		marks_pause(m, clock_wall_ns(), one->who);
	to->change = kept_changed(&u->kept, true);
	if (paused != (one->kind == ORDER_PAUSE))
		log_line(LOG_INFO, "replay: %s by %s", paused ? "goes on, resumed" : "paused",
			 one->who);
}

/* --- requests that are held --- */

static void upkeep_decide(struct upkeep *u, const struct replay_order *one,
			  struct order_outcome *to)
{
	bool send = one->held == ORDER_HELD_SEND;
	to->n = u->config.decide ? u->config.decide(u->config.user, send) : 0;
	if (!to->n) {
		order_refuse(to, 409, "nothing_held",
			     "no request waits for such a decision; one that the capture log does "
			     "not have whole can only be skipped");
		return;
	}
	kept_change(&u->kept);
	to->change = kept_changed(&u->kept, true);
	log_line(LOG_INFO, "replay: goes on, %llu requests are %s by %s", (unsigned long long)to->n,
		 send ? "sent" : "skipped", one->who);
}

static void upkeep_resume(struct upkeep *u, const struct replay_order *one,
			  struct order_outcome *to)
{
	if (one->held != ORDER_HELD_STAY)
		upkeep_decide(u, one, to);
	else if (!upkeep_is_paused(u) && u->config.is_held && u->config.is_held(u->config.user))
		order_refuse(to, 409, "request_held",
			     "replay is not paused, but stopped at a request that `crossfade "
			     "replay status` names: `crossfade replay resume --skip` leaves it "
			     "out, `--send` sends it");
	else
		upkeep_pause(u, one, to);
}

/* Not later than what was played: writes would be left out. */
static void upkeep_restart(struct upkeep *u, uint64_t number, const struct replay_order *one,
			   uint64_t watermark_ns, struct order_outcome *to)
{
	char at[CLOCK_TEXT_BYTES];
	if (u->restart_number) {
		order_refuse(to, 409, "restart_under_way", "a restart is under way already");
		return;
	}
	if (one->from_ns > (watermark_ns ? watermark_ns : clock_wall_ns())) {
		clock_text(watermark_ns ? watermark_ns : clock_wall_ns(), at);
		order_refuse(to, 409, "too_late",
			     "replay has come to %s: from a later time it would leave writes out",
			     at);
		return;
	}
	struct marks *m = kept_change(&u->kept);
	marks_set_from(m, one->from_ns);
	marks_set_restarts(m, true);
	/* Where nothing compares, the replica has got a copy of that time. */
	if (!u->config.keys)
		marks_exact_since(m, one->from_ns);
	atomic_store(&u->restart_change, kept_changed(&u->kept, true));
	u->restart_number = number;
	clock_text(one->from_ns, at);
	log_line(LOG_INFO, "replay: begins again from %s, ordered by %s", at, one->who);
}

/* --- what was set aside --- */

static bool upkeep_retry_one(struct upkeep *u, const json_t *one)
{
	const char *index = json_string_value(json_object_get(one, "index"));
	const json_t *id = json_object_get(one, "id"), *routing = json_object_get(one, "routing");
	if (!index || !json_is_string(id))
		return true;
	const struct keys_write w = {
		.index = span_of(index),
		.id = { json_string_value(id), json_string_length(id) },
		.routing = json_is_string(routing) ? (struct span){ json_string_value(routing),
								    json_string_length(routing) }
						   : (struct span){ "", 0 },
		.tag = RETRY_TAG,
		.time_ns = clock_wall_ns(),
	};
	u->retries++;
	enum keys_added added = keys_add(u->config.keys, &w);
	if (added == KEYS_ADDED || added == KEYS_REPLACED)
		return true;
	u->retries--;
	return added == KEYS_ILLEGAL;
}

static void upkeep_retry(struct upkeep *u, const struct replay_order *one, struct order_outcome *to)
{
	const char *name;
	json_t *all = marks_all_aside(&u->kept.marks), *document;
	json_object_foreach(all, name, document) {
		if (one->document && !marks_means(one->document, name))
			continue;
		if (!upkeep_retry_one(u, document)) {
			order_refuse(to, 503, "keys_full",
				     "%llu of them are tried again; there is no room for more keys "
				     "now: try again",
				     (unsigned long long)to->n);
			return;
		}
		to->n++;
	}
}

/* The replica lacks them from now on, and nothing says which: their indices are not exact. */
static void upkeep_drop(struct upkeep *u, const struct replay_order *one, struct order_outcome *to)
{
	const char *name;
	json_t *document;
	void *next;
	struct marks *m = kept_change(&u->kept);
	json_object_foreach_safe(marks_all_aside(m), next, name, document) {
		const char *index = json_string_value(json_object_get(document, "index"));
		if (one->document && !marks_means(one->document, name))
			continue;
		marks_not_exact(m, span_of(index ? index : "*"),
				"documents that the replica refuses were dropped", clock_wall_ns());
		json_object_del(marks_all_aside(m), name);
		to->n++;
	}
	to->change = kept_changed(&u->kept, true);
}

static bool upkeep_has_aside(const struct upkeep *u, const char *document)
{
	const char *name;
	json_t *one;
	json_object_foreach(marks_all_aside(&u->kept.marks), name, one)
		if (marks_means(document, name))
			return true;
	return false;
}

static void upkeep_aside_order(struct upkeep *u, const struct replay_order *one,
			       struct order_outcome *to)
{
	if (one->document && !upkeep_has_aside(u, one->document))
		order_refuse(to, 404, "not_set_aside", "no document %.200s is set aside",
			     one->document);
	else if (one->kind == ORDER_RETRY)
		upkeep_retry(u, one, to);
	else
		upkeep_drop(u, one, to);
}

/* Orders about documents, where there are none. */
static bool upkeep_refuses(const struct upkeep *u, enum order_kind kind, struct order_outcome *to)
{
	if (u->config.keys || kind == ORDER_PAUSE || kind == ORDER_RESUME || kind == ORDER_RESTART)
		return false;
	if (kind == ORDER_RETRY || kind == ORDER_DROP)
		order_refuse(to, 409, "profile_http",
			     "profile http: nothing is set aside; where the replica refuses a "
			     "request, replay.refused says what is done");
	else
		order_refuse(to, 409, "profile_http",
			     "profile http: there is no backfill, for nothing says what the "
			     "service has; copy its data by other means, then `crossfade replay "
			     "restart --from` the time of the copy");
	return true;
}

static void upkeep_apply(struct upkeep *u, uint64_t number, struct replay_order *one,
			 uint64_t watermark_ns, struct order_outcome *to)
{
	switch (one->kind) {
	case ORDER_PAUSE:
		upkeep_pause(u, one, to);
		break;
	case ORDER_RESUME:
		upkeep_resume(u, one, to);
		break;
	case ORDER_RESTART:
		upkeep_restart(u, number, one, watermark_ns, to);
		break;
	case ORDER_RETRY:
	case ORDER_DROP:
		upkeep_aside_order(u, one, to);
		break;
	case ORDER_BACKFILL:
	case ORDER_BACKFILL_PAUSE:
	case ORDER_BACKFILL_RESUME:
	case ORDER_BACKFILL_STOP:
		backfill_order(u->backfill, one, to);
		break;
	case ORDER_KINDS:
		break;
	}
}

static void upkeep_end_order(struct upkeep *u, uint64_t number, const struct order_outcome *to)
{
	pthread_mutex_lock(&u->lock);
	orders_end(&u->orders, number, to);
	pthread_mutex_unlock(&u->lock);
}

static uint64_t upkeep_take_order(struct upkeep *u, struct replay_order *one)
{
	pthread_mutex_lock(&u->lock);
	uint64_t number = orders_take(&u->orders, one);
	pthread_mutex_unlock(&u->lock);
	return number;
}

void upkeep_show(struct upkeep *u)
{
	if (!kept_is_ready(&u->kept))
		return;
	json_t *seen = backfill_json(u->backfill);
	pthread_mutex_lock(&u->lock);
	json_t *was = u->seen;
	u->seen = seen;
	pthread_mutex_unlock(&u->lock);
	json_decref(was);
}

static void upkeep_take_orders(struct upkeep *u, uint64_t watermark_ns)
{
	struct replay_order one;
	for (uint64_t number; (number = upkeep_take_order(u, &one));) {
		struct order_outcome to = { .status = 200 };
		if (!upkeep_refuses(u, one.kind, &to))
			upkeep_apply(u, number, &one, watermark_ns, &to);
		/* The response shows what the order has made. */
		upkeep_show(u);
		/* A restart ends when the reading thread has done it. */
		if (u->restart_number != number)
			upkeep_end_order(u, number, &to);
		replay_order_free(&one);
	}
}

uint64_t upkeep_order(struct upkeep *u, const struct replay_order *one)
{
	pthread_mutex_lock(&u->lock);
	uint64_t number = orders_put(&u->orders, one);
	pthread_mutex_unlock(&u->lock);
	return number;
}

bool upkeep_outcome(struct upkeep *u, uint64_t number, struct order_outcome *to)
{
	pthread_mutex_lock(&u->lock);
	bool over = orders_outcome(&u->orders, number, to);
	pthread_mutex_unlock(&u->lock);
	return over && kept_is_saved(&u->kept, to->change);
}

/* --- a turn --- */

bool upkeep_has_restarted(struct upkeep *u)
{
	if (!atomic_exchange(&u->restarted, false))
		return false;
	struct order_outcome to = { .status = 200 };
	marks_set_restarts(kept_change(&u->kept), false);
	to.change = kept_changed(&u->kept, true);
	if (u->restart_number)
		upkeep_end_order(u, u->restart_number, &to);
	u->restart_number = 0;
	return true;
}

/* Nothing can be kept: nothing is ordered. */
static void upkeep_refuse_orders(struct upkeep *u, const char *why)
{
	struct replay_order one;
	for (uint64_t number; (number = upkeep_take_order(u, &one));) {
		struct order_outcome to;
		order_refuse(&to, 409, "marks_unusable", "nothing was changed, because %s", why);
		upkeep_end_order(u, number, &to);
		replay_order_free(&one);
	}
}

void upkeep_turn(struct upkeep *u, const struct upkeep_turn *t)
{
	int state = atomic_load(&u->kept.state);
	if (state == KEPT_NEWER || state == KEPT_UNREADABLE)
		upkeep_refuse_orders(u, upkeep_trouble(u));
	if (!kept_is_ready(&u->kept))
		return;
	upkeep_release(u);
	upkeep_take_orders(u, t->watermark_ns);
	if (u->config.keys && t->on && !upkeep_is_paused(u) && !upkeep_is_full(u))
		backfill_turn(u->backfill, t->time_ns, t->backfill_keys_max);
}

uint64_t upkeep_due_ms(const struct upkeep *u)
{
	return u->config.keys && kept_is_ready(&u->kept) ? backfill_due_ms(u->backfill)
							 : UINT64_MAX;
}

/* --- the reading thread --- */

bool upkeep_load(struct upkeep *u, uint64_t from_ns)
{
	return kept_load(&u->kept, clock_wall_ns(), from_ns, &u->restart_change);
}

uint64_t upkeep_from(struct upkeep *u)
{
	pthread_mutex_lock(&u->kept.lock);
	uint64_t from_ns = marks_from(&u->kept.marks);
	pthread_mutex_unlock(&u->kept.lock);
	return from_ns;
}

bool upkeep_restarts(const struct upkeep *u)
{
	uint64_t change = atomic_load(&u->restart_change);
	return change && kept_is_saved(&u->kept, change);
}

void upkeep_set_restarted(struct upkeep *u)
{
	atomic_store(&u->restart_change, 0);
	atomic_store(&u->restarted, true);
}

/* --- what is seen --- */

json_t *upkeep_json(struct upkeep *u)
{
	struct kept_marks *k = &u->kept;
	pthread_mutex_lock(&u->lock);
	json_t *backfill = u->seen ? json_deep_copy(u->seen) : json_null();
	pthread_mutex_unlock(&u->lock);
	pthread_mutex_lock(&k->lock);
	const json_t *paused = marks_paused(&k->marks), *not_exact = marks_all_not_exact(&k->marks);
	uint64_t from_ns = marks_from(&k->marks);
	char from[CLOCK_TEXT_BYTES] = "";
	if (from_ns)
		clock_text(from_ns, from);
	json_t *j = json_pack("{s:o,s:o,s:I,s:o,s:o}", "paused",
			      paused ? json_deep_copy(paused) : json_null(), "backfill", backfill,
			      "set_aside", (json_int_t)marks_aside_n(&k->marks), "not_exact",
			      not_exact ? json_deep_copy(not_exact) : json_object(), "from",
			      from_ns ? json_string(from) : json_null());
	pthread_mutex_unlock(&k->lock);
	return j;
}

json_t *upkeep_aside_json(struct upkeep *u, size_t from)
{
	struct kept_marks *k = &u->kept;
	json_t *list = json_array(), *one;
	const char *name;
	size_t i = 0;
	pthread_mutex_lock(&k->lock);
	json_object_foreach(marks_all_aside(&k->marks), name, one) {
		if (i >= from && i < from + REPLAY_ASIDE_LISTED)
			json_array_append_new(list, json_deep_copy(one));
		i++;
	}
	json_t *j = json_pack("{s:o,s:I,s:I}", "documents", list, "from", (json_int_t)from, "of",
			      (json_int_t)i);
	pthread_mutex_unlock(&k->lock);
	return j;
}

/* --- a life --- */

void upkeep_open(struct upkeep *u, const struct upkeep_config *c)
{
	*u = (struct upkeep){ .config = *c };
	must(!pthread_mutex_init(&u->lock, NULL));
	kept_open(&u->kept, c->directory);
	u->backfill = backfill_open(&(struct backfill_config){ .subrequests = c->subrequests,
							       .keys = c->keys,
							       .kept = &u->kept,
							       .filter = c->filter,
							       .owner = c->owner,
							       .lost = upkeep_lost,
							       .user = u });
}

void upkeep_stop(struct upkeep *u)
{
	backfill_stop(u->backfill);
}

bool upkeep_is_quiet(const struct upkeep *u)
{
	return backfill_is_quiet(u->backfill);
}

void upkeep_close(struct upkeep *u)
{
	backfill_close(u->backfill);
	kept_close(&u->kept);
	orders_free(&u->orders);
	json_decref(u->seen);
	json_decref(u->not_exact);
	pthread_mutex_destroy(&u->lock);
}
