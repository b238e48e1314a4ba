#include "unit/control/kit.h"

#include "control/duration.h"
#include "control/size.h"
#include "control/suggest.h"
#include "control/token.h"

static void durations_have_a_unit(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms; /* UINT64_MAX: refused */
	} rows[] = {
		{ "300ms", 300 },	{ "5s", 5000 },	       { "2m", 120000 },
		{ "1h", 3600000 },	{ "7d", 604800000 },   { "0s", 0 },
		{ "5", UINT64_MAX },	{ "s", UINT64_MAX },   { "", UINT64_MAX },
		{ "-5s", UINT64_MAX },	{ "5 s", UINT64_MAX }, { "5S", UINT64_MAX },
		{ "1.5s", UINT64_MAX }, { "5ss", UINT64_MAX }, { "99999999999s", UINT64_MAX },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		uint64_t ms = UINT64_MAX;
		assert_int_equal(duration_read(rows[i].text, &ms), rows[i].ms != UINT64_MAX);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void durations_are_said_in_their_largest_unit(void **state)
{
	(void)state;
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = { { 0, "0ms" },
		     { 1500, "1500ms" },
		     { 2000, "2s" },
		     { 120000, "2m" },
		     { 86400000, "1d" } };
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char text[DURATION_TEXT_BYTES];
		assert_string_equal(duration_text(rows[i].ms, text), rows[i].text);
	}
}

static void sizes_have_binary_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes; /* UINT64_MAX: refused */
	} rows[] = {
		{ "0", 0 },
		{ "512", 512 },
		{ "64KiB", 65536 },
		{ "100MiB", 104857600 },
		{ "2GiB", 2147483648 },
		{ "16777215TiB", 16777215ull << 40 },
		{ "16777216TiB", UINT64_MAX },
		{ "1KB", UINT64_MAX },
		{ "1kib", UINT64_MAX },
		{ "KiB", UINT64_MAX },
		{ "", UINT64_MAX },
		{ "-1", UINT64_MAX },
		{ "1 KiB", UINT64_MAX },
		{ "1.5MiB", UINT64_MAX },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		uint64_t bytes = UINT64_MAX;
		assert_int_equal(size_read(rows[i].text, &bytes), rows[i].bytes != UINT64_MAX);
		assert_int_equal(bytes, rows[i].bytes);
	}
}

static void the_nearest_word_is_meant(void **state)
{
	(void)state;
	static const char *const words[] = { "address", "socket", "weights", "io", "tls" };
	static const struct {
		const char *typed, *meant; /* NULL: none is near */
	} rows[] = {
		{ "adress", "address" },
		{ "addresses", "address" },
		{ "sokcet", "socket" },
		{ "wieghts", "weights" },
		{ "weight", "weights" },
		{ "oi", "io" },
		{ "tsl", "tls" },
		{ "capture", NULL },
		{ "", NULL },
		{ "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", NULL },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct suggestion s;
		suggest_open(&s, rows[i].typed);
		for (size_t k = 0; k < ARRAY_N(words); k++)
			suggest_consider(&s, words[k]);
		if (rows[i].meant)
			assert_string_equal(s.word, rows[i].meant);
		else
			assert_null(s.word);
	}
}

static void a_token_is_made_once_and_for_its_owner_alone(void **state)
{
	(void)state;
	char directory[64], first[TOKEN_BYTES], again[TOKEN_BYTES], path[128];
	bool made;
	kit_directory(directory);
	assert_true(token_take(directory, first, &made));
	assert_true(made);
	snprintf(path, sizeof path, "%s/" TOKEN_FILE, directory);
	assert_int_equal(access(path, R_OK), 0);
	assert_true(token_take(directory, again, &made));
	assert_false(made);
	assert_string_equal(first, again);
	assert_true(token_is(first, span_of(again)));
	assert_false(token_is(first, (struct span){ again, TOKEN_BYTES - 2 }));
	assert_false(token_is(first, SPAN("")));
	again[63] ^= 1;
	assert_false(token_is(first, span_of(again)));
	/* One that was cut short is not taken for a token. */
	kit_write(directory, TOKEN_FILE, "abc\n");
	assert_false(token_take(directory, again, &made));
	kit_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_a_unit),
		cmocka_unit_test(durations_are_said_in_their_largest_unit),
		cmocka_unit_test(sizes_have_binary_units),
		cmocka_unit_test(the_nearest_word_is_meant),
		cmocka_unit_test(a_token_is_made_once_and_for_its_owner_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
