#include "sim/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "capture/journal.h"
#include "proxy/exchange.h"
#include "sim/pattern.h"
#include "sim/shelf.h"
#include "sim/world.h"

static unsigned long long number(uint64_t n)
{
	return n;
}

static void each_ask(struct world *w, void (*each)(struct world *w, struct ask *a))
{
	for (unsigned i = 0; i < w->temper.clients; i++)
		for (unsigned j = 0; j < w->clients[i].ask_n; j++)
			each(w, &w->clients[i].asks[j]);
}

void ledger_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a)
{
	if (!a || !ex->plan->capture || ex->arm != ARM_SOURCE || a->entry.recorded)
		return;
	a->entry = (struct entry){ .recorded = true,
				   .process = w->hands[worker].process,
				   .policy = *ex->plan->capture };
	if (w->temper.deceit.releases_early)
		a->entry.policy.durable = DURABLE_WRITES;
	if (w->temper.deceit.acknowledges_early)
		a->entry.policy.acknowledge = ACKNOWLEDGE_OUTCOME;
}

bool ledger_must_wait(const struct ask *a)
{
	const struct entry *e = &a->entry;
	bool write = a->kind == KIND_WRITE;
	return e->recorded && !a->flaw && !a->upgrades &&
	       (e->policy.durable == DURABLE_ALL || (write && e->policy.durable == DURABLE_WRITES));
}

/* --- what is durable at this moment --- */

static void forget(struct world *w, struct ask *a)
{
	(void)w;
	a->entry.head = a->entry.whole = a->entry.told = false;
}

static void forget_all(struct world *w)
{
	memset(w->ledger.at, 0, sizeof w->ledger.at);
	memset(w->ledger.told, 0, sizeof w->ledger.told);
	each_ask(w, forget);
}

/* The id stands in the target: "POST /r/ID". */
static struct ask *ask_of_head(struct world *w, const char *text, size_t n)
{
	const char *at = memmem(text, n, " /r/", 4);
	char digits[24] = "";
	if (!at || at + 4 >= text + n)
		return NULL;
	size_t left = (size_t)(text + n - at - 4);
	memcpy(digits, at + 4, left < sizeof digits - 1 ? left : sizeof digits - 1);
	return world_ask(w, strtoull(digits, NULL, 10));
}

static struct ask *named(struct world *w, uint64_t generation, const struct frame *f)
{
	for (unsigned i = 0; i < w->temper.clients; i++)
		for (unsigned j = 0; j < w->clients[i].ask_n; j++) {
			struct ask *a = &w->clients[i].asks[j];
			const struct entry *e = &a->entry;
			if (e->head && e->generation == generation && e->worker == f->worker &&
			    e->connection == f->connection && e->ordinal == f->ordinal)
				return a;
		}
	return NULL;
}

static void note_head(struct world *w, uint64_t generation, const struct frame *f,
		      struct span payload)
{
	struct ask *a = ask_of_head(w, payload.at, payload.n);
	if (!a)
		return;
	struct entry *e = &a->entry;
	e->head = true;
	e->body_n = 0;
	e->generation = generation;
	e->worker = f->worker;
	e->connection = f->connection;
	e->ordinal = f->ordinal;
	e->whole = f->flags & FRAME_END;
}

static void add_gap(struct told *to, const struct record_gap *g)
{
	to->reads += g->reads;
	to->writes += g->writes;
	to->outcomes += g->outcomes;
}

