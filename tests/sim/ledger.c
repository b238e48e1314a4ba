#include "sim/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "capture/journal.h"
#include "proxy/exchange.h"
#include "sim/pattern.h"
#include "sim/disk_dump.h"
#include "sim/world.h"

static unsigned long long number(uint64_t n)
{
	return n;
}

static void each_ask(struct world *w, void (*each)(struct world *w, struct ask *a))
{
	for (unsigned i = 0; i < w->scenario.clients; i++)
		for (unsigned j = 0; j < w->clients[i].ask_n; j++)
			each(w, &w->clients[i].asks[j]);
}

void ledger_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a)
{
	if (!a || !ex->request.plan->capture || ex->request.arm != ARM_SOURCE || a->entry.recorded)
		return;
	a->entry = (struct entry){ .recorded = true,
				   .process = w->workers[worker].process,
				   .policy = *ex->request.plan->capture };
	if (w->scenario.deceit.releases_early)
		a->entry.policy.durable = DURABLE_WRITES;
	if (w->scenario.deceit.acknowledges_early)
		a->entry.policy.acknowledge = ACKNOWLEDGE_OUTCOME;
}

bool ledger_must_wait(const struct ask *a)
{
	const struct entry *e = &a->entry;
	bool write = a->kind == KIND_WRITE;
	return e->recorded && !a->flaw && !a->upgrades &&
	       (e->policy.durable == DURABLE_ALL || (write && e->policy.durable == DURABLE_WRITES));
}

/* --- what is durable now --- */

static void entry_forget(struct world *w, struct ask *a)
{
	(void)w;
	a->entry.head = a->entry.whole = a->entry.told = false;
}

static void ledger_forget_all(struct world *w)
{
	memset(w->ledger.at, 0, sizeof w->ledger.at);
	memset(w->ledger.told, 0, sizeof w->ledger.told);
	memset(w->ledger.until_ns, 0, sizeof w->ledger.until_ns);
	each_ask(w, entry_forget);
}

/* The id is in the target: "POST /r/ID". */
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

static struct ask *ask_of_frame(struct world *w, uint64_t generation, const struct frame *f)
{
	for (unsigned i = 0; i < w->scenario.clients; i++)
		for (unsigned j = 0; j < w->clients[i].ask_n; j++) {
			struct ask *a = &w->clients[i].asks[j];
			const struct entry *e = &a->entry;
			if (e->head && e->generation == generation && e->worker == f->worker &&
			    e->connection == f->connection && e->ordinal == f->ordinal)
				return a;
		}
	return NULL;
}

static void ledger_note_head(struct world *w, uint64_t generation, const struct frame *f,
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

static void told_add_gap(struct told *to, const struct record_gap *g)
{
	to->reads += g->reads;
	to->writes += g->writes;
	to->outcomes += g->outcomes;
}

static void judge_late(struct world *w, uint64_t generation, const struct frame *f)
{
	uint64_t until_ns = w->ledger.until_ns[generation % SIM_GENERATIONS];
	if (f->mono_ns < until_ns)
		judge_fail(
			w, "nothing comes late",
			"series %llu: frame %llu, of %llu ns, after all before %llu ns was durable",
			number(generation), number(f->sequence), number(f->mono_ns),
			number(until_ns));
}

static void ledger_note_frame(struct world *w, uint64_t generation, const struct frame *f,
			      struct span payload)
{
	judge_late(w, generation, f);
	struct record_gap gap;
	struct ask *a = f->type == FRAME_REQUEST_HEAD ? NULL : ask_of_frame(w, generation, f);
	if (f->type == FRAME_REQUEST_HEAD) {
		ledger_note_head(w, generation, f, payload);
	} else if (f->type == FRAME_GAP) {
		memcpy(&gap, payload.at, sizeof gap);
		told_add_gap(&w->ledger.told[generation % SIM_GENERATIONS], &gap);
	} else if (a && (f->type == FRAME_REQUEST_BODY || f->type == FRAME_REQUEST_TRAILERS)) {
		a->entry.whole |= f->flags & FRAME_END;
		a->entry.body_n += f->type == FRAME_REQUEST_BODY ? f->payload_n : 0;
	} else if (a && f->type == FRAME_OUTCOME) {
		a->entry.told = true;
	}
}

static void ledger_read_file(struct world *w, const struct sim_file *file)
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
		ledger_note_frame(w, head.generation, &f, payload);
		*at += frame_bytes(&f);
	}
}

