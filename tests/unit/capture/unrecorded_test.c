#include "unit/cmocka_all.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "capture/feed.h"
#include "unit/capture/directory.h"

#define SECOND 1000000000ull

/* A worker that counts. */
static void lose_writes(struct unrecorded *u, unsigned n, uint64_t wall_ns)
{
	struct feed f;
	feed_open(&f, 0);
	feed_count_in(&f, u->own->lost[0]);
	f.mono_ns = f.wall_ns = wall_ns;
	while (n--)
		feed_lose(&f, GAP_UNAVAILABLE, LOSS_WRITE);
}

/* As the kernel does it for who is killed: nothing is said, and the lock goes. */
static void kill_it(struct unrecorded *u)
{
	struct stat s;
	assert_int_equal(fstat(u->fd, &s), 0);
	munmap(u->page, (size_t)s.st_size);
	close(u->fd);
}

/* Of any other reason nothing has passed unrecorded. */
static void assert_nothing_but(const struct unrecorded_seen *seen, enum gap_reason reason)
{
	static const struct losses none;
	for (int r = 0; r < GAP_REASONS; r++) {
		if (r == (int)reason)
			continue;
		assert_memory_equal(&seen->total[r], &none, sizeof none);
		assert_memory_equal(&seen->untold[r], &none, sizeof none);
	}
}

static struct losses inherited(const struct unrecorded *u, enum gap_reason reason)
{
	return unrecorded_sum(u->own, UNRECORDED_INHERITED, reason);
}

/* In place of libc's: what is on the disk when it returns. */
static const struct unrecorded *watched;
static unsigned kept_with_both;

int fdatasync(int fd)
{
	struct unrecorded_seen seen;
	if (watched) {
		unrecorded_see(watched, &seen);
		/* In the heir's slot, and in the one that it is taken from. */
		kept_with_both += inherited(watched, GAP_UNAVAILABLE).writes == 5 &&
				  seen.untold[GAP_UNAVAILABLE].writes == 10;
	}
	return fsync(fd);
}

static void what_a_killed_process_has_counted_the_next_one_tells(void **state)
{
	struct world *w = *state;
	struct unrecorded first, second;
	assert_true(unrecorded_open(&first, w->fd, 1, 2));
	lose_writes(&first, 5, 7 * SECOND);
	kill_it(&first);
	assert_true(unrecorded_open(&second, w->fd, 2, 2));
	assert_int_equal(unrecorded_take_over(&second, 9 * SECOND), 1);
	struct losses l = inherited(&second, GAP_UNAVAILABLE);
	assert_int_equal(l.writes, 5);
	assert_int_equal(l.uncertain, 0);
	assert_int_equal(l.first_wall_ns, 7 * SECOND);
	assert_int_equal(l.last_wall_ns, 7 * SECOND);
	assert_true(unrecorded_has_more(second.own));
	assert_int_equal(unrecorded_take_over(&second, 9 * SECOND), 0);
	unrecorded_close(&second);
}

static void what_was_taken_over_is_kept_before_its_slot_is_free(void **state)
{
	struct world *w = *state;
	struct unrecorded first, second;
	assert_true(unrecorded_open(&first, w->fd, 1, 1));
	lose_writes(&first, 5, 7 * SECOND);
	kill_it(&first);
	assert_true(unrecorded_open(&second, w->fd, 2, 1));
	watched = &second;
	assert_int_equal(unrecorded_take_over(&second, 9 * SECOND), 1);
	watched = NULL;
	assert_int_equal(kept_with_both, 1);
	unrecorded_close(&second);
}

static void what_a_living_process_has_counted_is_its_own(void **state)
{
	struct world *w = *state;
	struct unrecorded first, second;
	struct unrecorded_seen seen;
	assert_true(unrecorded_open(&first, w->fd, 1, 1));
	assert_true(unrecorded_open(&second, w->fd, 2, 1));
	lose_writes(&first, 3, SECOND);
	lose_writes(&second, 2, 2 * SECOND);
	assert_int_equal(unrecorded_take_over(&second, 9 * SECOND), 0);
	assert_true(unrecorded_look(w->fd, &seen));
	assert_int_equal(seen.total[GAP_UNAVAILABLE].writes, 5);
	assert_int_equal(seen.untold[GAP_UNAVAILABLE].writes, 5);
	assert_nothing_but(&seen, GAP_UNAVAILABLE);
	assert_int_equal(seen.total[GAP_UNAVAILABLE].last_write_wall_ns, 2 * SECOND);
	unrecorded_close(&first);
	unrecorded_close(&second);
}

