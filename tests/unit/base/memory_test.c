#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/slab.h"

static void the_last_object_given_is_taken_first(void **state)
{
	(void)state;
	struct slab s;
	slab_open(&s, 24, 2);
	void *a = slab_take(&s), *b = slab_take(&s), *c = slab_take(&s);
	assert_int_equal(s.taken, 3);
	slab_give(&s, b);
	slab_give(&s, a);
	assert_ptr_equal(slab_take(&s), a);
	assert_ptr_equal(slab_take(&s), b);
	slab_give(&s, a);
	slab_give(&s, b);
	slab_give(&s, c);
	slab_close(&s);
}

static void objects_are_aligned_and_apart(void **state)
{
	(void)state;
	struct slab s;
	slab_open(&s, 17, 3);
	char *objects[7];
	for (int i = 0; i < 7; i++) {
		objects[i] = slab_take(&s);
		assert_int_equal((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], i, 17);
	}
	for (int i = 0; i < 7; i++) {
		for (int k = 0; k < 17; k++)
			assert_int_equal(objects[i][k], i);
		slab_give(&s, objects[i]);
	}
	slab_close(&s);
}

/* Far more than is kept at hand: the rest goes home, and in shares back to the system. */
static void what_is_not_needed_any_more_goes_back(void **state)
{
	(void)state;
	enum { RUNS = 10 };
	struct slab s;
	slab_open(&s, 4096, 1);
	size_t n = s.idle_max + RUNS * s.run_objects;
	void **objects = calloc(n, sizeof *objects);
	assert_false(slab_trim(&s, 1));
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < n; i++) {
			objects[i] = slab_take(&s);
			memset(objects[i], 0xaa, 4096);
		}
		assert_false(slab_trim(&s, 1000));
		/* In an order that is nobody's. */
		for (size_t i = 0; i < n; i++) {
			size_t other = (i * 7919) % n;
			void *swapped = objects[i];
			objects[i] = objects[other];
			objects[other] = swapped;
		}
		for (size_t i = 0; i < n; i++)
			slab_give(&s, objects[i]);
		assert_int_equal(s.idle_n, s.idle_max);
		unsigned shares = 0;
		while (slab_trim(&s, 3))
			shares++;
		assert_true(shares >= (n / s.run_objects - 1) / 3 - 1);
		assert_int_equal(s.idle_n, 0);
		assert_true(list_empty(&s.partial) && s.whole.next == s.whole.prev);
	}
	free(objects);
	slab_close(&s);
}

/* A run of which one object is out stays, and what is out of it stays what it is. */
static void who_is_out_keeps_its_run(void **state)
{
	(void)state;
	struct slab s;
	slab_open(&s, 1024, 1);
	size_t n = 4 * s.run_objects;
	char **objects = calloc(n, sizeof *objects);
	for (size_t i = 0; i < n; i++) {
		objects[i] = slab_take(&s);
		memset(objects[i], (int)i, 1024);
	}
	for (size_t i = 0; i < n; i++)
		if (i % s.run_objects)
			slab_give(&s, objects[i]);
	assert_false(slab_trim(&s, 1000));
	for (size_t i = 0; i < n; i += s.run_objects) {
		for (int k = 0; k < 1024; k++)
			assert_int_equal((unsigned char)objects[i][k], (unsigned char)i);
		slab_give(&s, objects[i]);
	}
	free(objects);
	slab_close(&s);
}

static void an_arena_gives_everything_back(void **state)
{
	(void)state;
	struct slab chunks;
	struct arena a;
	slab_open(&chunks, 512, 4);
	arena_open(&a, &chunks);
	for (size_t n = 1; n < 2000; n += 37) {
		char *piece = arena_take(&a, n);
		assert_int_equal((uintptr_t)piece % 8, 0);
		memset(piece, 0xaa, n);
	}
	assert_true(chunks.taken > 1);
	arena_close(&a);
	assert_int_equal(chunks.taken, 0);
	slab_close(&chunks);
}

static void the_newest_piece_grows_in_place(void **state)
{
	(void)state;
	struct slab chunks;
	struct arena a;
	slab_open(&chunks, 512, 4);
	arena_open(&a, &chunks);
	char *text = arena_grow(&a, NULL, 0, 8);
	memcpy(text, "12345678", 8);
	assert_ptr_equal(arena_grow(&a, text, 8, 64), text);
	arena_take(&a, 8);
	char *moved = arena_grow(&a, text, 64, 128);
	assert_ptr_not_equal(moved, text);
	assert_memory_equal(moved, "12345678", 8);
	moved = arena_grow(&a, moved, 128, 4000);
	assert_memory_equal(moved, "12345678", 8);
	arena_close(&a);
	slab_close(&chunks);
}

struct member {
	int number;
	struct list link;
};

static void a_member_may_leave_inside_the_loop(void **state)
{
	(void)state;
	struct list head;
	struct member m[4];
	int sum = 0;
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		m[i].number = i + 1;
		list_add_tail(&head, &m[i].link);
	}
	list_each_safe(l, &head) {
		struct member *at = list_entry(l, struct member, link);
		sum += at->number;
		if (at->number % 2)
			list_remove(l);
	}
	assert_int_equal(sum, 10);
	assert_ptr_equal(list_take_first(&head), &m[1].link);
	assert_ptr_equal(list_take_first(&head), &m[3].link);
	assert_null(list_take_first(&head));
	list_remove(&m[1].link);
}

static void splicing_empties_the_giver(void **state)
{
	(void)state;
	struct list a, b, l[3];
	list_init(&a);
	list_init(&b);
	list_splice_tail(&a, &b);
	assert_true(list_empty(&a));
	list_add_tail(&a, &l[0]);
	list_add_tail(&b, &l[1]);
	list_add_tail(&b, &l[2]);
	list_splice_tail(&a, &b);
	assert_true(list_empty(&b));
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(list_take_first(&a), &l[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_object_given_is_taken_first),
		cmocka_unit_test(objects_are_aligned_and_apart),
		cmocka_unit_test(what_is_not_needed_any_more_goes_back),
		cmocka_unit_test(who_is_out_keeps_its_run),
		cmocka_unit_test(an_arena_gives_everything_back),
		cmocka_unit_test(the_newest_piece_grows_in_place),
		cmocka_unit_test(a_member_may_leave_inside_the_loop),
		cmocka_unit_test(splicing_empties_the_giver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
