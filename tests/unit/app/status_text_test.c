#include "unit/app/kit.h"

#include "app/status_text.h"

/* What a person is shown on so many rows; freed by the next call. */
static const char *shown_on(unsigned rows, const char *json)
{
	static char *text;
	size_t n;
	free(text);
	FILE *to = open_memstream(&text, &n);
	json_t *now = json_loads(json, 0, NULL);
	assert_non_null(now);
	status_text(to, &(struct status_view){ .now = now, .columns = 80, .rows = rows });
	fclose(to);
	json_decref(now);
	return text;
}

static const char *shown(const char *json)
{
	return shown_on(UINT32_MAX, json);
}

#define STATUS(owner, since, phase)                                                                \
	"{\"weights\":{\"source\":1,\"target\":0},\"epoch\":7,\"saved\":true,\"owner\":\"" owner   \
	"\",\"since\":" since ",\"phase\":\"" phase "\"}"

static void the_owner_is_shown_once_writes_have_moved(void **state)
{
	(void)state;
	static const struct {
		const char *json, *line; /* NULL: there is none */
	} rows[] = {
		{ STATUS("source", "0", "open"), NULL },
		{ STATUS("target", "7", "open"), "writes   owner target since epoch 7\n" },
		{ STATUS("source", "9", "open"), "writes   owner source since epoch 9\n" },
		{ STATUS("source", "0", "hold"), "writes   owner source   HELD\n" },
		{ STATUS("target", "7", "hold"), "writes   owner target since epoch 7   HELD\n" },
		/* A balancer of a version before. */
		{ "{\"weights\":{\"source\":1,\"target\":0},\"epoch\":7,\"saved\":true}", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *text = shown(rows[i].json);
		assert_non_null(strstr(text, "epoch 7"));
		if (rows[i].line && !strstr(text, rows[i].line))
			fail_msg("it says: %s", text);
		if (!rows[i].line)
			assert_null(strstr(text, "writes   owner"));
	}
}

/* One that is valid is no news where it is said what is wrong. */
static void a_certificate_that_is_not_good_is_shown(void **state)
{
	(void)state;
	const char *text = shown("{\"certificates\":["
				 "{\"state\":\"good\",\"message\":\"all is well\"},"
				 "{\"state\":\"late\",\"message\":\"it has expired\"}]}");
	assert_non_null(strstr(text, "certificate it has expired\n"));
	assert_null(strstr(text, "all is well"));
}

#define NODE(name, more) "{\"name\":\"" name "\",\"state\":\"healthy\"" more "}"
#define NODES(list) "{\"clusters\":[{\"name\":\"source\",\"nodes\":[" list "]}]}"

static void who_drained_a_node_is_shown_and_why(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ NODES(NODE("a", ",\"drained\":{\"by\":\"ann\",\"why\":\"disk\"}")),
		  "; by ann: disk\n" },
		{ NODES(NODE("a", ",\"drained\":{\"by\":\"ann\",\"why\":\"\"}")), "; by ann\n" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_non_null(strstr(shown(rows[i][0]), rows[i][1]));
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Whoever does not fit is in the number on the last line. */
static void a_low_screen_shows_as_many_nodes_as_fit(void **state)
{
	(void)state;
	static const char json[] = NODES(NODE("a", "") "," NODE("b", "") "," NODE("c", "") "," NODE(
		"d", "") "," NODE("e", "") "," NODE("f", ""));
	unsigned all = lines_of(shown(json));
	for (unsigned rows = all - 1; rows > all - 8; rows--)
		assert_in_range(lines_of(shown_on(rows, json)), 1, rows);
	assert_non_null(strstr(shown_on(all - 7, json), " more, 0 of them not well\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_is_shown_once_writes_have_moved),
		cmocka_unit_test(a_certificate_that_is_not_good_is_shown),
		cmocka_unit_test(who_drained_a_node_is_shown_and_why),
		cmocka_unit_test(a_low_screen_shows_as_many_nodes_as_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
