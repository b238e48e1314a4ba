#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/tracing.h"

#define BEGIN_NS 5000u

/* A worker's end of a trace of one network, two streams, and a clock. */
struct fixture {
	struct tracing tracing;
	struct io io;
	struct stream front, exchange;
};

static void take_abort(struct stream *to, enum stream_way way, enum err why)
{
	(void)to, (void)way, (void)why;
}

static const struct stream_verbs verbs = { .abort = take_abort };

static int open_fixture(void **state)
{
	struct fixture *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
	memset(f, 0, sizeof *f);
	tracing_open(&f->tracing);
	f->tracing.clients.ranges = f->tracing.ranges;
	assert_int_equal(networks_add(&f->tracing.clients, SPAN("10.0.0.0/24")), NETWORK_GOOD);
	networks_sort(&f->tracing.clients);
	f->io.now_ns = BEGIN_NS;
	atomic_store(&f->tracing.on, true);
	stream_init(&f->front, &verbs, "front");
	stream_init(&f->exchange, &verbs, "exchange");
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	tracing_close(&f->tracing);
	free(f);
	return 0;
}

static const struct stream_tracer *begin(struct fixture *f, const char *client)
{
	struct addr peer;
	assert_true(addr_parse(span_of(client), 1234, &peer));
	return tracing_begin(&f->tracing, &f->io,
			     &(struct front_facts){ .peer = &peer, .number = 7 });
}

static bool take(struct fixture *f, struct tracing_said *to)
{
	struct span runs[2];
	if (!ring_look(&f->tracing.ring, runs) || runs[0].n < sizeof *to)
		return false;
	memcpy(to, runs[0].at, sizeof *to);
	ring_take(&f->tracing.ring, sizeof *to);
	return true;
}

static void who_was_not_chosen_has_no_tracer(void **state)
{
	struct fixture *f = *state;
	struct tracing_said said;
	assert_null(begin(f, "10.0.1.1"));
	assert_false(take(f, &said));
	assert_non_null(begin(f, "10.0.0.255"));
	atomic_store(&f->tracing.on, false);
	assert_null(begin(f, "10.0.0.1"));
}

static void each_word_has_its_parties_its_size_and_its_time(void **state)
{
	struct fixture *f = *state;
	struct tracing_said said;
	f->exchange.tracer = begin(f, "10.0.0.1");
	assert_true(take(f, &said));
	assert_string_equal(said.verb, "opens");
	assert_int_equal(said.number, 7);
	assert_int_equal(addr_port(&said.client), 1234);
	stream_join(&f->exchange, &f->front);
	f->io.now_ns += 9;
	stream_abort(&f->exchange, STREAM_RESET, ERR_CUT_REQUEST);
	assert_true(take(f, &said));
	assert_string_equal(said.verb, "reset");
	assert_string_equal(said.from, "front");
	assert_string_equal(said.to, "exchange");
	assert_int_equal(said.number, ERR_CUT_REQUEST);
	assert_int_equal(said.at_ns, BEGIN_NS + 9);
	assert_int_equal(said.request, 1);
	assert_true(said.end);
	assert_false(take(f, &said));
}

/* An exchange may last longer than the trace in which it began. */
static void nothing_is_said_behind_the_trace(void **state)
{
	struct fixture *f = *state;
	struct tracing_said said;
	f->exchange.tracer = begin(f, "10.0.0.1");
	assert_true(take(f, &said));
	stream_join(&f->exchange, &f->front);
	atomic_store(&f->tracing.on, false);
	stream_abort(&f->exchange, STREAM_RESET, ERR_CUT_REQUEST);
	assert_false(take(f, &said));
}

static void what_finds_no_room_is_counted(void **state)
{
	struct fixture *f = *state;
	unsigned fit = TRACING_RING_BYTES / sizeof(struct tracing_said);
	for (unsigned i = 0; i < fit + 3; i++)
		assert_non_null(begin(f, "10.0.0.1"));
	assert_int_equal(atomic_load(&f->tracing.lost), 3);
	assert_int_equal(ring_used(&f->tracing.ring), fit * sizeof(struct tracing_said));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_was_not_chosen_has_no_tracer),
		TEST(each_word_has_its_parties_its_size_and_its_time),
		TEST(nothing_is_said_behind_the_trace),
		TEST(what_finds_no_room_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
