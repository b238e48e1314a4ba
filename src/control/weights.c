#include "control/weights.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/limits.h"

/* A save that failed is tried again after 100 ms, then twice that, up to 5 s. */
#define SAVE_PAUSE_MS 100
#define SAVE_PAUSE_MAX_MS 5000
/* Workers acknowledge within a turn: looking begins at 1 ms. */
#define LOOK_PAUSE_MAX_MS 32

static struct state_values values_of(const struct board_values *b, uint64_t wall_ns)
{
	return (struct state_values){
		b->epoch, { b->weights[0], b->weights[1] }, wall_ns, b->rolled_back
	};
}

static void publish_values(struct weights *w, const struct state_values *v)
{
	struct board_values b = { v->epoch, { v->weights[0], v->weights[1] }, v->rolled_back };
	board_publish(w->board, &b);
	w->changed_wall_ns = v->wall_ns;
}

/* --- telling --- */

static bool append(struct weights *w, const struct weights_owed *o)
{
	const struct audit_entry e = { .who = o->who,
				       .why = o->why[0] ? o->why : NULL,
				       .from = o->from,
				       .to = o->to,
				       .saved = o->saved,
				       .forced = o->forced,
				       .lineless_n = o->lineless_n,
				       .lineless_epoch = o->lineless_epoch };
	return audit_append(&w->audit, &e);
}

/* Where no more can be kept, the last one's line tells of how many have none. */
static void owe(struct weights *w, struct weights_owed *o)
{
	if (w->owed_n == AUDIT_OWED_MAX) {
		const struct weights_owed *last = &w->owed[--w->owed_n];
		o->lineless_n = last->lineless_n + 1;
		o->lineless_epoch = last->lineless_n ? last->lineless_epoch : last->to.epoch;
	}
	w->owed[w->owed_n++] = *o;
}

/* The process before was killed between the two. */
static void tell_of_the_last(struct weights *w, const struct state_values *kept)
{
	const struct state_note *n = &w->state.note;
	struct weights_owed o = {
		.from.weights = { n->from[ARM_SOURCE], n->from[ARM_TARGET] },
		.to = *kept,
		.saved = true,
		.forced = n->forced,
	};
	memcpy(o.who, n->who, sizeof o.who);
	memcpy(o.why, n->why, sizeof o.why);
	if (!append(w, &o))
		owe(w, &o);
	log_line(LOG_WARN,
		 "audit: the process before ended between the change of epoch %llu and its line: "
		 "the line comes now",
		 (unsigned long long)kept->epoch);
}

/* --- opening --- */

/* The greater epoch of board, file and audit; the others learn of it. */
static bool settle(struct weights *w, struct state_values kept, const struct state_values *audited,
		   const uint32_t initial[ARMS])
{
	struct board_values b = board_read(w->board);
	struct state_values now = kept;
	if (b.epoch == 0 && kept.epoch == 0)
		now = (struct state_values){
			1, { initial[0], initial[1] }, clock_wall_ns(), false
		};
	else if (b.epoch > kept.epoch)
		now = values_of(&b, clock_wall_ns());
	else if (b.epoch == 0 && audited->epoch > kept.epoch)
		now = *audited;
	/* Somebody else has it: better served by these weights than not at all. */
	if (now.epoch > kept.epoch && !w->unsaved && !state_save(&w->state, &now)) {
		if (b.epoch == 0 && now.epoch != audited->epoch)
			return false;
		w->unsaved = errno;
	}
	w->changed_wall_ns = now.wall_ns;
	if (now.epoch > b.epoch)
		publish_values(w, &now);
	return true;
}

/* An errno, or 0. */
static int open_state(struct weights *w, struct state_values *kept, bool *damaged)
{
	return state_open(&w->state, w->directory, kept, damaged) ? w->state.sealed : errno;
}

/*
 * With weights to go by traffic is served: after a crash the board has them, and a directory that
 * has become one to read has them too. Changes say then that they are not kept.
 */
static bool may_go_on(const struct weights *w, const struct state_values *kept)
{
	return board_read(w->board).epoch || (kept->epoch && w->state.sealed);
}

