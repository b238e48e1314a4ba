#include "control/weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/values.h"
#include "control/weights_job.h"

static void weights_publish(struct weights *w, const struct state_values *v)
{
	const struct board_values now = board_read(w->board), b = values_for_board(&now, v);
	board_publish(w->board, &b);
	w->changed_wall_ns = v->wall_ns;
	w->last_epoch = most(w->last_epoch, v->epoch);
}

/* --- opening --- */

void weights_begin(struct weights *w, struct board *board)
{
	*w = (struct weights){ .board = board, .now_ns = clock_monotonic_ns };
	w->ledger.state.fd = w->ledger.audit.fd = -1;
	list_init(&w->open);
}

bool weights_read(struct weights *w, const char *directory, const uint32_t initial[ARMS],
		  const struct evidence *evidence, struct weights_found *found,
		  char error[WEIGHTS_TEXT_BYTES])
{
	const struct board_values b = board_read(w->board);
	return ledger_open(&w->ledger, &b, directory, initial, evidence, &found->now, error);
}

void weights_take_up(struct weights *w, const struct weights_found *found)
{
	const struct board_values b = board_read(w->board);
	w->changed_wall_ns = found->now.wall_ns;
	w->last_epoch = most(found->now.epoch, b.epoch);
	w->unsaved = w->ledger.unsaved;
	w->untold = ledger_untold(&w->ledger);
	if (found->now.epoch > b.epoch)
		weights_publish(w, &found->now);
}

bool weights_open(struct weights *w, struct board *board, const char *directory,
		  const uint32_t initial[ARMS], const struct evidence *evidence,
		  char error[WEIGHTS_TEXT_BYTES])
{
	struct weights_found found;
	weights_begin(w, board);
	if (!weights_read(w, directory, initial, evidence, &found, error))
		return false;
	weights_take_up(w, &found);
	return true;
}

/* --- saving again --- */

static void weights_save_later(struct weights *w)
{
	if (!timer_is_set(&w->save_again) && !w->saving_again)
		timer_set(w->wheel, &w->save_again, w->wheel->now_ms + w->save_pause_ms);
}

/* For the first try; later tries have longer pauses. */
static void weights_save_soon(struct weights *w)
{
	w->save_pause_ms = STATE_SAVE_PAUSE_MS;
	weights_save_later(w);
}

static void weights_take_result(struct weights *w, const struct weights_job *j)
{
	w->unsaved = j->unsaved;
	w->untold = j->untold;
}

static void weights_worked_again(struct disk_job *job)
{
	struct weights_job *j = weights_job_of(job);
	struct weights *w = j->in;
	weights_take_result(w, j);
	w->saving_again = false;
	w->save_pause_ms = least(w->save_pause_ms * 2, STATE_SAVE_PAUSE_MAX_MS);
	if (w->unsaved || w->untold)
		weights_save_later(w);
	free(j);
}

static void weights_save_is_due(struct timer *t)
{
	struct weights *w = list_entry(t, struct weights, save_again);
	const struct board_values b = board_read(w->board);
	struct weights_job *j =
		weights_job_new(w, &w->ledger, weights_work_again, weights_worked_again);
	j->line.to = values_of_board(&b, w->changed_wall_ns);
	w->saving_again = true;
	disk_jobs_put(w->disk, &j->job);
}

static void weights_log_unsaved(int why)
{
	log_line(LOG_ERROR,
		 "weights: the state cannot be saved: %s; saving is repeated until it succeeds",
		 strerror(why));
}

void weights_attach(struct weights *w, struct wheel *wheel, struct disk_jobs *disk,
		    struct change_lock *lock,
		    void (*changed)(void *, const struct state_values *,
				    const struct state_values *),
		    void *observer)
{
	w->wheel = wheel;
	w->disk = disk;
	w->lock = lock;
	w->changed = changed;
	w->observer = observer;
	timer_init(&w->save_again, weights_save_is_due);
	if (w->unsaved)
		weights_log_unsaved(w->unsaved);
	if (w->unsaved || w->untold)
		weights_save_soon(w);
}

/* --- a change is over --- */

