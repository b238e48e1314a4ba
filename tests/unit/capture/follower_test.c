#include "unit/cmocka_all.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/file.h>

#include "capture/follower.h"
#include "capture/lag.h"
#include "capture/writer_lease.h"
#include "capture/reader.h"
#include "capture/retention.h"
#include "capture/traffic.h"
#include "unit/capture/directory.h"

static struct follower open_follower(const struct world *w, const char *name)
{
	struct follower f;
	assert_int_equal(follower_open(&f, w->directory, name), FOLLOWER_OPEN);
	return f;
}

/* --- registry --- */

static void names_are_short_and_plain(void **state)
{
	(void)state;
	assert_true(follower_name_is_good("nightly-export_2"));
	assert_true(follower_name_is_good("abcdefghijklmnopqrstuvwxyz012345"));
	assert_false(follower_name_is_good("abcdefghijklmnopqrstuvwxyz0123456"));
	assert_false(follower_name_is_good(""));
	assert_false(follower_name_is_good("../x"));
	assert_false(follower_name_is_good("A"));
}

static void a_position_outlives_its_process(void **state)
{
	struct world *w = *state;
	struct follower f = open_follower(w, "a");
	assert_int_equal(f.position.passed, 0);
	struct position p = { .passed = 3, .wall_ns = 7 };
	position_add_series(&p, (struct position_series){ 3, 8, "host" });
	assert_true(follower_save(&f, &p));
	follower_close(&f);
	position_free(&p);
	f = open_follower(w, "a");
	assert_int_equal(f.position.series[0].next, 8);
	assert_false(f.damaged);
	follower_close(&f);
}

static void one_process_at_a_time_is_it(void **state)
{
	struct world *w = *state;
	struct follower second, f = open_follower(w, "a");
	assert_int_equal(follower_open(&second, w->directory, "a"), FOLLOWER_BUSY);
	assert_int_equal(follower_drop(w->directory, "a"), FOLLOWER_BUSY);
	follower_close(&f);
	assert_int_equal(follower_drop(w->directory, "a"), FOLLOWER_OPEN);
	assert_int_equal(follower_drop(w->directory, "a"), FOLLOWER_ERROR);
	assert_int_equal(errno, ENOENT);
}

static void who_has_a_damaged_position_has_passed_nothing(void **state)
{
	struct world *w = *state;
	struct followers all;
	struct follower f = open_follower(w, "a");
	struct position p = { .passed = 3 };
	assert_true(follower_save(&f, &p));
	follower_close(&f);
	int fd = openat(w->fd, "a.follower", O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 25), 1);
	close(fd);
	f = open_follower(w, "a");
	assert_true(f.damaged);
	assert_int_equal(f.position.passed, 0);
	assert_true(followers_look(&all, w->fd));
	assert_int_equal(all.n, 1);
	assert_true(all.list[0].damaged);
	followers_free(&all);
	follower_close(&f);
}

static void no_place_to_write_keeps_the_old_position(void **state)
{
	struct world *w = *state;
	struct follower f = open_follower(w, "a");
	struct position p = { .passed = 3 };
	assert_int_equal(mkdirat(w->fd, "a.new", 0700), 0);
	assert_false(follower_save(&f, &p));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(f.position.passed, 0);
	follower_close(&f);
}

/* --- retention --- */

static void three_segments(const struct world *w)
{
	struct pen p = begin(w, 1, 1, 1, 10);
	for (uint64_t i = 1; i <= 3; i++) {
		write_bodies(&p, 3, i * 10);
		if (i == 3)
			seal_with(&p, FRAME_LAST);
		else
			seal(&p);
		if (i < 3)
			p = begin(w, 1, i + 1, p.sequence, i * 10);
	}
}

static unsigned left(const struct world *w, char held_for[FOLLOWER_NAME_BYTES])
{
	const struct retention r = { .size_bytes = 1 };
	struct retained to;
	struct followers all;
	assert_true(followers_look(&all, w->fd));
	assert_true(retain(w->fd, &r, 0, &all, &to));
	followers_free(&all);
	snprintf(held_for, FOLLOWER_NAME_BYTES, "%s", to.held_for);
	return to.segments;
}

