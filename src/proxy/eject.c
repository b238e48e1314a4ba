#include "proxy/eject.h"

#include "base/bug.h"
#include "base/limits.h"

void ejection_init(struct ejection *e, void (*back)(struct timer *t))
{
	*e = (struct ejection){ 0 };
	timer_init(&e->back, back);
}

/*
 * A node may close an idle connection just when a request is sent there: that is no fault. A slow
 * response is none either.
 */
bool ejection_counts(enum err why, bool fresh)
{
	if (err_side(why) != SIDE_NODE)
		return false;
	switch (why) {
	case ERR_BACK_REFUSED:
	case ERR_BACK_UNREACHABLE:
	case ERR_BACK_TLS:
	case ERR_BACK_NOT_TLS:
	case ERR_BACK_TLS_VERSION:
	case ERR_BACK_TLS_CIPHER:
	case ERR_BACK_TLS_CLIENT:
	case ERR_BACK_VERIFY:
	case ERR_BACK_EXPIRED:
	case ERR_BACK_NOT_YET:
	case ERR_BACK_NAME:
	case ERR_BACK_ISSUER:
	case ERR_BACK_WEAK:
	case ERR_CONNECT_TIMEOUT:
	case ERR_HANDSHAKE_TIMEOUT:
		return true;
	case ERR_BACK_RESET:
		return fresh;
	default:
		return false;
	}
}

bool ejection_failed(struct ejection *e, const struct eject_policy *p, enum err why,
		     uint64_t now_ms)
{
	if (!p->failures || e->out)
		return false;
	if (!e->failures || (!e->times && now_ms - e->first_ms > EJECT_WINDOW_MS)) {
		e->failures = 0;
		e->first_ms = now_ms;
	}
	e->why = why;
	e->failures++;
	return e->failures >= p->failures;
}

uint32_t ejection_begin(struct ejection *e, const struct eject_policy *p)
{
	uint64_t most = p->pause_ms > EJECT_PAUSE_MAX_MS ? p->pause_ms : EJECT_PAUSE_MAX_MS;
	uint64_t pause = (uint64_t)p->pause_ms << (e->times < 16 ? e->times : 16);
	must(!e->out);
	e->out = true;
	e->times++;
	return (uint32_t)(pause < most ? pause : most);
}

void ejection_end(struct ejection *e)
{
	must(e->out);
	e->out = false;
}
