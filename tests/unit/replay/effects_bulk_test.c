#include "unit/replay/effects_kit.h"

#define ITEM(action, index, id, result, status)                                                    \
	"{\"" action "\":{\"_index\":\"" index "\",\"_type\":\"_doc\",\"_id\":\"" id               \
	"\",\"_version\":1,\"result\":\"" result "\"," SHARDS                                      \
	",\"_seq_no\":0,\"_primary_term\":1,\"status\":" status "}}"
#define FAILED(action, index, id, type, status)                                                    \
	"{\"" action "\":{\"_index\":\"" index "\",\"_type\":\"_doc\",\"_id\":\"" id               \
	"\",\"status\":" status ",\"error\":{\"type\":\"" type                                     \
	"\",\"reason\":\"r\",\"caused_by\":{\"type\":\"x\",\"reason\":\"y\"}}}}"
#define ITEMS(items) "{\"took\":30,\"errors\":false,\"items\":[" items "]}"

static void each_item_is_the_document_that_its_response_names(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/_bulk", 200,
		  "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"f\":1}\n"
		  "{\"create\":{\"_index\":\"a\",\"_id\":\"2\",\"routing\":\"r\"}}\n{\"f\":1}\n"
		  "{\"update\":{\"_index\":\"a\",\"_id\":\"3\"}}\n{\"doc\":{}}\n"
		  "{\"delete\":{\"_index\":\"a\",\"_id\":\"4\"}}\n"
		  "{\"index\":{\"_index\":\"a\"}}\n{}\n",
		  ITEMS(ITEM("index", "a-1", "1", "created", "201") "," ITEM(
			  "create", "a-1", "2", "created",
			  "201") "," ITEM("update", "a-1", "3", "updated",
					  "200") "," ITEM("delete", "a-1", "4", "not_found",
							  "404") "," ITEM("index", "a-1", "Zx_9",
									  "created", "201")),
		  "key a-1/1 type=_doc; key a-1/2 routing=r type=_doc; key a-1/3 type=_doc; "
		  "key a-1/4 type=_doc; key a-1/Zx_9 type=_doc" },
		/* OpenSearch has no types; the path has the index and the routing. */
		{ "PUT", "/a/_bulk?routing=r&version_type=external", 200,
		  "{\"index\":{\"_id\":\"1\",\"version\":3}}\n{}\n\n "
		  "\r\n{\"delete\":{\"_id\":\"2\",\"routing\":\"s\"}}\n",
		  "{\"took\":1,\"errors\":false,\"items\":["
		  "{\"index\":{\"_index\":\"a\",\"_id\":\"1\",\"result\":\"created\",\"status\":"
		  "201}},"
		  "{\"delete\":{\"_index\":\"a\",\"_id\":\"2\",\"result\":\"deleted\",\"status\":"
		  "200}}]}",
		  "key a/1 routing=r, external; key a/2 routing=s, external" },
		{ "POST", "/a/t/_bulk", 200, "{\"index\":{\"_id\":1}}\n{}\n",
		  ITEMS("{\"index\":{\"_index\":\"a\",\"_type\":\"t\",\"_id\":\"1\",\"status\":201}"
			"}"),
		  "key a/1 type=t" },
		/* As `pretty` has it. */
		{ "POST", "/a/_bulk?pretty", 200, "{\"delete\":{\"_id\":\"1\"}}\r\n",
		  "{\n  \"took\" : 5,\n  \"items\" : [\n    {\n      \"delete\" : {\n"
		  "        \"_index\" : \"a\",\n        \"_id\" : \"1\",\n"
		  "        \"status\" : 200\n      }\n    }\n  ]\n}\n",
		  "key a/1" },
		/* An action that has an op_type. */
		{ "POST", "/a/_bulk", 200,
		  "{\"index\":{\"_id\":\"1\",\"op_type\":\"create\"}}\n{}\n",
		  ITEMS(ITEM("create", "a", "1", "created", "201")), "key a/1 type=_doc" },
		/* A document's line has no end. */
		{ "POST", "/a/_bulk", 200, "{\"index\":{\"_id\":\"1\"}}\n{}",
		  ITEMS(ITEM("index", "a", "1", "created", "201")), "key a/1 type=_doc" },
		{ "POST", "/a/_bulk", 200, "{\"delete\":{\"_id\":\"1\"}}",
		  ITEMS(ITEM("delete", "a", "1", "deleted", "200")), "key a/1 type=_doc" },
	};
	SAID_CHECK(rows);
}

