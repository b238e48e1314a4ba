/* Tags that hold no place in the log, of a backfill and of retries. */

#include "unit/cmocka_all.h"

#include "replay/keys.h"

struct went_back {
	uintptr_t tags[8];
	size_t n;
};

static void take_back(void *user, uintptr_t tag)
{
	struct went_back *b = user;
	b->tags[b->n++] = tag;
}

static struct keys *open_table(struct went_back *b)
{
	*b = (struct went_back){ .n = 0 };
	return keys_open(&(struct keys_config){ .seed = 1, .back = take_back, .user = b });
}

static void add(struct keys *k, uintptr_t tag)
{
	const struct keys_write w = {
		.index = SPAN("i"), .id = SPAN("1"), .tag = tag, .time_ns = 1
	};
	assert_true(keys_add(k, &w) <= KEYS_REPLACED);
}

static uint32_t take(struct keys *k)
{
	struct keys_taken t;
	const struct keys_ask ask = { .n_max = 1, .bytes_max = 1000, .now_ms = 1000 };
	assert_int_equal(keys_take(k, &ask, &t), 1);
	return t.key;
}

static void a_later_write_takes_the_place_of_a_loose_tag(void **state)
{
	struct went_back b;
	struct keys *k = open_table(&b);
	(void)state;
	add(k, KEYS_LOOSE | 1);
	add(k, 7);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.tags[0], KEYS_LOOSE | 1);
	add(k, KEYS_LOOSE | 2);
	assert_int_equal(b.tags[1], KEYS_LOOSE | 2);
	keys_done(k, take(k));
	assert_int_equal(b.tags[2], 7);
	keys_close(k);
}

static void a_loose_key_that_comes_again_takes_the_tag_of_what_waits_behind_it(void **state)
{
	struct went_back b;
	struct keys *k = open_table(&b);
	(void)state;
	add(k, KEYS_LOOSE | 1);
	uint32_t key = take(k);
	add(k, 7);
	assert_int_equal(b.n, 0);
	keys_again(k, key, 0);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.tags[0], KEYS_LOOSE | 1);
	keys_done(k, take(k));
	assert_int_equal(b.tags[1], 7);
	assert_int_equal(keys_n(k), 0);
	keys_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_later_write_takes_the_place_of_a_loose_tag),
		cmocka_unit_test(
			a_loose_key_that_comes_again_takes_the_tag_of_what_waits_behind_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
