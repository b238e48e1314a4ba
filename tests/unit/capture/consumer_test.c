/* Who follows the log is woken by whoever writes it, and knows how far he has come. */

#include "unit/cmocka_all.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/consumer.h"
#include "capture/writer.h"

/* Longer than any machine takes; nobody waits for it where all is well. */
#define LONG_MS 60000

struct world {
	char directory[64];
	struct consumer consumer;
	/* Another process that writes. */
	pid_t child;
	int orders; /* a byte each: a request of that letter, small ones to the target; its end ends
		       the writer */
	int done;   /* a byte each, when that is durable */
};

static int take_away(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s;
	(void)flag;
	(void)f;
	return remove(path);
}

/* --- the other process --- */

static void settled(struct feed_wait *w, enum batch_state became)
{
	(void)became;
	list_init(&w->link);
}

static void nobody(struct feed *f)
{
	(void)f;
}

static void look(struct feed *f)
{
	feed_look(f, clock_monotonic_ns(), clock_wall_ns());
}

static void obey(struct feed *f, char order, int done)
{
	struct feed_wait wait = { .settled = settled };
	struct frame head = { .type = FRAME_REQUEST_HEAD,
			      .flags = order >= 'a' ? FRAME_TARGET | FRAME_END : FRAME_END,
			      .connection = (uint64_t)order,
			      .ordinal = 1 };
	struct span text = SPAN("GET / HTTP/1.1\r\n\r\n");
	list_init(&wait.link);
	look(f);
	head.mono_ns = f->mono_ns;
	head.wall_ns = f->wall_ns;
	feed_put(f, &head, &text, 1, NULL);
	feed_wait(f, &wait);
	feed_push(f);
	while (feed_is_out(f)) {
		poll(NULL, 0, 1);
		look(f);
	}
	if (write(done, &order, 1) != 1)
		_exit(1);
}

static void serve(const char *directory, int orders, int done)
{
	struct writer w;
	struct feed f;
	struct bufs bufs;
	char order;
	bufs_open(&bufs);
	feed_open(&f, 0);
	feed_own(&f, &bufs, nobody, NULL);
	const struct writer_config c = { .directory = directory,
					 .generation = 1,
					 .segment_bytes = SEGMENT_BYTES_MIN,
					 .queue_bytes = LOG_QUEUE_BYTES };
	if (!writer_open(&w, &c))
		_exit(1);
	feed_attach(&f, w.journal);
	while (read(orders, &order, 1) == 1)
		obey(&f, order, done);
	writer_stop(&w);
	writer_close(&w);
	_exit(0);
}

static void begin_writer(struct world *w)
{
	int orders[2], done[2];
	assert_int_equal(pipe(orders) | pipe(done), 0);
	w->child = fork();
	assert_true(w->child >= 0);
	if (!w->child) {
		close(orders[1]);
		close(done[0]);
		serve(w->directory, orders[0], done[1]);
	}
	close(orders[0]);
	close(done[1]);
	w->orders = orders[1];
	w->done = done[0];
}

static void order(struct world *w, char what)
{
	assert_int_equal(write(w->orders, &what, 1), 1);
}

static void await(struct world *w, char what)
{
	char got;
	assert_int_equal(read(w->done, &got, 1), 1);
	assert_int_equal(got, what);
}

static void end_writer(struct world *w)
{
	int status;
	close(w->orders);
	assert_int_equal(waitpid(w->child, &status, 0), w->child);
	assert_int_equal(status, 0);
	w->child = 0;
}

