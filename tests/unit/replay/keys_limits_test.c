/* What happens at the limits of the table of keys; and what it takes until then. */

#include "unit/replay/keys_kit.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"

static void many_back(void *user, uintptr_t tag)
{
	*(uintptr_t *)user += tag;
}

static enum keys_added add_number(struct keys *k, const char *index, unsigned number)
{
	char id[21];
	int n = snprintf(id, sizeof id, "%020u", number);
	struct keys_write w = {
		.index = span_of(index), .id = { id, (size_t)n }, .tag = 1, .time_ns = number + 1
	};
	return keys_add(k, &w);
}

static void a_million_keys_take_88_bytes_each_and_no_more_come(void **state)
{
	(void)state;
	uintptr_t back = 0;
	struct keys_config config = { .seed = 7, .back = many_back, .user = &back };
	struct keys *k = keys_open(&config);
	struct keys_count count;
	static struct keys_taken taken[1000];
	struct keys_ask ask = { .n_max = 1000, .bytes_max = SIZE_MAX };
	for (unsigned i = 0; i < REPLAY_KEYS_MAX; i++)
		assert_int_equal(add_number(k, "an-index", i), KEYS_ADDED);
	keys_count(k, &count);
	assert_int_equal(count.waiting, REPLAY_KEYS_MAX);
	assert_true(count.bytes <= 88ull * REPLAY_KEYS_MAX);
	assert_int_equal(add_number(k, "an-index", REPLAY_KEYS_MAX), KEYS_FULL);
	assert_int_equal(add_number(k, "an-index", 1), KEYS_REPLACED);
	assert_int_equal(back, 1);
	for (unsigned i = 0; i < REPLAY_KEYS_MAX; i += 1000) {
		assert_int_equal(keys_take(k, &ask, taken), 1000);
		for (unsigned j = 0; j < 1000; j++)
			keys_done(k, taken[j].key);
	}
	keys_count(k, &count);
	assert_int_equal(count.waiting + count.in_flight, 0);
	assert_int_equal(back, REPLAY_KEYS_MAX + 1);
	/* What a million needed is not held for ever: the numbers of the chunks stay. */
	assert_true(count.bytes < 512 * 1024);
	keys_check(k, SIZE_MAX);
	keys_close(k);
}

static void parked_indices_have_a_limit_of_their_own(void **state)
{
	(void)state;
	uintptr_t back = 0;
	struct keys_config config = { .seed = 7, .back = many_back, .user = &back };
	struct keys *k = keys_open(&config);
	assert_true(keys_park(k, SPAN("x")));
	for (unsigned i = 0; i < REPLAY_PARKED_MAX; i++)
		assert_int_equal(add_number(k, "x", i), KEYS_ADDED);
	assert_int_equal(add_number(k, "x", REPLAY_PARKED_MAX), KEYS_PARKED_FULL);
	assert_int_equal(add_number(k, "y", 0), KEYS_ADDED);
	assert_false(keys_park(k, SPAN("y")));
	assert_int_equal(keys_drop(k, SPAN("x")), REPLAY_PARKED_MAX);
	assert_int_equal(back, REPLAY_PARKED_MAX);
	assert_true(keys_park(k, SPAN("y")));
	keys_close(k);
}

static void long_ids_are_bounded_by_their_bytes(void **state)
{
	(void)state;
	uintptr_t back = 0;
	struct keys_config config = { .seed = 7, .back = many_back, .user = &back };
	struct keys *k = keys_open(&config);
	struct keys_count count;
	char id[DOCUMENT_ID_BYTES + 1], routing[REPLAY_ROUTING_BYTES];
	memset(id, 'a', sizeof id);
	memset(routing, 'r', sizeof routing);
	enum keys_added added = KEYS_ADDED;
	for (unsigned i = 0; added == KEYS_ADDED; i++) {
		snprintf(id, sizeof id, "%0512u", i);
		struct keys_write w = { .index = SPAN("x"),
					.id = { id, DOCUMENT_ID_BYTES },
					.routing = { routing, sizeof routing },
					.time_ns = i + 1 };
		added = keys_add(k, &w);
	}
	assert_int_equal(added, KEYS_FULL);
	keys_count(k, &count);
	assert_true(count.bytes < REPLAY_KEYS_BYTES + REPLAY_KEYS_BYTES / 16);
	assert_true(count.waiting > REPLAY_KEYS_BYTES / REPLAY_KEY_BYTES - 2);
	keys_close(k);
}

static void too_many_indices_are_refused_and_room_comes_back(void **state)
{
	(void)state;
	struct kit *kit = kit_open();
	struct keys_taken taken[1];
	char name[16];
	for (unsigned i = 0; i < REPLAY_INDICES_MAX; i++) {
		snprintf(name, sizeof name, "i%u", i);
		struct keys_write w = { .index = span_of(name), .id = SPAN("a"), .time_ns = i + 1 };
		assert_int_equal(keys_add(kit->keys, &w), KEYS_ADDED);
	}
	struct keys_write w = { .index = SPAN("more"), .id = SPAN("a"), .time_ns = 1 };
	assert_int_equal(keys_add(kit->keys, &w), KEYS_FULL);
	assert_int_equal(kit_take(kit, taken, 1, 0), 1);
	assert_true(span_is(taken[0].index, SPAN("i0")));
	keys_done(kit->keys, taken[0].key);
	assert_int_equal(keys_add(kit->keys, &w), KEYS_ADDED);
	kit_close(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_keys_take_88_bytes_each_and_no_more_come),
		cmocka_unit_test(parked_indices_have_a_limit_of_their_own),
		cmocka_unit_test(long_ids_are_bounded_by_their_bytes),
		cmocka_unit_test(too_many_indices_are_refused_and_room_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
