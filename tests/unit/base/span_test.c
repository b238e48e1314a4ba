#include "unit/cmocka_all.h"

#include "base/span.h"

static void names_compare_without_case(void **state)
{
	(void)state;
	assert_true(span_is_nocase(SPAN("Content-Length"), SPAN("content-LENGTH")));
	assert_false(span_is_nocase(SPAN("Content-Length"), SPAN("Content_Length")));
	/* '@' and '`' differ by the same bit as 'A' and 'a'. */
	assert_false(span_is_nocase(SPAN("@"), SPAN("`")));
	assert_false(span_is_nocase(SPAN("ab"), SPAN("abc")));
	assert_true(span_is_nocase(SPAN(""), SPAN("")));
}

static void numbers_are_digits_alone(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned long long max;
		bool ok;
		unsigned long long value;
	} table[] = {
		{ "0", 10, true, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "007", 10, true, 7 },
		{ "", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "1a", 99, false, 0 },
		{ "0x1", 99, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		unsigned long long value = 0;
		assert_int_equal(span_to_u64(span_of(table[i].text), table[i].max, &value),
				 table[i].ok);
		assert_int_equal(value, table[i].value);
	}
}

static void a_list_skips_empty_members(void **state)
{
	(void)state;
	struct span rest = SPAN(" , close ,\tkeep-alive,, upgrade , "), member;
	assert_true(span_next_member(&rest, &member) && span_is(member, SPAN("close")));
	assert_true(span_next_member(&rest, &member) && span_is(member, SPAN("keep-alive")));
	assert_true(span_next_member(&rest, &member) && span_is(member, SPAN("upgrade")));
	assert_false(span_next_member(&rest, &member));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_compare_without_case),
		cmocka_unit_test(numbers_are_digits_alone),
		cmocka_unit_test(a_list_skips_empty_members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
