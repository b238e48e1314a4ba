#include "replay/resend.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"
#include "replay/log_reader.h"

enum sender_state {
	SENDER_IDLE,
	SENDER_SENDING,
	SENDER_PAUSES, /* its request is sent again when it is time */
	SENDER_HELD,   /* an operator has to decide */
	SENDER_LEAVES, /* it is done with its request, but for what is under way for it still */
};

struct sender {
	struct resend *of;
	enum sender_state state;
	struct subrequest subrequest;
	struct recorded *request; /* owned; NULL: it is idle */
	bool fetches;		  /* the request is with the reading thread */
	bool begun;		  /* its first piece was asked for, in this try */
	unsigned failures;
	uint64_t not_before_ms;
	char why[128]; /* it is held */
};

struct resend {
	struct resend_config config;
	struct tuning tuning; /* in force */
	struct verbatim order;
	struct sender *senders; /* owned: REPLAY_IN_FLIGHT_MAX */
	struct resend_counts counts;
	/*
	 * Owned: objects, by names of requests. Those that were sent, were not heard of, and are
	 * not decided; those that are done while one that ended before is not, with their places;
	 * the latter of an earlier process.
	 */
	json_t *unheard, *ahead, *ahead_before;
	uintptr_t opened; /* of the log, by the tag that came last; UINTPTR_MAX: none has come */
	bool stopping;
	double tokens; /* of the rate */
	uint64_t tokens_ms;
	char trouble[RESEND_TROUBLE_BYTES];
	char held[RESEND_TROUBLE_BYTES];       /* the request that was held last */
	char difference[RESEND_TROUBLE_BYTES]; /* what was skipped last */
};

static uint64_t resend_now_ms(const struct resend *r)
{
	return loop_now_ms(r->config.subrequests->loop);
}

__attribute__((format(printf, 2, 3))) static void resend_note(struct resend *r, const char *format,
							      ...)
{
	va_list rest;
	va_start(rest, format);
	vsnprintf(r->trouble, sizeof r->trouble, format, rest);
	va_end(rest);
}

/* --- what has to be known over a start --- */

static const char *resend_name(const struct recorded *q, char to[48])
{
	snprintf(to, 48, "%llu/%llu", (unsigned long long)q->generation,
		 (unsigned long long)q->sequence);
	return to;
}

static bool resend_was_unheard(const struct resend *r, const struct recorded *q)
{
	char name[48];
	return json_object_get(r->unheard, resend_name(q, name));
}

static void resend_keep(struct resend *r)
{
	json_t *ahead = json_deep_copy(r->ahead_before);
	json_object_update(ahead, r->ahead);
	r->config.keep(r->config.user, json_pack("{s:o,s:o}", "unheard", json_deep_copy(r->unheard),
						 "ahead", ahead));
}

static void resend_set_name(struct resend *r, const struct recorded *q, bool unheard)
{
	char name[48];
	if (unheard == resend_was_unheard(r, q))
		return;
	if (unheard)
		json_object_set_new(r->unheard, resend_name(q, name), json_true());
	else
		json_object_del(r->unheard, resend_name(q, name));
	resend_keep(r);
}

void resend_set_known(struct resend *r, const json_t *known)
{
	const json_t *unheard = json_object_get(known, "unheard");
	const json_t *ahead = json_object_get(known, "ahead");
	if (json_is_object(unheard))
		json_object_update(r->unheard, (json_t *)(uintptr_t)unheard);
	if (json_is_object(ahead))
		json_object_update(r->ahead_before, (json_t *)(uintptr_t)ahead);
}

/* The position in the log cannot pass the oldest that is not done: those behind it are known by
 * name. */
static void resend_set_ahead(struct resend *r, const struct recorded *q)
{
	const struct verbatim_item *oldest = verbatim_oldest(&r->order);
	const char *one;
	char name[48];
	json_t *ended;
	void *next;
	json_object_foreach_safe(r->ahead, next, one, ended)
		if (!oldest || (uint64_t)json_integer_value(ended) < oldest->ended)
			json_object_del(r->ahead, one);
	if (oldest && oldest->ended < q->order.ended)
		json_object_set_new(r->ahead, resend_name(q, name),
				    json_integer((json_int_t)q->order.ended));
	if (r->stopping)
		resend_keep(r);
}

/* An earlier process has done it, and could not pass its place. */
static bool resend_was_ahead(struct resend *r, const struct recorded *q)
{
	char name[48];
	return !json_object_del(r->ahead_before, resend_name(q, name));
}

/* --- the end of a request --- */

static void sender_leave(struct sender *s)
{
	if (s->fetches || !subrequest_is_idle(&s->subrequest)) {
		s->state = SENDER_LEAVES;
		return;
	}
	if (s->request)
		recorded_free(s->request);
	s->request = NULL;
	s->state = SENDER_IDLE;
}

