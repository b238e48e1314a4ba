#include "unit/cmocka_all.h"

#include "capture/position.h"

static struct position make(void)
{
	struct position p = { .passed = 7, .wall_ns = 5 };
	position_add_series(&p, (struct position_series){ 7, 100, "host" });
	position_add_series(&p, (struct position_series){ 4, 50, "" });
	position_add_connection(&p, (struct position_connection){ .generation = 7,
								  .worker = 1,
								  .number = 9,
								  .records = 3,
								  .requests = 2,
								  .from = 90 });
	position_add_connection(&p, (struct position_connection){
					    .generation = 7, .number = 4, .from = POSITION_IDLE });
	position_add_connection(
		&p, (struct position_connection){
			    .generation = 7, .worker = 2, .number = 9, .ordinal = 3, .from = 95 });
	position_sort(&p);
	return p;
}

static struct bytes text_of(const struct position *p)
{
	struct bytes text = { 0 };
	position_write(p, &text);
	return text;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	struct position p = make(), again;
	struct bytes text = text_of(&p);
	assert_true(position_read(&again, (struct span){ text.at, text.n }));
	struct bytes text_again = text_of(&again);
	assert_int_equal(text.n, text_again.n);
	assert_memory_equal(text.at, text_again.at, text.n);
	assert_string_equal(again.series[1].node, "host");
	const struct position_connection *c = position_find(&again, 7, 1, 9, 0);
	assert_non_null(c);
	assert_int_equal(c->records, 3);
	assert_int_equal(c->requests, 2);
	assert_null(position_find(&again, 7, 1, 8, 0));
	bytes_free(&text);
	bytes_free(&text_again);
	position_free(&p);
	position_free(&again);
}

static void any_damage_is_found(void **state)
{
	(void)state;
	struct position p = make(), again;
	struct bytes text = text_of(&p);
	for (size_t i = 0; i < text.n; i++) {
		text.at[i] ^= 1;
		assert_false(position_read(&again, (struct span){ text.at, text.n }));
		assert_int_equal(again.passed, 0);
		text.at[i] ^= 1;
		assert_false(position_read(&again, (struct span){ text.at, i }));
	}
	bytes_free(&text);
	position_free(&p);
}

static bool wants(const struct position *p, uint64_t generation, uint64_t sequence, uint16_t worker,
		  uint64_t connection)
{
	return position_wants(p, generation,
			      &(struct frame){ .sequence = sequence,
					       .worker = worker,
					       .connection = connection });
}

/* Others of its connection that are over are not read twice. */
static void an_open_exchange_is_read_again_and_no_other_of_its_connection(void **state)
{
	(void)state;
	struct position p = make();
	struct frame f = { .sequence = 96, .worker = 2, .connection = 9, .ordinal = 3 };
	assert_true(position_wants(&p, 7, &f));
	f.ordinal = 2;
	assert_false(position_wants(&p, 7, &f));
	f.ordinal = 4;
	assert_false(position_wants(&p, 7, &f));
	f.sequence = 100;
	assert_true(position_wants(&p, 7, &f));
	f = (struct frame){ .sequence = 94, .worker = 2, .connection = 9, .ordinal = 3 };
	assert_false(position_wants(&p, 7, &f));
	/* Of a connection all exchanges are. */
	f = (struct frame){ .sequence = 91, .worker = 1, .connection = 9, .ordinal = 8 };
	assert_true(position_wants(&p, 7, &f));
	position_free(&p);
}

static void only_open_exchanges_are_read_again(void **state)
{
	(void)state;
	struct position p = make();
	assert_true(wants(&p, 7, 100, 0, 1));
	assert_false(wants(&p, 7, 99, 0, 1));
	assert_false(wants(&p, 7, 99, 0, 4));
	assert_true(wants(&p, 7, 90, 1, 9));
	assert_false(wants(&p, 7, 89, 1, 9));
	assert_int_equal(position_from(&p, 7), 90);
	assert_int_equal(position_from(&p, 4), 50);
	position_free(&p);
}

static void series_before_that_are_not_listed_are_passed(void **state)
{
	(void)state;
	struct position p = make();
	assert_int_equal(position_from(&p, 6), UINT64_MAX);
	assert_false(wants(&p, 6, 1000, 0, 1));
	assert_int_equal(position_from(&p, 8), 0);
	assert_true(wants(&p, 8, 1, 0, 1));
	position_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(any_damage_is_found),
		cmocka_unit_test(an_open_exchange_is_read_again_and_no_other_of_its_connection),
		cmocka_unit_test(only_open_exchanges_are_read_again),
		cmocka_unit_test(series_before_that_are_not_listed_are_passed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
