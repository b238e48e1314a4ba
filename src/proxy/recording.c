#include "proxy/recording.h"

#include "base/limits.h"
#include "capture/journal.h"
#include "proxy/attempt.h"
#include "proxy/decision.h"
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
	const struct feed *f = &ex->desk->taps->feed;
	const struct journal *j = f->journal;
	uint64_t room = journal_room(j);
	bool write = is_write(ex);
	if (journal_is_late(j) && waits(p->durable, ex) && p->unavailable == UNAVAILABLE_REFUSE)
		return RECORDING_REFUSED;
	if (journal_state(j) == JOURNAL_UNAVAILABLE || (!room && feed_is_choked(f))) {
		if (write && p->unavailable == UNAVAILABLE_REFUSE)
			return RECORDING_REFUSED;
		lose(ex, GAP_UNAVAILABLE);
		return RECORDING_NOT;
	}
	if (!write && room <= journal_queued(j)) {
		lose(ex, GAP_SHED);
		return RECORDING_NOT;
	}
	return room ? RECORDING_BEGUN : RECORDING_LATER;
}

/* --- when it is durable --- */

static void release_request(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	r->request_shut = !exchange_is_whole(ex);
	if (!r->request_shut)
		r->released_ns = ex->desk->io->now_ns;
	if (ex->state == EXCHANGE_HELD && (!r->request_shut || r->in_pieces))
		decision_node(ex);
	else
		attempt_pass_body(ex);
}

static void turn_away(struct exchange *ex)
{
	taps_refuse(ex->desk->taps, is_write(ex));
	exchange_request_broke(ex, ERR_CAPTURE);
}

/* The log has no byte of it, and no node had all of it. */
static void refuse_request(struct exchange *ex)
{
	recording_drop(ex);
	turn_away(ex);
}

/* Some of it is in the log already, which will say that it was not sent. */
static void refuse_late(struct exchange *ex)
{
	ex->recording.answer_shut = false;
	turn_away(ex);
}

/* Its node has answered before it was whole: that passes, counted, and the rest goes nowhere. */
static void leave_rest(struct exchange *ex)
{
	ex->recording.request_shut = false;
	recording_forgo(ex);
	if (stream_sends(&ex->back))
		stream_abort(ex->back.peer, STREAM_RESET, ERR_CAPTURE);
	exchange_stop_request(ex);
	attempt_leave_if_over(ex);
}

/* Without a whole record it passes, is counted once, and waits no more. */
static void pass_unrecorded(struct exchange *ex)
{
	if (!ex->recording.forgone)
		recording_forgo(ex);
	ex->recording.forgone = true;
	release_request(ex);
}

static void request_settled(struct exchange *ex, enum batch_state became)
{
	struct recording *r = &ex->recording;
	if (!r->request_shut)
		return;
	bool refuse = r->tap->policy->unavailable == UNAVAILABLE_REFUSE;
	/* What came before may have been lost while the log was away, and it is back. */
	bool torn = r->tap->lost && became != BATCH_FAILED;
	if (!refuse && (torn || became == BATCH_FAILED))
		pass_unrecorded(ex);
	else if (r->over && (torn || became != BATCH_DURABLE) && refuse)
		leave_rest(ex);
	else if (became == BATCH_FAILED)
		refuse_request(ex);
	else if (torn || (became == BATCH_LATE && refuse))
		refuse_late(ex);
	else
		release_request(ex);
}

/* It has been recorded as far as it could be: what was done is never answered with an error. */
static void release_answer(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	struct stream *to = ex->front.peer;
	struct msg *head = r->head, *trailers = r->trailers;
	if (!r->answer_shut || !r->over)
		return;
	r->answer_shut = false;
	if (ex->state != EXCHANGE_PASSING || !stream_sends(&ex->front))
		return;
	r->head = NULL;
	if (head)
		stream_head(to, head, !r->body.bytes && !trailers);
	if (stream_sends(&ex->front) && (r->body.bytes || !trailers))
		stream_data(to, &r->body, !trailers);
	if (stream_sends(&ex->front) && trailers)
		stream_trailers(to, trailers);
}

