/* Recorded requests are sent again in the order of cause. */

#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "replay/verbatim.h"

#define MANY 60

/* A line of the table: intervals "began-ended", in the order of their ends; which may begin at
 * once.
 */
static const struct row {
	struct {
		uint64_t began, ended;
	} of[4];
	size_t n;
	const char *first; /* that may begin before anything is done */
} rows[] = {
	{ { { 1, 2 } }, 1, "0" },
	{ { { 1, 2 }, { 3, 4 } }, 2, "0" },
	{ { { 1, 3 }, { 2, 4 } }, 2, "01" },
	/* What began first goes first, also where it ended last. */
	{ { { 2, 3 }, { 1, 4 } }, 2, "10" },
	/* One that takes long overlaps all others, and they do not overlap each other. */
	{ { { 2, 3 }, { 4, 5 }, { 1, 6 } }, 3, "20" },
	{ { { 1, 3 }, { 2, 5 }, { 4, 6 } }, 3, "01" },
	{ { { 1, 4 }, { 2, 5 }, { 3, 6 } }, 3, "012" },
	{ { { 1, 2 }, { 3, 6 }, { 4, 7 }, { 5, 8 } }, 4, "0" },
};

static void what_overlapped_may_go_together(void **state)
{
	(void)state;
	for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
		struct verbatim v;
		struct verbatim_item items[4], *i;
		char first[5] = "";
		verbatim_open(&v);
		for (size_t n = 0; n < rows[r].n; n++) {
			items[n] = (struct verbatim_item){ .began = rows[r].of[n].began,
							   .ended = rows[r].of[n].ended };
			verbatim_add(&v, &items[n]);
		}
		for (size_t n = 0; (i = verbatim_next(&v)); n++)
			first[n] = (char)('0' + (i - items));
		assert_string_equal(first, rows[r].first);
		assert_ptr_equal(verbatim_oldest(&v), &items[0]);
		while (verbatim_drop(&v))
			;
		for (const char *c = first; *c; c++)
			verbatim_done(&v, &items[*c - '0']);
		verbatim_close(&v);
	}
}

/* --- by chance --- */

enum step { NOT_THERE, WAITS, GOES, DONE };

struct history {
	struct verbatim v;
	struct verbatim_item items[MANY]; /* in the order of their ends */
	enum step steps[MANY];
	unsigned seed;
};

static unsigned dice(struct history *h, unsigned n)
{
	return (unsigned)rand_r(&h->seed) % n;
}

/* At each place of the log one request begins or ends, `most` at a time at most. */
static void make_history(struct history *h, unsigned most)
{
	uint64_t open[MANY], place = 0;
	unsigned open_n = 0, ended = 0, began = 0;
	while (ended < MANY) {
		place++;
		if (began < MANY && open_n < most && (!open_n || dice(h, 2))) {
			open[open_n++] = place;
			began++;
			continue;
		}
		unsigned one = dice(h, open_n);
		h->items[ended++] = (struct verbatim_item){ .began = open[one], .ended = place };
		open[one] = open[--open_n];
	}
}

/* By the promise itself: all that ended before it began are done. */
static bool may_begin(const struct history *h, size_t i)
{
	for (size_t k = 0; k < MANY; k++)
		if (h->items[k].ended < h->items[i].began && h->steps[k] != DONE)
			return false;
	return true;
}

static void assert_next_is_right(struct history *h)
{
	struct verbatim_item *next = verbatim_next(&h->v);
	bool any = false;
	for (size_t i = 0; i < MANY; i++)
		any |= h->steps[i] == WAITS && may_begin(h, i);
	assert_int_equal(next != NULL, any);
	if (!next)
		return;
	size_t i = (size_t)(next - h->items);
	assert_true(h->steps[i] == WAITS && may_begin(h, i));
	h->steps[i] = GOES;
}

static bool end_one(struct history *h)
{
	size_t going[MANY], n = 0;
	for (size_t i = 0; i < MANY; i++)
		if (h->steps[i] == GOES)
			going[n++] = i;
	if (!n)
		return false;
	size_t i = going[dice(h, (unsigned)n)];
	verbatim_done(&h->v, &h->items[i]);
	h->steps[i] = DONE;
	return true;
}

static void play_history(unsigned seed)
{
	struct history h = { .seed = seed };
	size_t added = 0, done = 0;
	make_history(&h, 1 + seed % 12);
	verbatim_open(&h.v);
	while (done < MANY) {
		unsigned what = dice(&h, 3);
		if (what == 0 && added < MANY) {
			h.steps[added] = WAITS;
			verbatim_add(&h.v, &h.items[added++]);
		} else if (what == 1) {
			assert_next_is_right(&h);
		} else {
			done += end_one(&h);
		}
	}
	assert_null(verbatim_oldest(&h.v));
	verbatim_close(&h.v);
}

static void no_request_goes_before_its_cause_and_none_waits_for_more(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 500; seed++)
		play_history(seed);
}

/* --- anew --- */

static void what_is_read_anew_begins_behind_what_goes_still(void **state)
{
	(void)state;
	struct verbatim v;
	struct verbatim_item a = { .began = 90, .ended = 91 }, b = { .began = 92, .ended = 93 };
	struct verbatim_item again = { .began = 1, .ended = 2 };
	verbatim_open(&v);
	verbatim_add(&v, &a);
	verbatim_add(&v, &b);
	assert_ptr_equal(verbatim_next(&v), &a);
	assert_ptr_equal(verbatim_drop(&v), &b);
	assert_null(verbatim_drop(&v));
	verbatim_begin_anew(&v);
	verbatim_add(&v, &again);
	assert_null(verbatim_next(&v));
	verbatim_done(&v, &a);
	assert_ptr_equal(verbatim_next(&v), &again);
	verbatim_done(&v, &again);
	verbatim_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_overlapped_may_go_together),
		cmocka_unit_test(no_request_goes_before_its_cause_and_none_waits_for_more),
		cmocka_unit_test(what_is_read_anew_begins_behind_what_goes_still),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
