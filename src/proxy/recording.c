#include "proxy/recording.h"

#include "base/limits.h"
#include "capture/journal.h"
#include "proxy/exchange.h"

static bool is_write(const struct exchange *ex)
{
	return ex->class.class == CLASS_WRITE;
}

static void lose(struct exchange *ex, enum gap_reason reason)
{
	feed_lose(&ex->desk->taps->feed, reason, is_write(ex) ? LOSS_WRITE : LOSS_READ);
}

void recording_forgo(struct exchange *ex)
{
	lose(ex, GAP_UNAVAILABLE);
}

static bool waits(enum capture_durable which, const struct exchange *ex)
{
	return which == DURABLE_ALL || (which == DURABLE_WRITES && is_write(ex));
}

/* Reads give way first; and where the log fails they pass, whatever is said of writes. */
static enum recording_verdict ask_journal(struct exchange *ex, const struct capture_policy *p)
{
	const struct journal *j = ex->desk->taps->feed.journal;
	uint64_t queued = journal_queued(j);
	bool write = is_write(ex);
	if (journal_state(j) == JOURNAL_UNAVAILABLE || queued >= LOG_QUEUE_BYTES) {
		if (write && p->unavailable == UNAVAILABLE_REFUSE)
			return RECORDING_REFUSED;
		lose(ex, GAP_UNAVAILABLE);
		return RECORDING_NOT;
	}
	if (!write && queued >= LOG_QUEUE_BYTES / 2) {
		lose(ex, GAP_SHED);
		return RECORDING_NOT;
	}
	return RECORDING_BEGUN;
}

static void open_tap(struct exchange *ex, const struct capture_policy *p, bool end,
		     void (*settled)(struct tap *t, bool durable))
{
	struct recording *r = &ex->recording;
	struct tap_facts facts = {
		.connection = ex->connection,
		.ordinal = ex->ordinal,
		.epoch = ex->epoch,
		.write = is_write(ex),
		.target = ex->arm == ARM_TARGET,
		.tls = ex->tls,
		.client = &ex->client,
		.listener = ex->listener->name,
	};
	r->tap = tap_open(ex->desk->taps, &ex->arena, p, &facts, ex->request, end, ex, settled);
	r->request_shut = waits(p->durable, ex);
	r->answer_shut = r->request_shut && p->acknowledge == ACKNOWLEDGE_OUTCOME;
}

enum recording_verdict recording_begin(struct exchange *ex, bool end,
				       void (*settled)(struct tap *t, bool durable))
{
	const struct capture_policy *p = ex->plan->capture;
	if (!p || ex->arm != ARM_SOURCE || !ex->desk->taps)
		return RECORDING_NOT;
	if (ex->request->tunnel)
		return RECORDING_TUNNEL;
	enum recording_verdict v = ask_journal(ex, p);
	if (v == RECORDING_BEGUN)
		open_tap(ex, p, end, settled);
	return v;
}

void recording_answer(struct exchange *ex, const struct msg *m, bool end)
{
	struct recording *r = &ex->recording;
	r->tap->like.attempts = ex->attempt_n;
	tap_answer(r->tap, m, end, r->released_ns, ex->node ? ex->node->node->name : NULL);
}

/* A part of a request that waits as a whole is nothing that a cluster acts on. */
static enum outcome outcome(const struct exchange *ex)
{
	const struct recording *r = &ex->recording;
	if (ex->answered_ns)
		return ex->status < 400	  ? OUTCOME_ACCEPTED
		       : ex->status < 500 ? OUTCOME_REJECTED
					  : OUTCOME_FAILED;
	bool held_back = r->request_shut && r->tap->policy->gate == GATE_END;
	return ex->unknown && !held_back ? OUTCOME_UNKNOWN : OUTCOME_NOT_SENT;
}

void recording_tell(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	if (r->told)
		return;
	r->told = true;
	struct record_outcome o = {
		.outcome = (uint8_t)outcome(ex),
		.attempts = ex->attempt_n,
		.status = ex->status,
		.request_bytes = ex->request_bytes,
		.answer_bytes = ex->answer_bytes,
		.arrived_mono_ns = ex->began_ns,
		.released_mono_ns = r->released_ns,
		.answered_mono_ns = ex->answered_ns,
	};
	tap_outcome(r->tap, o, ex->node ? ex->node->node->name : NULL,
		    ex->why ? err_word((enum err)ex->why) : NULL);
}

void recording_drop(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	tap_close(r->tap);
	chain_drop(&r->body);
	*r = (struct recording){ 0 };
}

void recording_end(struct exchange *ex)
{
	if (!ex->recording.tap)
		return;
	recording_tell(ex);
	recording_drop(ex);
}
