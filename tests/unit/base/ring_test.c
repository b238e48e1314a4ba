#include "unit/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ring.h"

static void a_piece_without_room_is_refused_whole(void **state)
{
	(void)state;
	struct ring r;
	struct span runs[2];
	ring_open(&r, 8);
	assert_true(ring_put(&r, SPAN("abcde")));
	assert_false(ring_put(&r, SPAN("fghi")));
	assert_int_equal(ring_used(&r), 5);
	assert_true(ring_put(&r, SPAN("fgh")));
	assert_false(ring_put(&r, SPAN("i")));
	assert_int_equal(ring_look(&r, runs), 1);
	assert_memory_equal(runs[0].at, "abcdefgh", 8);
	ring_close(&r);
}

static void what_goes_over_the_end_comes_in_two_runs(void **state)
{
	(void)state;
	struct ring r;
	struct span runs[2];
	ring_open(&r, 8);
	assert_int_equal(ring_look(&r, runs), 0);
	ring_put(&r, SPAN("abcdef"));
	ring_take(&r, 5);
	assert_true(ring_put(&r, SPAN("ghijkl")));
	assert_int_equal(ring_look(&r, runs), 2);
	assert_int_equal(runs[0].n, 3);
	assert_memory_equal(runs[0].at, "fgh", 3);
	assert_int_equal(runs[1].n, 4);
	assert_memory_equal(runs[1].at, "ijkl", 4);
	ring_take(&r, 7);
	assert_int_equal(ring_look(&r, runs), 0);
	ring_close(&r);
}

#define PIECES 100000

static void *put_all(void *argument)
{
	struct ring *r = argument;
	for (unsigned n = 0; n < PIECES; n++) {
		char piece[9];
		snprintf(piece, sizeof piece, "%07u\n", n);
		while (!ring_put(r, (struct span){ piece, 8 }))
			;
	}
	return NULL;
}

static void two_threads_see_every_piece_in_its_order(void **state)
{
	(void)state;
	struct ring r;
	pthread_t putter;
	ring_open(&r, 1024);
	assert_int_equal(pthread_create(&putter, NULL, put_all, &r), 0);
	for (unsigned next = 0; next < PIECES;) {
		struct span runs[2];
		unsigned n = ring_look(&r, runs);
		for (unsigned i = 0; i < n; i++) {
			/* 1024 is a whole number of pieces: none goes over the end. */
			for (size_t at = 0; at < runs[i].n; at += 8)
				assert_int_equal(strtoul(runs[i].at + at, NULL, 10), next++);
			ring_take(&r, runs[i].n);
		}
	}
	pthread_join(putter, NULL);
	ring_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_piece_without_room_is_refused_whole),
		cmocka_unit_test(what_goes_over_the_end_comes_in_two_runs),
		cmocka_unit_test(two_threads_see_every_piece_in_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
