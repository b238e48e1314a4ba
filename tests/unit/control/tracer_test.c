#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "control/tracer.h"

#define WORKERS 2

/* Two workers, of which only the mailboxes are there. */
struct fixture {
	struct publish_worker workers[WORKERS];
	struct publisher publisher;
	struct wheel wheel;
	struct tracer tracer;
	struct io io;
};

static void heed(struct fixture *f)
{
	for (int i = 0; i < WORKERS; i++) {
		struct worker_mailbox *mailbox = &f->workers[i].mailbox;
		atomic_store(&mailbox->node_admin_acknowledged, atomic_load(&mailbox->node_admin));
	}
}

static void ignore(struct io *io)
{
	(void)io;
}

static int open_fixture(void **state)
{
	static const struct io_verbs verbs = { .wake = ignore };
	struct fixture *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
	memset(f, 0, sizeof *f);
	f->io.verbs = &verbs;
	f->publisher.workers = f->workers;
	f->publisher.worker_n = WORKERS;
	for (int i = 0; i < WORKERS; i++) {
		pthread_mutex_init(&f->workers[i].io_lock, NULL);
		f->workers[i].io = &f->io;
	}
	wheel_open(&f->wheel, 1000);
	tracer_open(&f->tracer, &f->publisher, WORKERS);
	tracer_attach(&f->tracer, &f->wheel);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	tracer_detach(&f->tracer);
	tracer_close(&f->tracer);
	for (int i = 0; i < WORKERS; i++)
		pthread_mutex_destroy(&f->workers[i].io_lock);
	free(f);
	return 0;
}

static bool is_on(struct fixture *f)
{
	bool first = atomic_load(&tracer_of(&f->tracer, 0)->on);
	assert_int_equal(first, atomic_load(&tracer_of(&f->tracer, 1)->on));
	return first;
}

static size_t take(struct fixture *f)
{
	json_t *said = tracer_take(&f->tracer);
	size_t n = json_array_size(json_object_get(said, "said"));
	json_decref(said);
	return n;
}

static void only_networks_are_chosen(void **state)
{
	struct fixture *f = *state;
	static const char *const wrong[] = { "", "nobody", "10.0.0.1/8", "10.0.0.0/33" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(tracer_begin(&f->tracer, wrong[i]), TRACER_NO_NETWORK);
	assert_false(is_on(f));
	assert_int_equal(tracer_begin(&f->tracer, "2001:db8::/32"), TRACER_BEGUN);
	assert_true(is_on(f));
}

/* Its workers still read whom the last one was for until they have looked. */
static void the_next_one_waits_for_the_end_of_the_last(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.1"), TRACER_BEGUN);
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.2"), TRACER_BUSY);
	heed(f);
	tracer_end(&f->tracer);
	assert_false(is_on(f));
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.2"), TRACER_BUSY);
	heed(f);
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.2"), TRACER_BEGUN);
}

static void it_lasts_as_long_as_somebody_looks(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.1"), TRACER_BEGUN);
	wheel_turn(&f->wheel, 1000 + TRACE_LEASE_MS - 10);
	take(f);
	wheel_turn(&f->wheel, 1000 + 2 * TRACE_LEASE_MS - 20);
	assert_true(is_on(f));
	wheel_turn(&f->wheel, 1000 + 2 * TRACE_LEASE_MS + 100);
	assert_false(is_on(f));
}

/* So many that one lies over the ring's end; what the last trace left is not the next one's. */
static void each_word_is_taken_once(void **state)
{
	struct fixture *f = *state;
	struct tracing *t = tracer_of(&f->tracer, 1);
	struct addr peer;
	const struct io io = { .now_ns = 1 };
	const struct front_facts facts = { .peer = &peer, .number = 1 };
	const size_t n = 1000,
		     inflight = 3 * TRACING_RING_BYTES / (n * sizeof(struct tracing_said));
	assert_true(addr_parse(SPAN("10.0.0.1"), 1, &peer));
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.1"), TRACER_BEGUN);
	for (size_t inflight_run = 0; inflight_run < inflight; inflight_run++) {
		for (size_t i = 0; i < n; i++)
			assert_non_null(tracing_begin(t, &io, &facts));
		assert_int_equal(take(f), n);
		assert_int_equal(take(f), 0);
	}
	assert_non_null(tracing_begin(t, &io, &facts));
	heed(f);
	tracer_end(&f->tracer);
	heed(f);
	assert_int_equal(tracer_begin(&f->tracer, "10.0.0.1"), TRACER_BEGUN);
	assert_int_equal(take(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_networks_are_chosen),
		TEST(the_next_one_waits_for_the_end_of_the_last),
		TEST(it_lasts_as_long_as_somebody_looks),
		TEST(each_word_is_taken_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
