#include "proxy/attempt.h"

#include "base/bug.h"
#include "base/log.h"
#include "proxy/decision.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/patience.h"

#define exchange_of(pointer, member) list_entry(pointer, struct exchange, member)

/* --- its end --- */

/* The attempt with this node is over. */
static void leave_node(struct exchange *ex)
{
	if (!ex->node)
		return;
	struct counters *c = ex->desk->counters;
	struct node_counters *n = &c->nodes[ex->node->number];
	live_node_give(&ex->desk->clusters[ex->arm], ex->node);
	ex->desk->queues[ex->arm].freed = true;
	ex->node = NULL;
	counter_sub(&c->in_flight[ex->arm], 1);
	counter_sub(&n->in_flight, 1);
	counter_add(&n->attempts[exchange_status_class(ex)], 1);
}

void attempt_leave_if_over(struct exchange *ex)
{
	if (stream_over(&ex->back))
		leave_node(ex);
}

/* Nobody knows what became of a request that was sent and not answered. */
static void note_outcome(struct exchange *ex)
{
	if (!ex->node || ex->status || !pool_look(ex->back.peer).sent)
		return;
	ex->unknown = true;
	if (ex->class.class == CLASS_WRITE)
		counter_add(&ex->desk->counters->writes_unknown[ex->arm], 1);
}

/* Whether there is a node's stream to pass anything to. */
bool attempt_is_on(const struct exchange *ex)
{
	return ex->state == EXCHANGE_PASSING || ex->state == EXCHANGE_ORPHANED;
}

/* Gives the cluster's side up, both ways. */
void attempt_abandon(struct exchange *ex, enum err why)
{
	note_outcome(ex);
	struct stream *node = ex->back.peer;
	if (stream_sends(&ex->back))
		stream_abort(node, STREAM_RESET, why);
	if (stream_receives(&ex->back))
		stream_abort(node, STREAM_STOP, why);
	leave_node(ex);
}

/* What waits of the body goes to the node, as far as that takes it; then the end, if it has come.
 */
void attempt_pass_body(struct exchange *ex)
{
	struct stream *to = ex->back.peer;
	struct chain *pending = &ex->retry.pending, part = { 0 };
	/* A node that has answered early and wants no more may be gone. */
	if (!attempt_is_on(ex) || !stream_sends(&ex->back) || to->in != STREAM_BODY ||
	    recording_holds_back(ex))
		return;
	chain_move_some(&part, pending, pending->bytes < to->credit ? pending->bytes : to->credit);
	bool over = exchange_is_whole(ex) && !pending->bytes;
	if (part.bytes || (over && !ex->trailers))
		stream_data(to, &part, over && !ex->trailers);
	if (over && ex->trailers)
		stream_trailers(to, ex->trailers);
	attempt_leave_if_over(ex);
}

/* --- its beginning --- */

void attempt_begin(struct exchange *ex, struct live_node *node)
{
	struct counters *c = ex->desk->counters;
	ex->state = EXCHANGE_PASSING;
	ex->tried[ex->tried_n++] = node;
	if (ex->attempt_n++)
		counter_add(&c->retries[ex->arm], 1);
	else
		retry_budget_asked(&ex->desk->budgets[ex->arm], ex->desk->io->now_ns);
	ex->node = node;
	live_node_take(node);
	counter_add(&c->in_flight[ex->arm], 1);
	counter_add(&c->nodes[node->number].in_flight, 1);
	ex->asked_ns = ex->desk->io->now_ns;
	struct stream *to = ex->stale ? pool_connect(&node->pool, &ex->back, &ex->arena)
				      : pool_take(&node->pool, &ex->back, &ex->arena);
	pool_wait(to, patience_of(&ex->plan->clusters[ex->arm].patience, ex->request));
	if (ex->notes)
		access_note_attempt(ex->notes, &ex->arena, pool_address(to), node->node->name);
	if (ex->front.peer->credit)
		stream_grant(to, ex->front.peer->credit);
	bool bare = exchange_is_whole(ex) && !ex->trailers && !ex->retry.pending.bytes &&
		    !recording_holds_back(ex);
	stream_head(to, ex->request, bare);
	/* What came before there was this node to pass it to. */
	if (ex->back.peer == to)
		attempt_pass_body(ex);
}

/*
 * A write of which a node may have got a byte, and the rest is here: what becomes of it is to be
 * known, and an answer that has begun says that. When all is broken off nobody waits.
 */