static void settled(struct tap *t, enum batch_state became)
{
	struct exchange *ex = t->owner;
	request_settled(ex, became);
	release_answer(ex);
	exchange_end_if_over(ex);
}

/* --- the request --- */

static struct tap_facts facts_of(const struct exchange *ex)
{
	return (struct tap_facts){
		.connection = ex->connection,
		.ordinal = ex->ordinal,
		.epoch = ex->epoch,
		.write = is_write(ex),
		.target = ex->arm == ARM_TARGET,
		.tls = ex->tls,
		.client = &ex->client,
		.listener = ex->listener->name,
	};
}

static void wait_for_room(struct exchange *ex)
{
	if (list_empty(&ex->stall_link))
		list_add_tail(&ex->desk->stalled, &ex->stall_link);
}

/* Trailers may have come while it waited. */
static void open_tap(struct exchange *ex, const struct capture_policy *p)
{
	bool end = exchange_is_whole(ex) && !ex->trailers;
	struct recording *r = &ex->recording;
	struct tap_facts facts = facts_of(ex);
	r->tap = tap_open(ex->desk->taps, &ex->arena, p, &facts, ex->request, end, ex, settled);
	r->request_shut = r->tap->awaited = waits(p->durable, ex);
	r->in_pieces = p->gate == GATE_PIECE || ex->class.in_parts;
	r->answer_shut = r->request_shut && p->acknowledge == ACKNOWLEDGE_OUTCOME;
	if (ex->trailers)
		tap_request_trailers(r->tap, ex->trailers);
}

enum recording_verdict recording_begin(struct exchange *ex)
{
	const struct capture_policy *p = ex->plan->capture;
	if (!p || ex->arm != ARM_SOURCE || !ex->desk->taps)
		return RECORDING_NOT;
	if (p->skips && skips_have(p->skips, ex->request)) {
		taps_skip(ex->desk->taps, is_write(ex));
		return RECORDING_NOT;
	}
	if (ex->request->tunnel) {
		ex->recording.tunnel = p->tunnels == TUNNELS_FORWARD;
		if (ex->recording.tunnel)
			feed_tunnel_begins(&ex->desk->taps->feed);
		return ex->recording.tunnel ? RECORDING_NOT : RECORDING_TUNNEL;
	}
	enum recording_verdict v = ask_journal(ex, p);
	if (v == RECORDING_BEGUN)
		open_tap(ex, p);
	else if (v == RECORDING_LATER)
		wait_for_room(ex);
	else if (v == RECORDING_REFUSED)
		taps_refuse(ex->desk->taps, is_write(ex));
	return v;
}

/* NULL: there is none, or no plan has it any more. */
static const char *node_name(const struct exchange *ex)
{
	return ex->node && ex->node->node ? ex->node->node->name : NULL;
}

void recording_answer(struct exchange *ex, const struct msg *m, bool end)
{
	struct recording *r = &ex->recording;
	r->tap->like.attempts = ex->attempt_n;
	tap_answer(r->tap, m, end, r->released_ns, node_name(ex));
}

/* A part of a request that waits as a whole is nothing that a cluster acts on. */
static enum outcome outcome(const struct exchange *ex)
{
	const struct recording *r = &ex->recording;
	if (ex->answered_ns)
		return ex->status < 400	  ? OUTCOME_ACCEPTED
		       : ex->status < 500 ? OUTCOME_REJECTED
					  : OUTCOME_FAILED;
	bool held_back = r->request_shut && !r->in_pieces;
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
	tap_outcome(r->tap, o, node_name(ex), ex->why ? err_word((enum err)ex->why) : NULL);
}

void recording_drop(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	tap_close(r->tap);
	chain_drop(&r->body);
	*r = (struct recording){ 0 };
}

/* Where it went to no node nothing is missing. */
static void end_tunnel(struct exchange *ex)
{
	struct tap_facts facts = facts_of(ex);
	ex->recording.tunnel = false;
	feed_tunnel_ends(&ex->desk->taps->feed, ex->attempt_n);
	if (ex->attempt_n)
		taps_tunnel(ex->desk->taps, &facts, ex->began_ns, ex->request_bytes,
			    ex->answer_bytes);
}