static void note_frame(struct world *w, uint64_t generation, const struct frame *f,
		       struct span payload)
{
	struct record_gap gap;
	struct ask *a = f->type == FRAME_REQUEST_HEAD ? NULL : named(w, generation, f);
	if (f->type == FRAME_REQUEST_HEAD) {
		note_head(w, generation, f, payload);
	} else if (f->type == FRAME_GAP) {
		memcpy(&gap, payload.at, sizeof gap);
		add_gap(&w->ledger.told[generation % SIM_GENERATIONS], &gap);
	} else if (a && (f->type == FRAME_REQUEST_BODY || f->type == FRAME_REQUEST_TRAILERS)) {
		a->entry.whole |= f->flags & FRAME_END;
		a->entry.body_n += f->type == FRAME_REQUEST_BODY ? f->payload_n : 0;
	} else if (a && f->type == FRAME_OUTCOME) {
		a->entry.told = true;
	}
}

static void look_at(struct world *w, const struct sim_file *file)
{
	struct segment_head head;
	struct frame f;
	struct span payload;
	uint64_t *at = &w->ledger.at[file->number % SIM_LOG_FILES];
	if (file->n < sizeof head)
		return;
	memcpy(&head, file->bytes, sizeof head);
	if (!segment_head_is_good(&head))
		return;
	if (!*at)
		*at = sizeof head;
	while (*at < file->n &&
	       frame_read(file->bytes + *at, file->n - *at, head.id, &f, &payload) == FRAME_GOOD) {
		note_frame(w, head.generation, &f, payload);
		*at += frame_bytes(&f);
	}
}

/* A file that was cut is read anew, and all with it. */
static void look(struct world *w)
{
	struct sim_file f;
	for (unsigned i = 0; sim_store_look(w->store, i, &f); i++)
		if (f.n < w->ledger.at[f.number % SIM_LOG_FILES])
			forget_all(w);
	for (unsigned i = 0; sim_store_look(w->store, i, &f); i++)
		look_at(w, &f);
}

/* --- what is missing is counted --- */

struct missing {
	uint64_t reads, writes, outcomes;
};

static struct missing missing(const struct world *w, unsigned process)
{
	struct missing m = { 0 };
	for (unsigned i = 0; i < w->temper.clients; i++)
		for (unsigned j = 0; j < w->clients[i].ask_n; j++) {
			const struct ask *a = &w->clients[i].asks[j];
			if (a->entry.process != process)
				continue;
			m.reads += a->entry.unrecorded && a->kind != KIND_WRITE;
			m.writes += a->entry.unrecorded && a->kind == KIND_WRITE;
			m.outcomes += a->entry.untold;
		}
	return m;
}

static void judge_counted(struct world *w, const struct ask *a, const char *invariant)
{
	const struct scribe *s = &w->scribes[a->entry.process - 1];
	struct missing m = missing(w, a->entry.process);
	struct scribe_losses l = scribe_losses(s);
	if (m.reads > l.reads || m.writes > l.writes || m.outcomes > l.outcomes)
		judge_fail(w, invariant,
			   "request %llu: %llu reads, %llu writes, %llu outcomes are not in the "
			   "log, %llu, %llu, %llu are counted",
			   number(a->id), number(m.reads), number(m.writes), number(m.outcomes),
			   number(l.reads), number(l.writes), number(l.outcomes));
}

/* What is refused while the log cannot be written does not pass. */
static bool may_pass(const struct ask *a)
{
	return a->kind != KIND_WRITE || a->entry.policy.unavailable == UNAVAILABLE_FORWARD;
}

static void pass_unrecorded(struct world *w, struct ask *a, const char *invariant)
{
	/* Where a node answers what is not whole, that passes. */
	if (a->arrived && !may_pass(a))
		judge_fail(w, invariant, "write %llu is not durable", number(a->id));
	a->entry.unrecorded = true;
	judge_counted(w, a, invariant);
}

/* With `gate: piece`; a refusal that comes later finds what went before in the log. */
void ledger_heard(struct world *w, struct ask *a, uint64_t body_n)
{
	struct entry *e = &a->entry;
	if (!ledger_must_wait(a) || e->policy.gate != GATE_PIECE || e->forgiven || e->unrecorded)
		return;
	look(w);
	if (e->head && e->body_n >= body_n)
		return;
	if (!may_pass(a))
		judge_fail(w, "durable first", "%llu bytes of write %llu are not durable",
			   number(body_n), number(a->id));
	e->unrecorded = true;
	judge_counted(w, a, "durable first");
}

