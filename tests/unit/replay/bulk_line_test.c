#include "unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "replay/bulk_line.h"

static void say_name(char *to, const char *before, struct span name)
{
	if (name.n)
		sprintf(to + strlen(to), "%s%.*s", before, (int)name.n, name.at);
}

static void read_line(const char *text, char *to)
{
	static const char *const actions[] = { "index", "update", "delete", "?" };
	char copy[8192];
	struct json_scan j;
	struct bulk_line line;
	strcpy(copy, text);
	if (!bulk_line_read(&line, &j, copy, strlen(text))) {
		strcpy(to, "none");
		return;
	}
	strcpy(to, actions[line.action]);
	say_name(to, " index=", line.index);
	say_name(to, " type=", line.type);
	say_name(to, " id=", line.id);
	say_name(to, " routing=", line.routing);
	strcat(to, line.external_version ? " external" : "");
	strcat(to, line.odd_name || line.odd_routing ? " odd" : "");
}

static void a_line_says_what_is_done_to_which_document(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "{\"index\":{}}", "index" },
		{ "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}", "index index=i id=1" },
		{ " { \"update\" : { \"_id\" : \"1\" , \"retry_on_conflict\" : 3 } } \r",
		  "update id=1" },
		{ "{\"delete\":{\"_index\":\"i\",\"_type\":\"t\",\"_id\":\"1\",\"routing\":\"r\"}}",
		  "delete index=i type=t id=1 routing=r" },
		{ "{\"index\":{\"_routing\":\"r\",\"_version_type\":\"external_gte\",\"_version\":"
		  "4}}",
		  "index routing=r external" },
		{ "{\"index\":{\"version_type\":\"external\",\"version_type\":\"internal\"}}",
		  "index" },
		{ "{\"index\":{\"_id\":17,\"routing\":true}}", "index id=17 routing=true" },
		{ "{\"index\":{\"_id\":null,\"require_alias\":true}}", "index" },
		{ "{\"index\":{\"_id\":\"a\\\"\\u00e9\\\\\"}}", "index id=a\"\xc3\xa9\\" },
		{ "{\"ind\\u0065x\":{\"\\u005fid\":\"1\"}}", "index id=1" },
		{ "{\"index\":{\"_id\":\"1\",\"_id\":\"2\"}}", "index id=2" },
		{ "{\"index\":{\"deep\":{\"_id\":\"1\",\"x\":[{}]},\"_index\":\"i\"}}",
		  "index index=i" },
		{ "", "none" },
		{ "{}", "none" },
		{ "[]", "none" },
		{ "{\"index\":null}", "none" },
		{ "{\"index\":[]}", "none" },
		{ "{\"index\":{", "none" },
		/* Behind the action clusters look at nothing. */
		{ "{\"index\":{\"_id\":\"1\"},\"delete\":{\"_id\":\"2\"}}", "index id=1" },
		{ "{\"index\":{}", "index" },
		{ "{\"index\":{}} ?", "index" },
		{ "{\"upsert\":{}}", "none" },
		{ "{\"a\":\"a document\"}", "none" },
		{ "{\"index\":{\"_id\":\"\\ud800\",\"_index\":\"i\"}}", "index index=i odd" },
		{ "{\"index\":{\"_id\":\"\xff\"}}", "none" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char said[256];
		read_line(rows[i].text, said);
		if (strcmp(said, rows[i].expected))
			fail_msg("%s: %s", rows[i].text, said);
	}
}

static void a_name_that_is_cut_cannot_be_repeated(void **state)
{
	(void)state;
	static const char *const names[] = { "_id", "routing" };
	for (size_t i = 0; i < 4; i++) {
		char text[2 * JSON_TEXT_BYTES], name[JSON_TEXT_BYTES + 2];
		struct json_scan j;
		struct bulk_line line;
		memset(name, 'x', sizeof name);
		name[JSON_TEXT_BYTES + i / 2] = 0;
		sprintf(text, "{\"index\":{\"%s\":\"%s\"}}", names[i % 2], name);
		assert_true(bulk_line_read(&line, &j, text, strlen(text)));
		assert_int_equal(line.odd_name, i == 2);
		assert_int_equal(line.odd_routing, i == 3);
		assert_int_equal(line.id.n + line.routing.n, JSON_TEXT_BYTES);
	}
}

static void blanks_are_blank(void **state)
{
	(void)state;
	assert_true(bulk_line_is_blank(SPAN("")));
	assert_true(bulk_line_is_blank(SPAN(" \t\r")));
	assert_false(bulk_line_is_blank(SPAN(" x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_what_is_done_to_which_document),
		cmocka_unit_test(a_name_that_is_cut_cannot_be_repeated),
		cmocka_unit_test(blanks_are_blank),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
