#include "proxy/retry.h"

#include <string.h>

#include "base/bug.h"

/* --- a request's body --- */

void retry_hold(struct retry *r)
{
	r->holds = true;
}

void retry_keep(struct retry *r, const struct chain *piece)
{
	if (!piece->bytes)
		return;
	if (!r->holds) {
		r->lost = true;
		return;
	}
	if (r->held.bytes + piece->bytes > RETRY_BODY_BYTES) {
		retry_let_go(r);
		r->lost = true;
		return;
	}
	chain_refer(&r->held, piece);
}

void retry_let_go(struct retry *r)
{
	r->lost |= r->held.bytes > 0;
	r->holds = false;
	chain_drop(&r->held);
}

void retry_rewind(struct retry *r)
{
	must(!r->lost);
	chain_drop(&r->pending);
	chain_refer(&r->pending, &r->held);
}

void retry_close(struct retry *r)
{
	retry_let_go(r);
	chain_drop(&r->pending);
}

/* --- the rules --- */

static bool took_too_long(enum err why)
{
	return why == ERR_RESPONSE_TIMEOUT;
}

bool retry_is_right(const struct attempt_facts *f)
{
	if (f->heard || f->lost || f->attempts >= CONNECT_ATTEMPTS_MAX)
		return false;
	return !f->sent || (f->repeatable && !took_too_long(f->why));
}

/* --- the budget --- */

/*
 * The present second's index. The seconds between the newest entry and the present one had no
 * requests.
 */
static unsigned retry_budget_index(struct retry_budget *b, uint64_t now_ns)
{
	uint64_t second = now_ns / 1000000000u;
	if (second - b->second >= RETRY_WINDOW_S) {
		memset(b->requests, 0, sizeof b->requests);
		memset(b->retries, 0, sizeof b->retries);
		b->second = second;
	}
	while (b->second < second) {
		b->second++;
		b->requests[b->second % RETRY_WINDOW_S] = 0;
		b->retries[b->second % RETRY_WINDOW_S] = 0;
	}
	return (unsigned)(second % RETRY_WINDOW_S);
}

void retry_budget_asked(struct retry_budget *b, uint64_t now_ns)
{
	b->requests[retry_budget_index(b, now_ns)]++;
}

bool retry_budget_take(struct retry_budget *b, uint64_t now_ns)
{
	unsigned place = retry_budget_index(b, now_ns);
	uint64_t requests = 0, retries = 0;
	for (unsigned i = 0; i < RETRY_WINDOW_S; i++) {
		requests += b->requests[i];
		retries += b->retries[i];
	}
	if (retries >= RETRIES_MIN + requests * RETRY_SHARE_PERCENT / 100)
		return false;
	b->retries[place]++;
	return true;
}
