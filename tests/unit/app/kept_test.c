#include "unit/app/kit.h"

#include "app/kept.h"

static int open_kept(void **state)
{
	*state = calloc(1, sizeof(struct kept));
	return *state ? 0 : -1;
}

static int close_kept(void **state)
{
	free(*state);
	return 0;
}

static void holds(const struct kept *k, const char *expected)
{
	struct span text;
	assert_true(kept_read(k, &text));
	assert_true(span_is(text, span_of(expected)));
}

static void fresh_memory_holds_nothing(void **state)
{
	struct span text;
	assert_false(kept_read(*state, &text));
}

static void the_newest_text_is_read(void **state)
{
	kept_put(*state, SPAN("one"));
	holds(*state, "one");
	kept_put(*state, SPAN("another"));
	holds(*state, "another");
	kept_put(*state, SPAN(""));
	holds(*state, "");
}

/* It writes beside what is valid, and has not said yet that this is it. */
static void a_writer_that_is_killed_hurts_nobody(void **state)
{
	struct kept *k = *state;
	kept_put(k, SPAN("one"));
	uint32_t changes = k->changes;
	kept_put(k, SPAN("another"));
	k->changes = changes;
	holds(k, "one");
}

static void the_count_of_changes_never_says_that_there_is_none(void **state)
{
	struct kept *k = *state;
	k->changes = UINT32_MAX;
	kept_put(k, SPAN("one"));
	holds(k, "one");
}

static void a_text_may_be_as_long_as_a_file(void **state)
{
	struct kept *k = *state;
	struct span text;
	char *longest = malloc(TEXT_FILE_BYTES);
	memset(longest, 'x', TEXT_FILE_BYTES);
	kept_put(k, (struct span){ longest, TEXT_FILE_BYTES });
	assert_true(kept_read(k, &text));
	assert_int_equal(text.n, TEXT_FILE_BYTES);
	free(longest);
	k->copies[k->changes & 1].n = TEXT_FILE_BYTES + 1;
	assert_false(kept_read(k, &text));
}

static void another_version_is_not_read(void **state)
{
	struct kept *k = *state;
	struct span text;
	kept_put(k, SPAN("one"));
	k->version = KEPT_VERSION + 1;
	assert_false(kept_read(k, &text));
}

#define with_kept(f) cmocka_unit_test_setup_teardown(f, open_kept, close_kept)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_kept(fresh_memory_holds_nothing),
		with_kept(the_newest_text_is_read),
		with_kept(a_writer_that_is_killed_hurts_nobody),
		with_kept(the_count_of_changes_never_says_that_there_is_none),
		with_kept(a_text_may_be_as_long_as_a_file),
		with_kept(another_version_is_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
