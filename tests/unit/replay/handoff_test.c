#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "replay/handoff.h"

static void count_wake(void *user)
{
	++*(unsigned *)user;
}

static struct effect key_of(const char *index, const char *id)
{
	return (struct effect){ .kind = EFFECT_KEY, .index = span_of(index), .id = span_of(id) };
}

static void what_is_put_is_taken_in_its_order(void **state)
{
	(void)state;
	struct handoff h;
	struct handed_batch in = { 0 }, out = { 0 };
	unsigned wakes = 0;
	handoff_open(&h, count_wake, &wakes);
	assert_false(handoff_take(&h, &out));
	for (int round = 0; round < 2; round++) {
		struct effect a = key_of("books", "1"), b = key_of("films", "");
		b.routing = SPAN("r");
		b.uncertain = b.external_version = true;
		handed_add(&in, &a, 7,
			   &(struct handed_exchange){ .wall_ns = 70, .origin = { 9, 3 } });
		handed_add(&in, &b, 8, &(struct handed_exchange){ .wall_ns = 80 });
		in.until_wall_ns = 90 + (uint64_t)round;
		assert_true(handoff_put(&h, &in));
		assert_int_equal(in.n, 0);
	}
	assert_int_equal(wakes, 2);
	assert_true(handoff_take(&h, &out));
	assert_int_equal(out.n, 4);
	assert_int_equal(out.until_wall_ns, 91);
	for (size_t i = 0; i < 4; i += 2) {
		const struct handed *a = &out.list[i], *b = a + 1;
		assert_true(span_is(handed_span(&out, a->index), SPAN("books")));
		assert_true(span_is(handed_span(&out, a->id), SPAN("1")));
		assert_int_equal(a->tag, 7);
		assert_int_equal(a->wall_ns, 70);
		assert_int_equal(a->origin.sequence, 9);
		assert_int_equal(a->origin.series, 3);
		assert_int_equal(a->marks, 0);
		assert_true(span_is(handed_span(&out, b->index), SPAN("films")));
		assert_int_equal(handed_span(&out, b->id).n, 0);
		assert_true(span_is(handed_span(&out, b->routing), SPAN("r")));
		assert_int_equal(b->marks, HANDED_UNCERTAIN | HANDED_EXTERNAL);
	}
	handed_free(&in);
	handed_free(&out);
	handoff_close(&h);
}

static struct recorded *request_of(uintptr_t tag, size_t body_n)
{
	struct recorded *q = calloc(1, sizeof *q);
	*q = (struct recorded){ .tag = tag, .wall_ns = 10 * tag };
	q->piece = (struct bytes){ calloc(1, body_n), body_n, body_n };
	return q;
}

/* What is not taken out of a batch is freed with it. */
static void requests_are_handed_over_with_their_bodies(void **state)
{
	(void)state;
	struct handoff h;
	struct handed_batch in = { 0 }, out = { 0 };
	unsigned wakes = 0;
	handoff_open(&h, count_wake, &wakes);
	for (uintptr_t tag = 1; tag <= 3; tag++) {
		handed_add_request(&in, request_of(tag, HANDOFF_BYTES_MAX / 2));
		assert_int_equal(handoff_put(&h, &in), tag < 3);
	}
	assert_true(handoff_take(&h, &out));
	assert_int_equal(out.n, 2);
	assert_int_equal(out.list[1].request->tag, 2);
	assert_int_equal(out.list[1].tag, 2);
	assert_int_equal(out.list[1].wall_ns, 20);
	recorded_free(out.list[0].request);
	out.list[0].request = NULL;
	handed_free(&in);
	handed_free(&out);
	handoff_close(&h);
}

/* The limit is looked at before: what waits may be one batch more. */
static void a_side_that_takes_nothing_is_given_no_more(void **state)
{
	(void)state;
	struct handoff h;
	struct handed_batch in = { 0 }, out = { 0 };
	unsigned wakes = 0, puts = 0;
	static char id[1000];
	memset(id, 'x', sizeof id - 1);
	handoff_open(&h, count_wake, &wakes);
	for (bool fits = true; fits; puts += fits) {
		struct effect e = key_of("i", id);
		for (int i = 0; i < 1000; i++)
			handed_add(&in, &e, 1, &(struct handed_exchange){ .wall_ns = 1 });
		fits = handoff_put(&h, &in);
		assert_int_equal(in.n, fits ? 0 : 1000);
	}
	assert_in_range(puts, 2, HANDOFF_BYTES_MAX / (1000 * sizeof id) + 1);
	assert_true(handoff_take(&h, &out));
	assert_int_equal(out.n, puts * 1000);
	assert_true(handoff_put(&h, &in));
	handed_free(&in);
	handed_free(&out);
	handoff_close(&h);
}

static void tags_go_back_once(void **state)
{
	(void)state;
	struct handoff h;
	unsigned wakes = 0;
	uintptr_t *back, tags[] = { 3, 1, 2 };
	handoff_open(&h, count_wake, &wakes);
	handoff_back(&h, tags, 2);
	handoff_back(&h, tags + 2, 1);
	assert_int_equal(handoff_take_back(&h, &back), 3);
	assert_memory_equal(back, tags, sizeof tags);
	free(back);
	assert_int_equal(handoff_take_back(&h, &back), 0);
	free(back);
	handoff_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_handed_over_with_their_bodies),
		cmocka_unit_test(what_is_put_is_taken_in_its_order),
		cmocka_unit_test(a_side_that_takes_nothing_is_given_no_more),
		cmocka_unit_test(tags_go_back_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
