#include "unit/cmocka_all.h"

#include "base/wheel.h"

struct alarm {
	struct timer timer;
	struct wheel *wheel;
	uint64_t fired_ms;
	unsigned fired;
};

static void on_fired(struct timer *t)
{
	struct alarm *a = list_entry(t, struct alarm, timer);
	a->fired_ms = a->wheel->now_ms;
	a->fired++;
}

static void a_timer_fires_once_and_at_its_time(void **state)
{
	(void)state;
	static const uint64_t delays[] = { 1,	  2,	  63,	  64,	   65,
					   127,	  128,	  4095,	  4096,	   4097,
					   10000, 262143, 262144, 3600000, 16777215 };
	static const uint64_t starts[] = { 0, 1, 63, 64, 4095, 1000003 };
	for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
		for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
			static struct wheel w;
			wheel_open(&w, starts[s]);
			struct alarm a = { .wheel = &w };
			timer_init(&a.timer, on_fired);
			uint64_t due = starts[s] + delays[i];
			timer_set(&w, &a.timer, due);
			wheel_turn(&w, due - 1);
			assert_int_equal(a.fired, 0);
			assert_true(wheel_next_ms(&w) <= due);
			wheel_turn(&w, due);
			assert_int_equal(a.fired, 1);
			assert_int_equal(a.fired_ms, due);
			wheel_turn(&w, due + 100000);
			assert_int_equal(a.fired, 1);
		}
	}
}

static void a_wait_until_the_next_deadline_never_misses_one(void **state)
{
	(void)state;
	static struct wheel w;
	struct alarm alarms[200];
	uint64_t seed = 42, now = 12345;
	wheel_open(&w, now);
	for (int i = 0; i < 200; i++) {
		alarms[i] = (struct alarm){ .wheel = &w };
		timer_init(&alarms[i].timer, on_fired);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		timer_set(&w, &alarms[i].timer, now + 1 + (seed >> 33) % 5000000);
	}
	while (wheel_next_ms(&w) != UINT64_MAX)
		wheel_turn(&w, wheel_next_ms(&w));
	for (int i = 0; i < 200; i++) {
		assert_int_equal(alarms[i].fired, 1);
		assert_int_equal(alarms[i].fired_ms, alarms[i].timer.due_ms);
	}
}

static void a_cleared_or_moved_timer_does_not_fire_at_the_old_time(void **state)
{
	(void)state;
	static struct wheel w;
	wheel_open(&w, 0);
	struct alarm a = { .wheel = &w }, b = { .wheel = &w };
	timer_init(&a.timer, on_fired);
	timer_init(&b.timer, on_fired);
	timer_set(&w, &a.timer, 100);
	timer_set(&w, &b.timer, 100);
	timer_clear(&a.timer);
	timer_set(&w, &b.timer, 5000);
	wheel_turn(&w, 4999);
	assert_int_equal(a.fired + b.fired, 0);
	wheel_turn(&w, 5000);
	assert_int_equal(b.fired, 1);
	assert_false(timer_is_set(&b.timer));
}

/* A deadline beyond what the wheel holds is looked at again, not forgotten. */
static void a_deadline_beyond_the_horizon_comes(void **state)
{
	(void)state;
	static struct wheel w;
	wheel_open(&w, 5);
	struct alarm a = { .wheel = &w };
	timer_init(&a.timer, on_fired);
	timer_set(&w, &a.timer, 40000000);
	wheel_turn(&w, 39999999);
	assert_int_equal(a.fired, 0);
	wheel_turn(&w, 40000000);
	assert_int_equal(a.fired, 1);
}

static void a_past_deadline_fires_at_the_next_turn(void **state)
{
	(void)state;
	static struct wheel w;
	wheel_open(&w, 1000);
	struct alarm a = { .wheel = &w };
	timer_init(&a.timer, on_fired);
	timer_set(&w, &a.timer, 10);
	wheel_turn(&w, 1001);
	assert_int_equal(a.fired, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_and_at_its_time),
		cmocka_unit_test(a_wait_until_the_next_deadline_never_misses_one),
		cmocka_unit_test(a_cleared_or_moved_timer_does_not_fire_at_the_old_time),
		cmocka_unit_test(a_deadline_beyond_the_horizon_comes),
		cmocka_unit_test(a_past_deadline_fires_at_the_next_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
