#include "control/admin_replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/admin_call.h"
#include "control/replay_json.h"

static const struct order_row {
	const char *name;			/* in the audit */
	bool backfill, restart, document, held; /* which members its body may have */
} order_rows[ORDER_KINDS] = {
	[ORDER_PAUSE] = { .name = "pause" },
	[ORDER_RESUME] = { .name = "resume", .held = true },
	[ORDER_BACKFILL] = { .name = "backfill", .backfill = true },
	[ORDER_BACKFILL_PAUSE] = { .name = "backfill pause" },
	[ORDER_BACKFILL_RESUME] = { .name = "backfill resume" },
	[ORDER_BACKFILL_STOP] = { .name = "backfill stop" },
	[ORDER_RESTART] = { .name = "restart", .restart = true },
	[ORDER_RETRY] = { .name = "set-aside retry", .document = true },
	[ORDER_DROP] = { .name = "set-aside drop", .document = true },
};

struct order_caller;

/* An order that is under way. It lives until its line in the audit is written. */
struct order_wait {
	struct call *call;	     /* NULL: the client has gone */
	struct order_caller *caller; /* owned, unless the client has gone */
	struct leader *leader;
	enum order_kind kind;
	uint64_t number, until_ns;
	struct timer look;
	struct disk_job job;
	struct order_outcome outcome;
	bool over, audited;
	char who[ADMIN_BODY_TEXT_BYTES], why[ADMIN_BODY_TEXT_BYTES], what[ADMIN_BODY_TEXT_BYTES];
};

/* What the call waits for: freed with it. */
struct order_caller {
	struct order_wait *wait;
};

static void admin_refuse_no_replay(struct call *c)
{
	admin_refuse(c, 404, "no_replay",
		     "nothing is replayed: the configuration has no section 'replay', or replay is "
		     "just starting");
}

/* --- the response --- */

static const char *order_row_counts(enum order_kind kind)
{
	return order_rows[kind].held ? "requests" : "documents";
}

static void order_respond(struct order_wait *w)
{
	struct call *c = w->call;
	admin_is_over(c);
	free(w->caller);
	const struct order_outcome *o = &w->outcome;
	if (!w->over)
		admin_respond(c, 202,
			      json_pack("{s:s,s:b,s:s}", "order", order_rows[w->kind].name, "done",
					0, "message",
					"the order was given, and it is not known yet whether it "
					"is carried out and saved: `crossfade replay status` "
					"tells"));
	else if (o->status != 200)
		admin_refuse(c, o->status, o->word, o->text);
	else
		admin_respond(c, 200,
			      json_pack("{s:s,s:b,s:I,s:o*}", "order", order_rows[w->kind].name,
					"done", 1, order_row_counts(w->kind), (json_int_t)o->n,
					"replay", replay_json(admin_workers(c))));
}

/* On the disk's thread. */
static void order_work_audit(struct disk_job *j)
{
	struct order_wait *w = list_entry(j, struct order_wait, job);
	const struct audit_order line = {
		.who = w->who, .why = w->why[0] ? w->why : NULL, .what = w->what, .done = w->over
	};
	if (!audit_append_order(&w->leader->weights.ledger.audit, &line))
		log_line(LOG_ERROR, "replay: this order could not be written to audit.jsonl: %s",
			 strerror(errno));
}

static void order_audited(struct disk_job *j)
{
	struct order_wait *w = list_entry(j, struct order_wait, job);
	if (w->call)
		order_respond(w);
	free(w);
}

static void order_end(struct order_wait *w)
{
	timer_clear(&w->look);
	if (w->over && w->outcome.status != 200) {
		if (w->call)
			order_respond(w);
		free(w);
		return;
	}
	w->audited = true;
	w->job = (struct disk_job){ .work = order_work_audit, .done = order_audited };
	disk_jobs_put(&w->leader->disk, &w->job);
}

static void order_look(struct timer *t)
{
	struct order_wait *w = list_entry(t, struct order_wait, look);
	struct wheel *wheel = &w->leader->loop->wheel;
	w->over = workers_replay_outcome(w->leader->workers, w->number, &w->outcome);
	if (w->over || clock_monotonic_ns() >= w->until_ns)
		order_end(w);
	else
		timer_set(wheel, t, wheel->now_ms + REPLAY_ORDER_LOOK_MS);
}

/* The client has gone: the order stands. */
static void order_forget(void *caller)
{
	struct order_wait *w = ((struct order_caller *)caller)->wait;
	w->call = NULL;
	w->caller = NULL;
	if (!w->audited)
		order_end(w);
}

/* --- the request --- */