bool attempt_is_to_be_seen_through(const struct exchange *ex, enum err why)
{
	return why != ERR_STOPPING && ex->state == EXCHANGE_PASSING && ex->node &&
	       ex->class.class == CLASS_WRITE && exchange_is_whole(ex) && !ex->status &&
	       pool_look(ex->back.peer).sent;
}

/* Its answer is read, as far as this credit goes, and dropped: nobody waits for more of it. */
void attempt_see_through(struct exchange *ex)
{
	struct desk *d = ex->desk;
	ex->state = EXCHANGE_ORPHANED;
	ex->orphaned_ns = d->io->now_ns;
	counter_add(&d->counters->writes_seen_through[ex->arm], 1);
	if (stream_receives(&ex->back) && ex->back.credit < STREAM_CREDIT_BYTES)
		stream_grant(ex->back.peer, STREAM_CREDIT_BYTES - ex->back.credit);
}

/* --- what the node says --- */

/* Connecting is none of the node's time to answer. */
static void note_answer(struct exchange *ex, const struct msg *m)
{
	uint64_t ready_ns = pool_ready_ns(ex->back.peer);
	ex->status = m->status;
	ex->answered_ns = ex->desk->io->now_ns;
	if (ready_ns > ex->asked_ns)
		ex->asked_ns = ready_ns;
	if (ex->notes) {
		access_note_address(ex->notes, pool_address(ex->back.peer));
		access_note_answer(ex->notes, m);
	}
}

/* What an answer says to nobody: when its head is there, a body without end is not waited for. */
static void drop_answer(struct exchange *ex, struct chain *c, bool end)
{
	uint64_t wait_ns = ex->plan->clusters[ex->arm].policy.idle_ms * 1000000ull;
	chain_drop(c);
	if (end || (ex->back.credit && ex->desk->io->now_ns - ex->orphaned_ns < wait_ns))
		return;
	attempt_abandon(ex, ERR_CANCELED);
}

static void pass_answer_head(struct exchange *ex, struct msg *m, bool end)
{
	if (ex->recording.tap)
		recording_answer(ex, m, end);
	if (ex->state != EXCHANGE_PASSING)
		return;
	forward_answer(m);
	if (recording_holds_answer(ex, m, end))
		ex->recording.head = m;
	else
		stream_head(ex->front.peer, m, end);
}

static void answered_head(struct stream *to, struct msg *m, bool end)
{
	struct exchange *ex = exchange_of(to, back);
	retry_let_go(&ex->retry);
	if (m->status >= 200 || m->status == 101)
		note_answer(ex, m);
	live_node_answered(ex->node);
	pass_answer_head(ex, m, end);
	if (end)
		recording_answer_is_over(ex);
	attempt_leave_if_over(ex);
	exchange_end_if_over(ex);
}

static void pass_answer_data(struct exchange *ex, struct chain *c, bool end)
{
	struct recording *r = &ex->recording;
	ex->answer_bytes += c->bytes;
	if (r->answer_shut && (r->head || end))
		chain_move(&r->body, c);
	else
		stream_data(ex->front.peer, c, end);
}

static void answered_data(struct stream *to, struct chain *c, bool end)
{
	struct exchange *ex = exchange_of(to, back);
	if (ex->recording.tap)
		tap_answer_data(ex->recording.tap, c, end);
	if (ex->state == EXCHANGE_ORPHANED)
		drop_answer(ex, c, end);
	else
		pass_answer_data(ex, c, end);
	if (end)
		recording_answer_is_over(ex);
	attempt_leave_if_over(ex);
	exchange_end_if_over(ex);
}

static void answered_trailers(struct stream *to, struct msg *m)
{
	struct exchange *ex = exchange_of(to, back);
	struct recording *r = &ex->recording;
	if (r->tap)
		tap_answer_trailers(r->tap, m);
	forward_answer(m);
	if (r->answer_shut)
		r->trailers = m;
	else if (ex->state == EXCHANGE_PASSING)
		stream_trailers(ex->front.peer, m);
	recording_answer_is_over(ex);
	attempt_leave_if_over(ex);
	exchange_end_if_over(ex);
}

void attempt_grant_client(struct exchange *ex)
{
	if (!attempt_is_on(ex) || !stream_sends(&ex->back) || !stream_receives(&ex->front))
		return;
	/* What waits here is to go to it before what the client may send. */
	size_t credit = ex->back.peer->credit, waits = ex->retry.pending.bytes;
	size_t node_takes = credit > waits ? credit - waits : 0, client_may = ex->front.credit;
	if (node_takes > client_may && !recording_stalls(ex))
		stream_grant(ex->front.peer, node_takes - client_may);
}

