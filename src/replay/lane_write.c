#include "replay/copier_private.h"

#include "base/limits.h"

/* --- writing --- */

void lane_write(struct lane *l)
{
	struct copier *c = l->copier;
	struct span body = batch_operations(l->batch);
	l->state = LANE_WRITING;
	l->results = l->unheard = false;
	struct msg *m = subrequest_begin(&l->put, arm_other(c->config.owner), SPAN("POST"),
					 SPAN("/_bulk?pipeline=_none"));
	if (!m) {
		batch_no_results(l->batch);
		lane_fail(l);
		return;
	}
	unheard_id(c->config.unheard, l->id);
	msg_add_named(m, SPAN("X-Opaque-Id"), span_of(l->id));
	subrequest_write(&l->put, body.at, body.n);
	subrequest_send(&l->put, SPAN("application/x-ndjson"), COPIER_TIMEOUT_MS);
}

/* A bulk is complete: the indices of its documents first. */
void lane_prepare(struct lane *l)
{
	if (!batch_operation_n(l->batch)) {
		l->again = l->read == READ_BAD;
		lane_end(l);
		return;
	}
	l->state = LANE_WAITING;
	l->streams = false;
	copier_look(l->copier);
}

static size_t lane_put_data(struct subrequest *s, struct span bytes)
{
	struct lane *l = list_entry(s, struct lane, put);
	struct span rest = bytes;
	if (l->put.status != 200 || l->results)
		return bytes.n;
	enum batch_step step = batch_read_results(l->batch, &rest, false);
	l->results = step == BATCH_END || step == BATCH_BAD;
	l->again |= step == BATCH_BAD;
	l->unheard |= step == BATCH_BAD;
	return bytes.n;
}

/* A shard did not respond to the node that has the bulk, and may have its part still. */
static bool lane_has_unheard_item(const struct lane *l)
{
	for (size_t i = 0; i < batch_n(l->batch); i++) {
		const struct copy *copy = batch_copy(l->batch, i);
		if (copy->verdict == COPY_AGAIN && copy->status >= 500)
			return true;
	}
	return false;
}

static void lane_put_over(struct subrequest *s, enum err why)
{
	struct lane *l = list_entry(s, struct lane, put);
	struct copier *c = l->copier;
	struct span nothing = { "", 0 };
	why = why == ERR_NONE ? l->put.local : why;
	bool good = why == ERR_NONE && l->put.status == 200;
	if (good && !l->results)
		l->again |= batch_read_results(l->batch, &nothing, true) == BATCH_BAD;
	l->unheard |= l->again || subrequest_is_unheard(s, why) || lane_has_unheard_item(l);
	if (good)
		return;
	if (!l->results)
		batch_no_results(l->batch);
	copier_note(c, arm_other(c->config.owner), "_bulk", l->put.status, why);
	l->again = true;
}

static void lane_heard(struct unheard_wait *w)
{
	lane_end(list_entry(w, struct lane, wait));
}

/* False: nobody waits any more. */
static bool lane_wait(struct lane *l)
{
	l->again = true;
	l->state = LANE_UNHEARD;
	subrequest_stop(&l->get);
	return unheard_wait(l->copier->config.unheard, &l->wait, l->id, lane_heard);
}

/* The bulk is over: the rest of the owner's response, or the end. */
static void lane_put_gone(struct subrequest *s)
{
	struct lane *l = list_entry(s, struct lane, put);
	if (l->state == LANE_WRITING && l->unheard && lane_wait(l))
		return;
	if (l->state == LANE_ENDING || l->again || l->read == READ_WHOLE || l->read == READ_BAD) {
		l->again |= l->read == READ_BAD;
		lane_end(l);
		return;
	}
	l->state = LANE_READING;
	l->read = READ_ON;
	/* No byte was left behind the bulk, and the response has ended meanwhile. */
	if (l->get.state != SUBREQUEST_SENT)
		lane_read_end(l);
	if (subrequest_is_idle(&l->get))
		lane_prepare(l);
	else
		subrequest_resume(&l->get);
}

const struct subrequest_user lane_put_user = { .data = lane_put_data,
					       .over = lane_put_over,
					       .gone = lane_put_gone };