static bool order_read_indices(json_t *indices, struct replay_order *to,
			       char error[ADMIN_BODY_TEXT_BYTES])
{
	size_t i;
	json_t *one;
	bool good = json_array_size(indices) && json_array_size(indices) <= REPLAY_PATTERNS_MAX;
	json_array_foreach(indices, i, one)
		good = good && json_string_length(one) &&
		       json_string_length(one) <= INDEX_NAME_BYTES_MAX;
	if (!good)
		snprintf(error, ADMIN_BODY_TEXT_BYTES,
			 "indices must be a list of 1 to %d patterns, such as [\"logs-*\"]",
			 REPLAY_PATTERNS_MAX);
	else
		to->indices = json_incref(indices);
	return good;
}

static bool order_refuse_member(const char *name, char error[ADMIN_BODY_TEXT_BYTES])
{
	snprintf(error, ADMIN_BODY_TEXT_BYTES, "'%s' is not expected here", name);
	return false;
}

static bool order_read_rate(json_int_t rate, struct replay_order *to,
			    char error[ADMIN_BODY_TEXT_BYTES])
{
	to->rate = rate > 0 && rate <= REPLAY_RATE_MAX ? (uint32_t)rate : 0;
	if (!to->rate)
		snprintf(error, ADMIN_BODY_TEXT_BYTES,
			 "rate must be a number of documents a second, 1 to %d", REPLAY_RATE_MAX);
	return to->rate;
}

static bool order_read_from(const char *from, struct replay_order *to,
			    char error[ADMIN_BODY_TEXT_BYTES])
{
	if (from && clock_read(from, &to->from_ns))
		return true;
	snprintf(error, ADMIN_BODY_TEXT_BYTES,
		 "from must be a time, such as 2026-11-24T10:00:00Z, not '%.60s'",
		 from ? from : "");
	return false;
}

static bool order_read_held(const char *held, struct replay_order *to,
			    char error[ADMIN_BODY_TEXT_BYTES])
{
	to->held = !strcmp(held, "skip")   ? ORDER_HELD_SKIP
		   : !strcmp(held, "send") ? ORDER_HELD_SEND
					   : ORDER_HELD_STAY;
	if (to->held == ORDER_HELD_STAY)
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "held must be skip or send, not '%.60s'",
			 held);
	return to->held != ORDER_HELD_STAY;
}

static bool order_read_members(json_t *j, struct replay_order *to, struct order_wait *w,
			       char error[ADMIN_BODY_TEXT_BYTES])
{
	const struct order_row *row = &order_rows[to->kind];
	json_error_t why;
	json_t *indices = NULL;
	json_int_t rate = 0;
	const char *from = NULL, *document = NULL, *held = NULL, *reason = NULL, *who = NULL;
	if (json_unpack_ex(j, &why, 0, "{s?o,s?I,s?s,s?s,s?s,s?s,s?s!}", "indices", &indices,
			   "rate", &rate, "from", &from, "document", &document, "held", &held,
			   "reason", &reason, "who", &who)) {
		admin_body_say_why(&why, error);
		return false;
	}
	if (indices && !row->backfill)
		return order_refuse_member("indices", error);
	if (json_object_get(j, "rate") && !row->backfill)
		return order_refuse_member("rate", error);
	if (from && !row->restart)
		return order_refuse_member("from", error);
	if (document && !row->document)
		return order_refuse_member("document", error);
	if (held && !row->held)
		return order_refuse_member("held", error);
	if (document)
		to->document = strdup(document);
	return (!indices || order_read_indices(indices, to, error)) &&
	       (!json_object_get(j, "rate") || order_read_rate(rate, to, error)) &&
	       (!row->restart || order_read_from(from, to, error)) &&
	       (!held || order_read_held(held, to, error)) &&
	       admin_body_take_text("reason", reason, w->why, error) &&
	       admin_body_take_text("who", who, w->who, error);
}

static bool order_read(struct call *c, struct replay_order *to, struct order_wait *w,
		       char error[ADMIN_BODY_TEXT_BYTES])
{
	static const struct span nothing = { "{}", 2 };
	json_t *j = admin_body_parse(c->body.n ? c->body : nothing, error);
	bool good = j && order_read_members(j, to, w, error);
	json_decref(j);
	return good;
}

