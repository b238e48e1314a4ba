#include "replay/copier_private.h"

#include "base/limits.h"

/* --- reading --- */

static void lane_take_step(struct lane *l, enum batch_step step)
{
	if (step == BATCH_SEND)
		l->read = READ_RESTS;
	else if (step == BATCH_END)
		l->read = READ_WHOLE;
	else if (step == BATCH_BAD)
		l->read = READ_BAD;
}

static size_t lane_get_data(struct subrequest *s, struct span bytes)
{
	struct lane *l = list_entry(s, struct lane, get);
	struct span rest = bytes;
	/* A bulk of the batch is on its way: the batch takes no more before its results. */
	if (l->read == READ_RESTS)
		return 0;
	if (l->get.status != 200 || l->read == READ_WHOLE || l->read == READ_BAD)
		return bytes.n;
	lane_take_step(l, batch_read_documents(l->batch, &rest, false));
	if (l->read == READ_RESTS) {
		lane_prepare(l);
		return bytes.n - rest.n;
	}
	return bytes.n;
}

/* All of the owner's response has come: a batch that wants more is bad. */
void lane_read_end(struct lane *l)
{
	struct span nothing = { "", 0 };
	lane_take_step(l, batch_read_documents(l->batch, &nothing, true));
	l->read = l->read == READ_ON ? READ_BAD : l->read;
}

static void lane_get_over(struct subrequest *s, enum err why)
{
	struct lane *l = list_entry(s, struct lane, get);
	why = why == ERR_NONE ? l->get.local : why;
	bool good = why == ERR_NONE && l->get.status == 200;
	if (!good) {
		copier_note(l->copier, l->copier->config.owner, "_mget", l->get.status, why);
		l->read = READ_BAD;
		l->again = true;
	} else if (l->read == READ_ON) {
		lane_read_end(l);
	}
}

static void lane_get_gone(struct subrequest *s)
{
	struct lane *l = list_entry(s, struct lane, get);
	if (l->state == LANE_READING)
		lane_prepare(l);
	else if (l->state == LANE_ENDING)
		lane_end(l);
}

const struct subrequest_user lane_get_user = { .data = lane_get_data,
					       .over = lane_get_over,
					       .gone = lane_get_gone };

void lane_read(struct lane *l)
{
	struct copier *c = l->copier;
	struct span body = batch_question(l->batch);
	if (l->state == LANE_IDLE)
		l->number = ++c->begun;
	l->state = LANE_READING;
	l->read = READ_ON;
	l->again = false;
	struct msg *m = subrequest_begin(&l->get, c->config.owner, SPAN("POST"), SPAN("/_mget"));
	if (!m) {
		lane_fail(l);
		return;
	}
	subrequest_write(&l->get, body.at, body.n);
	subrequest_send(&l->get, SPAN("application/json"), COPIER_TIMEOUT_MS);
}
