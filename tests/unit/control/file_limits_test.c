#include "unit/cmocka_all.h"

#include "base/limits.h"
#include "control/file_limits.h"

static struct file_limits share(uint64_t files, unsigned workers, size_t addresses, size_t nodes)
{
	struct file_limits r;
	const struct file_limits_needs n = {
		.files = files, .workers = workers, .addresses = addresses, .nodes = nodes
	};
	assert_true(file_limits_share(&n, &r));
	return r;
}

static void clients_do_not_get_what_the_balancer_needs(void **state)
{
	(void)state;
	static const struct {
		uint64_t files;
		unsigned workers;
		size_t addresses, nodes;
		uint32_t clients, node_sockets;
	} rows[] = {
		/* 80 - 48 - 2 - 2 * 3 = 24, for two workers */
		{ 80, 2, 1, 2, 6, 6 },
		{ 1024, 1, 3, 5, 773, 193 },
		{ 20000, 2, 3, 10, 7973, 1993 },
		{ 1048576, 1, 3, 10, 52008, 13001 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct file_limits r =
			share(rows[i].files, rows[i].workers, rows[i].addresses, rows[i].nodes);
		assert_int_equal(r.clients, rows[i].clients);
		assert_int_equal(r.nodes, rows[i].node_sockets);
	}
}

/* Whatever the limit is: never more than it, and never more than a ring's table holds. */
static void what_is_shared_out_is_there(void **state)
{
	(void)state;
	for (uint64_t files = 60; files < 4000000; files += files / 7 + 1)
		for (unsigned workers = 1; workers <= 64; workers *= 4) {
			struct file_limits r;
			const struct file_limits_needs n = { files, workers, 6, 9 };
			if (!file_limits_share(&n, &r)) {
				assert_true(files < r.needed);
				continue;
			}
			uint64_t sockets = r.clients + r.nodes;
			assert_true(r.clients > 0 && r.nodes > 0 && r.clients >= r.nodes);
			assert_true(FILES_OF_OURS + 9 + workers * (FILES_OF_WORKER + 6 + sockets) <=
				    files);
			assert_true(sockets + 6 * (1 + ACCEPTS_ARMED) <= SOCKETS_OF_WORKER);
		}
}

static void with_too_few_there_is_no_start_and_it_says_how_many_would_do(void **state)
{
	(void)state;
	struct file_limits r;
	const struct file_limits_needs n = { 50, 2, 1, 2 };
	assert_false(file_limits_share(&n, &r));
	share(r.needed, 2, 1, 2);
	const struct file_limits_needs less = { r.needed - 1, 2, 1, 2 };
	assert_false(file_limits_share(&less, &r));
}

static void without_a_limit_anything_goes(void **state)
{
	(void)state;
	struct file_limits r = share(0, 4, 3, 3);
	assert_int_equal(r.clients, 0);
	assert_int_equal(r.nodes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_do_not_get_what_the_balancer_needs),
		cmocka_unit_test(what_is_shared_out_is_there),
		cmocka_unit_test(with_too_few_there_is_no_start_and_it_says_how_many_would_do),
		cmocka_unit_test(without_a_limit_anything_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