void recording_end(struct exchange *ex)
{
	if (ex->recording.tunnel)
		end_tunnel(ex);
	if (!ex->recording.tap)
		return;
	recording_tell(ex);
	recording_drop(ex);
}

/* --- what waits --- */

bool recording_holds_back(const struct exchange *ex)
{
	const struct recording *r = &ex->recording;
	return r->request_shut && (exchange_is_whole(ex) || tap_waits(r->tap));
}

/* One that waits to be told to go on waits for nothing but its head. */
static bool comes_in_one_piece(const struct msg *m)
{
	return !m->expects && (m->body != BODY_LENGTH || m->length <= GATE_HOLD_BYTES);
}

bool recording_gathers(const struct exchange *ex, bool end)
{
	const struct recording *r = &ex->recording;
	return r->request_shut && (end || r->in_pieces || comes_in_one_piece(ex->request));
}

void recording_gather(struct exchange *ex, bool end)
{
	ex->state = EXCHANGE_HELD;
	if (end || !comes_in_one_piece(ex->request))
		tap_wait(ex->recording.tap);
	else
		stream_grant(ex->front.peer, GATE_HOLD_BYTES);
}

/* Once all of the request is recorded, its end waits until that is durable. */
void recording_asked_data(struct exchange *ex, struct chain *c, bool end)
{
	struct recording *r = &ex->recording;
	tap_request_data(r->tap, c, end);
	chain_move(&ex->retry.pending, c);
	if (r->request_shut && (end || r->in_pieces))
		tap_wait(r->tap);
	if (ex->state == EXCHANGE_HELD && !r->in_pieces && !end &&
	    ex->retry.pending.bytes == GATE_HOLD_BYTES)
		decision_node(ex);
	else
		attempt_pass_body(ex);
	exchange_end_if_over(ex);
}

bool recording_stalls(struct exchange *ex)
{
	if (!ex->recording.tap || journal_room(ex->desk->taps->feed.journal))
		return false;
	wait_for_room(ex);
	return true;
}

static void resume(struct exchange *ex)
{
	list_remove(&ex->stall_link);
	if (ex->state == EXCHANGE_STALLED)
		exchange_go_on(ex);
	else
		attempt_grant_client(ex);
	exchange_end_if_over(ex);
}

/* Each is taken for what it may bring at once: else all come back, and it is full twice over. */
void recording_resume(struct desk *d)
{
	const struct feed *f = &d->taps->feed;
	uint64_t room = journal_room(f->journal);
	bool choked = feed_is_choked(f);
	list_each_safe(l, &d->stalled) {
		struct exchange *ex = list_entry(l, struct exchange, stall_link);
		if (!room && !(choked && ex->state == EXCHANGE_STALLED))
			continue;
		room -= room < GATE_HOLD_BYTES ? room : GATE_HOLD_BYTES;
		resume(ex);
	}
}

/* All of it has come: what became of the request is known, and the client hears when that is safe.
 */
void recording_answer_is_over(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	if (!r->tap)
		return;
	r->over = true;
	recording_tell(ex);
	if (r->answer_shut)
		tap_wait(r->tap);
}

/* An answer whose end must wait is not begun before, where it is small: it goes in one piece. */
bool recording_holds_answer(const struct exchange *ex, const struct msg *m, bool end)
{
	bool last = m->status >= 200;
	return ex->recording.answer_shut && last &&
	       (end || (m->body == BODY_LENGTH && m->length <= GATE_HOLD_BYTES));
}

void recording_yield(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	struct stream *to = ex->front.peer;
	struct msg *head = r->head;
	if (!head || r->over || ex->state != EXCHANGE_PASSING || !stream_sends(&ex->front))
		return;
	r->head = NULL;
	stream_head(to, head, false);
	if (r->body.bytes && stream_sends(&ex->front))
		stream_data(to, &r->body, false);
}