void ledger_arrived(struct world *w, struct ask *a)
{
	struct entry *e = &a->entry;
	if (e->refused)
		judge_fail(w, "refused is not there", "request %llu was, and arrives",
			   number(a->id));
	if (!ledger_must_wait(a) || e->forgiven || e->unrecorded)
		return;
	look(w);
	if (!e->whole || e->body_n != a->body_n)
		pass_unrecorded(w, a, "durable first");
}

void ledger_answered(struct world *w, struct ask *a)
{
	struct entry *e = &a->entry;
	if (!ledger_must_wait(a) || e->forgiven || e->unrecorded ||
	    e->policy.acknowledge != ACKNOWLEDGE_OUTCOME)
		return;
	look(w);
	if (!e->head) {
		pass_unrecorded(w, a, "an outcome first");
	} else if (!e->told) {
		e->untold = true;
		judge_counted(w, a, "an outcome first");
	}
}

void ledger_refused(struct world *w, struct ask *a)
{
	a->entry.refused = true;
	if (a->arrived || !w->temper.ails)
		judge_fail(w, "refused is not there", "request %llu %s", number(a->id),
			   a->arrived ? "arrived, and is refused" : "is refused without a reason");
}

static void forgive(struct world *w, struct ask *a)
{
	(void)w;
	a->entry.forgiven |= a->decided;
}

void ledger_forgive(struct world *w)
{
	each_ask(w, forgive);
	forget_all(w);
}

/* --- what a reader finds --- */

static bool is_outcome_of(const struct ask *a, uint8_t outcome)
{
	return outcome == (a->status < 400   ? OUTCOME_ACCEPTED
			   : a->status < 500 ? OUTCOME_REJECTED
					     : OUTCOME_FAILED);
}

static void found_story(void *about, const struct story *s)
{
	struct world *w = about;
	struct ask *a = ask_of_head(w, s->request_head.at, s->request_head.n);
	if (!a || !a->entry.recorded)
		return;
	struct entry *e = &a->entry;
	if (e->there)
		judge_fail(w, "what was done is there", "request %llu is there twice",
			   number(a->id));
	e->there = true;
	e->all_there = s->request_whole;
	e->right = s->request_body.n == a->body_n &&
		   pattern_is(ask_key(a), 0, s->request_body.at, s->request_body.n);
	e->outcome_there = s->told;
	e->outcome = s->told ? s->outcome.outcome : OUTCOME_NONE;
}

static void found_gap(void *about, uint64_t generation, const struct record_gap *g)
{
	struct world *w = about;
	add_gap(&w->ledger.told_at_last[generation % SIM_GENERATIONS], g);
	must(w->ledger.uncertain_n < SIM_UNCERTAIN_MAX);
	if (g->flags & GAP_AT_LEAST)
		w->ledger.uncertain[w->ledger.uncertain_n++] =
			(struct span_of_time){ g->first_wall_ns, g->last_wall_ns };
}

static void found_damage(void *about, uint64_t generation, uint64_t first, uint64_t last)
{
	struct world *w = about;
	if (!w->temper.forgives)
		judge_fail(w, "what was done is there",
			   "series %llu: %llu to %llu are missing where all was durable",
			   number(generation), number(first), number(last));
}

static void forget_found(struct world *w, struct ask *a)
{
	(void)w;
	a->entry.there = a->entry.all_there = a->entry.outcome_there = false;
}