static void answered_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	struct exchange *ex = exchange_of(to, back);
	if (ex->retry.pending.bytes)
		attempt_pass_body(ex);
	attempt_grant_client(ex);
}

static void answered_squeeze(struct stream *to)
{
	struct exchange *ex = exchange_of(to, back);
	recording_yield(ex);
	exchange_end_if_over(ex);
}

static bool may_try_again(const struct exchange *ex, enum err why, const struct pool_attempt *a)
{
	if (ex->state == EXCHANGE_ORPHANED)
		return false;
	struct attempt_facts facts = {
		.repeatable = ex->class.repeatable && !ex->request->tunnel,
		.sent = a->sent,
		.heard = a->heard || ex->status,
		.lost = ex->retry.lost,
		.attempts = ex->attempt_n,
		.why = why,
	};
	return retry_is_right(&facts);
}

/*
 * A connection that was idle may just have been closed in good order: that says nothing of its
 * node, which may be tried again. Others that idle there may have been closed too. Nor does trouble
 * of our own say anything of a node.
 */
static void begin_again(struct exchange *ex, bool reused)
{
	ex->stale |= reused;
	if (reused || err_side((enum err)ex->last_failure) == SIDE_OURS)
		ex->tried_n--;
	retry_rewind(&ex->retry);
	decision_node(ex);
}

static void blame_node(struct exchange *ex, enum err why)
{
	bool fresh = pool_is_fresh(ex->back.peer);
	if (ejection_counts(why, fresh))
		pool_blame(ex->back.peer);
	live_node_failed(&ex->desk->clusters[ex->arm], ex->node, why, fresh);
}

static bool is_of_tls(enum err why)
{
	return (why >= ERR_BACK_TLS && why <= ERR_BACK_WEAK) || why == ERR_HANDSHAKE_TIMEOUT;
}

static bool is_of_syntax(enum err why)
{
	return why == ERR_BACK_MALFORMED || why == ERR_BACK_HEAD_SIZE;
}

/* Whoever has to mend it looks at the node, or at what we have of its authority. */
static void tell_of_node(struct exchange *ex, enum err why, const char *what)
{
	struct desk *d = ex->desk;
	const char *said = pool_said(ex->back.peer, why);
	/* A reload may have taken its name away. */
	const struct node *node = ex->node->node;
	char more[TELLING_MORE_BYTES], at[ADDR_TEXT_BYTES];
	if (!telling_begins(&d->telling, why, d->io->now_ns / 1000000, more))
		return;
	addr_text(pool_address(ex->back.peer), at);
	log_line(LOG_WARN, "worker %u: %s: %s node %s failed: %s%s%s%s (%s%s)", d->worker,
		 ex->plan->clusters[ex->arm].name, what, node ? node->name : at, err_sentence(why),
		 *said ? " (" : "", said, *said ? ")" : "", err_word(why), more);
}

void attempt_failed(struct exchange *ex, enum err why)
{
	struct pool_attempt a = pool_look(ex->back.peer);
	bool again = may_try_again(ex, why, &a);
	if (is_of_tls(why))
		tell_of_node(ex, why, "TLS with");
	else if (is_of_syntax(why))
		tell_of_node(ex, why, "a response of");
	if (why == ERR_OUT_OF_HANDLES)
		live_nodes_spare_one(ex->node->all, NULL);
	if (!ex->status)
		blame_node(ex, why);
	if (ex->notes)
		access_note_address(ex->notes, pool_address(ex->back.peer));
	ex->last_failure = (uint16_t)why;
	ex->unconnected = !a.connected;
	attempt_abandon(ex, why);
	if (ex->state == EXCHANGE_ORPHANED)
		return;
	if (again) {
		begin_again(ex, a.reused);
		return;
	}
	if (!ex->status) {
		exchange_answer(ex, why);
		return;
	}
	counter_add(&ex->desk->counters->aborted[why], 1);
	ex->why = (uint16_t)why;
	exchange_stop_request(ex);
	if (stream_sends(&ex->front))
		stream_abort(ex->front.peer, STREAM_RESET, why);
}

static void answered_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct exchange *ex = exchange_of(to, back);
	if (way == STREAM_RESET)
		attempt_failed(ex, why);
	else
		exchange_stop_request(ex);
	attempt_leave_if_over(ex);
	exchange_end_if_over(ex);
}

const struct stream_verbs attempt_verbs = {
	.head = answered_head,
	.data = answered_data,
	.trailers = answered_trailers,
	.grant = answered_grant,
	.squeeze = answered_squeeze,
	.abort = answered_abort,
};
