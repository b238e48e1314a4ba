#include "unit/http/kit.h"

#include "http/scan.h"

static void every_name_is_found_in_any_case_and_nothing_else(void **state)
{
	(void)state;
	for (enum name name = NAME_OTHER + 1; name < NAMES; name++) {
		struct span text = name_text(name);
		char upper[64], wrong[64];
		assert_in_range(text.n, 1, sizeof upper);
		assert_int_equal(name_find(text), name);
		for (size_t i = 0; i < text.n; i++)
			upper[i] = text.at[i] >= 'a' && text.at[i] <= 'z' ? text.at[i] - 32
									  : text.at[i];
		assert_int_equal(name_find((struct span){ upper, text.n }), name);
		/* One byte less, one more, and each byte another. */
		assert_int_not_equal(name_find((struct span){ text.at, text.n - 1 }), name);
		memcpy(wrong, text.at, text.n);
		wrong[text.n] = 'x';
		assert_int_not_equal(name_find((struct span){ wrong, text.n + 1 }), name);
		for (size_t i = 0; i < text.n; i++) {
			wrong[i] = '~';
			assert_int_equal(name_find((struct span){ wrong, text.n }), NAME_OTHER);
			wrong[i] = text.at[i];
		}
	}
	assert_int_equal(name_find(SPAN("")), NAME_OTHER);
	assert_int_equal(name_find(SPAN("a-name-that-is-longer-than-any-in-the-table")),
			 NAME_OTHER);
}

/* What names.def asks for, since name_find() looks no further than a length's last run of rows. */
static void rows_of_one_length_stand_together(void **state)
{
	(void)state;
	bool seen[64] = { false };
	for (enum name name = NAME_OTHER + 1; name < NAMES; name++) {
		size_t n = name_text(name).n;
		bool follows = name > NAME_OTHER + 1 && name_text(name - 1).n == n;
		assert_true(follows || !seen[n]);
		seen[n] = true;
	}
}

static void methods_are_told_apart_by_case(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		enum method method;
	} rows[] = {
		{ SPAN("GET"), METHOD_GET },	     { SPAN("HEAD"), METHOD_HEAD },
		{ SPAN("POST"), METHOD_POST },	     { SPAN("PUT"), METHOD_PUT },
		{ SPAN("DELETE"), METHOD_DELETE },   { SPAN("PATCH"), METHOD_PATCH },
		{ SPAN("OPTIONS"), METHOD_OPTIONS }, { SPAN("TRACE"), METHOD_TRACE },
		{ SPAN("CONNECT"), METHOD_CONNECT }, { SPAN("get"), METHOD_OTHER },
		{ SPAN("GETS"), METHOD_OTHER },	     { SPAN("PROPFIND"), METHOD_OTHER },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		assert_int_equal(method_find(rows[i].text), rows[i].method);
}

static void a_status_has_its_registered_phrase_or_none(void **state)
{
	(void)state;
	assert_span(status_reason(200), SPAN("OK"));
	assert_span(status_reason(503), SPAN("Service Unavailable"));
	assert_int_equal(status_reason(299).n, 0);
	assert_int_equal(status_reason(0).n, 0);
}

static void a_message_is_made_found_and_changed(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct msg *m = &k.msg;
	msg_open(m, &k.arena, MSG_RESPONSE);
	msg_set_status(m, 503, status_reason(503));
	assert_true(msg_add(m, NAME_RETRY_AFTER, SPAN("1")));
	assert_true(msg_add_named(m, SPAN("X-Any"), SPAN("a")));
	assert_true(msg_add_named(m, SPAN("x-any"), SPAN("b")));
	assert_true(msg_add_named(m, SPAN("DATE"), SPAN("c")));
	msg_set_length(m, 12);
	assert_span(kit_text(&k.arena, m), SPAN("HTTP/1.1 503 Service Unavailable\r\nretry-after: "
						"1\r\nX-Any: a\r\nx-any: b\r\n"
						"DATE: c\r\ncontent-length: 12\r\n"));
	assert_span(msg_value(m, NAME_DATE), SPAN("c"));
	assert_null(msg_value(m, NAME_SERVER).at);

	msg_set_length(m, 7);
	assert_true(msg_set(m, NAME_DATE, SPAN("d")));
	msg_drop_named(m, SPAN("X-ANY"));
	msg_drop(m, NAME_RETRY_AFTER);
	assert_null(msg_find(m, NAME_RETRY_AFTER));
	assert_span(kit_text(&k.arena, m),
		    SPAN("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\ndate: d\r\n"));
	assert_int_equal(m->length, 7);
	assert_int_equal(m->body, BODY_LENGTH);
	kit_close(&k);
}