static void judge_done(struct world *w, struct ask *a)
{
	const struct entry *e = &a->entry;
	if (!ledger_must_wait(a) || e->forgiven || e->unrecorded)
		return;
	if (a->arrived && !(e->there && e->all_there && e->right))
		judge_fail(w, "what was done is there", "request %llu was done, its record is %s",
			   number(a->id),
			   !e->there	   ? "not there"
			   : !e->all_there ? "not whole"
					   : "another");
	if (a->outcome != ASK_ANSWERED || e->untold || e->policy.acknowledge != ACKNOWLEDGE_OUTCOME)
		return;
	if (!e->outcome_there || !is_outcome_of(a, e->outcome))
		judge_fail(w, "what was done is there",
			   "request %llu was answered with %u, its outcome is %u", number(a->id),
			   a->status, e->outcome);
}

/* Where the disk does not cut either, it reads as unknown. */
static void judge_refused(struct world *w, struct ask *a)
{
	const struct entry *e = &a->entry;
	bool as_sent = e->all_there && e->outcome != OUTCOME_NOT_SENT;
	if (e->refused && as_sent && (e->outcome_there || !sim_store_cuts_failed(w->store)))
		judge_fail(w, "refused is not there", "request %llu was, and is in the log",
			   number(a->id));
}

void ledger_read(struct world *w)
{
	struct shelf_user u = { w, found_story, found_gap, found_damage };
	memset(w->ledger.told_at_last, 0, sizeof w->ledger.told_at_last);
	w->ledger.uncertain_n = 0;
	each_ask(w, forget_found);
	shelf_read(w->store, &u);
	each_ask(w, judge_done);
	each_ask(w, judge_refused);
	forget_all(w);
	look(w);
}

/* --- what gaps tell --- */

static struct told all_told(const struct told told[SIM_GENERATIONS])
{
	struct told sum = { 0 };
	for (unsigned i = 0; i < SIM_GENERATIONS; i++) {
		sum.reads += told[i].reads;
		sum.writes += told[i].writes;
		sum.outcomes += told[i].outcomes;
	}
	return sum;
}

static bool any_has_crashed(const struct world *w)
{
	for (unsigned i = 0; i < w->process_n; i++)
		if (w->scribes[i].crashed)
			return true;
	return false;
}

/* What all have lost, less what is not told yet and known to be so. */
static struct told due(const struct world *w)
{
	struct told sum = { 0 };
	for (unsigned i = 0; i < w->process_n; i++) {
		const struct scribe *s = &w->scribes[i];
		struct scribe_losses l = s->cut ? scribe_known(s) : scribe_losses(s);
		sum.reads += l.reads;
		sum.writes += l.writes;
		sum.outcomes += l.outcomes;
		if (!s->left)
			continue;
		l = scribe_untold(s);
		sum.reads -= l.reads;
		sum.writes -= l.writes;
		sum.outcomes -= l.outcomes;
	}
	return sum;
}

/*
 * What all have lost, and what all gaps tell. One that failed, and where the cut failed too, is
 * there and is told again; so is one of which a process could not note any more that it is durable.
 */
static void judge_told(struct world *w, const struct told told[SIM_GENERATIONS])
{
	struct told is = all_told(told), d = due(w);
	bool again = sim_store_cuts_failed(w->store) || any_has_crashed(w);
	bool less = is.reads < d.reads || is.writes < d.writes || is.outcomes < d.outcomes;
	bool more = is.reads > d.reads || is.writes > d.writes || is.outcomes > d.outcomes;
	if (less || (more && !again))
		judge_fail(w, "a gap is told",
			   "%llu reads, %llu writes, %llu outcomes are lost; gaps tell of %llu, "
			   "%llu, %llu",
			   number(d.reads), number(d.writes), number(d.outcomes), number(is.reads),
			   number(is.writes), number(is.outcomes));
}

/* By an heir, perhaps of an heir, whose own log was away to its end. */
static bool is_still_to_be_told(const struct world *w)
{
	for (unsigned i = 0; i < w->process_n; i++)
		if (w->scribes[i].left && scribe_untold(&w->scribes[i]).uncertain)
			return true;
	return false;
}

