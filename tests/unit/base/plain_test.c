#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/plain.h"

static const struct {
	const char *given, *shown, *json;
} rows[] = {
	{ "", "", "" },
	{ "plain text, gr\xc3\xb6\xc3\x9f"
	  "er, \xe6\x97\xa5, \xf0\x9f\x98\x80",
	  "plain text, gr\xc3\xb6\xc3\x9f"
	  "er, \xe6\x97\xa5, \xf0\x9f\x98\x80",
	  "plain text, gr\xc3\xb6\xc3\x9f"
	  "er, \xe6\x97\xa5, \xf0\x9f\x98\x80" },
	{ "a\x1b[31m", "a\\x1b[31m", "a\\u001b[31m" },
	{ "a\rb\x7f", "a\\x0db\\x7f", "a\\u000db\\u007f" },
	{ "\xc2\x9b"
	  "31m",
	  "\\xc2\\x9b31m", "\\u009b31m" }, /* C1: the same as ESC [ */
	{ "\xe2\x80\xae"
	  "x",
	  "\\xe2\\x80\\xaex", "\\u202ex" }, /* from right to left */
	{ "\xe2\x81\xa6"
	  "x",
	  "\\xe2\\x81\\xa6x", "\\u2066x" },
	{ "\xe2\x80\xa8"
	  "x",
	  "\\xe2\\x80\\xa8x", "\\u2028x" },
	{ "\xd8\x9c", "\\xd8\\x9c", "\\u061c" },
	{ "\xf3\xa0\x80\x81", "\\xf3\\xa0\\x80\\x81", "\\udb40\\udc01" },
	{ "\x9b"
	  "x",
	  "\\x9bx", "\\ufffdx" },			/* no UTF-8 */
	{ "\xc0\x9b", "\\xc0\\x9b", "\\ufffd\\ufffd" }, /* too long for its number */
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd" },
	{ "\xe2\x80", "\\xe2\\x80", "\\ufffd\\ufffd" },
};

static void what_moves_a_terminal_is_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char to[256];
		assert_int_equal(plain_copy(to, sizeof to, rows[i].given), strlen(rows[i].shown));
		assert_string_equal(to, rows[i].shown);
		assert_int_equal(plain_is(rows[i].given), !strcmp(rows[i].given, rows[i].shown));
	}
}

static void a_text_for_a_terminal_keeps_its_lines(void **state)
{
	(void)state;
	static const char given[] = "a\r\n\tb\n\r\x1b]0;c\a\0\xc2\x9b\xe2\x80\xae\xc3\xb6\xff\r";
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	plain_put(given, sizeof given - 1, to);
	fclose(to);
	assert_string_equal(text, "a\r\n\tb\n\\x0d\\x1b]0;c\\x07\\x00\\xc2\\x9b\\xe2\\x80\\xae"
				  "\xc3\xb6\\xff\\x0d");
	free(text);
}

static void json_stays_the_same_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = NULL;
		size_t n;
		FILE *to = open_memstream(&text, &n);
		plain_put_json(rows[i].given, to);
		fclose(to);
		assert_string_equal(text, rows[i].json);
		free(text);
	}
}

static void a_text_is_cut_at_a_character(void **state)
{
	(void)state;
	char to[8];
	assert_int_equal(plain_copy(to, 3, "a\xc3\xb6"), 1);
	assert_string_equal(to, "a");
	assert_int_equal(plain_copy(to, 4, "a\xc3\xb6"), 3);
	assert_int_equal(plain_copy(to, 5, "ab\x1b"), 2);
	assert_int_equal(plain_copy(to, 1, "a"), 0);
	assert_string_equal(to, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_moves_a_terminal_is_escaped),
		cmocka_unit_test(a_text_for_a_terminal_keeps_its_lines),
		cmocka_unit_test(json_stays_the_same_json),
		cmocka_unit_test(a_text_is_cut_at_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