static void an_item_counts_by_its_own_status(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk", 200,
		  "{\"index\":{\"_id\":\"1\"}}\n{}\n{\"index\":{\"_id\":\"2\"}}\n{}\n"
		  "{\"index\":{\"_id\":\"3\"}}\n{}\n{\"index\":{\"_id\":\"4\"}}\n{}\n"
		  "{\"update\":{\"_id\":\"5\"}}\n{}\n{\"index\":{\"_id\":\"6\"}}\n{}\n"
		  "{\"index\":{\"_id\":\"7\"}}\n{}\n{\"update\":{\"_id\":\"8\"}}\n{}\n",
		  ITEMS(FAILED("index", "a", "1", "mapper_parsing_exception", "400") "," FAILED(
			  "index", "a", "2", "cluster_block_exception",
			  "403") "," FAILED("index", "a", "3", "index_not_found_exception",
					    "404") "," FAILED("index", "a", "4",
							      "version_conflict_engine_exception",
							      "409") "," ITEM("update", "a", "5",
									      "noop",
									      "200") "," FAILED("in"
												"de"
												"x",
												"a",
												"6",
												"un"
												"av"
												"ai"
												"la"
												"bl"
												"e_"
												"sh"
												"ar"
												"ds"
												"_e"
												"xc"
												"ep"
												"ti"
												"o"
												"n",
												"50"
												"3") "," FAILED("index",
														"a",
														"7",
														"es_rejected_execution_exception",
														"429") "," FAILED("update",
																  "a",
																  "8",
																  "document_missing_exception",
																  "404")),
		  "key a/4 type=_doc; key a/6 type=_doc, uncertain; key a/7 type=_doc; key a/8 "
		  "type=_doc" },
	};
	SAID_CHECK(rows);
}

#define FOUR                                                                                       \
	"{\"index\":{\"_id\":\"1\"}}\n{}\n{\"index\":{}}\n{}\n{\"delete\":{\"_id\":\"3\"}}\n"      \
	"{\"index\":{\"_index\":\"b\"}}\n{}\n"

static void a_filtered_response_is_used_as_far_as_it_goes(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		/* Beats: filter_path=errors,items.*.error,items.*.status */
		{ "POST", "/a/_bulk?filter_path=x", 200, FOUR,
		  "{\"errors\":true,\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"status\":"
		  "400,"
		  "\"error\":{\"type\":\"x\"}}},{\"delete\":{\"status\":200}},{\"index\":{"
		  "\"status\":201}}]}",
		  "key a/1, by request; key a/3, by request; scan b, by request" },
		{ "POST", "/a/_bulk?filter_path=items.*._id", 200, FOUR,
		  "{\"items\":[{\"index\":{\"_id\":\"1\"}},{\"index\":{\"_id\":\"x\"}},"
		  "{\"delete\":{\"_id\":\"3\"}},{\"index\":{\"_id\":\"y\"}}]}",
		  "key a/1, by request; key a/x, by request; key a/3, by request; key b/y, by "
		  "request" },
		/* Which items these errors are of nobody can tell. */
		{ "POST", "/a/_bulk?filter_path=items.*.error", 200, FOUR,
		  "{\"items\":[{\"index\":{\"error\":{\"type\":\"x\"}}}]}",
		  "key a/1, by request; scan a, by request; key a/3, by request; scan b, by "
		  "request" },
		{ "POST", "/a/_bulk?filter_path=errors", 200, FOUR, "{\"errors\":false}",
		  "key a/1, by request; scan a, by request; key a/3, by request; scan b, by "
		  "request" },
		{ "POST", "/a/_bulk?filter_path=x", 200, FOUR, "{}",
		  "key a/1, by request; scan a, by request; key a/3, by request; scan b, by "
		  "request" },
		{ "POST", "/a/_bulk", 200, FOUR, NULL,
		  "key a/1, by request; scan a, by request; key a/3, by request; scan b, by "
		  "request" },
	};
	SAID_CHECK(rows);
}

#define BY_LINES                                                                                   \
	"key a/1, by request, uncertain; scan a, by request, uncertain; "                          \
	"key a/3, by request, uncertain; scan b, by request, uncertain"

