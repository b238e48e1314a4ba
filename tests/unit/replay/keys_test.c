#include "unit/replay/keys_kit.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"

static void keys_are_taken_in_the_order_in_which_they_came(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	assert_int_equal(kit_add(kit, "x", "a", 1), KEYS_ADDED);
	assert_int_equal(kit_add(kit, "y", "b", 2), KEYS_ADDED);
	assert_int_equal(kit_add(kit, "x", "c", 3), KEYS_ADDED);
	kit_assert_taken(kit, 0, "abc");
	assert_int_equal(kit->back_n, 3);
	kit_close(kit);
}

static void a_key_that_waits_keeps_its_place_and_its_tag(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	kit_add(kit, "x", "a", 1);
	kit_add(kit, "x", "b", 2);
	assert_int_equal(kit_add(kit, "x", "a", 3), KEYS_REPLACED);
	assert_int_equal(kit->back[3], 1);
	assert_int_equal(kit->back[1], 0);
	kit_assert_taken(kit, 0, "ab");
	assert_int_equal(kit->back[1], 1);
	kit_close(kit);
}

static void one_id_in_two_indices_is_two_keys(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	assert_int_equal(kit_add(kit, "x", "a", 1), KEYS_ADDED);
	assert_int_equal(kit_add(kit, "y", "a", 2), KEYS_ADDED);
	kit_assert_taken(kit, 0, "aa");
	kit_close(kit);
}

static void add_routed(struct kit *kit, const char *routing, uint8_t marks, uintptr_t tag)
{
	struct keys_write w = { .index = SPAN("x"),
				.id = SPAN("a"),
				.routing = span_of(routing),
				.marks = marks,
				.tag = tag,
				.time_ns = tag };
	keys_add(kit->keys, &w);
	keys_check(kit->keys, SIZE_MAX);
}

static void what_is_marked_in_flight_is_so_when_it_comes_again(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	add_routed(kit, "", 1, 1);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	/* A younger write of it becomes one with it. */
	add_routed(kit, "", 4, 2);
	keys_mark(kit->keys, taken[0].key, 2);
	keys_again(kit->keys, taken[0].key, 0);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	assert_int_equal(taken[0].marks, 7);
	keys_done(kit->keys, taken[0].key);
	kit_close(kit);
}

/* By two routings there may be two documents of one id: both are copied, one after the other. */
static void a_key_has_an_entry_for_each_routing(void **state)
{
	(void)state;
	static const char *const routings[] = { "one", "two", "" };
	struct kit *kit = kit_open();
	struct keys_taken taken[2];
	for (unsigned i = 0; i < 3; i++)
		add_routed(kit, routings[i], (uint8_t)(1 << i), i + 1);
	add_routed(kit, "two", 8, 4);
	add_routed(kit, "one", 16, 5);
	assert_int_equal(kit->back[4] + kit->back[5], 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(kit_take(kit, taken, 2, 0), 1);
		assert_true(span_is(taken[0].routing, span_of(routings[i])));
		assert_int_equal(taken[0].marks, i == 0 ? 17 : i == 1 ? 10 : 4);
		keys_done(kit->keys, taken[0].key);
		assert_int_equal(kit->back[i + 1], 1);
	}
	kit_close(kit);
}

/* Each write of it looks at all of its entries. */
static void a_key_has_so_many_entries_and_no_more(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_write w = { .index = SPAN("x"), .id = SPAN("a") };
	struct keys_taken taken[1];
	char routing[8];
	for (unsigned i = 0; i <= REPLAY_KEY_ENTRIES_MAX; i++) {
		snprintf(routing, sizeof routing, "%u", i);
		w.routing = span_of(routing);
		w.tag = i;
		assert_int_equal(keys_add(kit->keys, &w),
				 i < REPLAY_KEY_ENTRIES_MAX ? KEYS_ADDED : KEYS_FULL);
	}
	w.routing = SPAN("0");
	assert_int_equal(keys_add(kit->keys, &w), KEYS_REPLACED);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	keys_done(kit->keys, taken[0].key);
	assert_int_equal(keys_add(kit->keys, &w), KEYS_ADDED);
	keys_check(kit->keys, SIZE_MAX);
	kit_close(kit);
}