static void a_stop_with_nothing_told_leaves_it_to_the_next(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	struct unrecorded_seen seen;
	assert_true(unrecorded_open(&u, w->fd, 1, 1));
	lose_writes(&u, 4, SECOND);
	counter_set(&u.own->away_wall_ns, SECOND);
	unrecorded_close(&u);
	assert_true(unrecorded_look(w->fd, &seen));
	assert_int_equal(seen.untold[GAP_UNAVAILABLE].writes, 4);
	assert_nothing_but(&seen, GAP_UNAVAILABLE);
	assert_int_equal(seen.away_wall_ns, 0);
	assert_true(unrecorded_open(&u, w->fd, 2, 1));
	assert_int_equal(unrecorded_take_over(&u, 9 * SECOND), 1);
	assert_int_equal(inherited(&u, GAP_UNAVAILABLE).writes, 4);
	unrecorded_close(&u);
}

static void totals_outlive_what_was_told(void **state)
{
	struct world *w = *state;
	struct unrecorded_seen seen;
	for (unsigned i = 0; i < 3 * UNRECORDED_SLOTS; i++) {
		struct unrecorded u;
		assert_true(unrecorded_open(&u, w->fd, 1 + i, 1));
		assert_int_equal(unrecorded_take_over(&u, SECOND), 0);
		lose_writes(&u, 1, (1 + i) * SECOND);
		struct losses l = unrecorded_sum(u.own, UNRECORDED_OWN, GAP_UNAVAILABLE);
		unrecorded_tell(u.own, UNRECORDED_OWN, GAP_UNAVAILABLE, &l);
		unrecorded_close(&u);
	}
	assert_true(unrecorded_look(w->fd, &seen));
	assert_int_equal(seen.total[GAP_UNAVAILABLE].writes, 3 * UNRECORDED_SLOTS);
	assert_int_equal(seen.total[GAP_UNAVAILABLE].last_write_wall_ns,
			 3 * UNRECORDED_SLOTS * SECOND);
	assert_int_equal(seen.untold[GAP_UNAVAILABLE].writes, 0);
}

static void what_nobody_could_tell_goes_from_heir_to_heir(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	for (unsigned i = 0; i < 2 * UNRECORDED_SLOTS; i++) {
		assert_true(unrecorded_open(&u, w->fd, 1 + i, 1));
		unrecorded_take_over(&u, SECOND);
		lose_writes(&u, 1, (1 + i) * SECOND);
		kill_it(&u);
	}
	assert_true(unrecorded_open(&u, w->fd, 99, 1));
	assert_int_equal(unrecorded_take_over(&u, SECOND), 1);
	struct losses l = inherited(&u, GAP_UNAVAILABLE);
	assert_int_equal(l.writes, 2 * UNRECORDED_SLOTS);
	assert_int_equal(l.first_wall_ns, SECOND);
	assert_int_equal(l.last_wall_ns, 2 * UNRECORDED_SLOTS * SECOND);
	unrecorded_close(&u);
}

/* The kernel of another boot wrote it. */
static void lose_power(struct unrecorded *u)
{
	u->own->boot[0] ^= 1;
	kill_it(u);
}

static void a_power_cut_while_the_log_was_away_leaves_from_when_to_when(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	assert_true(unrecorded_open(&u, w->fd, 1, 1));
	counter_set(&u.own->away_wall_ns, 5 * SECOND);
	lose_power(&u);
	assert_true(unrecorded_open(&u, w->fd, 2, 1));
	assert_int_equal(unrecorded_take_over(&u, 9 * SECOND), 1);
	struct losses l = inherited(&u, GAP_UNAVAILABLE);
	assert_int_equal(l.writes, 0);
	assert_int_equal(l.uncertain, 1);
	assert_int_equal(l.first_wall_ns, 5 * SECOND);
	assert_int_equal(l.last_wall_ns, 9 * SECOND);
	unrecorded_close(&u);
}

static void a_power_cut_while_all_was_well_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	assert_true(unrecorded_open(&u, w->fd, 1, 1));
	lose_power(&u);
	assert_true(unrecorded_open(&u, w->fd, 2, 1));
	assert_int_equal(unrecorded_take_over(&u, 9 * SECOND), 0);
	assert_false(unrecorded_has_more(u.own));
	unrecorded_close(&u);
}

static void a_tunnel_that_goes_with_its_process_is_told(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	struct feed f;
	assert_true(unrecorded_open(&u, w->fd, 1, 1));
	feed_open(&f, 0);
	feed_count_in(&f, u.own->lost[0]);
	f.wall_ns = 3 * SECOND;
	for (unsigned i = 0; i < 3; i++)
		feed_tunnel_begins(&f);
	feed_tunnel_ends(&f, true);
	kill_it(&u);
	assert_true(unrecorded_open(&u, w->fd, 2, 1));
	assert_int_equal(unrecorded_take_over(&u, 9 * SECOND), 1);
	struct losses l = inherited(&u, GAP_TUNNEL);
	assert_int_equal(l.writes, 2);
	assert_int_equal(l.uncertain, 1);
	assert_int_equal(l.first_wall_ns, 3 * SECOND);
	assert_int_equal(l.last_wall_ns, 9 * SECOND);
	unrecorded_close(&u);
}

