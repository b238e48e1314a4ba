#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "capture/trafficstream.h"

/* Records as they were handed over. */
struct heard {
	struct bytes records[8];
	unsigned n;
};

static void record(void *user, struct span connection, struct span bytes)
{
	struct heard *h = user;
	assert_true(h->n < 8 && connection.n > 0);
	bytes_add(&h->records[h->n++], bytes);
}

static void forget(struct heard *h)
{
	for (unsigned i = 0; i < h->n; i++)
		bytes_free(&h->records[i]);
}

/* Made with an independent encoder. */
static void assert_vector(const struct bytes *record, const char *name)
{
	char path[512], expected[4096];
	snprintf(path, sizeof path, "%s/vectors/trafficstream-%s.bin", TESTS_DIRECTORY, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(expected, 1, sizeof expected, f);
	fclose(f);
	assert_int_equal(record->n, n);
	assert_memory_equal(record->at, expected, n);
}

#define AT(s, ns) ((s)*1000000000ull + (ns))

static void a_request_and_its_response_are_one_record(void **state)
{
	(void)state;
	struct heard h = { .n = 0 };
	const struct trafficstream_user user = { .record = record, .user = &h };
	struct trafficstream t;
	trafficstream_open(&t, &user, "c0ffee-1", "crossfade-vector");
	trafficstream_observe(&t, OBSERVE_READ, AT(1700000000, 5),
			      SPAN("POST /books/_doc HTTP/1.1\r\nHost: search.example\r\n"
				   "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n"
				   "{\"title\":\"a\"}"));
	trafficstream_end_of_message(&t, AT(1700000000, 6), 0, 0);
	trafficstream_observe(&t, OBSERVE_WRITE, AT(1700000000, 900),
			      SPAN("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
	trafficstream_observe(&t, OBSERVE_CLOSE, AT(1700000001, 0), SPAN(""));
	trafficstream_flush(&t, true);
	trafficstream_close(&t);
	assert_int_equal(h.n, 1);
	assert_vector(&h.records[0], "one-record");
	forget(&h);
}

static void a_request_goes_over_two_records(void **state)
{
	(void)state;
	struct heard h = { .n = 0 };
	const struct trafficstream_user user = { .record = record, .user = &h };
	struct trafficstream t;
	trafficstream_open(&t, &user, "c0ffee-2", "crossfade-vector");
	trafficstream_observe(&t, OBSERVE_READ_SEGMENT, AT(1700000000, 1),
			      SPAN("PUT /books/_doc/7 HTTP/1.1\r\nHost: search.example\r\n"
				   "Content-Length: 20\r\n\r\n01234"));
	trafficstream_flush(&t, false);
	trafficstream_observe(&t, OBSERVE_READ_SEGMENT, AT(1700000000, 2), SPAN("567890123456789"));
	trafficstream_observe(&t, OBSERVE_SEGMENT_END, AT(1700000000, 3), SPAN(""));
	trafficstream_end_of_message(&t, AT(1700000000, 4), 0, 0);
	trafficstream_observe(&t, OBSERVE_WRITE, AT(1700000000, 9),
			      SPAN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
	trafficstream_observe(&t, OBSERVE_CLOSE, AT(1700000000, 9), SPAN(""));
	trafficstream_flush(&t, true);
	trafficstream_close(&t);
	assert_int_equal(h.n, 2);
	assert_vector(&h.records[0], "segmented-1");
	assert_vector(&h.records[1], "segmented-2");
	forget(&h);
}

static void a_record_does_not_outgrow_its_limit(void **state)
{
	(void)state;
	struct heard h = { .n = 0 };
	const struct trafficstream_user user = { .record = record, .user = &h };
	struct trafficstream t;
	char *half = calloc(1, TRAFFIC_RECORD_BYTES / 2);
	struct span data = { half, TRAFFIC_RECORD_BYTES / 2 };
	trafficstream_open(&t, &user, "c", "n");
	for (int i = 0; i < 4; i++)
		trafficstream_observe(&t, OBSERVE_READ_SEGMENT, 1, data);
	trafficstream_flush(&t, true);
	trafficstream_close(&t);
	assert_int_equal(h.n, 4);
	for (unsigned i = 0; i < h.n; i++)
		assert_true(h.records[i].n < TRAFFIC_RECORD_BYTES);
	forget(&h);
	free(half);
}

/* Field 100, a number: the bytes 800 and 1. */
static void a_record_of_the_target_says_so_and_else_is_the_same(void **state)
{
	(void)state;
	struct heard h = { .n = 0 };
	const struct trafficstream_user user = { .record = record, .user = &h };
	for (int target = 0; target < 2; target++) {
		struct trafficstream t;
		trafficstream_open(&t, &user, "c", "n");
		t.target = target;
		trafficstream_observe(&t, OBSERVE_READ, 1, SPAN("GET"));
		trafficstream_flush(&t, true);
		trafficstream_close(&t);
	}
	assert_int_equal(h.n, 2);
	assert_int_equal(h.records[1].n, h.records[0].n + 3);
	assert_memory_equal(h.records[1].at, h.records[0].at, h.records[0].n);
	assert_memory_equal(h.records[1].at + h.records[0].n, "\xa0\x06\x01", 3);
	forget(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_and_its_response_are_one_record),
		cmocka_unit_test(a_request_goes_over_two_records),
		cmocka_unit_test(a_record_does_not_outgrow_its_limit),
		cmocka_unit_test(a_record_of_the_target_says_so_and_else_is_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