/* The replica has it, or need not have it. */
static void sender_done(struct sender *s)
{
	struct resend *r = s->of;
	resend_set_name(r, s->request, false);
	verbatim_done(&r->order, &s->request->order);
	resend_set_ahead(r, s->request);
	r->config.back(r->config.user, s->request->tag);
	s->failures = 0;
	sender_leave(s);
}

/* It differs from now on. */
static void sender_skip(struct sender *s)
{
	struct resend *r = s->of;
	log_line(LOG_WARN, "replay: %s is skipped: %s", s->request->name, s->why);
	snprintf(r->difference, sizeof r->difference, "%s was skipped: %s", s->request->name,
		 s->why);
	r->counts.skipped++;
	sender_done(s);
}

/* Or it is skipped, by policy. */
__attribute__((format(printf, 3, 4))) static void
sender_hold(struct sender *s, enum resend_policy policy, const char *format, ...)
{
	va_list rest;
	va_start(rest, format);
	vsnprintf(s->why, sizeof s->why, format, rest);
	va_end(rest);
	if (policy == RESEND_SKIP) {
		sender_skip(s);
		return;
	}
	snprintf(s->of->held, sizeof s->of->held,
		 "stopped at %s: %s: `crossfade replay resume --skip` or `--send` decides",
		 s->request->name, s->why);
	s->state = SENDER_HELD;
	log_line(LOG_ERROR,
		 "replay: stops at %s: %s; `crossfade replay resume --skip` or `--send` lets it go "
		 "on",
		 s->request->name, s->why);
}

/* --- sending --- */

/* RFC 9110, 9.2.2. */
static bool recorded_may_be_repeated(const struct recorded *q)
{
	return q->method == METHOD_PUT || q->method == METHOD_DELETE;
}

static void sender_again(struct sender *s)
{
	s->of->counts.again++;
	s->state = SENDER_PAUSES;
	s->not_before_ms = resend_now_ms(s->of) + ((uint64_t)RESEND_PAUSE_MS << s->failures);
	s->failures += s->failures < RESEND_PAUSES;
}

static void sender_fetch(struct sender *s)
{
	bool anew = !s->begun;
	s->begun = s->fetches = true;
	recorded_feed_want(s->of->config.feed, s->request, anew);
}

static void sender_drained(struct subrequest *c)
{
	struct sender *s = list_entry(c, struct sender, subrequest);
	if (recorded_is_fed(s->request))
		sender_fetch(s);
	else
		subrequest_send_on(c, (struct span){ s->request->piece.at, s->request->piece.n },
				   true);
}

static void sender_send(struct sender *s)
{
	struct recorded *q = s->request;
	struct resend *r = s->of;
	must(q);
	s->begun = false;
	s->state = SENDER_SENDING;
	if (!subrequest_begin_recorded(&s->subrequest, r->config.to,
				       (struct span){ q->head.at, q->head.n })) {
		sender_again(s);
		return;
	}
	subrequest_send_head(&s->subrequest, q->body_n, q->has_length, RESEND_TIMEOUT_MS);
}

/* The subrequest is idle: what stands against it is looked at before a byte is sent. */
static void sender_begin(struct sender *s)
{
	const struct recorded *q = s->request;
	enum resend_policy policy = s->of->config.uncertain;
	if (!q->whole)
		sender_hold(s, policy, "the capture log does not have all of it");
	else if (!q->certain && policy != RESEND_SEND)
		sender_hold(s, policy, "what it has done at the owner is not known");
	else if (resend_was_unheard(s->of, q) && policy != RESEND_SEND)
		sender_hold(s, policy, "it was sent, and the replica's response did not come");
	else
		sender_send(s);
}

/* The log does not have the rest of the body: the replica has got a request that breaks off. */
static void sender_lose_body(struct sender *s)
{
	subrequest_stop(&s->subrequest);
	s->request->whole = false;
	sender_hold(s, s->of->config.uncertain, "the capture log does not have all of it any more");
}

static void resend_take_pieces(struct resend *r)
{
	for (struct recorded *q; (q = recorded_feed_take(r->config.feed));) {
		struct sender *s = r->senders;
		while (s->request != q)
			s++;
		must(s->fetches);
		s->fetches = false;
		if (s->state == SENDER_LEAVES)
			sender_leave(s);
		else if (s->state != SENDER_SENDING)
			continue;
		else if (q->came == RECORDED_LOST)
			sender_lose_body(s);
		else
			subrequest_send_on(&s->subrequest, (struct span){ q->piece.at, q->piece.n },
					   q->came == RECORDED_LAST);
	}
}

