#include "unit/control/kit.h"

#include "control/writes.h"

#define TOLD_NS (1764000000ull * 1000000000u)

struct world {
	struct counters *counters; /* of two workers */
	struct writes writes;
};

static void world_open(struct world *w)
{
	w->counters = calloc(2, sizeof *w->counters);
	writes_open(&w->writes, w->counters, 2, TOLD_NS);
}

/* By the second worker, at the listener of the highest number. */
static void write_to(struct world *w, enum arm arm, uint64_t n)
{
	counter_add(&w->counters[1].classes[LISTENERS_MAX - 1][arm][CLASS_WRITE], n);
}

static void change(struct world *w, struct weights_change *c, uint32_t source, uint32_t target)
{
	c->from = c->to;
	c->to = (struct state_values){ .weights = { source, target }, .wall_ns = TOLD_NS };
	writes_follow(&w->writes, &c->from, &c->to);
}

static void assert_warning(const struct world *w, const struct weights_change *c,
			   const char *expected)
{
	json_t *list = writes_warnings(&w->writes, c);
	assert_int_equal(json_array_size(list), expected != NULL);
	if (expected)
		assert_string_equal(json_string_value(json_array_get(list, 0)), expected);
	json_decref(list);
}

static void a_split_warns_when_clients_write(void **state)
{
	(void)state;
	struct world w;
	struct weights_change c = { .to.weights = { 1, 0 } };
	world_open(&w);
	counter_add(&w.counters[0].classes[0][ARM_SOURCE][CLASS_READ], 99);
	change(&w, &c, 9, 1);
	assert_warning(&w, &c, NULL);
	write_to(&w, ARM_SOURCE, 1);
	assert_warning(&w, &c,
		       "both weights are above 0, and clients write (1 write so far): a write that "
		       "one cluster takes is missing in the other");
	change(&w, &c, 1, 0);
	assert_warning(&w, &c, NULL);
	free(w.counters);
}

static void going_back_tells_what_the_target_has_taken(void **state)
{
	(void)state;
	struct world w;
	struct weights_change c = { .to.weights = { 1, 0 } };
	world_open(&w);
	/* By its own listener, before. */
	write_to(&w, ARM_TARGET, 5);
	change(&w, &c, 9, 1);
	write_to(&w, ARM_TARGET, 2);
	change(&w, &c, 0, 1);
	write_to(&w, ARM_TARGET, 1);
	change(&w, &c, 1, 0);
	assert_int_equal(writes_taken(&w.writes, ARM_TARGET), 3);
	assert_warning(&w, &c,
		       "the target was sent 3 writes since 2025-11-24T16:00:00.000Z: the source "
		       "does not have them");
	/* Again: it says the same, until the target gets traffic anew. */
	change(&w, &c, 1, 0);
	assert_int_equal(writes_taken(&w.writes, ARM_TARGET), 3);
	change(&w, &c, 1, 1);
	assert_int_equal(writes_taken(&w.writes, ARM_TARGET), 0);
	free(w.counters);
}

/* The step that matters most. */
static void leaving_the_source_tells_what_it_has_taken(void **state)
{
	(void)state;
	struct world w;
	struct weights_change c = { .to.weights = { 1, 0 } };
	world_open(&w);
	change(&w, &c, 0, 1);
	assert_warning(&w, &c,
		       "writes that the source took before 2025-11-24T16:00:00.000Z are missing in "
		       "the target, unless they were copied");
	change(&w, &c, 1, 0);
	assert_warning(&w, &c, NULL);
	write_to(&w, ARM_SOURCE, 7);
	change(&w, &c, 0, 5);
	assert_warning(&w, &c,
		       "the source was sent 7 writes since 2025-11-24T16:00:00.000Z: the target "
		       "does not have them");
	free(w.counters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_split_warns_when_clients_write),
		cmocka_unit_test(leaving_the_source_tells_what_it_has_taken),
		cmocka_unit_test(going_back_tells_what_the_target_has_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
