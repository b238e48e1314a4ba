#include "replay/orders.h"

#include <stdlib.h>

#include "base/bug.h"

void replay_order_free(struct replay_order *one)
{
	json_decref(one->indices);
	free(one->document);
	*one = (struct replay_order){ 0 };
}

uint64_t orders_put(struct orders *o, const struct replay_order *one)
{
	if (o->put - o->taken >= REPLAY_ORDERS_MAX)
		return 0;
	size_t at = o->put++ % REPLAY_ORDERS_MAX;
	o->list[at] = *one;
	o->outcomes[at] = (struct order_outcome){ 0 };
	return o->put;
}

uint64_t orders_take(struct orders *o, struct replay_order *to)
{
	if (o->taken == o->put)
		return 0;
	size_t at = o->taken++ % REPLAY_ORDERS_MAX;
	*to = o->list[at];
	o->list[at] = (struct replay_order){ 0 };
	return o->taken;
}

void orders_end(struct orders *o, uint64_t number, const struct order_outcome *outcome)
{
	must(number && number <= o->taken && outcome->status);
	if (o->put - number < REPLAY_ORDERS_MAX)
		o->outcomes[(number - 1) % REPLAY_ORDERS_MAX] = *outcome;
}

bool orders_outcome(const struct orders *o, uint64_t number, struct order_outcome *to)
{
	if (!number || number > o->put || o->put - number >= REPLAY_ORDERS_MAX)
		return false;
	*to = o->outcomes[(number - 1) % REPLAY_ORDERS_MAX];
	return to->status;
}

void orders_free(struct orders *o)
{
	for (size_t i = 0; i < REPLAY_ORDERS_MAX; i++)
		replay_order_free(&o->list[i]);
}
