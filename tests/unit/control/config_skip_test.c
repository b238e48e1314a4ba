/* The rules of capture.skip, as they are written. */

#include "base/limits.h"
#include "unit/control/kit.h"
#include "control/config_read.h"

#define CAPTURE KIT_CONFIG "capture:\n  directory: log\n  skip: "

static void the_rules_are_read(void **state)
{
	(void)state;
	struct config *c = kit_config(
		CAPTURE
		"[ { method: GET, path: /_cluster/* }, { path: '*.js' },\n"
		"          { header: { name: X-Probe } }, { header: { name: a, value: b* } } ]\n");
	const struct config_skip *s = c->capture.skip;
	assert_string_equal(s->method, "GET");
	assert_string_equal(s->path, "/_cluster/*");
	assert_null(s->header.name);
	s = s->next;
	assert_null(s->method);
	assert_string_equal(s->path, "*.js");
	s = s->next;
	assert_string_equal(s->header.name, "X-Probe");
	assert_null(s->header.value);
	s = s->next;
	assert_string_equal(s->header.value, "b*");
	assert_null(s->next);
	config_close(c);
}

static void a_rule_that_cannot_fit_is_refused_at_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t column;
		const char *message;
	} rows[] = {
		{ "/a", 9, "skip: is a single value; a list of sections is expected" },
		{ "[ {} ]", 3,
		  "skip: the rule would match all requests: set method, path or header" },
		{ "[ { method: get } ]", 21, "method: 'get' is not a method, such as GET" },
		{ "[ { method: 'A B' } ]", 22, "method: 'A B' is not a method, such as GET" },
		{ "[ { path: a } ]", 19, "path: 'a' does not begin with / or *" },
		{ "[ { path: /a?b } ]", 19,
		  "path: '/a?b' has a query: rules are for the path before the query" },
		{ "[ { path: '/a b' } ]", 20,
		  "path: '/a b' has a character that a path cannot have" },
		{ "[ { path: /a/../b } ]", 19,
		  "path: '/a/../b' would never match: a path with a percent code, a backslash, an "
		  "empty segment or a dot segment is always recorded" },
		{ "[ { header: { value: a } } ]", 13,
		  "name: is missing: the name of a field, such as X-Probe" },
		{ "[ { header: { name: 'a:' } } ]", 30, "name: 'a:' is not a field name" },
		{ "[ { paths: /a } ]", 13, "unknown key 'paths'; did you mean 'path'?" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char text[1024];
		size_t line, column;
		snprintf(text, sizeof text, "%s%s\n", CAPTURE, rows[i].text);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, 1);
		assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		diagnostic_place(&c->diagnostics, c->diagnostics.list[0].at, &line, &column);
		assert_int_equal(line, 8);
		assert_int_equal(column, rows[i].column);
		config_close(c);
	}
}

static void a_rule_that_may_skip_a_write_is_warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *rule;
		bool warned;
	} rows[] = {
		{ "{ method: GET, path: /a }", false },
		{ "{ method: HEAD }", false },
		{ "{ method: OPTIONS, header: { name: a } }", false },
		{ "{ method: POST, path: /*/_search }", true },
		{ "{ method: PURGE }", true },
		{ "{ path: /a }", true },
		{ "{ header: { name: a } }", true },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char text[1024];
		snprintf(text, sizeof text, CAPTURE "[ %s ]\n", rows[i].rule);
		struct config *c = kit_config(text);
		assert_int_equal(c->diagnostics.warning_n, rows[i].warned);
		size_t line = 0, column = 0;
		if (rows[i].warned)
			diagnostic_place(&c->diagnostics, c->diagnostics.warnings[0].at, &line,
					 &column);
		assert_int_equal(column, rows[i].warned ? 13 : 0);
		config_close(c);
	}
}

static void so_many_rules_and_no_more(void **state)
{
	(void)state;
	for (size_t n = SKIP_RULES_MAX; n <= SKIP_RULES_MAX + 1; n++) {
		char *text = malloc(n * 64 + 1024), *at = text;
		assert_non_null(text);
		at += sprintf(at, CAPTURE "\n");
		for (size_t i = 0; i < n; i++)
			at += sprintf(at, "    - { method: GET, path: /%zu }\n", i);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, n > SKIP_RULES_MAX);
		config_close(c);
		free(text);
	}
}

static void so_long_a_path_and_no_longer(void **state)
{
	(void)state;
	for (int n = SKIP_PATH_BYTES; n <= SKIP_PATH_BYTES + 1; n++) {
		char text[SKIP_PATH_BYTES + 1024];
		snprintf(text, sizeof text, CAPTURE "[ { method: GET, path: /%0*d } ]\n", n - 1, 0);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, n > SKIP_PATH_BYTES);
		config_close(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_are_read),
		cmocka_unit_test(a_rule_that_cannot_fit_is_refused_at_its_place),
		cmocka_unit_test(a_rule_that_may_skip_a_write_is_warned_of),
		cmocka_unit_test(so_many_rules_and_no_more),
		cmocka_unit_test(so_long_a_path_and_no_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