/* For the audit: "backfill logs-*,books at 500/s". */
static void order_say(const struct replay_order *one, char what[ADMIN_BODY_TEXT_BYTES])
{
	char at[CLOCK_TEXT_BYTES];
	size_t i;
	json_t *pattern;
	int n = snprintf(what, ADMIN_BODY_TEXT_BYTES, "%s%s%.180s", order_rows[one->kind].name,
			 one->document ? " " : "", one->document ? one->document : "");
	json_array_foreach(one->indices, i, pattern)
		if (n < 180)
			n += snprintf(what + n, ADMIN_BODY_TEXT_BYTES - (size_t)n, "%s%.40s",
				      i ? "," : " ", json_string_value(pattern));
	if (one->held != ORDER_HELD_STAY)
		n += snprintf(what + n, ADMIN_BODY_TEXT_BYTES - (size_t)n, " and %s",
			      one->held == ORDER_HELD_SEND ? "send" : "skip");
	if (one->rate)
		n += snprintf(what + n, ADMIN_BODY_TEXT_BYTES - (size_t)n, " at %u/s", one->rate);
	if (one->from_ns) {
		clock_text(one->from_ns, at);
		snprintf(what + n, ADMIN_BODY_TEXT_BYTES - (size_t)n, " from %s", at);
	}
	what[admin_body_whole(what, ADMIN_BODY_TEXT_BYTES - 1)] = 0;
}

static void order_begin(struct call *c, struct replay_order *one, struct order_wait *w)
{
	admin_who(c, w->who);
	snprintf(one->who, sizeof one->who, "%s", w->who);
	order_say(one, w->what);
	w->number = workers_order_replay(admin_workers(c), one);
	if (!w->number) {
		admin_refuse_no_replay(c);
		replay_order_free(one);
		free(w);
		return;
	}
	struct order_caller *caller = malloc(sizeof *caller);
	must(caller);
	*caller = (struct order_caller){ w };
	w->caller = caller;
	w->call = c;
	w->leader = admin_leader(c);
	w->until_ns = clock_monotonic_ns() + REPLAY_ORDER_TIMEOUT_MS * 1000000ull;
	timer_init(&w->look, order_look);
	timer_set(&w->leader->loop->wheel, &w->look,
		  w->leader->loop->wheel.now_ms + REPLAY_ORDER_LOOK_MS);
	admin_wait(c, caller, order_forget);
}

static void admin_serve_order(struct call *c, enum order_kind kind)
{
	char error[ADMIN_BODY_TEXT_BYTES];
	struct replay_order one = { .kind = kind };
	struct order_wait *w = calloc(1, sizeof *w);
	must(w);
	w->kind = kind;
	if (order_read(c, &one, w, error)) {
		order_begin(c, &one, w);
		return;
	}
	admin_refuse(c, 400, "bad_request", error);
	replay_order_free(&one);
	free(w);
}

/* --- handlers --- */

void admin_serve_replay(struct call *c)
{
	json_t *j = replay_json(admin_workers(c));
	if (j)
		admin_respond(c, 200, j);
	else
		admin_refuse_no_replay(c);
}

void admin_serve_aside(struct call *c)
{
	static const struct span name = { "from=", 5 };
	unsigned long long from = 0;
	struct span value = { c->query.at + name.n, c->query.n - name.n };
	if (c->query.n && (c->query.n <= name.n || memcmp(c->query.at, name.at, name.n) != 0 ||
			   !span_to_u64(value, INT32_MAX, &from))) {
		admin_refuse(c, 400, "bad_request", "from must be a number, as in ?from=1000");
		return;
	}
	json_t *j = workers_replay_aside(admin_workers(c), from);
	struct replay_seen seen;
	if (j)
		admin_respond(c, 200, j);
	else if (workers_see_replay(admin_workers(c), &seen))
		admin_refuse(c, 409, "profile_http",
			     "profile http: nothing is set aside; where the replica refuses a "
			     "request, replay.refused says what is done");
	else
		admin_refuse_no_replay(c);
}

void admin_serve_replay_pause(struct call *c)
{
	admin_serve_order(c, ORDER_PAUSE);
}

void admin_serve_replay_resume(struct call *c)
{
	admin_serve_order(c, ORDER_RESUME);
}

void admin_serve_backfill(struct call *c)
{
	admin_serve_order(c, ORDER_BACKFILL);
}

void admin_serve_backfill_pause(struct call *c)
{
	admin_serve_order(c, ORDER_BACKFILL_PAUSE);
}

void admin_serve_backfill_resume(struct call *c)
{
	admin_serve_order(c, ORDER_BACKFILL_RESUME);
}

void admin_serve_backfill_stop(struct call *c)
{
	admin_serve_order(c, ORDER_BACKFILL_STOP);
}

void admin_serve_restart(struct call *c)
{
	admin_serve_order(c, ORDER_RESTART);
}

void admin_serve_aside_retry(struct call *c)
{
	admin_serve_order(c, ORDER_RETRY);
}

void admin_serve_aside_drop(struct call *c)
{
	admin_serve_order(c, ORDER_DROP);
}