static void the_first_that_is_not_dropped_is_found(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct msg *m = &k.msg;
	msg_open(m, &k.arena, MSG_REQUEST);
	msg_set_request(m, SPAN("GET"), SPAN("/a"));
	assert_span(msg_target(m), SPAN("/a"));
	assert_int_equal(m->method, METHOD_GET);
	assert_true(msg_add(m, NAME_X_FORWARDED_FOR, SPAN("1")));
	assert_true(msg_add(m, NAME_X_FORWARDED_FOR, SPAN("2")));
	assert_span(msg_value(m, NAME_X_FORWARDED_FOR), SPAN("1"));
	msg_find(m, NAME_X_FORWARDED_FOR)->dropped = true;
	assert_span(msg_value(m, NAME_X_FORWARDED_FOR), SPAN("2"));
	msg_drop_named(m, SPAN("x-forwarded-FOR"));
	assert_null(msg_find(m, NAME_X_FORWARDED_FOR));
	assert_true(msg_add(m, NAME_X_FORWARDED_FOR, SPAN("3")));
	assert_span(msg_value(m, NAME_X_FORWARDED_FOR), SPAN("3"));
	kit_close(&k);
}

static void what_is_added_has_limits(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct msg *m = &k.msg;
	msg_open(m, &k.arena, MSG_RESPONSE);
	msg_set_status(m, 200, SPAN("OK"));
	struct span name = kit_repeat(&k.arena, 'n', FIELD_NAME_BYTES + 1);
	assert_false(msg_add_named(m, name, SPAN("")));
	name.n--;
	struct span value = kit_repeat(&k.arena, 'v', FIELD_LINE_BYTES - name.n - 2 + 1);
	assert_false(msg_add_named(m, name, value));
	value.n--;
	assert_int_equal(m->field_n, 0);
	assert_true(msg_add_named(m, name, value));
	assert_span(field_value(m, &m->fields[0]), value);
	for (size_t n = 1; n < RESPONSE_FIELDS_MAX + FIELDS_ADDED_MAX; n++)
		assert_true(msg_add(m, NAME_DATE, SPAN("x")));
	assert_false(msg_add(m, NAME_DATE, SPAN("x")));
	assert_span(field_value(m, &m->fields[0]), value);
	kit_close(&k);
}

static void a_line_that_was_made_before_is_a_field_like_others(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct msg *m = &k.msg;
	msg_open(m, &k.arena, MSG_REQUEST);
	msg_set_request(m, SPAN("GET"), SPAN("/"));
	assert_true(msg_add_line(m, NAME_DATE, SPAN("date: x y\r\n")));
	assert_true(msg_add(m, NAME_ETAG, SPAN("z")));
	assert_span(msg_value(m, NAME_DATE), SPAN("x y"));
	assert_span(field_name(m, &m->fields[0]), SPAN("date"));
	assert_span(msg_value(m, NAME_ETAG), SPAN("z"));
	while (m->field_n < FIELDS_MAX + FIELDS_ADDED_MAX)
		assert_true(msg_add_line(m, NAME_DATE, SPAN("date: x\r\n")));
	assert_false(msg_add_line(m, NAME_DATE, SPAN("date: x\r\n")));
	kit_close(&k);
}

/* The fast way and the table say the same of every byte, at every place in a block and behind one.
 */
static void scans_stop_where_their_class_ends(void **state)
{
	(void)state;
	static const struct {
		size_t (*scan)(char *, const char *, size_t);
		enum scan_class class;
	} scans[] = {
		{ scan_token, SCAN_TOKEN },
		{ scan_target, SCAN_TARGET },
		{ scan_value, SCAN_VALUE },
		{ scan_plain, SCAN_PLAIN },
	};
	for (size_t s = 0; s < ARRAY_N(scans); s++) {
		for (unsigned c = 0; c < 256; c++) {
			for (size_t at = 0; at < 40; at++) {
				char from[40], to[40 + SCAN_SLACK];
				memset(from, 'x', sizeof from);
				from[at] = (char)c;
				size_t n = scans[s].scan(to, from, sizeof from);
				size_t expected =
					scan_classes[c] & scans[s].class ? sizeof from : at;
				assert_int_equal(n, expected);
				assert_memory_equal(to, from, n);
				assert_int_equal(scan_count(from, sizeof from, scans[s].class), n);
				assert_int_equal(scans[s].scan(to, from, at), at);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_found_in_any_case_and_nothing_else),
		cmocka_unit_test(rows_of_one_length_stand_together),
		cmocka_unit_test(a_line_that_was_made_before_is_a_field_like_others),
		cmocka_unit_test(methods_are_told_apart_by_case),
		cmocka_unit_test(a_status_has_its_registered_phrase_or_none),
		cmocka_unit_test(a_message_is_made_found_and_changed),
		cmocka_unit_test(the_first_that_is_not_dropped_is_found),
		cmocka_unit_test(what_is_added_has_limits),
		cmocka_unit_test(scans_stop_where_their_class_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