/* --- responses --- */

static void sender_is_unheard(struct sender *s, enum err why)
{
	struct resend *r = s->of;
	r->counts.unheard++;
	if (recorded_may_be_repeated(s->request) || r->config.uncertain == RESEND_SEND) {
		resend_note(r, "%s was sent, and the replica's response did not come: %s",
			    s->request->name, err_sentence(why));
		sender_again(s);
		return;
	}
	resend_set_name(r, s->request, true);
	sender_hold(s, r->config.uncertain,
		    "it was sent, and the replica's response did not come: %s", err_sentence(why));
}

static void sender_is_refused(struct sender *s, unsigned status)
{
	s->of->counts.refused++;
	sender_hold(s, s->of->config.refused,
		    "the replica refuses with %u what the owner has accepted", status);
}

/* Without a response of the replica's. */
static void sender_failed(struct sender *s, enum err why)
{
	if (subrequest_is_unheard(&s->subrequest, why)) {
		sender_is_unheard(s, why);
		return;
	}
	resend_note(s->of, "%s could not be sent: %s", s->request->name, err_sentence(why));
	sender_again(s);
}

/* What a DELETE is for is not there where the response is 404 or 410: the earlier try may have
 * removed it. */
static bool sender_is_accepted(const struct sender *s, unsigned status)
{
	return status < 400 ||
	       (s->request->method == METHOD_DELETE && (status == 404 || status == 410));
}

static void sender_over(struct subrequest *c, enum err why)
{
	struct sender *s = list_entry(c, struct sender, subrequest);
	struct resend *r = s->of;
	why = why == ERR_NONE ? c->local : why;
	if (why != ERR_NONE) {
		sender_failed(s, why);
	} else if (sender_is_accepted(s, c->status)) {
		r->counts.sent++;
		r->trouble[0] = 0;
		sender_done(s);
	} else if (c->status == 429 || c->status >= 500) {
		resend_note(r, "the replica responds with %u to %s", c->status, s->request->name);
		sender_again(s);
	} else {
		sender_is_refused(s, c->status);
	}
}

static void sender_gone(struct subrequest *c)
{
	struct sender *s = list_entry(c, struct sender, subrequest);
	if (s->state == SENDER_LEAVES)
		sender_leave(s);
}

static const struct subrequest_user sender_user = {
	.drained = sender_drained,
	.over = sender_over,
	.gone = sender_gone,
};

/* --- which requests begin --- */

static bool resend_may_begin(struct resend *r)
{
	uint64_t now_ms = resend_now_ms(r);
	double rate = r->tuning.rate;
	if (!r->tuning.rate)
		return true;
	r->tokens += (double)(now_ms - r->tokens_ms) * rate / 1000;
	r->tokens_ms = now_ms;
	/* At most what a hundredth of a second brings, and one. */
	if (r->tokens > rate / 100 + 1)
		r->tokens = rate / 100 + 1;
	return r->tokens >= 1;
}

static struct sender *resend_idle(struct resend *r)
{
	struct sender *idle = NULL;
	unsigned busy = 0;
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (r->senders[i].state != SENDER_IDLE)
			busy++;
		else if (!idle)
			idle = &r->senders[i];
	return busy < r->tuning.in_flight ? idle : NULL;
}

static void resend_begin(struct resend *r)
{
	struct sender *s;
	struct verbatim_item *i;
	while (!resend_is_held(r) && (s = resend_idle(r)) && resend_may_begin(r) &&
	       (i = verbatim_next(&r->order))) {
		s->request = list_entry(i, struct recorded, order);
		s->failures = 0;
		r->counts.bytes -= recorded_bytes(s->request);
		if (r->tuning.rate)
			r->tokens -= 1;
		sender_begin(s);
	}
}

/* UINT64_MAX: what is under way for the try before has to end, too. */
static uint64_t sender_due_ms(const struct sender *s)
{
	return s->state == SENDER_PAUSES && !s->fetches && subrequest_is_idle(&s->subrequest)
		       ? s->not_before_ms
		       : UINT64_MAX;
}

void resend_tune(struct resend *r, const struct tuning *t)
{
	r->tuning = *t;
}

void resend_turn(struct resend *r, bool on)
{
	resend_take_pieces(r);
	if (!on || r->stopping)
		return;
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (sender_due_ms(&r->senders[i]) <= resend_now_ms(r))
			sender_send(&r->senders[i]);
	resend_begin(r);
}

uint64_t resend_due_ms(const struct resend *r, bool on)
{
	uint64_t due_ms = UINT64_MAX;
	if (!on || r->stopping)
		return due_ms;
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		due_ms = least(due_ms, sender_due_ms(&r->senders[i]));
	bool limited = r->tuning.rate && r->order.n;
	return limited ? least(due_ms, resend_now_ms(r) + 10) : due_ms;
}

