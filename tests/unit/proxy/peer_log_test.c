#include "proxy/peer_log.h"

#include "base/limits.h"
#include "unit/cmocka_all.h"

static void a_kind_is_told_once_in_a_while_with_how_many_were_not(void **state)
{
	struct peer_log t = { 0 };
	char more[PEER_LOG_MORE_BYTES] = "?";
	assert_true(peer_log_begin(&t, ERR_BACK_NAME, 5000, more));
	assert_string_equal(more, "");
	for (uint64_t i = 1; i < 4; i++)
		assert_false(peer_log_begin(&t, ERR_BACK_NAME, 5000 + i, more));
	assert_true(peer_log_begin(&t, ERR_BACK_NAME, 5000 + TELLING_PAUSE_MS, more));
	assert_string_equal(more, "; 3 more since the last line");
	assert_true(peer_log_begin(&t, ERR_BACK_NAME, 5000 + 2 * TELLING_PAUSE_MS, more));
	assert_string_equal(more, "");
	(void)state;
}

static void one_kind_does_not_hush_another(void **state)
{
	struct peer_log t = { 0 };
	char more[PEER_LOG_MORE_BYTES];
	assert_true(peer_log_begin(&t, ERR_BACK_NAME, 5000, more));
	assert_true(peer_log_begin(&t, ERR_BACK_EXPIRED, 5000, more));
	(void)state;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kind_is_told_once_in_a_while_with_how_many_were_not),
		cmocka_unit_test(one_kind_does_not_hush_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
