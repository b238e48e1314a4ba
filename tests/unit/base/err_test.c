#include "unit/cmocka_all.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* Words stand in headers, in JSON and as labels of metrics. */
static void every_error_has_a_word_of_its_own_and_a_sentence(void **state)
{
	(void)state;
	for (int e = 0; e < ERRS; e++) {
		const char *word = err_word((enum err)e), *sentence = err_sentence((enum err)e);
		assert_true(strlen(word) > 0 && strlen(sentence) > 10);
		assert_int_equal(sentence[strlen(sentence) - 1], '.');
		assert_null(strpbrk(sentence, "\"\\"));
		for (const char *c = word; *c; c++)
			assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) ||
				    *c == '_');
		for (int other = 0; other < e; other++)
			assert_string_not_equal(word, err_word((enum err)other));
	}
}

static void statuses_are_errors_or_none(void **state)
{
	(void)state;
	for (int e = 0; e < ERRS; e++) {
		int status = err_status((enum err)e);
		assert_true(status == 0 || (status >= 400 && status < 600));
	}
	assert_int_equal(err_status(ERR_BARE_LF), 400);
	assert_int_equal(err_status(ERR_BACK_REFUSED), 502);
}

/* Only a node's trouble is held against a node, so what is ours must be told apart. */
static void every_error_but_none_and_canceled_has_a_side(void **state)
{
	(void)state;
	for (int e = 0; e < ERRS; e++)
		assert_int_equal(err_side((enum err)e) == SIDE_NONE,
				 e == ERR_NONE || e == ERR_CANCELED);
	assert_int_equal(err_side(ERR_OUT_OF_HANDLES), SIDE_OURS);
	assert_int_equal(err_side(ERR_BACK_REFUSED), SIDE_NODE);
	assert_int_equal(err_side(ERR_BARE_LF), SIDE_CLIENT);
}

static void time_is_written_in_utc(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_BYTES];
	clock_text(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_text(1795460667749999999u, text);
	assert_string_equal(text, "2026-11-23T19:04:27.749Z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_word_of_its_own_and_a_sentence),
		cmocka_unit_test(statuses_are_errors_or_none),
		cmocka_unit_test(every_error_but_none_and_canceled_has_a_side),
		cmocka_unit_test(time_is_written_in_utc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