static void weights_end_wait(struct weights_change *c)
{
	list_remove(&c->link);
	timer_clear(&c->look_again);
	if (c->job)
		c->job->change = NULL;
	c->job = NULL;
}

static void weights_change_is_over(struct weights_change *c, enum weights_verdict verdict)
{
	c->verdict = verdict;
	weights_end_wait(c);
	c->done(c);
}

/* The rollback is in force. Its caller is told so, although the disk has not confirmed the save. */
static void weights_give_up_disk(struct weights_change *c)
{
	c->error = ETIMEDOUT;
	c->untold = true;
}

static void weights_name_late(struct weights_change *c, const struct board *b)
{
	c->late_n = 0;
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_slot *s = &b->slots[i];
		if (atomic_load_explicit(&s->state, memory_order_acquire) != SLOT_TAKEN ||
		    atomic_load_explicit(&s->acknowledged, memory_order_acquire) >= c->to.epoch)
			continue;
		if (c->late_n < WEIGHTS_LATE_NAMED) {
			c->late[c->late_n].pid = atomic_load(&s->pid);
			c->late[c->late_n].worker = atomic_load(&s->worker);
		}
		c->late_n++;
	}
}

/*
 * The change is in force. Its caller waits until the workers have acknowledged it and the disk job
 * is done, each for a limited time.
 */
static void weights_look_again(struct timer *t)
{
	struct weights_change *c = list_entry(t, struct weights_change, look_again);
	struct weights *w = c->in;
	unsigned first;
	uint64_t now_ns = w->now_ns();
	c->acknowledged |= board_late(w->board, c->to.epoch, &c->in_flight_before, &first) == 0;
	bool waits = !c->acknowledged && now_ns < c->until_ns;
	if (waits || (c->job && now_ns < c->saved_until_ns)) {
		if (c->pause_ms < ACKNOWLEDGE_LOOK_MAX_MS)
			c->pause_ms *= 2;
		timer_set(w->wheel, &c->look_again, w->wheel->now_ms + c->pause_ms);
		return;
	}
	if (c->job)
		weights_give_up_disk(c);
	if (!c->acknowledged) {
		weights_name_late(c, w->board);
		log_line(LOG_WARN,
			 "weights: %u workers have not acknowledged epoch %llu within %d ms",
			 c->late_n, (unsigned long long)c->to.epoch, ACKNOWLEDGE_TIMEOUT_MS);
	}
	weights_change_is_over(c, c->acknowledged ? WEIGHTS_ACKNOWLEDGED : WEIGHTS_LATE);
}

/* Measured by the clock: the wheel's time stands still during a long turn. */
static void await_acknowledgment(struct weights_change *c)
{
	struct weights *w = c->in;
	uint64_t now_ns = w->now_ns();
	c->pause_ms = 1;
	c->until_ns = now_ns + ACKNOWLEDGE_TIMEOUT_MS * 1000000ull;
	c->saved_until_ns = now_ns + SAVE_WAIT_MS * 1000000ull;
	timer_set(w->wheel, &c->look_again, w->wheel->now_ms + c->pause_ms);
}

void weights_forget(struct weights_change *c)
{
	change_claim_drop(&c->claim);
	weights_end_wait(c);
}

bool weights_stand(enum weights_verdict v)
{
	return v == WEIGHTS_ACKNOWLEDGED || v == WEIGHTS_LATE || v == WEIGHTS_WAITING;
}

/* --- its line in the audit --- */

static void weights_log_change(const struct ledger_line *l)
{
	log_line(LOG_INFO,
		 "weights: source %u, target %u (epoch %llu), before: source %u, target %u; by "
		 "%s%s%s",
		 l->to.weights[ARM_SOURCE], l->to.weights[ARM_TARGET],
		 (unsigned long long)l->to.epoch, l->from.weights[ARM_SOURCE],
		 l->from.weights[ARM_TARGET], l->who, l->why[0] ? ": " : "", l->why);
}

