#include "proxy/gate_record.h"

#include "capture/journal.h"

bool gate_waits(const struct request *r)
{
	enum capture_durable which = r->plan->capture->durable;
	return which == DURABLE_ALL || (which == DURABLE_WRITES && request_is_write(r));
}

/* Reads give way first. Where the log fails, reads pass, whatever the policy says of writes. */
enum gate_verdict gate_ask(const struct exchanges *d, const struct request *r)
{
	const struct feed *f = &d->taps->feed;
	const struct journal *j = f->journal;
	uint64_t room = journal_room(j);
	bool write = request_is_write(r);
	bool away = journal_state(j) == JOURNAL_UNAVAILABLE || (!room && feed_is_choked(f));
	bool late = journal_is_late(j) && gate_waits(r);
	bool may_refuse = r->plan->capture->unavailable == UNAVAILABLE_REFUSE;
	if (may_refuse && (late || (away && write)))
		return GATE_REFUSE;
	if (away)
		return GATE_UNAVAILABLE;
	if (!write && room <= journal_queued(j))
		return GATE_SHED;
	return room ? GATE_RECORD : GATE_STALL;
}

void gate_lose(struct exchanges *d, const struct request *r, enum gap_reason reason)
{
	feed_lose(&d->taps->feed, reason, request_is_write(r) ? LOSS_WRITE : LOSS_READ);
}

struct tap_facts gate_facts(const struct request *r)
{
	return (struct tap_facts){
		.connection = r->connection,
		.ordinal = r->ordinal,
		.epoch = r->epoch,
		.write = request_is_write(r),
		.target = r->arm == ARM_TARGET,
		.tls = r->tls,
		.client = &r->client,
		.listener = r->listener->name,
	};
}

enum outcome gate_outcome(const struct delivery *d, bool kept_end)
{
	if (d->responded_ns)
		return d->status < 400	 ? OUTCOME_ACCEPTED
		       : d->status < 500 ? OUTCOME_REJECTED
					 : OUTCOME_FAILED;
	return d->unknown && !kept_end ? OUTCOME_UNKNOWN : OUTCOME_NOT_SENT;
}

/* A tunnel that reached no node leaves nothing unrecorded. */
void gate_end_tunnel(struct exchanges *d, const struct request *r, const struct delivery *to,
		     uint64_t request_bytes, uint64_t response_bytes)
{
	struct tap_facts facts = gate_facts(r);
	bool sent = to->attempt_n;
	feed_tunnel_ends(&d->taps->feed, sent);
	if (sent)
		taps_tunnel(d->taps, &facts, r->began_ns, request_bytes, response_bytes);
}