/* Copies the times of the journals now; they apply to what is read next. */
static void take_times(const struct world *w, uint64_t until_ns[SIM_GENERATIONS])
{
	memset(until_ns, 0, SIM_GENERATIONS * sizeof until_ns[0]);
	for (unsigned i = 0; i < w->process_n; i++) {
		const struct log_process *s = &w->log_processes[i];
		if (s->journal)
			until_ns[s->generation % SIM_GENERATIONS] =
				journal_counts(s->journal)->until_mono_ns;
	}
}

/* If a file was cut, everything is read anew. */
static void ledger_look(struct world *w)
{
	struct sim_file f;
	uint64_t until_ns[SIM_GENERATIONS];
	take_times(w, until_ns);
	for (unsigned i = 0; sim_store_look(w->store, i, &f); i++)
		if (f.n < w->ledger.at[f.number % SIM_LOG_FILES])
			ledger_forget_all(w);
	for (unsigned i = 0; sim_store_look(w->store, i, &f); i++)
		ledger_read_file(w, &f);
	memcpy(w->ledger.until_ns, until_ns, sizeof until_ns);
}

/* --- missing records are counted --- */

struct missing {
	uint64_t reads, writes, outcomes;
};

static struct missing count_missing(const struct world *w, unsigned process)
{
	struct missing m = { 0 };
	for (unsigned i = 0; i < w->scenario.clients; i++)
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
	const struct log_process *s = &w->log_processes[a->entry.process - 1];
	struct missing m = count_missing(w, a->entry.process);
	struct log_process_losses l = log_process_losses(s);
	if (m.reads > l.reads || m.writes > l.writes || m.outcomes > l.outcomes)
		judge_fail(w, invariant,
			   "request %llu: %llu reads, %llu writes, %llu outcomes are not in the "
			   "log, %llu, %llu, %llu are counted",
			   number(a->id), number(m.reads), number(m.writes), number(m.outcomes),
			   number(l.reads), number(l.writes), number(l.outcomes));
}

/* A request that is refused while the log cannot be written must not pass. */
static bool may_pass(const struct ask *a)
{
	return a->kind != KIND_WRITE || a->entry.policy.unavailable == UNAVAILABLE_FORWARD;
}

static void ledger_pass_unrecorded(struct world *w, struct ask *a, const char *invariant)
{
	/* If a node responds before the request is whole, the response passes. */
	if (a->arrived && !may_pass(a))
		judge_fail(w, invariant, "write %llu is not durable", number(a->id));
	a->entry.unrecorded = true;
	judge_counted(w, a, invariant);
}

/* With `gate: piece`. If the request is refused later, its earlier pieces are in the log. */
void ledger_heard(struct world *w, struct ask *a, uint64_t body_n)
{
	struct entry *e = &a->entry;
	if (!ledger_must_wait(a) || e->policy.gate != GATE_PIECE || e->record_lost || e->unrecorded)
		return;
	ledger_look(w);
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
		judge_fail(w, "refused is not there", "request %llu was refused, and arrives",
			   number(a->id));
	if (!ledger_must_wait(a) || e->record_lost || e->unrecorded)
		return;
	ledger_look(w);
	if (!e->whole || e->body_n != a->body_n)
		ledger_pass_unrecorded(w, a, "durable first");
}