/* A rollback is done where it cannot be saved, and then the audit alone has it. */
static void say_rollback(const struct weights *w, const struct state_values *kept,
			 const struct state_values *audited)
{
	if (!board_read(w->board).epoch && kept->epoch && audited->epoch > kept->epoch)
		log_line(LOG_WARN,
			 "weights: the rollback of epoch %llu was not saved, and is taken from "
			 "the audit",
			 (unsigned long long)audited->epoch);
}

/* Of a state that is lost nothing is made up: who starts with other weights does so knowingly. */
static bool is_lost(const struct weights *w, const struct state_values *kept, bool damaged,
		    const struct evidence *e, char why[EVIDENCE_TEXT_BYTES])
{
	if (board_read(w->board).epoch)
		return false;
	if (damaged)
		snprintf(why, EVIDENCE_TEXT_BYTES, "the file is damaged");
	return damaged || !evidence_allows(e, kept, why);
}

/* The audit comes last: that it is there says that there was a state. An errno, or 0. */
static int take_up(struct weights *w, struct state_values kept, const struct evidence *e,
		   const uint32_t initial[ARMS])
{
	bool goes_on = may_go_on(w, &kept);
	if (w->unsaved && !goes_on)
		return w->unsaved;
	say_rollback(w, &kept, &e->audited);
	if (!settle(w, kept, &e->audited, initial))
		return errno;
	if (audit_open(&w->audit, w->directory)) {
		if (e->untold)
			tell_of_the_last(w, &kept);
		return 0;
	}
	if (!w->unsaved)
		w->unsaved = errno;
	return goes_on ? 0 : w->unsaved;
}

bool weights_open(struct weights *w, struct board *board, const char *directory,
		  const uint32_t initial[ARMS], const struct evidence *evidence,
		  char error[WEIGHTS_TEXT_BYTES])
{
	*w = (struct weights){
		.board = board, .state.fd = -1, .audit.fd = -1, .now_ns = clock_monotonic_ns
	};
	struct state_values kept;
	bool damaged;
	char why[EVIDENCE_TEXT_BYTES];
	snprintf(w->directory, sizeof w->directory, "%s", directory);
	w->unsaved = open_state(w, &kept, &damaged);
	if (w->state.fd >= 0 && is_lost(w, &kept, damaged, evidence, why))
		goto lost;
	if (damaged)
		log_line(LOG_ERROR, "weights: the file %s/weights is damaged and says nothing",
			 directory);
	int error_n = take_up(w, kept, evidence, initial);
	if (!error_n)
		return true;
	snprintf(error, WEIGHTS_TEXT_BYTES, "cannot use %.180s: %s", directory, strerror(error_n));
	weights_close(w);
	return false;
lost:
	snprintf(error, WEIGHTS_TEXT_BYTES,
		 "the weights in %.64s are lost: %.94s. `crossfade recover -c FILE` says what is "
		 "known, and puts them back",
		 directory, why);
	weights_close(w);
	return false;
}

/* --- saving --- */

/* What could not be opened, or only to be read, may be there by now. */
static bool reopen(struct weights *w)
{
	struct state_values kept;
	struct state fresh;
	bool damaged;
	if (w->audit.fd < 0 && !audit_open(&w->audit, w->directory))
		return false;
	if (w->state.fd >= 0 && !w->state.sealed)
		return true;
	if (!state_open(&fresh, w->directory, &kept, &damaged))
		return false;
	state_close(&w->state);
	w->state = fresh;
	return true;
}

static bool save(struct weights *w, const struct state_values *v, const struct state_note *n)
{
	bool good = reopen(w) && state_save_noted(&w->state, v, n);
	if (good && w->unsaved)
		log_line(LOG_INFO, "weights: the state is saved again (epoch %llu)",
			 (unsigned long long)v->epoch);
	if (good)
		w->unsaved = 0;
	return good;
}

/* --- telling of what is owed --- */

uint64_t weights_untold(const struct weights *w)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < w->owed_n; i++)
		n += 1 + w->owed[i].lineless_n;
	return n;
}

/* As many as there is room for, the oldest first. False with errno: some are owed still. */
static bool tell_owed(struct weights *w)
{
	unsigned told = 0;
	while (told < w->owed_n && append(w, &w->owed[told]))
		told++;
	int why = errno;
	w->owed_n -= told;
	if (told)
		memmove(w->owed, w->owed + told, w->owed_n * sizeof w->owed[0]);
	if (told && !w->owed_n)
		log_line(LOG_INFO, "weights: audit.jsonl has all changes again");
	errno = why;
	return w->owed_n == 0;
}

