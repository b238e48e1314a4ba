#include "unit/cmocka_all.h"

#include "replay/index_filter.h"

static void patterns_fit_whole_names(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} rows[] = {
		{ "books", "books", true },   { "books", "books2", false },
		{ "book", "books", false },   { "*", "", true },
		{ "*", ".own", true },	      { "b*s", "books", true },
		{ "b*s", "bs", true },	      { "b*s", "b", false },
		{ "*o*o*", "books", true },   { "*o*o*o*", "books", false },
		{ "logs-*", "logs-", true },  { "logs-*", "logs", false },
		{ "**a**b", "xaab", true },   { "", "", true },
		{ "", "a", false },	      { "*ab", "aab", true },
		{ "*a*b", "aaaaaaab", true }, { "*a*b", "aaaaaaac", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (index_pattern_fits(span_of(rows[i].pattern), span_of(rows[i].name)) !=
		    rows[i].fits)
			fail_msg("%s of %s", rows[i].pattern, rows[i].name);
}

static void a_backing_index_is_its_streams(void **state)
{
	static const struct {
		const char *index, *stream;
	} rows[] = {
		{ ".ds-logs-2026.11.24-000001", "logs" },
		{ ".ds-logs-nginx-prod-2026.11.24-1000001", "logs-nginx-prod" },
		{ ".ds-logs-000001", "logs" },
		{ ".ds-logs-00001", "" },
		{ ".ds-logs", "" },
		{ ".ds--000001", "" },
		{ ".ds-000001", "" },
		{ "ds-logs-000001", "" },
		{ ".ds-2026.11.24-000001", "2026.11.24" },
		{ ".ds-logs-2026.11.2x-000001", "logs-2026.11.2x" },
		{ "logs", "" },
		{ "", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!span_is(index_filter_stream(span_of(rows[i].index)), span_of(rows[i].stream)))
			fail_msg("%s", rows[i].index);
}

static void the_last_pattern_that_fits_decides(void **state)
{
	static const char *const preset[] = INDEX_FILTER_PRESET;
	static const char *const own[] = { "logs-*", "-logs-old*", ".kibana*", "logs-old-1" };
	static const struct {
		const char *index;
		bool preset, own;
	} rows[] = {
		{ "books", true, false },
		{ ".kibana_1", false, true },
		{ "logs-a", true, true },
		{ "logs-old-2", true, false },
		{ "logs-old-1", true, true },
		{ ".ds-logs-a-2026.11.24-000001", true, true },
		{ ".ds-.hidden-2026.11.24-000001", false, false },
	};
	const struct index_filter f = { preset, 2 }, g = { own, 4 };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (index_filter_has(&f, span_of(rows[i].index)) != rows[i].preset ||
		    index_filter_has(&g, span_of(rows[i].index)) != rows[i].own)
			fail_msg("%s", rows[i].index);
}

static void a_copy_has_its_own_texts(void **state)
{
	char text[] = "b*";
	const char *const list[] = { text };
	(void)state;
	struct index_filter f = index_filter_copy(&(struct index_filter){ list, 1 });
	text[0] = 'x';
	assert_true(index_filter_has(&f, SPAN("books")));
	index_filter_free(&f);
}

static void names_with_a_dot_may_be_among_them(void **state)
{
	static const struct {
		const char *patterns[4];
		bool dots;
	} rows[] = {
		{ { "*", "-.*" }, false },	   { { "*" }, true },
		{ { "*", "-.*", ".own" }, true },  { { "-.*", "*" }, true },
		{ { "books", "logs-*" }, false },  { { "*", "-.a*" }, true },
		{ { ".own", "-*", "b*" }, false }, { { ".own", "-.own" }, true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct index_filter f = { rows[i].patterns, 0 };
		while (f.n < 4 && rows[i].patterns[f.n])
			f.n++;
		if (index_filter_has_dots(&f) != rows[i].dots)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_fit_whole_names),
		cmocka_unit_test(a_backing_index_is_its_streams),
		cmocka_unit_test(the_last_pattern_that_fits_decides),
		cmocka_unit_test(a_copy_has_its_own_texts),
		cmocka_unit_test(names_with_a_dot_may_be_among_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