/* When its log was away and the power went with counts: from when to when stands in a gap. */
static void judge_power_cut(struct world *w, const struct scribe *s)
{
	struct scribe_losses lost = scribe_losses(s), known = scribe_known(s);
	if (!s->cut || !s->was_away || s->left || known.writes == lost.writes)
		return;
	for (unsigned i = 0; i < w->ledger.uncertain_n; i++) {
		const struct span_of_time *t = &w->ledger.uncertain[i];
		if (t->first_wall_ns <= lost.last_write_wall_ns &&
		    t->last_wall_ns >= lost.last_write_wall_ns)
			return;
	}
	if (is_still_to_be_told(w))
		return;
	judge_fail(w, "a gap is told",
		   "process %u had lost %llu writes, %llu are known behind the power cut, and no "
		   "gap says when the log was away",
		   s->process, number(lost.writes), number(known.writes));
}

/* Whatever it is: by the end all is there, or was counted. */
static void note_missing(struct world *w, struct ask *a)
{
	struct entry *e = &a->entry;
	if (!e->recorded || e->forgiven || a->flaw || a->upgrades || !a->arrived ||
	    w->scribes[e->process - 1].crashed)
		return;
	if (e->there && e->all_there && e->right)
		return;
	e->unrecorded = true;
	judge_counted(w, a, "a gap is told");
}

void ledger_close(struct world *w)
{
	ledger_read(w);
	each_ask(w, note_missing);
	if (w->temper.forgives)
		return;
	judge_told(w, w->ledger.told_at_last);
	for (unsigned i = 0; i < w->process_n; i++)
		judge_power_cut(w, &w->scribes[i]);
}

static uint64_t latest_loss_ms(struct world *w, const struct scribe *s)
{
	struct scribe_losses l = scribe_losses(s);
	uint64_t n = l.reads + l.writes + l.outcomes;
	unsigned i = s->process % SIM_GENERATIONS;
	if (w->ledger.lost_n[i] != n)
		w->ledger.lost_ms[i] = world_now_ms(w);
	w->ledger.lost_n[i] = n;
	return w->ledger.lost_ms[i];
}

/* What may still be under way, the pause before the next attempt, and a moment for it. */
#define RETURN_MS (SIM_SLOW_MS_MAX + LOG_PROBE_MS + 200)
/* And the pause between two gaps. */
#define TELL_MS (RETURN_MS + 2 * LOSS_PAUSE_MS)

/* Whether all that is lost has to be told by now. */
static bool is_to_be_told(struct world *w, const struct scribe *s)
{
	uint64_t lost_ms = latest_loss_ms(w, s), now_ms = world_now_ms(w);
	return !s->left && !s->stopping && now_ms >= lost_ms + TELL_MS;
}

/* That its file is nowhere it sees when it writes. */
static void judge_return(struct world *w, struct scribe *s)
{
	uint64_t now_ms = world_now_ms(w);
	bool available = journal_state(s->journal) == JOURNAL_AVAILABLE;
	if (available || !s->available_ms)
		s->available_ms = now_ms;
	if (w->weather.is_fine && now_ms >= w->weather.fine_ms + RETURN_MS && !available &&
	    now_ms > s->available_ms + RETURN_MS)
		judge_fail(w, "the log returns", "process %u has none since %llu ms", s->process,
			   number(w->weather.fine_ms));
}

void ledger_moment(struct world *w)
{
	bool all = w->weather.is_fine && world_now_ms(w) >= w->weather.fine_ms + TELL_MS &&
		   !w->temper.forgives;
	bool any = false;
	for (unsigned i = 0; i < w->process_n; i++) {
		struct scribe *s = &w->scribes[i];
		all &= is_to_be_told(w, s);
		if (!s->journal || s->stopping)
			continue;
		any = true;
		judge_return(w, s);
	}
	if (!all || !any)
		return;
	look(w);
	judge_told(w, w->ledger.told);
}
