#include "control/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "control/values.h"

/* --- the audit's lines --- */

static bool ledger_append(struct ledger *l, const struct ledger_line *o)
{
	const struct audit_entry e = { .who = o->who,
				       .why = o->why[0] ? o->why : NULL,
				       .from = o->from,
				       .to = o->to,
				       .saved = o->saved,
				       .forced = o->forced,
				       .lineless_n = o->lineless_n,
				       .lineless_epoch = o->lineless_epoch };
	return audit_append(&l->audit, &e);
}

/* When no more lines can be kept, the line of the last change tells how many changes have none. */
static void ledger_owe(struct ledger *l, struct ledger_line *o)
{
	if (l->owed_n == AUDIT_OWED_MAX) {
		const struct ledger_line *last = &l->owed[--l->owed_n];
		o->lineless_n = last->lineless_n + 1;
		o->lineless_epoch = last->lineless_n ? last->lineless_epoch : last->to.epoch;
	}
	l->owed[l->owed_n++] = *o;
}

uint64_t ledger_untold(const struct ledger *l)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < l->owed_n; i++)
		n += 1 + l->owed[i].lineless_n;
	return n;
}

bool ledger_tell_owed(struct ledger *l)
{
	unsigned told = 0;
	while (told < l->owed_n && ledger_append(l, &l->owed[told]))
		told++;
	int why = errno;
	l->owed_n -= told;
	if (told)
		memmove(l->owed, l->owed + told, l->owed_n * sizeof l->owed[0]);
	if (told && !l->owed_n)
		log_line(LOG_INFO, "weights: audit.jsonl has a line for every change again");
	errno = why;
	return l->owed_n == 0;
}

bool ledger_tell(struct ledger *l, const struct ledger_line *line)
{
	struct ledger_line own = *line;
	if (ledger_tell_owed(l) && ledger_append(l, line))
		return true;
	int why = errno;
	ledger_owe(l, &own);
	errno = why;
	return false;
}

/* The previous process was killed after it saved this change and before it wrote the line. */
static void ledger_tell_last(struct ledger *l, const struct state_values *kept)
{
	const struct state_note *n = &l->state.note;
	struct ledger_line o = {
		.from.weights = { n->from[ARM_SOURCE], n->from[ARM_TARGET] },
		.to = *kept,
		.saved = true,
		.forced = n->forced,
	};
	memcpy(o.who, n->who, sizeof o.who);
	memcpy(o.why, n->why, sizeof o.why);
	if (!ledger_append(l, &o))
		ledger_owe(l, &o);
	log_line(LOG_WARN,
		 "audit: the previous process ended after the change of epoch %llu and before its "
		 "line was written: the line is written now",
		 (unsigned long long)kept->epoch);
}

/* --- opening --- */

/* `now` is in force from now on; saves it if it is newer than the file. */
static bool ledger_settle(struct ledger *l, const struct board_values *board,
			  const struct state_values *kept, const struct state_values *now)
{
	/*
	 * It cannot be saved. If the board or the file has weights, serving with these is better
	 * than not serving.
	 */
	if (now->epoch <= kept->epoch || l->unsaved || state_save(&l->state, now))
		return true;
	l->unsaved = errno;
	return board->epoch || kept->epoch;
}

/* An errno, or 0. */
static int ledger_open_state(struct ledger *l, struct state_values *kept,
			     enum state_trouble *trouble)
{
	return state_open(&l->state, l->directory, kept, trouble) ? l->state.sealed : errno;
}

/*
 * With known weights traffic is served. After a crash the board has them; a state directory that
 * became read-only has them, too. Changes then report that they are not saved.
 */
static bool ledger_may_continue(const struct ledger *l, const struct board_values *board,
				const struct state_values *kept)
{
	return board->epoch || (kept->epoch && l->state.sealed);
}

/* A rollback is made even if it cannot be saved: then only the audit has it. */
static void ledger_log_rollback(const struct board_values *board, const struct state_values *kept,
				const struct state_values *audited)
{
	if (!board->epoch && kept->epoch && audited->epoch > kept->epoch)
		log_line(LOG_WARN,
			 "weights: the rollback of epoch %llu was not saved: it is read from the "
			 "audit",
			 (unsigned long long)audited->epoch);
}