static void without_a_response_lines_are_uncertain(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk", 0, FOUR, NULL, BY_LINES },
		{ "POST", "/a/_bulk", 503, FOUR, ERROR_OF("x", "503"), BY_LINES },
		{ "POST", "/a/_bulk", 200, FOUR, "",
		  "key a/1, by request; scan a, by request; "
		  "key a/3, by request; scan b, by request" },
		{ "POST", "/a/_bulk", 200, FOUR, "{\"took\":1,\"ite", BY_LINES },
		{ "POST", "/a/_bulk", 200, FOUR, "<html>", "unknown for bulk response; " BY_LINES },
		{ "POST", "/a/_bulk", 200, FOUR, "{\"items\":[\xff",
		  "unknown for bulk response; " BY_LINES },
		{ "POST", "/a/_bulk", 400, FOUR, ERROR_OF("x", "400"), "" },
		{ "POST", "/a/_bulk", 429, FOUR, ERROR_OF("x", "429"),
		  "key a/1, by request; scan a, by request; key a/3, by request; scan b, by "
		  "request" },
		/* Of a stream a part may be done. */
		{ "POST", "/a/_bulk/stream", 400, FOUR, ERROR_OF("x", "400"),
		  "key a/1, by request; scan a, by request; key a/3, by request; scan b, by "
		  "request" },
	};
	SAID_CHECK(rows);
}

#define FIRST ITEM("index", "c", "1", "created", "201")
#define REST                                                                                       \
	"scan a, by request, uncertain; key a/3, by request, uncertain; "                          \
	"scan b, by request, uncertain"

static void a_response_that_fits_no_more_is_not_believed_any_more(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		/* Cut behind the first item, in the second, and too short. */
		{ "POST", "/a/_bulk", 200, FOUR, "{\"items\":[" FIRST, "key c/1 type=_doc; " REST },
		{ "POST", "/a/_bulk", 200, FOUR, "{\"items\":[" FIRST ",{\"index\":{\"_id\":\"x",
		  "key c/1 type=_doc; " REST },
		{ "POST", "/a/_bulk", 200, FOUR, ITEMS(FIRST),
		  "key c/1 type=_doc; unknown for bulk response; " REST },
		/* Another action, an item that is none. */
		{ "POST", "/a/_bulk", 200, FOUR,
		  ITEMS(FIRST "," ITEM("delete", "c", "3", "deleted", "200")),
		  "key c/1 type=_doc; unknown for bulk response; " REST },
		{ "POST", "/a/_bulk", 200, FOUR, ITEMS("{}"),
		  "unknown for bulk response; " BY_LINES },
		{ "POST", "/a/_bulk", 200, FOUR, ITEMS("{\"index\":1}"),
		  "unknown for bulk response; " BY_LINES },
		/* A longer one. */
		{ "POST", "/a/_bulk", 200, "{\"delete\":{\"_id\":\"1\"}}\n",
		  ITEMS(ITEM("delete", "c", "1", "deleted", "200") "," FIRST),
		  "key c/1 type=_doc; unknown for bulk response" },
		/* What only looks like items. */
		{ "POST", "/a/_bulk", 200, "{\"delete\":{\"_id\":\"1\"}}\n",
		  "{\"items\":{\"x\":" FIRST "},\"y\":[{\"items\":[" FIRST "]}]}",
		  "key a/1, by request" },
	};
	SAID_CHECK(rows);
}

#define SCAN(index) "scan " index ", by request, uncertain; "

static void an_item_with_another_id_leaves_those_with_their_lines_id(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk", 200, FOUR,
		  ITEMS(ITEM("index", "c", "2", "created", "201") "," FAILED(
			  "index", "c", "x", "mapper_parsing_exception",
			  "400") "," ITEM("delete", "c", "3", "deleted",
					  "200") "," ITEM("index", "c", "y", "created", "201")),
		  "unknown for bulk response; key a/1, by request, uncertain; " SCAN("c") SCAN("a")
			  SCAN("c") "key c/3 type=_doc; " SCAN(
				  "b") "scan c, by request, uncertain" },
		/* And then one that tells nothing. */
		{ "POST", "/a/_bulk", 200, FOUR,
		  ITEMS(ITEM("index", "c", "2", "created", "201") ",{\"index\":{\"error\":{}}}"),
		  "unknown for bulk response; key a/1, by request, uncertain; " SCAN("c") REST },
	};
	SAID_CHECK(rows);
}

static void of_a_stream_responses_follow_each_other(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk/stream", 200,
		  "{\"index\":{\"_id\":\"1\"}}\n{}\n{\"delete\":{\"_id\":\"3\"}}\n",
		  ITEMS(FIRST) "\n" ITEMS(ITEM("delete", "c", "3", "deleted", "200")),
		  "key c/1 type=_doc; key c/3 type=_doc" },
	};
	SAID_CHECK(rows);
}

