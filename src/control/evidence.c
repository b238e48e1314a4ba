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

static bool is_there(int directory, const char *name)
{
	return !faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* What has passed unrecorded has passed through a balancer that served. */
static bool has_counted(int directory)
{
	struct unrecorded_seen seen;
	bool any = is_there(directory, UNRECORDED_DAMAGED);
	if (!unrecorded_look(directory, &seen))
		return any;
	for (int i = 0; i < GAP_REASONS; i++)
		any |= seen.total[i].reads || seen.total[i].writes || seen.total[i].outcomes;
	return any;
}

/* The audit comes behind the first state that is on the disk, drains later still. */
static void look_at_state(struct evidence *e, int directory, const struct state_note *note)
{
	bool drained = is_there(directory, "drained.json"), audit = is_there(directory, AUDIT_FILE);
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

void evidence_look(struct evidence *e, const struct config *c)
{
	*e = (struct evidence){ 0 };
	int state = open(c->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state >= 0) {
		struct state_note note;
		bool damaged;
		state_peek(c->state, &e->kept, &note, &damaged);
		look_at_state(e, state, &note);
		close(state);
	}
	if (c->capture.head.at == NOWHERE)
		return;
	int log = open(c->capture.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log >= 0) {
		newest_look(log, &e->logged);
		close(log);
	}
}

void evidence_say(const struct evidence *e, const char *directory)
{
	if (e->drains_lost)
		log_line(LOG_ERROR,
			 "drain: %s/drained.json is gone, and " AUDIT_FILE
			 " tells of drained nodes: all nodes get requests; drain again those that "
			 "must not",
			 directory);
	if (e->audit[0])
		log_line(LOG_WARN, "audit: %s/" AUDIT_FILE ": %s", directory, e->audit);
}

void evidence_caution(struct config *c)
{
	struct evidence e;
	struct state_values kept;
	struct state_note note;
	bool damaged;
	char why[EVIDENCE_TEXT_BYTES] = "the file is damaged";
	evidence_look(&e, c);
	state_peek(c->state, &kept, &note, &damaged);
	if (damaged || !evidence_allows(&e, &kept, why))
		caution(&c->complaints, config_place(c, "state"),
			"state: the weights are lost: %s. A start is refused; `crossfade recover` "
			"says what is known, and puts them back",
			why);
	if (e.audit[0])
		caution(&c->complaints, config_place(c, "state"), "state: " AUDIT_FILE ": %s",
			e.audit);
}

bool evidence_allows(const struct evidence *e, const struct state_values *kept,
		     char why[EVIDENCE_TEXT_BYTES])
{
	unsigned long long logged = e->logged.epoch, audited = e->audited.epoch;
	/* A rollback that could not be saved is known to the last word. */
	uint64_t known = kept->epoch && e->audited.rolled_back && audited > kept->epoch
				 ? audited
				 : kept->epoch;
	if (!kept->epoch && logged)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "there are none, and the capture log has requests of epoch %llu", logged);
	else if (!kept->epoch && e->witness)
		snprintf(why, EVIDENCE_TEXT_BYTES, "there are none, and %s says that there were",
			 e->witness);
	else if (!kept->epoch && e->logged.requests)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "there are none, and the capture log has requests");
	else if (logged > known)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "they are of epoch %llu, and the capture log has requests of epoch %llu",
			 (unsigned long long)known, logged);
	else if (audited > known)
		snprintf(why, EVIDENCE_TEXT_BYTES,
			 "they are of epoch %llu, and " AUDIT_FILE " knows of epoch %llu",
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
	to->epoch = most(known, e->audited.epoch) + RECOVERED_EPOCHS;
	return e->audited.epoch && e->audited.epoch >= known && !e->audit_damaged;
}