static void add_from(struct kit *kit, uintptr_t tag, uint64_t sequence)
{
	const struct keys_write w = { .index = SPAN("x"),
				      .id = SPAN("a"),
				      .tag = tag,
				      .origin = { sequence, sequence ? 2 : 0 } };
	keys_add(kit->keys, &w);
}

/* The write whose tag is held: the log is kept from there on. */
static void the_origin_of_a_key_goes_with_its_tag(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken;
	add_from(kit, 1, 100);
	add_from(kit, 2, 200);
	assert_int_equal(kit_take(kit, &taken, 1, 0), 1);
	assert_int_equal(taken.origin.sequence, 100);
	assert_int_equal(taken.origin.series, 2);
	add_from(kit, 3, 300);
	keys_again(kit->keys, taken.key, 0);
	assert_int_equal(kit_take(kit, &taken, 1, 0), 1);
	assert_int_equal(taken.origin.sequence, 100);
	add_from(kit, 4, 400);
	keys_done(kit->keys, taken.key);
	assert_int_equal(kit_take(kit, &taken, 1, 0), 1);
	assert_int_equal(taken.origin.sequence, 400);
	keys_done(kit->keys, taken.key);
	kit_close(kit);
}

static void a_key_in_flight_is_taken_again_when_it_is_done(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[2];
	kit_add(kit, "x", "a", 1);
	assert_int_equal(kit_take(kit, taken, 2, 0), 1);
	assert_int_equal(kit_add(kit, "x", "a", 2), KEYS_ADDED);
	assert_int_equal(kit_add(kit, "x", "a", 3), KEYS_REPLACED);
	kit_add(kit, "x", "b", 4);
	assert_int_equal(kit_take(kit, taken + 1, 1, 0), 1);
	assert_true(span_is(taken[1].id, SPAN("b")));
	keys_done(kit->keys, taken[1].key);
	kit_assert_taken(kit, 0, "");
	keys_done(kit->keys, taken[0].key);
	assert_int_equal(kit->back[2], 0);
	kit_assert_taken(kit, 0, "a");
	assert_int_equal(kit->back[2], 1);
	kit_close(kit);
}

static void a_key_comes_again_at_its_place_and_not_too_soon(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[2];
	kit_add(kit, "x", "a", 1);
	kit_add(kit, "x", "b", 2);
	assert_int_equal(keys_due_ms(kit->keys, 10), 10);
	assert_int_equal(kit_take(kit, taken, 2, 0), 2);
	assert_int_equal(keys_due_ms(kit->keys, 10), UINT64_MAX);
	kit_add(kit, "x", "c", 3);
	keys_again(kit->keys, taken[1].key, 20);
	keys_again(kit->keys, taken[0].key, 20);
	keys_check(kit->keys, SIZE_MAX);
	kit_assert_taken(kit, 19, "c");
	assert_int_equal(keys_due_ms(kit->keys, 10), 20);
	assert_int_equal(keys_due_ms(kit->keys, 30), 30);
	kit_add(kit, "x", "d", 4);
	kit_assert_taken(kit, 20, "abd");
	kit_close(kit);
}

/* What was written while it was in flight is in the next copy. */
static void a_key_that_comes_again_is_one_with_what_waits_behind_it(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	add_routed(kit, "one", 1, 1);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	add_routed(kit, "one", 2, 2);
	add_routed(kit, "two", 4, 3);
	keys_again(kit->keys, taken[0].key, 0);
	assert_int_equal(kit->back[2], 1);
	assert_int_equal(kit->back[1], 0);
	assert_int_equal(kit->back[3], 0);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	assert_int_equal(taken[0].marks, 3);
	keys_done(kit->keys, taken[0].key);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	assert_true(span_is(taken[0].routing, SPAN("two")));
	keys_done(kit->keys, taken[0].key);
	kit_assert_taken(kit, 0, "");
	kit_close(kit);
}