static void a_scan_is_told_once_while_nothing_else_is_scanned(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk", 200,
		  "{\"index\":{}}\n{}\n{\"index\":{}}\n{}\n{\"delete\":{\"_id\":\"1\"}}\n"
		  "{\"index\":{}}\n{}\n{\"index\":{\"_index\":\"ab\"}}\n{}\n{\"index\":{}}\n{}\n",
		  NULL,
		  "scan a, by request; key a/1, by request; scan ab, by request; scan a, by "
		  "request" },
		/* One that is certain does for none that is not. */
		{ "POST", "/a/_bulk", 200, "{\"index\":{}}\n{}\n{\"index\":{}}\n{}\n",
		  "{\"items\":[{\"index\":{\"status\":201}},{\"ind",
		  "scan a, by request; scan a, by request, uncertain" },
	};
	SAID_CHECK(rows);
}

/* YAML is no broken JSON: such a response hides its items, and that is all. */
static void a_response_in_another_syntax_hides_its_items(void **state)
{
	(void)state;
	struct exchange_row row = { "POST", "/a/_bulk?format=yaml", 200, "", "", "" };
	struct effects_facts facts = facts_of(&row);
	facts.response_type = SPAN("application/yaml");
	said_in_any_way(facts, SPAN("{\"delete\":{\"_id\":\"1\"}}\n"), SPAN("---\nitems:\n"),
			"key a/1, by request");
}

static void a_request_that_cannot_be_read_is_walked(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk", 200, NULL, ITEMS(FIRST), "walk * for bulk request" },
		{ "POST", "/a/_bulk", 0, "?\n", NULL, "walk * for bulk request, uncertain" },
		{ "POST", "/a/_bulk", 200, "{\"delete\":{\"_id\":\"1\"}}\n{\"x\":1}\n",
		  ITEMS(ITEM("delete", "c", "1", "deleted", "200")),
		  "key c/1 type=_doc; walk * for bulk request" },
	};
	SAID_CHECK(rows);
	struct exchange_row row = { "POST", "/a/_bulk", 200, ":)\n", "{}", "" };
	struct effects_facts facts = facts_of(&row);
	facts.request_type = SPAN("application/smile");
	said_in_any_way(facts, SPAN(":)\n"), SPAN("{}"), "walk * for bulk request");
	facts.request_type = SPAN("application/json");
	facts.request_coding = SPAN("gzip");
	said_in_any_way(facts, SPAN("no gzip"), SPAN("{}"), "walk * for bulk request");
}

/* Elasticsearch 7.10 takes half a surrogate pair for an id. */
static void what_cannot_be_repeated_is_found_by_a_scan(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_bulk", 200, "{\"index\":{\"_id\":\"\\ud800\"}}\n{}\n",
		  ITEMS(ITEM("index", "a", "\\uD800", "created", "201")),
		  "unknown for odd name; scan a" },
		{ "POST", "/a/_bulk", 0,
		  "{\"index\":{\"_id\":\"1\",\"routing\":\"\\udc00\"}}\n{}\n{\"delete\":{\"_id\":"
		  "\"2\"}}\n",
		  NULL,
		  "unknown for odd name, uncertain; scan a, by request, uncertain; "
		  "key a/2, by request, uncertain" },
	};
	SAID_CHECK(rows);
}

static void a_line_has_a_limit(void **state)
{
	(void)state;
	static char line[ACTION_LINE_BYTES + 64];
	for (size_t more = 0; more < 2; more++) {
		int n = sprintf(line, "{\"delete\":{\"_id\":\"1\"}}%*s\n",
				(int)(ACTION_LINE_BYTES - 22 + more), "");
		assert_int_equal(n, ACTION_LINE_BYTES + more + 1);
		struct exchange_row row = {
			"POST",
			"/a/_bulk",
			0,
			line,
			NULL,
			more ? "walk * for bulk request, uncertain" : "key a/1, by request, uncertain"
		};
		said_check(&row, 1);
	}
}