void ledger_responded(struct world *w, struct ask *a)
{
	struct entry *e = &a->entry;
	if (!ledger_must_wait(a) || e->record_lost || e->unrecorded ||
	    e->policy.acknowledge != ACKNOWLEDGE_OUTCOME)
		return;
	ledger_look(w);
	if (!e->head) {
		ledger_pass_unrecorded(w, a, "an outcome first");
	} else if (!e->told) {
		e->untold = true;
		judge_counted(w, a, "an outcome first");
	}
}

void ledger_refused(struct world *w, struct ask *a)
{
	a->entry.refused = true;
	if (a->arrived || !w->scenario.disk_fails)
		judge_fail(w, "refused is not there", "request %llu %s", number(a->id),
			   a->arrived ? "arrived, and is refused" : "is refused without a reason");
}

static void entry_lose_record(struct world *w, struct ask *a)
{
	(void)w;
	a->entry.record_lost |= a->decided;
}

void ledger_directory_lost(struct world *w)
{
	each_ask(w, entry_lose_record);
	ledger_forget_all(w);
}

/* --- what the product's reader finds --- */

static bool is_outcome_of(const struct ask *a, uint8_t outcome)
{
	return outcome == (a->status < 400   ? OUTCOME_ACCEPTED
			   : a->status < 500 ? OUTCOME_REJECTED
					     : OUTCOME_FAILED);
}

static void found_exchange_record(void *about, const struct exchange_record *s)
{
	struct world *w = about;
	struct ask *a = ask_of_head(w, s->request_head.at, s->request_head.n);
	if (!a || !a->entry.recorded)
		return;
	struct entry *e = &a->entry;
	if (e->found)
		judge_fail(w, "what was done is there", "request %llu is in the log twice",
			   number(a->id));
	e->found = true;
	e->found_whole = s->request_whole;
	e->found_equal = s->request_body.n == a->body_n &&
			 pattern_is(ask_key(a), 0, s->request_body.at, s->request_body.n);
	e->found_outcome = s->has_outcome;
	e->outcome = s->has_outcome ? s->outcome.outcome : OUTCOME_NONE;
}

static void found_gap(void *about, uint64_t generation, const struct record_gap *g)
{
	struct world *w = about;
	told_add_gap(&w->ledger.told_at_last[generation % SIM_GENERATIONS], g);
	must(w->ledger.uncertain_n < SIM_UNCERTAIN_MAX);
	if (g->flags & GAP_AT_LEAST)
		w->ledger.uncertain[w->ledger.uncertain_n++] =
			(struct span_of_time){ g->first_wall_ns, g->last_wall_ns };
}

static void found_damage(void *about, uint64_t generation, uint64_t first, uint64_t last)
{
	struct world *w = about;
	if (!w->scenario.loses_directory)
		judge_fail(w, "what was done is there",
			   "series %llu: frames %llu to %llu are missing where all was durable",
			   number(generation), number(first), number(last));
}

static void forget_found(struct world *w, struct ask *a)
{
	(void)w;
	a->entry.found = a->entry.found_whole = a->entry.found_outcome = false;
}

static void judge_done(struct world *w, struct ask *a)
{
	const struct entry *e = &a->entry;
	if (!ledger_must_wait(a) || e->record_lost || e->unrecorded)
		return;
	if (a->arrived && !(e->found && e->found_whole && e->found_equal))
		judge_fail(w, "what was done is there", "request %llu was done, its record is %s",
			   number(a->id),
			   !e->found	     ? "missing"
			   : !e->found_whole ? "not whole"
					     : "of other bytes");
	if (a->outcome != ASK_RESPONDED || e->untold ||
	    e->policy.acknowledge != ACKNOWLEDGE_OUTCOME)
		return;
	if (!e->found_outcome || !is_outcome_of(a, e->outcome))
		judge_fail(w, "what was done is there",
			   "request %llu was answered with %u, its outcome is %u", number(a->id),
			   a->status, e->outcome);
}

