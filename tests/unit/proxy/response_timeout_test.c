#include "unit/cmocka_all.h"

#include "base/limits.h"
#include "proxy/response_timeout.h"
#include "unit/ends/party.h"

static void what_a_request_asks_its_cluster_to_wait_is_understood(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		uint64_t ms;
	} rows[] = {
		{ "/i", 0 },
		{ "/i?", 0 },
		{ "/i?timeout=75s", 75000 },
		{ "/i?timeout=75S", 75000 },
		{ "/i?pretty&timeout=2m", 120000 },
		{ "/i?timeout=2m&pretty", 120000 },
		{ "/i?master_timeout=1h", 3600000 },
		{ "/i?cluster_manager_timeout=1d", 86400000 },
		{ "/i?wait_for_completion_timeout=500ms", 500 },
		{ "/i?timeout=75s&master_timeout=30s", 105000 },
		{ "/i?timeout=5000000micros", 5000 },
		{ "/i?timeout=5000000nanos", 5 },
		{ "/i?timeout=1.5h", 7200000 },
		{ "/i?timeout=-1", UINT64_MAX },
		{ "/i?timeout=-1&master_timeout=-1", UINT64_MAX },
		{ "/i?timeout=4294967295d&timeout=4294967295d", 2 * 4294967295ull * 86400000 },
		{ "/i?timeout=99999999999d", 0 },
		{ "/i?timeout=75", 0 },
		{ "/i?timeout=s", 0 },
		{ "/i?timeout=.s", 0 },
		{ "/i?timeout=1.", 0 },
		{ "/i?timeout=", 0 },
		{ "/i?timeout", 0 },
		{ "/i?=75s", 0 },
		{ "/i?search_timeout=75s", 0 },
		{ "/i?timeouts=75s", 0 },
		{ "/i?&&timeout=1s&", 1000 },
		{ "/timeout=75s", 0 },
		/* As clusters read a query */
		{ "/i?time%6fut=75s", 75000 },
		{ "/i?%74imeout=7%35s&a=%", 75000 },
		{ "/i?master%5Ftimeout%3D1s", 0 },
		{ "/i?a=b;timeout=1s;b&timeout=1s", 2000 },
		{ "/i?timeout=%", 0 },
		{ "/i?timeout=1s%2", 0 },
		{ "/i?%74imeout="
		  "0000000000000000000000000000000000000000000000000000000000000000001s",
		  0 },
		{ "*", 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(response_timeout_requested_ms(span_of(rows[i].target)),
				 rows[i].ms);
}

static void rules_come_first_and_what_is_asked_makes_it_longer(void **state)
{
	(void)state;
	static const struct response_timeout_rule rules[] = {
		{ SPAN_INIT("POST"), SPAN_INIT("/*/_forcemerge"), 3600000 },
		{ { NULL, 0 }, SPAN_INIT("/_reindex"), 7200000 },
		{ SPAN_INIT("DELETE"), { NULL, 0 }, 1000 },
	};
	static const struct {
		const char *first;
		uint32_t ms;
	} rows[] = {
		{ "GET /", 60000 },
		{ "POST /i/_forcemerge", 3600000 },
		{ "POST /i/j/_forcemerge?max_num_segments=1", 3600000 },
		{ "PUT /i/_forcemerge", 60000 },
		{ "POST /_reindex?slices=5", 7200000 },
		{ "POST /_reindexed", 60000 },
		{ "DELETE /i", 1000 },
		{ "DELETE /i?timeout=75s", 75000 + ASKED_SPARE_MS },
		{ "PUT /i?timeout=75s", 75000 + ASKED_SPARE_MS },
		{ "PUT /i?timeout=10s", 60000 },
		{ "PUT /i?timeout=-1", 600000 + ASKED_SPARE_MS },
		{ "PUT /i?timeout=4294967295d", 600000 + ASKED_SPARE_MS },
		{ "POST /_reindex?timeout=75s", 7200000 },
	};
	struct response_timeouts p = { .response_ms = 60000, .rules = rules, .rule_n = 3 };
	struct slab chunks;
	struct arena arena;
	slab_open(&chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&arena, &chunks);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char head[128];
		snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: a\r\n", rows[i].first);
		struct msg *m = request_of(&arena, head);
		p.asked_max_ms = 600000;
		assert_int_equal(response_timeout_of(&p, m), rows[i].ms);
	}
	p.asked_max_ms = 0;
	assert_int_equal(
		response_timeout_of(
			&p, request_of(&arena, "PUT /i?timeout=75s HTTP/1.1\r\nHost: a\r\n")),
		60000);
	arena_close(&arena);
	slab_close(&chunks);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_request_asks_its_cluster_to_wait_is_understood),
		cmocka_unit_test(rules_come_first_and_what_is_asked_makes_it_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