static void names_that_no_document_has_are_counted(void **state)
{
	(void)state;
	char request[2048], name[601] = { 0 };
	memset(name, 'x', 600);
	sprintf(request,
		"{\"delete\":{\"_id\":\"%s\"}}\n{\"delete\":{\"_index\":\"%.256s\",\"_id\":\"1\"}}"
		"\n"
		"{\"delete\":{\"_index\":\"%.255s\",\"_id\":\"%.1s\"}}\n",
		name, name, name, name);
	char expected[512];
	sprintf(expected,
		"unknown for long name, uncertain; unknown for long name, uncertain; "
		"key %.255s/x, by request, uncertain",
		name);
	struct exchange_row row = { "POST", "/a/_bulk", 0, request, NULL, expected };
	said_check(&row, 1);
	struct exchange_row none = { "POST", "/_bulk",
				     0,	     "{\"delete\":{\"_id\":\"1\"}}\n",
				     NULL,   "unknown for no index, uncertain" };
	said_check(&none, 1);
}

/* Some thousand lines in large pieces: what is held does not grow with them. */
static void a_large_bulk_is_read_in_step(void **state)
{
	(void)state;
	enum { LINES = 4000 };
	static char request[LINES * 64], response[LINES * 128];
	static struct said s;
	size_t request_n = 0, response_n = (size_t)sprintf(response, "{\"items\":[");
	for (int i = 0; i < LINES; i++) {
		request_n += (size_t)sprintf(request + request_n,
					     "{\"index\":{\"_id\":\"%d\"}}\n{}\n", i);
		response_n += (size_t)sprintf(
			response + response_n,
			"%s{\"index\":{\"_index\":\"a\",\"_id\":\"%d\",\"status\":201}}",
			i ? "," : "", i);
	}
	response_n += (size_t)sprintf(response + response_n, "]}");
	struct exchange_row row = { "POST", "/a/_bulk", 200, "", "", "" };
	struct effects_facts facts = facts_of(&row);
	said_exchange(&s, &facts, (struct span){ request, request_n },
		      (struct span){ response, response_n }, 50000);
	unsigned keys = 0;
	for (const char *at = s.text; (at = strstr(at, "key a/")); at++)
		keys++;
	assert_int_equal(keys, LINES);
	assert_null(strstr(s.text, "uncertain"));
	assert_null(strstr(s.text, "unknown"));
}

static void another_exchange_begins_anew(void **state)
{
	(void)state;
	static struct said s;
	struct exchange_row row = { "POST", "/a/_bulk", 200, "", "", "" };
	struct effects_facts facts = facts_of(&row);
	struct effects *e = effects_make(said_hear, &s);
	effects_open(e, &facts);
	struct span half = SPAN("{\"index\":{\"_id\":\"1\"}}\n{\"half");
	assert_int_equal(effects_want(e), EFFECTS_REQUEST);
	assert_int_equal(effects_response(e, SPAN("{}"), true), 0);
	size_t used = effects_request(e, half, false);
	assert_int_equal(used, 22);
	assert_int_equal(effects_want(e), EFFECTS_RESPONSE);
	assert_int_equal(effects_response(e, SPAN("{\"items\":[{\"ind"), false), 15);
	effects_open(e, &facts);
	s.n = 0;
	assert_int_equal(effects_request(e, SPAN("{\"delete\":{\"_id\":\"2\"}}\n"), true), 23);
	struct span response = SPAN(ITEMS(ITEM("delete", "a", "2", "deleted", "200")));
	effects_response(e, response, true);
	assert_int_equal(effects_want(e), EFFECTS_DONE);
	assert_string_equal(s.text, "key a/2 type=_doc");
	effects_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_item_is_the_document_that_its_response_names),
		cmocka_unit_test(an_item_counts_by_its_own_status),
		cmocka_unit_test(a_filtered_response_is_used_as_far_as_it_goes),
		cmocka_unit_test(without_a_response_lines_are_uncertain),
		cmocka_unit_test(a_response_that_fits_no_more_is_not_believed_any_more),
		cmocka_unit_test(an_item_with_another_id_leaves_those_with_their_lines_id),
		cmocka_unit_test(of_a_stream_responses_follow_each_other),
		cmocka_unit_test(a_scan_is_told_once_while_nothing_else_is_scanned),
		cmocka_unit_test(a_response_in_another_syntax_hides_its_items),
		cmocka_unit_test(a_request_that_cannot_be_read_is_walked),
		cmocka_unit_test(what_cannot_be_repeated_is_found_by_a_scan),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(names_that_no_document_has_are_counted),
		cmocka_unit_test(a_large_bulk_is_read_in_step),
		cmocka_unit_test(another_exchange_begins_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