static void a_file_that_is_none_is_left_as_it_is_and_memory_is_used(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	assert_int_equal(symlinkat("elsewhere", w->fd, UNRECORDED_FILE), 0);
	assert_false(unrecorded_open(&u, w->fd, 1, 1));
	assert_int_equal(faccessat(w->fd, "elsewhere", F_OK, 0), -1);
	lose_writes(&u, 1, SECOND);
	assert_true(unrecorded_has_more(u.own));
	assert_int_equal(unrecorded_take_over(&u, SECOND), 0);
	unrecorded_close(&u);
	assert_int_equal(unlinkat(w->fd, UNRECORDED_FILE, 0), 0);
	int fd = openat(w->fd, UNRECORDED_FILE, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "short", 5), 5);
	close(fd);
	assert_false(unrecorded_open(&u, w->fd, 1, 1));
	unrecorded_close(&u);
}

static void write_whole(const struct world *w, const char *bytes, size_t n)
{
	int fd = openat(w->fd, UNRECORDED_FILE, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void counts_that_are_lost_are_told_as_unknown(void **state)
{
	struct world *w = *state;
	static char zeros[1 << 20];
	const struct {
		const char *bytes; /* NULL: the file is gone */
		size_t n;
		enum unrecorded_before before;
	} rows[] = {
		{ NULL, 0, UNRECORDED_WAS_MISSING },
		{ "", 0, UNRECORDED_WAS_DAMAGED },
		{ "cf unrecorded", 13, UNRECORDED_WAS_DAMAGED },
		{ zeros, sizeof zeros, UNRECORDED_WAS_DAMAGED },
	};
	const struct unrecorded_signs signs = { true, 3 * SECOND, 9 * SECOND };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct unrecorded u;
		struct unrecorded_seen seen;
		unlinkat(w->fd, UNRECORDED_FILE, 0);
		if (rows[i].bytes)
			write_whole(w, rows[i].bytes, rows[i].n);
		assert_int_equal(unrecorded_mend(w->fd, &signs), rows[i].before);
		assert_int_equal(faccessat(w->fd, UNRECORDED_DAMAGED, F_OK, 0),
				 rows[i].bytes ? 0 : -1);
		/* Who has mended it may be killed before it says so. */
		assert_int_equal(unrecorded_mend(w->fd, &signs), UNRECORDED_WAS_GOOD);
		assert_true(unrecorded_open(&u, w->fd, 1, 1));
		assert_int_equal(unrecorded_take_over(&u, 10 * SECOND), 1);
		struct losses l = inherited(&u, GAP_UNAVAILABLE);
		assert_int_equal(l.uncertain, 1);
		assert_int_equal(l.first_wall_ns, 3 * SECOND);
		assert_int_equal(l.last_wall_ns, 9 * SECOND);
		unrecorded_see(&u, &seen);
		assert_int_equal(seen.total[GAP_UNAVAILABLE].uncertain, 1);
		unrecorded_close(&u);
	}
}

static void a_first_start_has_lost_nothing(void **state)
{
	struct world *w = *state;
	struct unrecorded u;
	const struct unrecorded_signs signs = { false, 0, 9 * SECOND };
	assert_int_equal(unrecorded_mend(w->fd, &signs), UNRECORDED_WAS_GOOD);
	assert_true(unrecorded_open(&u, w->fd, 1, 1));
	assert_int_equal(unrecorded_take_over(&u, 10 * SECOND), 0);
	assert_true(unrecorded_is_kept(&u, w->fd));
	assert_int_equal(unlinkat(w->fd, UNRECORDED_FILE, 0), 0);
	assert_false(unrecorded_is_kept(&u, w->fd));
	write_whole(w, "another", 7);
	assert_false(unrecorded_is_kept(&u, w->fd));
	unrecorded_close(&u);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_killed_process_has_counted_the_next_one_tells),
		TEST(what_was_taken_over_is_kept_before_its_slot_is_free),
		TEST(what_a_living_process_has_counted_is_its_own),
		TEST(a_stop_with_nothing_told_leaves_it_to_the_next),
		TEST(totals_outlive_what_was_told),
		TEST(what_nobody_could_tell_goes_from_heir_to_heir),
		TEST(a_power_cut_while_the_log_was_away_leaves_from_when_to_when),
		TEST(a_power_cut_while_all_was_well_leaves_nothing),
		TEST(a_tunnel_that_goes_with_its_process_is_told),
		TEST(counts_that_are_lost_are_told_as_unknown),
		TEST(a_first_start_has_lost_nothing),
		TEST(a_file_that_is_none_is_left_as_it_is_and_memory_is_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
