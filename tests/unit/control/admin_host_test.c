#include "unit/cmocka_all.h"

#include "control/admin_host.h"

static void a_name_that_nobody_gave_us_is_not_ours(void **state)
{
	(void)state;
	static struct config_name second = { "crossfade.", NULL };
	static const struct config_name names = { "Balancer.Internal", &second };
	static const struct {
		const char *host;
		bool ours;
	} rows[] = {
		{ "", true },
		{ "127.0.0.1:9280", true },
		{ "192.0.2.1", true },
		{ "[::1]:9280", true },
		{ "[2001:db8::1]", true },
		{ "[fe80::1%25eth0]:9280", true },
		{ "[evil.example%25eth0]", false },
		{ "[v1.evil]", false },
		{ "localhost:9280", true },
		{ "LOCALHOST.", true },
		{ "balancer.internal:9280", true },
		{ "balancer.internal.", true },
		{ "crossfade", true },
		{ "evil.example", false },
		{ "evil.example:9280", false },
		{ "localhost.evil.example", false },
		{ "127.0.0.1.evil.example", false },
		{ "127.0.0.1.", false },
		{ "0x7f.1", false },
		{ "127.1", false },
		{ "balancer.internal.evil.example", false },
		{ "x.balancer.internal", false },
		{ "crossfadex", false },
		{ ":9280", false },
		{ ".", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (admin_host_is_ours(span_of(rows[i].host), &names) != rows[i].ours)
			fail_msg("%s", rows[i].host);
	assert_false(admin_host_is_ours(SPAN("balancer.internal"), NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_nobody_gave_us_is_not_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