/* --- a world --- */

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	strcpy(w->directory, "/tmp/consumer-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	begin_writer(w);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	if (w->child)
		end_writer(w);
	close(w->done);
	nftw(w->directory, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static void consume(struct world *w, struct consumer_config c)
{
	c.directory = w->directory;
	c.name = "a";
	assert_int_equal(consumer_open(&w->consumer, &c), FOLLOWER_OPEN);
}

/* Reads to the end; the last request that there was, or 0. */
static char read_all(struct world *w)
{
	struct reading r;
	enum reader_verdict v;
	char last = 0;
	while ((v = consumer_next(&w->consumer, &r)) == READER_FRAME)
		if (r.frame.type == FRAME_REQUEST_HEAD)
			last = (char)r.frame.connection;
	assert_int_equal(v, READER_END);
	consumer_turn(&w->consumer);
	return last;
}

/* Waits for that request, each time for long; it would take minutes if nobody woke it. */
static void wait_for(struct world *w, char what)
{
	uint64_t began_ns = clock_monotonic_ns();
	while (read_all(w) != what)
		consumer_wait(&w->consumer, LONG_MS);
	assert_true(clock_monotonic_ns() - began_ns < LONG_MS * 1000000ull / 2);
}

static void a_writer_in_another_process_wakes_who_follows(void **state)
{
	struct world *w = *state;
	consume(w, (struct consumer_config){ 0 });
	assert_true(w->consumer.watch >= 0);
	for (char what = 'A'; what <= 'Z'; what++) {
		order(w, what);
		wait_for(w, what);
		await(w, what);
	}
	consumer_close(&w->consumer);
}

/* The end of a series is seen, too. */
static void a_writer_that_ends_wakes_who_follows(void **state)
{
	struct world *w = *state;
	consume(w, (struct consumer_config){ 0 });
	order(w, 'A');
	wait_for(w, 'A');
	close(w->orders);
	uint64_t began_ns = clock_monotonic_ns();
	while (!reader_is_over(w->consumer.reader, 1)) {
		consumer_wait(&w->consumer, LONG_MS);
		read_all(w);
	}
	assert_true(clock_monotonic_ns() - began_ns < LONG_MS * 1000000ull / 2);
	w->orders = open("/dev/null", O_WRONLY);
	end_writer(w);
	consumer_close(&w->consumer);
}

static void nobody_is_woken_by_his_own_position(void **state)
{
	struct world *w = *state;
	struct position to;
	consume(w, (struct consumer_config){ 0 });
	order(w, 'A');
	wait_for(w, 'A');
	/* What came of that while it was read. */
	while (consumer_wait(&w->consumer, 300), read_all(w))
		;
	consumer_position(&w->consumer, &to);
	position_sort(&to);
	uint64_t began_ns = clock_monotonic_ns();
	assert_true(consumer_keep(&w->consumer, &to));
	consumer_wait(&w->consumer, 300);
	assert_true(clock_monotonic_ns() - began_ns >= 300 * 1000000ull);
	position_free(&to);
	consumer_close(&w->consumer);
}

static void a_waker_ends_the_wait(void **state)
{
	struct world *w = *state;
	struct waker waker;
	assert_true(waker_open(&waker));
	consume(w, (struct consumer_config){ .waker = &waker });
	waker_wake(&waker);
	uint64_t began_ns = clock_monotonic_ns();
	read_all(w);
	consumer_wait(&w->consumer, LONG_MS);
	assert_true(clock_monotonic_ns() - began_ns < LONG_MS * 1000000ull / 2);
	consumer_close(&w->consumer);
	waker_close(&waker);
}

static void only_one_arm_comes_and_the_other_is_passed(void **state)
{
	struct world *w = *state;
	consume(w, (struct consumer_config){ .arm = CONSUMER_TARGET });
	for (const char *what = "AbCd"; *what; what++) {
		order(w, *what);
		await(w, *what);
	}
	wait_for(w, 'd');
	order(w, 'E');
	await(w, 'E');
	uint64_t passed = w->consumer.inflight.n;
	while (w->consumer.inflight.n == passed) {
		assert_int_equal(read_all(w), 0);
		consumer_wait(&w->consumer, 10);
	}
	assert_int_equal(reader_behind(w->consumer.reader), 0);
	consumer_close(&w->consumer);
}

/* While nothing is written, too, and never past what is not read. */
static void the_time_up_to_which_all_was_read_moves_on(void **state)
{
	struct world *w = *state;
	uint64_t wall_ns, wanted_ns;
	consume(w, (struct consumer_config){ .times = true });
	order(w, 'A');
	await(w, 'A');
	for (int i = 0; i < 3; i++) {
		wanted_ns = clock_monotonic_ns();
		while (read_all(w), consumer_until(&w->consumer, &wall_ns) <= wanted_ns) {
			assert_true(clock_monotonic_ns() - wanted_ns < LONG_MS * 1000000ull / 2);
			consumer_wait(&w->consumer, LONG_MS);
		}
		assert_true(consumer_until(&w->consumer, &wall_ns) <= clock_monotonic_ns());
		assert_in_range(wall_ns, clock_wall_ns() - LONG_MS * 1000000ull, clock_wall_ns());
	}
	consumer_close(&w->consumer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(a_writer_in_another_process_wakes_who_follows),
		TEST(a_writer_that_ends_wakes_who_follows),
		TEST(nobody_is_woken_by_his_own_position),
		TEST(a_waker_ends_the_wait),
		TEST(only_one_arm_comes_and_the_other_is_passed),
		TEST(the_time_up_to_which_all_was_read_moves_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