static void what_is_set_aside_is_counted_and_holds_up_nothing(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	struct keys_count count;
	kit_add(kit, "x", "a", 1);
	kit_take(kit, taken, 1, 0);
	kit_add(kit, "x", "a", 2);
	keys_set_aside(kit->keys, taken[0].key);
	assert_int_equal(kit->back[1], 1);
	keys_count(kit->keys, &count);
	assert_int_equal(count.set_aside, 1);
	kit_assert_taken(kit, 0, "a");
	kit_close(kit);
}

static void a_request_is_bounded_by_bytes(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[3];
	struct keys_ask ask = { .n_max = 3, .bytes_max = 8 };
	kit_add(kit, "x", "a long one", 1);
	kit_add(kit, "x", "bbb", 2);
	kit_add(kit, "x", "ccc", 3);
	assert_int_equal(keys_take(kit->keys, &ask, taken), 1);
	assert_int_equal(keys_take(kit->keys, &ask, taken + 1), 2);
	kit_close(kit);
}

static void keys_that_no_cluster_has_are_refused(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	char text[DOCUMENT_ID_BYTES + 2];
	memset(text, 'a', sizeof text);
	text[DOCUMENT_ID_BYTES + 1] = 0;
	assert_int_equal(kit_add(kit, "x", text, 1), KEYS_ILLEGAL);
	assert_int_equal(kit_add(kit, text, "a", 1), KEYS_ILLEGAL);
	assert_int_equal(kit_add(kit, "x", "", 1), KEYS_ILLEGAL);
	assert_int_equal(kit_add(kit, "", "a", 1), KEYS_ILLEGAL);
	text[DOCUMENT_ID_BYTES] = 0;
	assert_int_equal(kit_add(kit, "x", text, 1), KEYS_ADDED);
	assert_int_equal(kit->back_n, 0);
	kit_close(kit);
}

/* --- parked --- */

static void a_parked_index_holds_up_nobody(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	struct keys_count count;
	kit_add(kit, "x", "a", 1);
	kit_take(kit, taken, 1, 0);
	kit_add(kit, "x", "b", 2);
	assert_true(keys_park(kit->keys, SPAN("x")));
	assert_true(keys_is_parked(kit->keys, SPAN("x")));
	keys_again(kit->keys, taken[0].key, 0);
	kit_add(kit, "x", "c", 3);
	kit_add(kit, "y", "d", 4);
	keys_count(kit->keys, &count);
	assert_int_equal(count.parked, 3);
	assert_int_equal(count.waiting, 1);
	assert_int_equal(count.oldest_ns, 4);
	kit_assert_taken(kit, 0, "d");
	assert_int_equal(keys_due_ms(kit->keys, 5), UINT64_MAX);
	keys_resume(kit->keys, SPAN("x"));
	assert_false(keys_is_parked(kit->keys, SPAN("x")));
	kit_assert_taken(kit, 0, "abc");
	kit_close(kit);
}

static void an_index_can_be_parked_before_it_has_keys(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	assert_true(keys_park(kit->keys, SPAN("x")));
	kit_add(kit, "x", "a", 1);
	kit_assert_taken(kit, 0, "");
	keys_resume(kit->keys, SPAN("x"));
	keys_resume(kit->keys, SPAN("none"));
	kit_assert_taken(kit, 0, "a");
	kit_close(kit);
}

static void keys_that_are_dropped_give_their_tags_back(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[2];
	kit_add(kit, "x", "a", 1);
	kit_add(kit, "x", "b", 2);
	kit_take(kit, taken, 2, 0);
	kit_add(kit, "x", "a", 3);
	kit_add(kit, "x", "c", 4);
	kit_add(kit, "y", "d", 5);
	keys_again(kit->keys, taken[1].key, 0);
	assert_int_equal(keys_drop(kit->keys, SPAN("x")), 3);
	assert_int_equal(keys_drop(kit->keys, SPAN("none")), 0);
	keys_check(kit->keys, SIZE_MAX);
	assert_int_equal(kit->back[2] + kit->back[3] + kit->back[4], 3);
	keys_done(kit->keys, taken[0].key);
	kit_assert_taken(kit, 0, "d");
	kit_close(kit);
}