bool resend_is_held(const struct resend *r)
{
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (r->senders[i].state == SENDER_HELD)
			return true;
	return false;
}

size_t resend_decide(struct resend *r, bool send)
{
	size_t n = 0;
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		struct sender *s = &r->senders[i];
		if (s->state != SENDER_HELD || (send && !s->request->whole))
			continue;
		n++;
		r->trouble[0] = 0;
		if (!send) {
			sender_skip(s);
			continue;
		}
		resend_set_name(r, s->request, false);
		s->failures = 0;
		s->state = SENDER_PAUSES;
		s->not_before_ms = 0;
	}
	return n;
}

/* --- what comes --- */

static void resend_drop_waiting(struct resend *r)
{
	for (struct verbatim_item *i; (i = verbatim_drop(&r->order));)
		recorded_free(list_entry(i, struct recorded, order));
	r->counts.bytes = 0;
}

/* Where the log is read anew, what waits comes again. */
bool resend_add(struct resend *r, struct recorded *q)
{
	uintptr_t opened = log_reader_opened(q->tag);
	if (opened != r->opened) {
		resend_drop_waiting(r);
		verbatim_begin_anew(&r->order);
		json_object_clear(r->ahead);
		if (opened)
			json_object_clear(r->ahead_before);
		r->opened = opened;
	}
	if (resend_was_ahead(r, q)) {
		r->config.back(r->config.user, q->tag);
		recorded_free(q);
		return true;
	}
	if (r->counts.bytes >= RESEND_WAITING_BYTES)
		return false;
	r->counts.bytes += recorded_bytes(q);
	verbatim_add(&r->order, &q->order);
	return true;
}

/* --- what is seen --- */

uint64_t resend_oldest_ns(const struct resend *r)
{
	struct verbatim_item *i = verbatim_oldest(&r->order);
	return i ? list_entry(i, struct recorded, order)->wall_ns : UINT64_MAX;
}

struct resend_counts resend_counts(const struct resend *r)
{
	struct resend_counts c = r->counts;
	c.waiting = verbatim_waiting(&r->order);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		enum sender_state state = r->senders[i].state;
		c.held += state == SENDER_HELD;
		c.in_flight += state == SENDER_SENDING || state == SENDER_PAUSES;
	}
	return c;
}

json_t *resend_held_json(const struct resend *r)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		const struct sender *s = &r->senders[i];
		char when[CLOCK_TEXT_BYTES];
		if (s->state != SENDER_HELD)
			continue;
		clock_text(s->request->wall_ns, when);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "request", s->request->name,
						      "why", s->why, "when", when));
	}
	return list;
}

const char *resend_trouble(const struct resend *r)
{
	if (resend_is_held(r))
		return r->held;
	return *r->trouble ? r->trouble : r->difference;
}

/* --- a life --- */

struct resend *resend_open(const struct resend_config *c)
{
	struct resend *r = calloc(1, sizeof *r);
	must(r);
	r->config = *c;
	r->opened = UINTPTR_MAX;
	r->unheard = json_object();
	r->ahead = json_object();
	r->ahead_before = json_object();
	verbatim_open(&r->order);
	r->senders = calloc(REPLAY_IN_FLIGHT_MAX, sizeof *r->senders);
	must(r->senders);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		r->senders[i].of = r;
		subrequest_init(&r->senders[i].subrequest, c->subrequests, &sender_user);
	}
	return r;
}

/* A request that is broken off may have reached the replica. */
static void sender_break_off(struct sender *s)
{
	if (!recorded_may_be_repeated(s->request))
		resend_set_name(s->of, s->request, true);
	subrequest_stop(&s->subrequest);
	s->state = SENDER_PAUSES;
}

void resend_stop(struct resend *r, bool now)
{
	r->stopping = true;
	for (unsigned i = 0; now && i < REPLAY_IN_FLIGHT_MAX; i++)
		if (r->senders[i].state == SENDER_SENDING)
			sender_break_off(&r->senders[i]);
	resend_keep(r);
}

bool resend_is_quiet(const struct resend *r)
{
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (r->senders[i].fetches || !subrequest_is_idle(&r->senders[i].subrequest))
			return false;
	return true;
}

void resend_close(struct resend *r)
{
	must(resend_is_quiet(r));
	resend_drop_waiting(r);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (r->senders[i].request) {
			list_remove(&r->senders[i].request->order.link);
			recorded_free(r->senders[i].request);
		}
	verbatim_close(&r->order);
	json_decref(r->unheard);
	json_decref(r->ahead);
	json_decref(r->ahead_before);
	free(r->senders);
	free(r);
}
