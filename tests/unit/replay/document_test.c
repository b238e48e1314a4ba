#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "replay/document.h"

/* What stands behind a name, in pieces of that size; NULL: it is bad. */
static const char *copied(struct document *d, const char *text, size_t piece, size_t *left)
{
	static char got[4096];
	size_t n = strlen(text), at = 0;
	enum document_taken taken = DOCUMENT_MORE;
	document_begin(d);
	while (taken == DOCUMENT_MORE && at < n) {
		/* So that what is read beyond it is noticed. */
		size_t take = n - at < piece ? n - at : piece;
		char *exact = malloc(take);
		assert_non_null(exact);
		memcpy(exact, text + at, take);
		struct span s = { exact, take };
		taken = document_take(d, &s);
		at += take - s.n;
		assert_true(taken != DOCUMENT_MORE || s.n == 0);
		free(exact);
	}
	if (taken != DOCUMENT_WHOLE)
		return taken == DOCUMENT_BAD ? NULL : "(more)";
	*left = n - at;
	assert_true(d->text.n < sizeof got);
	memcpy(got, d->text.at, d->text.n);
	got[d->text.n] = 0;
	return got;
}

static const struct {
	const char *text, *copied;
	size_t left;
} rows[] = {
	{ ":{},\"x\":1", "{}", 6 },
	{ " : {\"a\":1}}", "{\"a\":1}", 1 },
	{ ":{\"a\":[1,{\"b\":[]}],\"c\":\"}\"} }", "{\"a\":[1,{\"b\":[]}],\"c\":\"}\"}", 1 },
	{ ":{\"a\" : \"\\\"}\\\\\" ,\t\"b\":2 } ,", "{\"a\" : \"\\\"}\\\\\" ,\t\"b\":2 }", 1 },
	/* Line breaks and comments between its parts go, in strings they stay. */
	{ ":\n{\n\"a\"\r\n:\n1\n}\n}", "{\"a\":1}", 1 },
	{ ":{/* one */\"a\"/**/:1/***/,//two\n\"b\":\"/* three */ //\"}}",
	  "{\"a\":1,\"b\":\"/* three */ //\"}", 1 },
	{ ": /* { */ {\"a\":1} // } ,\r /* , */ ,", "{\"a\":1}", 1 },
	{ ":{\"a\":1/* \" */}}", "{\"a\":1}", 1 },
	{ ":\xef\xbb\xbf{\"a\":1}}", "{\"a\":1}", 1 },
	{ ":{\"0123456789abcdef0123456789abcdef\":\"0123456789abcdef\\n0123456789\"}}",
	  "{\"0123456789abcdef0123456789abcdef\":\"0123456789abcdef\\n0123456789\"}", 1 },
	/* Not a document, or not on one line. */
	{ ":1,", NULL, 0 },
	{ ":null}", NULL, 0 },
	{ ":[]}", NULL, 0 },
	{ "{}}", NULL, 0 },
	{ "::{}}", NULL, 0 },
	{ ":{]}", NULL, 0 },
	{ ":{\"a\":[}]}", NULL, 0 },
	{ ":{}{}}", NULL, 0 },
	{ ":{}]}", NULL, 0 },
	{ ":{/a}}", NULL, 0 },
	{ ":{\"a\":\"\n\"}}", NULL, 0 },
	{ ":{\"a\":\"\\\n\"}}", NULL, 0 },
	{ ":{\"a\":1", "(more)", 0 },
	{ ":{\"a\":1}", "(more)", 0 },
	{ ":{/*}", "(more)", 0 },
};

static void a_document_is_copied_onto_one_line(void **state)
{
	(void)state;
	struct document d = { 0 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
			size_t left = 0;
			const char *got = copied(&d, rows[i].text, piece, &left);
			if (!got != !rows[i].copied || (got && strcmp(got, rows[i].copied)) ||
			    left != rows[i].left)
				fail_msg("%s by %zu: %s, %zu", rows[i].text, piece, got, left);
		}
	document_free(&d);
}

static char *nested(unsigned depth)
{
	char *text = malloc(2 * depth + 8), *at = text;
	assert_non_null(text);
	*at++ = ':';
	*at++ = '{';
	memset(at, '[', depth - 1);
	memset(at + depth - 1, ']', depth - 1);
	memcpy(at + 2 * (depth - 1), "},", 3);
	return text;
}

static void brackets_are_counted_to_a_limit(void **state)
{
	(void)state;
	struct document d = { 0 };
	size_t left;
	char *most = nested(JSON_DEPTH_MAX), *more = nested(JSON_DEPTH_MAX + 1);
	assert_non_null(copied(&d, most, 100, &left));
	assert_null(copied(&d, more, 100, &left));
	free(most);
	free(more);
	document_free(&d);
}

/* It is passed over, and the next one is copied. */
static void a_document_that_is_too_long_is_not_held(void **state)
{
	(void)state;
	struct document d = { 0 };
	size_t n = 1024 * 1024, left;
	char *many = malloc(n);
	assert_non_null(many);
	memset(many, 'a', n);
	document_begin(&d);
	struct span s = SPAN(":{\"a\":\"");
	assert_int_equal(document_take(&d, &s), DOCUMENT_MORE);
	for (size_t taken = 0; taken < DOCUMENT_BYTES_MAX; taken += n) {
		s = (struct span){ many, n };
		assert_int_equal(document_take(&d, &s), DOCUMENT_MORE);
	}
	assert_true(d.too_long);
	assert_int_equal(d.text.room, 0);
	s = SPAN("\"}}");
	assert_int_equal(document_take(&d, &s), DOCUMENT_WHOLE);
	assert_true(d.too_long);
	assert_string_equal(copied(&d, ":{\"b\":1},", 100, &left), "{\"b\":1}");
	assert_false(d.too_long);
	free(many);
	document_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_copied_onto_one_line),
		cmocka_unit_test(brackets_are_counted_to_a_limit),
		cmocka_unit_test(a_document_that_is_too_long_is_not_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