/* --- fences --- */

static void keys_behind_a_fence_wait_until_it_is_lifted(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	kit_add(kit, "x-1", "a", 1);
	kit_add(kit, "y", "b", 2);
	struct keys_fence *f = keys_fence(kit->keys, SPAN("x-*,z"));
	kit_add(kit, "x-1", "c", 3);
	kit_add(kit, "x-2", "d", 4);
	kit_add(kit, "y", "e", 5);
	assert_false(keys_fence_is_clear(kit->keys, f));
	kit_assert_taken(kit, 0, "abe");
	assert_true(keys_fence_is_clear(kit->keys, f));
	keys_fence_lift(kit->keys, f);
	kit_assert_taken(kit, 0, "cd");
	kit_close(kit);
}

static void a_key_before_a_fence_is_copied_behind_it_too(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	kit_add(kit, "x", "a", 1);
	struct keys_fence *f = keys_fence(kit->keys, SPAN("_all"));
	assert_int_equal(kit_add(kit, "x", "a", 2), KEYS_ADDED);
	assert_int_equal(kit_add(kit, "x", "a", 3), KEYS_REPLACED);
	kit_assert_taken(kit, 0, "a");
	assert_int_equal(kit->back[1], 1);
	assert_int_equal(kit->back[2], 0);
	assert_true(keys_fence_is_clear(kit->keys, f));
	keys_fence_lift(kit->keys, f);
	kit_assert_taken(kit, 0, "a");
	kit_close(kit);
}

static void a_fence_waits_for_keys_in_flight_and_for_those_that_come_again(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	kit_add(kit, "x", "a", 1);
	kit_take(kit, taken, 1, 0);
	struct keys_fence *f = keys_fence(kit->keys, SPAN("x"));
	kit_add(kit, "x", "a", 2);
	keys_again(kit->keys, taken[0].key, 0);
	assert_int_equal(kit->back_n, 0);
	assert_false(keys_fence_is_clear(kit->keys, f));
	kit_assert_taken(kit, 0, "a");
	assert_true(keys_fence_is_clear(kit->keys, f));
	kit_assert_taken(kit, 0, "");
	keys_fence_lift(kit->keys, f);
	kit_assert_taken(kit, 0, "a");
	kit_close(kit);
}

static void fences_of_one_index_are_lifted_in_order(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_fence *f = keys_fence(kit->keys, SPAN("x*"));
	struct keys_fence *g = keys_fence(kit->keys, SPAN("xy"));
	struct keys_fence *h = keys_fence(kit->keys, SPAN("z"));
	assert_true(keys_fence_is_clear(kit->keys, f));
	assert_false(keys_fence_is_clear(kit->keys, g));
	assert_true(keys_fence_is_clear(kit->keys, h));
	kit_add(kit, "xy", "a", 1);
	keys_fence_lift(kit->keys, f);
	kit_assert_taken(kit, 0, "");
	keys_fence_lift(kit->keys, g);
	kit_assert_taken(kit, 0, "a");
	kit_close(kit);
}

static void a_drop_ends_at_a_fence(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	kit_add(kit, "x", "a", 1);
	assert_true(keys_park(kit->keys, SPAN("x")));
	struct keys_fence *f = keys_fence(kit->keys, SPAN("x"));
	kit_add(kit, "x", "b", 2);
	assert_false(keys_fence_is_clear(kit->keys, f));
	assert_int_equal(keys_drop(kit->keys, SPAN("x")), 1);
	assert_true(keys_fence_is_clear(kit->keys, f));
	keys_fence_lift(kit->keys, f);
	keys_resume(kit->keys, SPAN("x"));
	kit_assert_taken(kit, 0, "b");
	kit_close(kit);
}

/* Whether a fence of the pattern means the index. */
static bool holds(const char *pattern, const char *index)
{
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	keys_fence(kit->keys, span_of(pattern));
	kit_add(kit, index, "a", 1);
	bool held = kit_take(kit, taken, 1, 0) == 0;
	kit_close(kit);
	return held;
}