/* The last job of a change is done. */
static void weights_told(struct disk_job *job)
{
	struct weights_job *j = weights_job_of(job);
	struct weights *w = j->in;
	bool was_unsaved = w->unsaved != 0;
	weights_take_result(w, j);
	if (j->why_untold)
		log_line(LOG_ERROR,
			 "weights: this change could not be written to audit.jsonl: %s; writing is "
			 "repeated until it succeeds",
			 strerror(j->why_untold));
	if (j->error && !was_unsaved)
		weights_log_unsaved(j->error);
	if (w->unsaved || w->untold)
		weights_save_soon(w);
	if (j->change) {
		j->change->error = j->error;
		j->change->untold = j->why_untold != 0;
		j->change->job = NULL;
	}
	free(j);
}

/* --- a change that is saved before it is published --- */

static void weights_refuse(struct weights_job *j, enum weights_verdict verdict)
{
	struct weights_change *c = j->change;
	int error = j->error;
	free(j);
	if (!c)
		return;
	c->error = error;
	c->job = NULL;
	weights_change_is_over(c, verdict);
}

static void weights_put_in_force(struct weights_job *j)
{
	struct weights *w = j->in;
	weights_publish(w, &j->line.to);
	w->changed(w->observer, &j->line.from, &j->line.to);
	weights_log_change(&j->line);
	j->job = (struct disk_job){ .work = weights_work_tell, .done = weights_told };
	disk_jobs_put(w->disk, &j->job);
	if (!j->change)
		return;
	await_acknowledgment(j->change);
}

/*
 * A save that failed may be on the disk all the same, so that its epoch stays taken. After
 * SAVING_UNTOLD nothing was tried.
 */
static void weights_give_epoch_back(struct weights *w, const struct weights_job *j)
{
	if (j->saving == SAVING_UNTOLD && w->last_epoch == j->line.to.epoch)
		w->last_epoch = j->line.from.epoch;
}

/*
 * A rollback may have been published in the meantime. It stays in force, and its epoch is saved
 * after this one.
 */
static void weights_saved(struct disk_job *job)
{
	struct weights_job *j = weights_job_of(job);
	struct weights *w = j->in;
	bool overtaken = board_read(w->board).epoch != j->line.from.epoch;
	weights_take_result(w, j);
	weights_give_epoch_back(w, j);
	if (j->saving == SAVING_UNSAVED)
		weights_refuse(j, WEIGHTS_UNSAVED);
	else if (j->saving == SAVING_UNTOLD)
		weights_refuse(j, WEIGHTS_UNTOLD);
	else if (overtaken)
		weights_refuse(j, WEIGHTS_OVERTAKEN);
	else
		weights_put_in_force(j);
	change_lock_give(w->lock);
}

/* --- beginning --- */

static struct state_note note_of(const struct ledger_line *l)
{
	struct state_note n = {
		.epoch = l->to.epoch,
		.from = { l->from.weights[ARM_SOURCE], l->from.weights[ARM_TARGET] },
		.forced = l->forced,
	};
	snprintf(n.who, sizeof n.who, "%s", l->who);
	snprintf(n.why, sizeof n.why, "%s", l->why);
	return n;
}

static struct weights_job *weights_job_for(struct weights_change *c,
					   void (*work)(struct disk_job *),
					   void (*done)(struct disk_job *))
{
	struct weights_job *j = weights_job_new(c->in, &c->in->ledger, work, done);
	j->change = c;
	j->line.from = c->from;
	j->line.to = c->to;
	j->line.forced = c->forced;
	snprintf(j->line.who, sizeof j->line.who, "%s", c->who);
	snprintf(j->line.why, sizeof j->line.why, "%s", c->why);
	j->note = note_of(&j->line);
	c->job = j;
	return j;
}

/* Takes an epoch above all that were taken, including that of a change that is being saved. */
static bool weights_take_epoch(struct weights_change *c)
{
	struct weights *w = c->in;
	const struct board_values now = board_read(w->board);
	w->last_epoch = most(w->last_epoch, now.epoch);
	c->from = values_of_board(&now, w->changed_wall_ns);
	c->to = c->from;
	c->to.epoch = c->epoch ? c->epoch : w->last_epoch + 1;
	memcpy(c->to.weights, c->weights, sizeof c->to.weights);
	c->to.wall_ns = clock_wall_ns();
	c->to.rolled_back = c->at_once;
	if ((c->if_epoch && c->if_epoch != now.epoch) || c->to.epoch <= w->last_epoch)
		return false;
	w->last_epoch = c->to.epoch;
	return true;
}