/* For a lost state nothing is invented: an operator must choose the weights to start with. */
static bool ledger_is_lost(const struct board_values *board, const struct state_values *kept,
			   enum state_trouble trouble, const struct evidence *e,
			   char why[EVIDENCE_TEXT_BYTES])
{
	if (board->epoch)
		return false;
	if (trouble)
		snprintf(why, EVIDENCE_TEXT_BYTES, "%s", state_trouble_text(trouble));
	return trouble || !evidence_allows(e, kept, why);
}

/* The audit is opened last, because its presence shows that there was a state. An errno, or 0. */
static int ledger_take_up(struct ledger *l, const struct board_values *board,
			  const struct state_values *kept, const struct evidence *e,
			  const struct state_values *now)
{
	bool goes_on = ledger_may_continue(l, board, kept);
	if (l->unsaved && !goes_on)
		return l->unsaved;
	ledger_log_rollback(board, kept, &e->audited);
	if (!ledger_settle(l, board, kept, now))
		return l->unsaved;
	if (audit_open(&l->audit, l->directory)) {
		if (e->untold)
			ledger_tell_last(l, kept);
		return 0;
	}
	if (!l->unsaved)
		l->unsaved = errno;
	return goes_on ? 0 : l->unsaved;
}

bool ledger_open(struct ledger *l, const struct board_values *board, const char *directory,
		 const uint32_t initial[ARMS], const struct evidence *evidence,
		 struct state_values *now, char error[LEDGER_TEXT_BYTES])
{
	struct state_values kept;
	enum state_trouble trouble;
	char why[EVIDENCE_TEXT_BYTES];
	*l = (struct ledger){ .state.fd = -1, .audit.fd = -1 };
	snprintf(l->directory, sizeof l->directory, "%s", directory);
	l->unsaved = ledger_open_state(l, &kept, &trouble);
	if (l->state.fd >= 0 && ledger_is_lost(board, &kept, trouble, evidence, why))
		goto lost;
	if (trouble)
		log_line(LOG_ERROR, "weights: %s/weights has no usable values: %s", directory,
			 state_trouble_text(trouble));
	*now = values_at_start(board, &kept, &evidence->audited, initial);
	int error_n = ledger_take_up(l, board, &kept, evidence, now);
	if (!error_n)
		return true;
	snprintf(error, LEDGER_TEXT_BYTES, "cannot use %.180s: %s", directory, strerror(error_n));
	ledger_close(l);
	return false;
lost:
	snprintf(error, LEDGER_TEXT_BYTES,
		 "the weights in %.64s %s: %.90s. `crossfade recover -c FILE` shows what is known, "
		 "and restores them",
		 directory, trouble == STATE_NEWER ? "cannot be read" : "are lost", why);
	ledger_close(l);
	return false;
}

/* --- saving --- */

bool ledger_reopen(struct ledger *l)
{
	struct state_values kept;
	struct state fresh;
	enum state_trouble trouble;
	if (l->audit.fd < 0 && !audit_open(&l->audit, l->directory))
		return false;
	if (l->state.fd >= 0 && !l->state.sealed)
		return true;
	if (!state_open(&fresh, l->directory, &kept, &trouble))
		return false;
	state_close(&l->state);
	l->state = fresh;
	return true;
}

bool ledger_save(struct ledger *l, const struct state_values *v, const struct state_note *n)
{
	bool good = ledger_reopen(l) && state_save_noted(&l->state, v, n);
	if (good && l->unsaved)
		log_line(LOG_INFO, "weights: the state is saved again (epoch %llu)",
			 (unsigned long long)v->epoch);
	if (good)
		l->unsaved = 0;
	return good;
}

/* Tries for the last time: the next process does not know of these lines. */
static void ledger_tell_finally(struct ledger *l)
{
	if (l->owed_n && !ledger_tell_owed(l))
		log_line(LOG_ERROR,
			 "weights: %llu changes, the last of them of epoch %llu, have no line in "
			 "audit.jsonl: %s",
			 (unsigned long long)ledger_untold(l),
			 (unsigned long long)l->owed[l->owed_n - 1].to.epoch, strerror(errno));
	l->owed_n = 0;
}

void ledger_close(struct ledger *l)
{
	ledger_tell_finally(l);
	audit_close(&l->audit);
	state_close(&l->state);
}