/* If the disk fails to cut too, the outcome reads as unknown. */
static void judge_refused(struct world *w, struct ask *a)
{
	const struct entry *e = &a->entry;
	bool as_sent = e->found_whole && e->outcome != OUTCOME_NOT_SENT;
	bool known = e->found_outcome && e->outcome != OUTCOME_UNKNOWN;
	if (e->refused && as_sent && (known || !sim_store_cuts_failed(w->store)))
		judge_fail(w, "refused is not there", "request %llu was refused, and is in the log",
			   number(a->id));
}

void ledger_read(struct world *w)
{
	struct disk_dump_user u = { w, found_exchange_record, found_gap, found_damage };
	memset(w->ledger.told_at_last, 0, sizeof w->ledger.told_at_last);
	w->ledger.uncertain_n = 0;
	each_ask(w, forget_found);
	disk_dump_read(w->store, &u);
	each_ask(w, judge_done);
	each_ask(w, judge_refused);
	ledger_forget_all(w);
	ledger_look(w);
}

/* --- what gaps report --- */

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
		if (w->log_processes[i].crashed)
			return true;
	return false;
}

/* All losses, less those that are known but not yet reported. */
static struct told losses_due(const struct world *w)
{
	struct told sum = { 0 };
	for (unsigned i = 0; i < w->process_n; i++) {
		const struct log_process *s = &w->log_processes[i];
		struct log_process_losses l = s->cut ? log_process_known(s) : log_process_losses(s);
		sum.reads += l.reads;
		sum.writes += l.writes;
		sum.outcomes += l.outcomes;
		if (!s->left)
			continue;
		l = log_process_untold(s);
		sum.reads -= l.reads;
		sum.writes -= l.writes;
		sum.outcomes -= l.outcomes;
	}
	return sum;
}

/*
 * Compares all losses with what all gaps report. A gap whose write failed, and could not be cut
 * off, is in the log and is reported again. The same happens if a process could no longer record
 * that a gap is durable.
 */
static void judge_told(struct world *w, const struct told told[SIM_GENERATIONS])
{
	struct told is = all_told(told), d = losses_due(w);
	bool again = sim_store_cuts_failed(w->store) || any_has_crashed(w);
	bool less = is.reads < d.reads || is.writes < d.writes || is.outcomes < d.outcomes;
	bool more = is.reads > d.reads || is.writes > d.writes || is.outcomes > d.outcomes;
	if (less || (more && !again))
		judge_fail(w, "a gap is told",
			   "%llu reads, %llu writes, %llu outcomes are lost; gaps report %llu, "
			   "%llu, %llu",
			   number(d.reads), number(d.writes), number(d.outcomes), number(is.reads),
			   number(is.writes), number(is.outcomes));
}

/*
 * By a later process that took over the counts, and whose own log was unavailable to its end. The
 * counts may pass through several processes.
 */
static bool is_still_to_be_told(const struct world *w)
{
	for (unsigned i = 0; i < w->process_n; i++)
		if (w->log_processes[i].left && log_process_untold(&w->log_processes[i]).uncertain)
			return true;
	return false;
}

/*
 * The process lost its counts in a power cut while its log was unavailable: a gap must give the
 * time span.
 */
static void judge_power_cut(struct world *w, const struct log_process *s)
{
	struct log_process_losses lost = log_process_losses(s), known = log_process_known(s);
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
		   "process %u had lost %llu writes, %llu are known after the power cut, and no "
		   "gap says when the log was unavailable",
		   s->process, number(lost.writes), number(known.writes));
}

/* At the end each request is in the log, or was counted as missing. */
static void note_missing(struct world *w, struct ask *a)
{
	struct entry *e = &a->entry;
	if (!e->recorded || e->record_lost || a->flaw || a->upgrades || !a->arrived ||
	    w->log_processes[e->process - 1].crashed)
		return;
	if (e->found && e->found_whole && e->found_equal)
		return;
	e->unrecorded = true;
	judge_counted(w, a, "a gap is told");
}