/* The change has the lock. */
static enum weights_verdict weights_begin_saving(struct weights_change *c)
{
	if (!weights_take_epoch(c)) {
		change_lock_give(c->in->lock);
		return WEIGHTS_STALE;
	}
	disk_jobs_put(c->in->disk, &weights_job_for(c, weights_work_save, weights_saved)->job);
	return WEIGHTS_WAITING;
}

static void weights_claim_begins(struct change_claim *claim)
{
	struct weights_change *c = list_entry(claim, struct weights_change, claim);
	enum weights_verdict verdict = weights_begin_saving(c);
	if (verdict != WEIGHTS_WAITING)
		weights_change_is_over(c, verdict);
}

static void weights_claim_refused(struct change_claim *claim, bool handed_over)
{
	struct weights_change *c = list_entry(claim, struct weights_change, claim);
	weights_change_is_over(c, handed_over ? WEIGHTS_HANDED_OVER : WEIGHTS_BUSY);
}

static enum weights_verdict weights_change_at_once(struct weights_change *c)
{
	struct weights *w = c->in;
	if (!weights_take_epoch(c))
		return WEIGHTS_STALE;
	weights_publish(w, &c->to);
	w->changed(w->observer, &c->from, &c->to);
	struct weights_job *j = weights_job_for(c, weights_work_keep, weights_told);
	weights_log_change(&j->line);
	disk_jobs_put(w->disk, &j->job);
	await_acknowledgment(c);
	return WEIGHTS_WAITING;
}

static enum weights_verdict weights_change_in_turn(struct weights_change *c)
{
	char what[CHANGE_WHAT_BYTES];
	c->claim.begins = weights_claim_begins;
	c->claim.refused = weights_claim_refused;
	snprintf(what, sizeof what, "weights source %u, target %u, by %.180s",
		 c->weights[ARM_SOURCE], c->weights[ARM_TARGET], c->who);
	if (!change_lock_take(c->in->lock, &c->claim, what))
		return WEIGHTS_WAITING;
	return weights_begin_saving(c);
}

enum weights_verdict weights_set(struct weights *w, struct weights_change *c)
{
	must(c->weights[ARM_SOURCE] <= WEIGHT_MAX && c->weights[ARM_TARGET] <= WEIGHT_MAX &&
	     c->done);
	c->in = w;
	c->error = 0;
	c->untold = c->acknowledged = false;
	c->job = NULL;
	c->claim = (struct change_claim){ 0 };
	list_init(&c->link);
	timer_init(&c->look_again, weights_look_again);
	if (c->weights[ARM_SOURCE] == 0 && c->weights[ARM_TARGET] == 0)
		return c->verdict = WEIGHTS_ZERO;
	list_add_tail(&w->open, &c->link);
	c->verdict = c->at_once ? weights_change_at_once(c) : weights_change_in_turn(c);
	if (c->verdict != WEIGHTS_WAITING)
		list_remove(&c->link);
	return c->verdict;
}

/* --- closing --- */

static void weights_closed(struct disk_job *job)
{
	struct weights *w = weights_job_of(job)->in;
	free(weights_job_of(job));
	w->untold = 0;
}

void weights_yield(struct weights *w)
{
	if (!w->wheel)
		return;
	timer_clear(&w->save_again);
	disk_jobs_put(w->disk,
		      &weights_job_new(w, &w->ledger, weights_work_close, weights_closed)->job);
}

void weights_close(struct weights *w)
{
	while (w->wheel && !list_empty(&w->open))
		weights_change_is_over(list_entry(w->open.next, struct weights_change, link),
				       WEIGHTS_LATE);
	if (w->wheel)
		timer_clear(&w->save_again);
	ledger_close(&w->ledger);
}