static void what_a_follower_has_not_passed_is_kept(void **state)
{
	struct world *w = *state;
	char held_for[FOLLOWER_NAME_BYTES];
	three_segments(w);
	struct follower f = open_follower(w, "slow"), g = open_follower(w, "ahead");
	assert_int_equal(left(w, held_for), 3);
	struct position p = { .passed = 1 };
	assert_true(follower_save(&g, &p));
	assert_int_equal(left(w, held_for), 3);
	assert_string_equal(held_for, "slow");
	/* A segment has three bodies and a seal. */
	position_add_series(&p, (struct position_series){ 1, 4, "" });
	assert_true(follower_save(&f, &p));
	assert_int_equal(left(w, held_for), 3);
	p.series[0].next = 5;
	assert_true(follower_save(&f, &p));
	assert_int_equal(left(w, held_for), 2);
	follower_close(&f);
	assert_int_equal(follower_drop(w->directory, "slow"), FOLLOWER_OPEN);
	assert_int_equal(left(w, held_for), 1);
	assert_string_equal(held_for, "");
	follower_close(&g);
	position_free(&p);
}

static void an_open_exchange_keeps_its_beginning(void **state)
{
	struct world *w = *state;
	char held_for[FOLLOWER_NAME_BYTES];
	three_segments(w);
	struct follower f = open_follower(w, "a");
	struct position p = { .passed = 1 };
	position_add_series(&p, (struct position_series){ 1, 12, "" });
	position_add_connection(&p, (struct position_connection){ .generation = 1, .from = 6 });
	assert_true(follower_save(&f, &p));
	assert_int_equal(left(w, held_for), 2);
	follower_close(&f);
	position_free(&p);
}

/* --- reading on --- */

/* Sequences of bodies that are read, to the end. */
static void assert_bodies(struct reader *r, const uint64_t *expected, size_t n)
{
	struct reading reading;
	size_t i = 0;
	enum reader_verdict v;
	while ((v = reader_next(r, &reading)) == READER_FRAME) {
		if (reading.frame.type != FRAME_REQUEST_BODY)
			continue;
		assert_true(i < n);
		assert_int_equal(reading.frame.sequence, expected[i++]);
	}
	assert_int_equal(v, READER_END);
	assert_int_equal(i, n);
}