void ledger_close(struct world *w)
{
	ledger_read(w);
	each_ask(w, note_missing);
	if (w->scenario.loses_directory)
		return;
	judge_told(w, w->ledger.told_at_last);
	for (unsigned i = 0; i < w->process_n; i++)
		judge_power_cut(w, &w->log_processes[i]);
}

static uint64_t latest_loss_ms(struct world *w, const struct log_process *s)
{
	struct log_process_losses l = log_process_losses(s);
	uint64_t n = l.reads + l.writes + l.outcomes;
	unsigned i = s->process % SIM_GENERATIONS;
	if (w->ledger.lost_n[i] != n)
		w->ledger.lost_ms[i] = world_now_ms(w);
	w->ledger.lost_n[i] = n;
	return w->ledger.lost_ms[i];
}

/* An operation in progress, the pause before the next attempt, and time for that attempt. */
#define RETURN_MS (SIM_SLOW_MS_MAX + LOG_PROBE_MS + 200)
/* Plus the pause between two gaps. */
#define TELL_MS (RETURN_MS + 2 * LOSS_PAUSE_MS)

/* Whether all losses must be reported by now. */
static bool is_to_be_told(struct world *w, const struct log_process *s)
{
	uint64_t lost_ms = latest_loss_ms(w, s), now_ms = world_now_ms(w);
	return !s->left && !s->stopping && now_ms >= lost_ms + TELL_MS;
}

/* A journal whose file was removed notices it at the next write. */
static void judge_return(struct world *w, struct log_process *s)
{
	uint64_t now_ms = world_now_ms(w);
	bool available = journal_state(s->journal) == JOURNAL_AVAILABLE;
	if (available || !s->available_ms)
		s->available_ms = now_ms;
	if (w->disk_faults.is_fine && now_ms >= w->disk_faults.fine_ms + RETURN_MS && !available &&
	    now_ms > s->available_ms + RETURN_MS)
		judge_fail(w, "the log returns",
			   "process %u has no log, the disk works since %llu ms", s->process,
			   number(w->disk_faults.fine_ms));
}

/* --- what is over has an outcome --- */

static bool is_under_way(const struct log_process *s, const struct entry *e)
{
	list_each(l, &s->taps[e->worker].open) {
		const struct tap *t = list_entry(l, struct tap, link);
		if (t->like.connection == e->connection && t->like.ordinal == e->ordinal)
			return true;
	}
	return false;
}

/* All records of its workers are durable, and gaps report what the log lost before. */
static bool has_written_all(const struct world *w, const struct log_process *s)
{
	if (!s->journal || s->stopping || journal_state(s->journal) != JOURNAL_AVAILABLE ||
	    journal_queued(s->journal))
		return false;
	for (unsigned i = 0; i < w->scenario.workers; i++)
		if (feed_is_out(&s->taps[i].feed))
			return false;
	return true;
}

/* While its process lives, no other process would record the outcome. */
static void judge_open(struct world *w, struct ask *a)
{
	const struct entry *e = &a->entry;
	if (!e->recorded || e->record_lost || !e->head || e->told)
		return;
	for (unsigned i = 0; i < w->process_n; i++) {
		const struct log_process *s = &w->log_processes[i];
		if (s->generation == e->generation && has_written_all(w, s) && !is_under_way(s, e))
			judge_fail(w, "nothing stays open",
				   "request %llu is over, and has no outcome in the log of a "
				   "process that lives",
				   number(a->id));
	}
}

void ledger_instant(struct world *w)
{
	bool all = w->disk_faults.is_fine && world_now_ms(w) >= w->disk_faults.fine_ms + TELL_MS &&
		   !w->scenario.loses_directory;
	bool any = false;
	for (unsigned i = 0; i < w->process_n; i++) {
		struct log_process *s = &w->log_processes[i];
		all &= is_to_be_told(w, s);
		if (!s->journal || s->stopping)
			continue;
		any = true;
		judge_return(w, s);
	}
	if (!all || !any)
		return;
	ledger_look(w);
	judge_told(w, w->ledger.told);
	each_ask(w, judge_open);
}
