#include "control/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/unrecorded.h"
#include "control/audit.h"

static bool has_file(int directory, const char *name)
{
	return !faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* Counts of unrecorded requests come from a balancer that has served. */
static bool has_counted(int directory)
{
	struct unrecorded_seen seen;
	bool any = has_file(directory, UNRECORDED_DAMAGED);
	if (!unrecorded_look(directory, &seen))
		return any;
	for (int i = 0; i < GAP_REASONS; i++)
		any |= seen.total[i].reads || seen.total[i].writes || seen.total[i].outcomes;
	return any;
}

/* The audit is made after the first state is on the disk, and drained.json after that. */
static void evidence_look_into(struct evidence *e, int directory, const struct state_note *note)
{
	bool drained = has_file(directory, "drained.json"), audit = has_file(directory, AUDIT_FILE);
	struct audit_seen seen;
	e->witness = audit		      ? AUDIT_FILE
		     : drained		      ? "drained.json"
		     : has_counted(directory) ? UNRECORDED_FILE
					      : NULL;
	audit_look(directory, &seen);
	e->audited = seen.last;
	e->audit_damaged = seen.damaged_n > 0;
	e->drains_lost = seen.drains && !drained;
	e->untold = note->epoch && seen.last.epoch && seen.last.epoch + 1 == e->kept.epoch;
	if (!audit_trouble(&seen, e->kept.epoch - e->untold, e->audit))
		e->audit[0] = 0;
}

void evidence_look_at_state(struct evidence *e, const struct config *c)
{
	*e = (struct evidence){ 0 };
	int state = open(c->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state >= 0) {
		struct state_note note;
		enum state_trouble trouble;
		state_peek(c->state, &e->kept, &note, &trouble);
		evidence_look_into(e, state, &note);
		close(state);
	}
}

void evidence_look(struct evidence *e, const struct config *c)
{
	evidence_look_at_state(e, c);
	if (c->capture.head.at == NOWHERE)
		return;
	int log = open(c->capture.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log >= 0) {
		newest_epoch_look(log, &e->logged);
		close(log);
	}
}

void evidence_say(const struct evidence *e, const char *directory)
{
	if (e->drains_lost)
		log_line(LOG_ERROR,
			 "drain: %s/drained.json is missing, but " AUDIT_FILE
			 " has drained nodes: all nodes get requests; drain those again that must "
			 "not get any",
			 directory);
	if (e->audit[0])
		log_line(LOG_WARN, "audit: %s/" AUDIT_FILE ": %s", directory, e->audit);
}

void evidence_warning(struct config *c)
{
	struct evidence e;
	struct state_values kept;
	struct state_note note;
	enum state_trouble trouble;
	char why[EVIDENCE_TEXT_BYTES];
	evidence_look(&e, c);
	state_peek(c->state, &kept, &note, &trouble);
	if (trouble)
		snprintf(why, sizeof why, "%s", state_trouble_text(trouble));
	if (trouble || !evidence_allows(&e, &kept, why))
		warn_at(&c->diagnostics, config_place(c, "state"),
			"state: the weights are lost: %s. A start would be refused; `crossfade "
			"recover` shows what is known, and restores them",
			why);
	if (e.audit[0])
		warn_at(&c->diagnostics, config_place(c, "state"), "state: " AUDIT_FILE ": %s",
			e.audit);
}

bool evidence_allows(const struct evidence *e, const struct state_values *kept,
		     char why[EVIDENCE_TEXT_BYTES])
{
	unsigned long long logged = e->logged.epoch, audited = e->audited.epoch;
	/* The audit knows a rollback that could not be saved. */
	uint64_t known = kept->epoch && e->audited.rolled_back && audited > kept->epoch
				 ? audited
				 : kept->epoch;
	/* The end of a hold that did not change the owner is published before it is saved. */
	if (kept->phase != BOARD_PHASE_OPEN)
		known = most(known, kept->epoch + HELD_EPOCHS - 1);
	if (!kept->epoch && logged)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "there are none, but the capture log has requests of epoch %llu", logged);
	else if (!kept->epoch && e->witness)
		snprintf(why, EVIDENCE_TEXT_BYTES, "there are none, but %s shows that there were",
			 e->witness);
	else if (!kept->epoch && e->logged.requests)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "there are none, but the capture log has requests");
	else if (logged > known)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "they are of epoch %llu, but the capture log has requests of epoch %llu",
			 (unsigned long long)known, logged);
	else if (audited > known)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "they are of epoch %llu, but " AUDIT_FILE " has epoch %llu",
			 (unsigned long long)known, audited);
	else
		return true;
	return false;
}

bool evidence_weights(const struct evidence *e, const struct state_values *kept,
		      struct state_values *to)
{
	uint64_t known = most(e->logged.epoch, kept->epoch);
	*to = e->audited;
	to->owner = kept->owner;
	to->since = kept->since;
	to->epoch = most(known, e->audited.epoch) + RECOVERED_EPOCHS;
	return e->audited.epoch && e->audited.epoch >= known && !e->audit_damaged;
}