#define ASSERT_BODIES(r, ...)                                                                      \
	assert_bodies(r, (const uint64_t[]){ __VA_ARGS__ },                                        \
		      sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void reading_goes_on_where_it_was_left(void **state)
{
	struct world *w = *state;
	struct position at = { .passed = 1 }, end;
	three_segments(w);
	position_add_series(&at, (struct position_series){ 1, 6, "host" });
	struct reader *r = reader_open(w->directory);
	reader_follow(r, &at);
	ASSERT_BODIES(r, 6, 7, 9, 10, 11);
	assert_true(reader_is_over(r, 1));
	reader_position(r, &end);
	assert_int_equal(end.passed, 1);
	assert_int_equal(end.series_n, 0);
	reader_close(r);
	position_free(&at);
	position_free(&end);
}

/* A position that is taken while what was passed is read again forgets no open exchange. */
static void who_was_open_and_is_not_read_again_yet_is_open_still(void **state)
{
	struct world *w = *state;
	struct position at = { .passed = 1 }, end;
	struct reading reading;
	struct pen p = begin(w, 1, 1, 1, 10);
	for (uint64_t connection = 1; connection <= 3; connection++) {
		const struct frame head = { .type = FRAME_REQUEST_HEAD,
					    .connection = connection,
					    .ordinal = 1 };
		write_like(&p, head, SPAN("head"));
		if (connection != 2)
			position_add_connection(&at,
						(struct position_connection){ .generation = 1,
									      .number = connection,
									      .ordinal = 1,
									      .from = connection });
	}
	seal(&p);
	position_add_series(&at, (struct position_series){ 1, 4, "host" });
	position_sort(&at);
	struct reader *r = reader_open(w->directory);
	reader_follow(r, &at);
	for (uint64_t left = 2; left--;) {
		assert_int_equal(reader_next(r, &reading), READER_FRAME);
		reader_position(r, &end);
		assert_int_equal(end.series[0].next, 4);
		assert_int_equal(end.connection_n, left);
		assert_true(!left || end.connections[0].number == 3);
		position_free(&end);
	}
	reader_close(r);
	position_free(&at);
}

static void who_is_passed_is_not_read(void **state)
{
	struct world *w = *state;
	const struct position at = { .passed = 1 };
	struct position end;
	three_segments(w);
	struct reader *r = reader_open(w->directory);
	reader_follow(r, &at);
	struct reading reading;
	assert_int_equal(reader_next(r, &reading), READER_END);
	reader_position(r, &end);
	assert_int_equal(end.passed, 1);
	reader_close(r);
	position_free(&end);
}

/* What is not durable may be taken back, and its numbers given to others. */
static void what_is_not_durable_is_not_read(void **state)
{
	struct world *w = *state;
	static const struct position nothing;
	struct position end;
	struct writer_lease m;
	assert_true(writer_lease_make(&m, w->fd, 1));
	struct pen p = begin(w, 1, 1, 1, 10);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	write_bodies(&p, 4, 10);
	atomic_store(&m.page->durable, 2);
	struct reader *r = reader_open(w->directory);
	reader_follow(r, &nothing);
	ASSERT_BODIES(r, 1, 2);
	assert_false(reader_is_over(r, 1));
	reader_position(r, &end);
	assert_int_equal(end.series[0].next, 3);
	assert_string_equal(end.series[0].node, "host");
	position_free(&end);
	/* Taken back; another file has those numbers. */
	assert_int_equal(ftruncate(p.fd, sizeof p.head + 2 * (sizeof(struct frame) + 8)), 0);
	close(p.fd);
	struct pen q = begin(w, 1, 2, 3, 20);
	assert_int_equal(flock(q.fd, LOCK_EX), 0);
	write_frame(&q, FRAME_REQUEST_BODY, 20, SPAN("other"));
	atomic_store(&m.page->durable, 3);
	struct reading reading;
	assert_int_equal(reader_next(r, &reading), READER_FRAME);
	assert_int_equal(reading.payload.n, 5);
	assert_int_equal(reader_next(r, &reading), READER_END);
	close(q.fd);
	writer_lease_close(&m);
	assert_int_equal(reader_next(r, &reading), READER_END);
	assert_true(reader_is_over(r, 1));
	reader_close(r);
}

static void between_segments_a_series_is_not_over(void **state)
{
	struct world *w = *state;
	static const struct position nothing;
	struct position end;
	struct writer_lease m;
	assert_true(writer_lease_make(&m, w->fd, 1));
	atomic_store(&m.page->durable, 100);
	struct pen p = begin(w, 1, 1, 1, 10);
	write_bodies(&p, 1, 10);
	seal(&p);
	struct reader *r = reader_open(w->directory);
	reader_follow(r, &nothing);
	ASSERT_BODIES(r, 1);
	assert_false(reader_is_over(r, 1));
	reader_position(r, &end);
	assert_int_equal(end.series_n, 1);
	assert_int_equal(end.series[0].next, 3);
	position_free(&end);
	p = begin(w, 1, 2, 3, 20);
	write_bodies(&p, 1, 20);
	ASSERT_BODIES(r, 3);
	close(p.fd);
	writer_lease_close(&m);
	reader_close(r);
}

/* --- records --- */

struct heard {
	char text[1024]; /* connection:number of each */
};

static void record(void *user, struct span connection, struct span bytes)
{
	struct heard *h = user;
	size_t n = strlen(h->text);
	/* Its number follows the observations, before the node of 4 letters: read from behind. */
	const char *node = memmem(bytes.at, bytes.n, "\x2a\x04host", 6);
	assert_non_null(node);
	snprintf(h->text + n, sizeof h->text - n, "%.*s:%d ", (int)connection.n, connection.at,
		 node[-1]);
}

static void exchange_frame(struct pen *p, enum frame_type type, uint64_t connection, uint8_t flags)
{
	char head[sizeof(struct record_request) + 64] = { 0 };
	struct record_request note = { .text_n = 27 };
	struct span payload = SPAN("");
	if (type == FRAME_REQUEST_HEAD) {
		memcpy(head, &note, sizeof note);
		memcpy(head + sizeof note, "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 28);
		payload = (struct span){ head, sizeof note + 27 };
	}
	write_like(p,
		   (struct frame){ .type = (uint8_t)type,
				   .connection = connection,
				   .flags = flags,
				   .wall_ns = 1000000000 },
		   payload);
}

static void whole_exchange(struct pen *p, uint64_t connection)
{
	exchange_frame(p, FRAME_REQUEST_HEAD, connection, FRAME_END);
	exchange_frame(p, FRAME_OUTCOME, connection, 0);
}

/* One run of a follower, from `at` to the end; where it is then. */
static void follow(const struct world *w, struct position *at, const char *expected)
{
	struct heard h = { "" };
	const struct trafficstream_user user = { .record = record, .user = &h };
	struct reader *r = reader_open(w->directory);
	struct traffic *t = traffic_open(&user);
	struct reading reading;
	struct position to;
	reader_follow(r, at);
	traffic_restore(t, at);
	while (reader_next(r, &reading) == READER_FRAME)
		traffic_take(t, &reading);
	reader_position(r, &to);
	traffic_position(t, r, &to);
	traffic_close(t);
	reader_close(r);
	position_free(at);
	*at = to;
	assert_string_equal(h.text, expected);
}

static void records_go_on_with_the_next_number(void **state)
{
	struct world *w = *state;
	struct position at = { 0 };
	struct writer_lease m;
	assert_true(writer_lease_make(&m, w->fd, 1));
	struct pen p = begin(w, 1, 1, 1, 10);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	atomic_store(&m.page->durable, 1000);
	whole_exchange(&p, 5);
	exchange_frame(&p, FRAME_REQUEST_HEAD, 6, FRAME_END); /* its outcome comes later */
	whole_exchange(&p, 5);
	follow(w, &at, "1-0-5:1 1-0-5:2 ");
	exchange_frame(&p, FRAME_OUTCOME, 6, 0);
	whole_exchange(&p, 5);
	follow(w, &at, "1-0-6:1 1-0-5:3 ");
	follow(w, &at, "");
	/* The process is killed: its connections are over. */
	close(p.fd);
	writer_lease_close(&m);
	follow(w, &at, "1-0-6:2 1-0-5:4 ");
	follow(w, &at, "");
	position_free(&at);
}

/* What was handed over after the position was saved comes again, under the same numbers. */
static void what_comes_twice_has_the_same_numbers(void **state)
{
	struct world *w = *state;
	struct position at = { 0 }, again = { 0 };
	struct writer_lease m;
	assert_true(writer_lease_make(&m, w->fd, 1));
	struct pen p = begin(w, 1, 1, 1, 10);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	atomic_store(&m.page->durable, 1000);
	whole_exchange(&p, 5);
	follow(w, &at, "1-0-5:1 ");
	struct bytes saved = { 0 };
	position_write(&at, &saved);
	whole_exchange(&p, 5);
	whole_exchange(&p, 6);
	follow(w, &at, "1-0-5:2 1-0-6:1 ");
	assert_true(position_read(&again, (struct span){ saved.at, saved.n }));
	follow(w, &again, "1-0-5:2 1-0-6:1 ");
	bytes_free(&saved);
	position_free(&at);
	position_free(&again);
	close(p.fd);
	writer_lease_close(&m);
}

static void lag_is_what_is_not_passed(void **state)
{
	struct world *w = *state;
	struct lag lag;
	struct position p = { 0 };
	three_segments(w);
	assert_true(lag_look(w->fd, &p, &lag));
	assert_int_equal(lag.records, 12);
	p.passed = 1;
	position_add_series(&p, (struct position_series){ 1, 6, "" });
	assert_true(lag_look(w->fd, &p, &lag));
	assert_int_equal(lag.records, 2 + 4);
	position_free(&p);
	p.passed = 1;
	assert_true(lag_look(w->fd, &p, &lag));
	assert_int_equal(lag.records, 0);
	assert_int_equal(lag.wall_ns, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_short_and_plain),
		TEST(a_position_outlives_its_process),
		TEST(one_process_at_a_time_is_it),
		TEST(who_has_a_damaged_position_has_passed_nothing),
		TEST(no_place_to_write_keeps_the_old_position),
		TEST(what_a_follower_has_not_passed_is_kept),
		TEST(an_open_exchange_keeps_its_beginning),
		TEST(reading_goes_on_where_it_was_left),
		TEST(who_was_open_and_is_not_read_again_yet_is_open_still),
		TEST(who_is_passed_is_not_read),
		TEST(what_is_not_durable_is_not_read),
		TEST(between_segments_a_series_is_not_over),
		TEST(records_go_on_with_the_next_number),
		TEST(what_comes_twice_has_the_same_numbers),
		TEST(lag_is_what_is_not_passed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