/* False with errno: it is owed. */
static bool tell(struct weights *w, const struct weights_change *c)
{
	struct weights_owed o = {
		.from = c->from, .to = c->to, .saved = c->error == 0, .forced = c->forced
	};
	memcpy(o.who, c->who, sizeof o.who);
	memcpy(o.why, c->why, sizeof o.why);
	if (tell_owed(w) && append(w, &o))
		return true;
	int why = errno;
	owe(w, &o);
	errno = why;
	return false;
}

/* The last try: the next process does not know of them. */
static void tell_at_last(struct weights *w)
{
	if (w->owed_n && !tell_owed(w))
		log_line(LOG_ERROR,
			 "weights: %llu changes, the last of them of epoch %llu, have no line in "
			 "audit.jsonl: %s",
			 (unsigned long long)weights_untold(w),
			 (unsigned long long)w->owed[w->owed_n - 1].to.epoch, strerror(errno));
	w->owed_n = 0;
}

void weights_close(struct weights *w)
{
	must(w->waiting_n == 0);
	weights_yield(w);
}

void weights_yield(struct weights *w)
{
	if (w->wheel)
		timer_clear(&w->save_again);
	tell_at_last(w);
	audit_close(&w->audit);
	state_close(&w->state);
}

/* --- trying again --- */

static void save_later(struct weights *w)
{
	timer_set(w->wheel, &w->save_again, w->wheel->now_ms + w->save_pause_ms);
	w->save_pause_ms =
		w->save_pause_ms * 2 < SAVE_PAUSE_MAX_MS ? w->save_pause_ms * 2 : SAVE_PAUSE_MAX_MS;
}

static void save_is_due(struct timer *t)
{
	struct weights *w = list_entry(t, struct weights, save_again);
	struct board_values b = board_read(w->board);
	struct state_values now = values_of(&b, w->changed_wall_ns);
	bool told = tell_owed(w);
	/* Its line, which says that it was not saved, is written or owed. */
	if ((w->unsaved && !save(w, &now, &(struct state_note){ 0 })) || !told)
		save_later(w);
}

static void save_failed(struct weights *w, int why)
{
	w->unsaved = why;
	log_line(LOG_ERROR,
		 "weights: the state cannot be saved: %s; it is tried again until it works",
		 strerror(why));
	w->save_pause_ms = SAVE_PAUSE_MS;
	save_later(w);
}

void weights_attach(struct weights *w, struct wheel *wheel, void (*wake)(void *), void *waker)
{
	w->wheel = wheel;
	w->wake = wake;
	w->waker = waker;
	timer_init(&w->save_again, save_is_due);
	w->save_pause_ms = SAVE_PAUSE_MS;
	if (w->unsaved)
		save_failed(w, w->unsaved);
	else if (w->owed_n)
		save_later(w);
}

/* --- waiting for the workers --- */

static void name_the_late(struct weights_change *c, const struct board *b)
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

static void change_is_over(struct weights_change *c, enum weights_verdict verdict)
{
	c->verdict = verdict;
	c->in->waiting_n--;
	c->done(c);
}

static void look(struct timer *t)
{
	struct weights_change *c = list_entry(t, struct weights_change, look_again);
	struct weights *w = c->in;
	unsigned first;
	if (board_late(w->board, c->to.epoch, &c->in_flight_before, &first) == 0) {
		change_is_over(c, WEIGHTS_ACKNOWLEDGED);
		return;
	}
	if (w->now_ns() >= c->until_ns) {
		name_the_late(c, w->board);
		log_line(LOG_WARN,
			 "weights: %u of the workers have not acknowledged epoch %llu in %d ms",
			 c->late_n, (unsigned long long)c->to.epoch, ACKNOWLEDGE_TIMEOUT_MS);
		change_is_over(c, WEIGHTS_LATE);
		return;
	}
	if (c->pause_ms < LOOK_PAUSE_MAX_MS)
		c->pause_ms *= 2;
	timer_set(w->wheel, &c->look_again, w->wheel->now_ms + c->pause_ms);
}

