#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "replay/orders.h"

static struct replay_order order_of(enum order_kind kind, const char *document)
{
	return (struct replay_order){ .kind = kind,
				      .document = document ? strdup(document) : NULL };
}

static void orders_are_taken_in_their_order_and_known_afterwards(void **state)
{
	struct orders o = { 0 };
	struct order_outcome out = { .status = 409, .word = "w" };
	struct replay_order a = order_of(ORDER_PAUSE, NULL), b = order_of(ORDER_DROP, "i/1"), got;
	(void)state;
	assert_int_equal(orders_take(&o, &got), 0);
	assert_int_equal(orders_put(&o, &a), 1);
	assert_int_equal(orders_put(&o, &b), 2);
	assert_int_equal(orders_take(&o, &got), 1);
	assert_int_equal(got.kind, ORDER_PAUSE);
	assert_false(orders_outcome(&o, 1, &out));
	orders_end(&o, 1, &(struct order_outcome){ .status = 409, .word = "w" });
	assert_true(orders_outcome(&o, 1, &out));
	assert_int_equal(out.status, 409);
	assert_int_equal(orders_take(&o, &got), 2);
	assert_string_equal(got.document, "i/1");
	replay_order_free(&got);
	assert_false(orders_outcome(&o, 2, &out));
	assert_false(orders_outcome(&o, 3, &out));
	orders_free(&o);
}

static void too_many_orders_are_refused_and_old_outcomes_forgotten(void **state)
{
	struct orders o = { 0 };
	struct order_outcome out;
	struct replay_order got;
	(void)state;
	for (int i = 0; i < REPLAY_ORDERS_MAX; i++) {
		struct replay_order one = order_of(ORDER_RETRY, "i/1");
		assert_int_not_equal(orders_put(&o, &one), 0);
	}
	struct replay_order more = order_of(ORDER_PAUSE, NULL);
	assert_int_equal(orders_put(&o, &more), 0);
	assert_int_equal(orders_take(&o, &got), 1);
	replay_order_free(&got);
	orders_end(&o, 1, &(struct order_outcome){ .status = 200 });
	assert_true(orders_outcome(&o, 1, &out));
	assert_int_equal(orders_put(&o, &more), REPLAY_ORDERS_MAX + 1);
	assert_false(orders_outcome(&o, 1, &out));
	orders_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_taken_in_their_order_and_known_afterwards),
		cmocka_unit_test(too_many_orders_are_refused_and_old_outcomes_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
