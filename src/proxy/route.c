#include "proxy/route.h"

#include "proxy/forward.h"
#include "proxy/steer.h"

void route_client(struct request *r)
{
	const struct networks *trust = r->listener->trust;
	if (r->unnamed) {
		/*
		 * Not the proxy's address, which may be trusted or allowed: the request may come
		 * from anyone.
		 */
		r->client = (struct addr){ 0 };
		return;
	}
	if (!trust || !networks_have(trust, &r->peer))
		return;
	r->trusted = true;
	r->client = forward_origin(r->head, trust, &r->peer);
}

static bool route_weighted(struct exchanges *d, const struct request *r, enum arm *arm)
{
	switch (steer(r->head, r->plan, &r->client, &d->values, arm)) {
	case STEER_BAD:
		return false;
	case STEER_NOT:
		*arm = split_take(&d->split, (enum class)r->class.class, d->values.weights);
		break;
	case STEER_OVERRIDE:
		counter_add(&d->counters->overridden, 1);
		break;
	case STEER_STICKY:
		counter_add(&d->counters->sticky, 1);
		break;
	}
	return true;
}

bool route_arm(struct exchanges *d, struct request *r)
{
	enum arm arm = r->listener->route.arm;
	if (r->listener->route.weighted && !route_weighted(d, r, &arm))
		return false;
	r->arm = (uint8_t)arm;
	r->epoch = d->values.epoch;
	msg_drop(r->head, NAME_X_CROSSFADE_CLUSTER);
	return true;
}
