#include "control/weights_job.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"

struct weights_job *weights_job_new(struct weights *w, struct ledger *l,
				    void (*work)(struct disk_job *),
				    void (*done)(struct disk_job *))
{
	struct weights_job *j = calloc(1, sizeof *j);
	must(j);
	j->job = (struct disk_job){ .work = work, .done = done };
	j->in = w;
	j->ledger = l;
	return j;
}

static void look_at_ledger(struct weights_job *j)
{
	j->unsaved = j->ledger->unsaved;
	j->untold = ledger_untold(j->ledger);
}

/*
 * Saves the values only. Their line, which says that they were not saved, is written or owed
 * already.
 */
void weights_work_again(struct disk_job *job)
{
	struct weights_job *j = weights_job_of(job);
	struct ledger *l = j->ledger;
	ledger_tell_owed(l);
	if (l->unsaved)
		ledger_save(l, &j->line.to, &j->note);
	look_at_ledger(j);
}

static void weights_tell(struct weights_job *j)
{
	j->line.saved = j->error == 0;
	j->why_untold = ledger_tell(j->ledger, &j->line) ? 0 : errno;
	look_at_ledger(j);
}

void weights_work_tell(struct disk_job *job)
{
	weights_tell(weights_job_of(job));
}

static bool weights_work_refuse(struct weights_job *j, enum weights_saving why)
{
	j->saving = why;
	j->error = errno;
	look_at_ledger(j);
	return false;
}

/* If the state directory could not be opened earlier, it is tried again, and the audit, too. */
static bool weights_try_save(struct weights_job *j)
{
	struct ledger *l = j->ledger;
	if (!ledger_reopen(l))
		return weights_work_refuse(j, SAVING_UNSAVED);
	if (!ledger_tell_owed(l) || !audit_has_room(&l->audit))
		return weights_work_refuse(j, SAVING_UNTOLD);
	if (!ledger_save(l, &j->line.to, &j->note))
		return weights_work_refuse(j, SAVING_UNSAVED);
	look_at_ledger(j);
	return true;
}

void weights_work_save(struct disk_job *job)
{
	weights_try_save(weights_job_of(job));
}

void weights_work_keep(struct disk_job *job)
{
	struct weights_job *j = weights_job_of(job);
	struct ledger *l = j->ledger;
	if (!ledger_save(l, &j->line.to, &j->note))
		j->error = l->unsaved = errno;
	weights_tell(j);
}

void weights_work_close(struct disk_job *job)
{
	ledger_close(weights_job_of(job)->ledger);
}