/*
 * By the clock and not by the wheel, whose time stands while a change is being saved: on a slow
 * disk the workers would have had none.
 */
static void await_acknowledgment(struct weights *w, struct weights_change *c)
{
	w->waiting_n++;
	w->wake(w->waker);
	c->pause_ms = 1;
	c->until_ns = w->now_ns() + ACKNOWLEDGE_TIMEOUT_MS * 1000000ull;
	timer_set(w->wheel, &c->look_again, w->wheel->now_ms + c->pause_ms);
}

void weights_forget(struct weights_change *c)
{
	if (!timer_is_set(&c->look_again))
		return;
	timer_clear(&c->look_again);
	c->in->waiting_n--;
}

/* --- a change --- */

static void say_change(struct weights *w, struct weights_change *c)
{
	log_line(LOG_INFO,
		 "weights: source %u, target %u (epoch %llu), before: source %u, target %u; by "
		 "%s%s%s",
		 c->to.weights[ARM_SOURCE], c->to.weights[ARM_TARGET],
		 (unsigned long long)c->to.epoch, c->from.weights[ARM_SOURCE],
		 c->from.weights[ARM_TARGET], c->who, c->why[0] ? ": " : "", c->why);
	c->untold = !tell(w, c);
	if (!c->untold)
		return;
	log_line(LOG_ERROR,
		 "weights: audit.jsonl does not have this change: %s; it is tried again until it "
		 "works",
		 strerror(errno));
	if (!w->unsaved) {
		w->save_pause_ms = SAVE_PAUSE_MS;
		save_later(w);
	}
}

static struct state_note note_of(const struct weights_change *c)
{
	struct state_note n = {
		.epoch = c->to.epoch,
		.from = { c->from.weights[ARM_SOURCE], c->from.weights[ARM_TARGET] },
		.forced = c->forced,
	};
	snprintf(n.who, sizeof n.who, "%s", c->who);
	snprintf(n.why, sizeof n.why, "%s", c->why);
	return n;
}

static enum weights_verdict change_by_saving(struct weights *w, struct weights_change *c)
{
	/* Where the state directory could not be opened it is tried, and the audit with it. */
	if (!reopen(w)) {
		c->error = errno;
		return WEIGHTS_UNSAVED;
	}
	if (!tell_owed(w) || !audit_has_room(&w->audit)) {
		c->error = errno;
		return WEIGHTS_UNTOLD;
	}
	struct state_note note = note_of(c);
	if (!save(w, &c->to, &note)) {
		c->error = errno;
		return WEIGHTS_UNSAVED;
	}
	publish_values(w, &c->to);
	return WEIGHTS_WAITING;
}

static enum weights_verdict change_at_once(struct weights *w, struct weights_change *c)
{
	struct state_note note = note_of(c);
	publish_values(w, &c->to);
	w->wake(w->waker);
	if (!save(w, &c->to, &note)) {
		c->error = errno;
		save_failed(w, errno);
	}
	return WEIGHTS_WAITING;
}

enum weights_verdict weights_set(struct weights *w, struct weights_change *c)
{
	must(c->weights[ARM_SOURCE] <= WEIGHT_MAX && c->weights[ARM_TARGET] <= WEIGHT_MAX &&
	     c->done);
	struct board_values now = board_read(w->board);
	c->in = w;
	c->error = 0;
	c->untold = false;
	timer_init(&c->look_again, look);
	c->from = values_of(&now, w->changed_wall_ns);
	c->to = (struct state_values){ now.epoch + 1,
				       { c->weights[ARM_SOURCE], c->weights[ARM_TARGET] },
				       clock_wall_ns(),
				       c->at_once };
	if (c->weights[ARM_SOURCE] == 0 && c->weights[ARM_TARGET] == 0)
		return c->verdict = WEIGHTS_ZERO;
	if (c->if_epoch && c->if_epoch != now.epoch)
		return c->verdict = WEIGHTS_STALE;
	c->verdict = c->at_once ? change_at_once(w, c) : change_by_saving(w, c);
	if (c->verdict == WEIGHTS_WAITING) {
		say_change(w, c);
		await_acknowledgment(w, c);
	}
	return c->verdict;
}