static void patterns_of_fences(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *index;
		bool holds;
	} rows[] = {
		{ "logs", "logs", true },
		{ "logs", "logs-1", false },
		{ "logs-*", "logs-1", true },
		{ "logs-*", "logs", false },
		{ "*-1", "logs-1", true },
		{ "*-1", "logs-12", false },
		{ "l*g*1", "logs-1", true },
		{ "l*g*1", "logs-2", false },
		{ "*a*ab", "aaaab", true },
		{ "a,b", "b", true },
		{ "a, b", "b", true },
		{ "a,b", "c", false },
		{ "", "c", true },
		{ "*", "c", true },
		{ "_all", "c", true },
		{ "<logs-{now/d}>", "logs-2026.12.01", true },
		{ "a,-b", "b", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (holds(rows[i].pattern, rows[i].index) != rows[i].holds)
			fail_msg("%s and %s", rows[i].pattern, rows[i].index);
}

static void too_many_fences_are_refused(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_fence *f = keys_fence(kit->keys, SPAN("f"));
	for (int i = 1; i < REPLAY_FENCES_MAX; i++)
		assert_non_null(keys_fence(kit->keys, SPAN("x")));
	assert_null(keys_fence(kit->keys, SPAN("x")));
	kit_add(kit, "x", "a", 1);
	kit_assert_taken(kit, 0, "");
	keys_fence_lift(kit->keys, f);
	assert_non_null(keys_fence(kit->keys, SPAN("x")));
	kit_close(kit);
}

static void see_index(void *user, const struct keys_index_count *i)
{
	char *to = user;
	sprintf(to + strlen(to), "%.*s %zu %zu %d %d;", (int)i->name.n, i->name.at, i->waiting,
		i->in_flight, (int)i->oldest_ns, i->parked);
}

static void indices_are_counted(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	char seen[128] = "";
	kit_add(kit, "x", "a", 1);
	kit_add(kit, "x", "b", 2);
	kit_add(kit, "y", "c", 3);
	kit_take(kit, taken, 1, 0);
	keys_park(kit->keys, SPAN("y"));
	keys_each_index(kit->keys, see_index, seen);
	assert_string_equal(seen, "x 1 1 1 0;y 1 0 3 1;");
	kit_close(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_taken_in_the_order_in_which_they_came),
		cmocka_unit_test(a_key_that_waits_keeps_its_place_and_its_tag),
		cmocka_unit_test(one_id_in_two_indices_is_two_keys),
		cmocka_unit_test(what_is_marked_in_flight_is_so_when_it_comes_again),
		cmocka_unit_test(the_origin_of_a_key_goes_with_its_tag),
		cmocka_unit_test(a_key_has_an_entry_for_each_routing),
		cmocka_unit_test(a_key_has_so_many_entries_and_no_more),
		cmocka_unit_test(a_key_in_flight_is_taken_again_when_it_is_done),
		cmocka_unit_test(a_key_comes_again_at_its_place_and_not_too_soon),
		cmocka_unit_test(a_key_that_comes_again_is_one_with_what_waits_behind_it),
		cmocka_unit_test(what_is_set_aside_is_counted_and_holds_up_nothing),
		cmocka_unit_test(a_request_is_bounded_by_bytes),
		cmocka_unit_test(keys_that_no_cluster_has_are_refused),
		cmocka_unit_test(a_parked_index_holds_up_nobody),
		cmocka_unit_test(an_index_can_be_parked_before_it_has_keys),
		cmocka_unit_test(keys_that_are_dropped_give_their_tags_back),
		cmocka_unit_test(keys_behind_a_fence_wait_until_it_is_lifted),
		cmocka_unit_test(a_key_before_a_fence_is_copied_behind_it_too),
		cmocka_unit_test(a_fence_waits_for_keys_in_flight_and_for_those_that_come_again),
		cmocka_unit_test(fences_of_one_index_are_lifted_in_order),
		cmocka_unit_test(a_drop_ends_at_a_fence),
		cmocka_unit_test(patterns_of_fences),
		cmocka_unit_test(too_many_fences_are_refused),
		cmocka_unit_test(indices_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
