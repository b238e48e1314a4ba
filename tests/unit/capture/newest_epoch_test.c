#include "unit/cmocka_all.h"

#include "capture/newest_epoch.h"
#include "unit/capture/directory.h"

static void write_epochs(struct pen *p, unsigned n, uint64_t epoch)
{
	for (unsigned i = 0; i < n; i++)
		write_like(p,
			   (struct frame){ .type = FRAME_REQUEST_BODY,
					   .epoch = epoch,
					   .wall_ns = epoch * 100 },
			   SPAN("a body of some bytes"));
}

static struct newest_epoch look(const struct world *w)
{
	struct newest_epoch n;
	assert_true(newest_epoch_look(w->fd, &n));
	return n;
}

static void an_empty_directory_knows_no_epoch(void **state)
{
	assert_int_equal(look(*state).epoch, 0);
}

static void the_newest_epoch_is_at_the_end_of_a_segment(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 0);
	write_epochs(&p, 500, 3);
	write_epochs(&p, 1, 8);
	assert_int_equal(look(w).epoch, 8);
	assert_int_equal(look(w).wall_ns, 800);
	seal(&p);
	assert_int_equal(look(w).epoch, 8);
}

static void write_owner(struct pen *p, bool target, uint64_t epoch)
{
	struct record_owner o = { .target = target, .since = epoch, .epoch = epoch };
	write_frame(p, FRAME_OWNER, 0, (struct span){ (const char *)&o, sizeof o });
}

/* It says it at its end, too: a whole segment is not read for that. */
static void the_newest_owner_is_known_and_is_no_request(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 0);
	write_owner(&p, false, 2);
	write_epochs(&p, 500, 2);
	write_owner(&p, true, 4);
	assert_int_equal(look(w).owner.epoch, 4);
	seal(&p);
	p = begin(w, 2, 1, 1, 0);
	write_owner(&p, true, 4);
	close(p.fd);
	struct newest_epoch n = look(w);
	assert_true(n.owner.target && n.owner.epoch == 4 && n.owner.since == 4);
	assert_true(n.epoch == 2 && !n.target);
}

static void a_later_segment_without_requests_hides_nothing(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 0);
	write_epochs(&p, 2, 5);
	seal(&p);
	p = begin(w, 1, 2, p.sequence, 0);
	seal_with(&p, FRAME_LAST);
	p = begin(w, 2, 1, 1, 0);
	close(p.fd);
	assert_int_equal(look(w).epoch, 5);
}

static void of_two_series_that_were_written_at_one_time_the_higher_counts(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 0);
	write_epochs(&p, 2, 9);
	seal_with(&p, FRAME_LAST);
	p = begin(w, 2, 1, 1, 0);
	write_epochs(&p, 2, 7);
	seal_with(&p, FRAME_LAST);
	assert_int_equal(look(w).epoch, 9);
}

static void requests_for_which_no_weights_decide_are_seen(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 0);
	write_like(&p, (struct frame){ .type = FRAME_COMMIT }, SPAN("a log's own"));
	write_like(&p, (struct frame){ .type = FRAME_GAP }, SPAN("a log's own"));
	seal(&p);
	assert_false(look(w).requests);
	p = begin(w, 1, 2, p.sequence, 0);
	write_epochs(&p, 1, 0);
	seal_with(&p, FRAME_LAST);
	assert_true(look(w).requests);
	assert_int_equal(look(w).epoch, 0);
	p = begin(w, 2, 1, 1, 0);
	seal_with(&p, FRAME_LAST);
	assert_true(look(w).requests);
	p = begin(w, 3, 1, 1, 0);
	write_epochs(&p, 1, 4);
	assert_int_equal(look(w).epoch, 4);
	assert_true(look(w).requests);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_knows_no_epoch),
		TEST(the_newest_epoch_is_at_the_end_of_a_segment),
		TEST(the_newest_owner_is_known_and_is_no_request),
		TEST(a_later_segment_without_requests_hides_nothing),
		TEST(requests_for_which_no_weights_decide_are_seen),
		TEST(of_two_series_that_were_written_at_one_time_the_higher_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
