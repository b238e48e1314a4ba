#include "unit/cmocka_all.h"

#include "base/limits.h"
#include "replay/parked.h"

static void tag_back(void *user, uintptr_t tag)
{
	(void)tag;
	++*(int *)user;
}

static void count(void *user, struct span index)
{
	(void)index;
	++*(int *)user;
}

struct kit {
	int back;
	struct keys *keys;
	struct parked parked;
};

static void kit_open(struct kit *k)
{
	k->back = 0;
	k->keys = keys_open(&(struct keys_config){ .seed = 1, .back = tag_back, .user = &k->back });
	parked_open(&k->parked, k->keys);
	assert_int_equal(
		keys_add(k->keys,
			 &(struct keys_write){ .index = SPAN("a"), .id = SPAN("1"), .time_ns = 1 }),
		KEYS_ADDED);
}

static void kit_close(struct kit *k)
{
	parked_close(&k->parked);
	keys_close(k->keys);
}

static int due(struct kit *k, uint64_t now_ms)
{
	int n = 0;
	parked_each_due(&k->parked, now_ms, count, &n);
	return n;
}

static void a_refused_index_is_looked_at_again_ever_later(void **state)
{
	(void)state;
	struct kit k;
	uint64_t now = 1000, pause = PARKED_PAUSE_MS;
	kit_open(&k);
	for (int i = 0; i < 8; i++) {
		parked_add(&k.parked, SPAN("a"), "no", now);
		assert_true(keys_is_parked(k.keys, SPAN("a")));
		assert_int_equal(parked_due_ms(&k.parked), now + pause);
		/* Others say the same of it meanwhile. */
		parked_add(&k.parked, SPAN("a"), "no", now + 1);
		assert_int_equal(due(&k, now + pause - 1), 0);
		assert_int_equal(due(&k, now + pause), 1);
		now += pause;
		pause = 2 * pause < PARKED_PAUSE_MS_MAX ? 2 * pause : PARKED_PAUSE_MS_MAX;
	}
	assert_int_equal(pause, PARKED_PAUSE_MS_MAX);
	kit_close(&k);
}

static void keys_of_an_index_that_is_well_go_on(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	parked_add(&k.parked, SPAN("a"), "no room", 1000);
	assert_string_equal(parked_why(&k.parked), "index a: no room; its keys wait");
	/* It is not looked at yet: what is said of it is old. */
	parked_is_well(&k.parked, SPAN("a"), 1001);
	assert_true(keys_is_parked(k.keys, SPAN("a")));
	parked_is_well(&k.parked, SPAN("b"), 1000 + PARKED_PAUSE_MS);
	parked_is_well(&k.parked, SPAN("a"), 1000 + PARKED_PAUSE_MS);
	assert_false(keys_is_parked(k.keys, SPAN("a")));
	assert_string_equal(parked_why(&k.parked), "");
	assert_true(parked_due_ms(&k.parked) == UINT64_MAX);
	kit_close(&k);
}

static void a_refusal_soon_behind_is_the_same_one(void **state)
{
	(void)state;
	struct kit k;
	uint64_t now = 1000 + PARKED_PAUSE_MS;
	kit_open(&k);
	parked_add(&k.parked, SPAN("a"), "no", 1000);
	parked_is_well(&k.parked, SPAN("a"), now);
	parked_add(&k.parked, SPAN("a"), "no", now + 100);
	assert_int_equal(parked_due_ms(&k.parked), now + 100 + 2 * PARKED_PAUSE_MS);
	now += 100 + 2 * PARKED_PAUSE_MS;
	parked_is_well(&k.parked, SPAN("a"), now);
	/* Later it is another one. */
	parked_add(&k.parked, SPAN("a"), "no", now + PARKED_PAUSE_MS + 1);
	assert_int_equal(parked_due_ms(&k.parked), now + PARKED_PAUSE_MS + 1 + PARKED_PAUSE_MS);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_index_is_looked_at_again_ever_later),
		cmocka_unit_test(keys_of_an_index_that_is_well_go_on),
		cmocka_unit_test(a_refusal_soon_behind_is_the_same_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
