#include "unit/replay/effects_kit.h"

static void a_document_is_the_one_that_its_response_names(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "PUT", "/books/_doc/1", 201, "{}", DONE_OF("books", "1", "created"),
		  "key books/1 type=_doc" },
		{ "PUT", "/alias/_doc/1?routing=a%2Fb+c", 200, "{}",
		  DONE_OF("books-3", "1", "updated"), "key books-3/1 routing=a/b c type=_doc" },
		{ "POST", "/books/_doc", 201, "{}", DONE_OF("books", "x_Y-1", "created"),
		  "key books/x_Y-1 type=_doc" },
		{ "POST", "/books/_update/1", 200, "{}", DONE_OF("books", "1", "noop"), "" },
		{ "DELETE", "/books/_doc/1", 200, "", DONE_OF("books", "1", "deleted"),
		  "key books/1 type=_doc" },
		{ "DELETE", "/books/_doc/1", 404, "", DONE_OF("books", "1", "not_found"),
		  "key books/1 type=_doc" },
		{ "PUT", "/logs/_create/1", 201, "{}",
		  "{\"_index\":\".ds-logs-000001\",\"_id\":\"1\",\"_version\":1,\"result\":"
		  "\"created\"," SHARDS ",\"_seq_no\":0,\"_primary_term\":1}",
		  "key .ds-logs-000001/1" },
		{ "PUT", "/old/t/1?version_type=external&version=7", 201, "{}",
		  "{\"_index\":\"old\",\"_type\":\"t\",\"_id\":\"1\",\"_version\":7,\"result\":"
		  "\"created\"," SHARDS ",\"_seq_no\":0,\"_primary_term\":1}",
		  "key old/1 type=t, external" },
		{ "PUT", "/i/_doc/a%22%C3%A9", 201, "{}", DONE_OF("i", "a\\\"\\u00e9", "created"),
		  "key i/a\"\xc3\xa9 type=_doc" },
		{ "PUT", "/%3Clogs-%7Bnow%2Fd%7D%3E/_doc/1", 201, "{}",
		  DONE_OF("logs-2026.12.01", "1", "created"), "key logs-2026.12.01/1 type=_doc" },
		/* What stands deeper, and what is there twice. */
		{ "POST", "/i/_update/1?_source=true", 200, "{}",
		  "{\"_index\":\"j\",\"_index\":\"i\",\"_id\":\"1\",\"result\":\"noop\",\"result\":"
		  "\"updated\","
		  "\"get\":{\"_id\":\"2\",\"result\":\"noop\",\"_source\":{\"_index\":\"k\"}}}",
		  "key i/1" },
	};
	SAID_CHECK(rows);
}

static void a_response_that_hides_its_document_leaves_the_request(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "PUT", "/a/_doc/1?filter_path=took", 200, "{}", "{}", "key a/1, by request" },
		{ "PUT", "/a/_doc/1?routing=r", 200, "{}", NULL, "key a/1 routing=r, by request" },
		{ "PUT", "/a/t/1", 200, "{}", "", "key a/1 type=t, by request" },
		{ "PUT", "/a/_doc/1", 200, "{}", "<html>", "key a/1, by request" },
		{ "PUT", "/a/_doc/1", 200, "{}",
		  "{\"_index\":\"i\",\"_id\":\"1\",\"result\":\"noop\"", "key a/1, by request" },
		{ "PUT", "/a/_doc/1", 200, "{}", "{\"_id\":\"\xff\"}", "key a/1, by request" },
		{ "POST", "/a/_doc", 201, "{}", "{}", "scan a, by request" },
		{ "POST", "/a/_doc", 201, "{}", "{\"_index\":\"i\"}", "scan i" },
		{ "POST", "/a/_doc", 201, "{}", "{\"_id\":\"1\"}", "key a/1, by request" },
		{ "POST", "/a/_doc", 0, "{}", NULL, "scan a, by request, uncertain" },
		{ "PUT", "/a/_doc/1", 0, "{}", NULL, "key a/1, by request, uncertain" },
		{ "PUT", "/a/_doc/1", 0, "{}", "{\"_in", "key a/1, by request, uncertain" },
		{ "PUT", "/%3Ca-%7Bnow%2Fd%7D%3E/_doc/1", 0, "{}", NULL,
		  "surroundings, uncertain; unknown for date math, uncertain" },
		{ "PUT", "/a/_doc/1", 200, "{}", "{\"_index\":null,\"_id\":{}}",
		  "key a/1, by request" },
		/* No text: its cluster puts U+FFFD in place of what is none. */
		{ "PUT", "/a/_doc/%FF", 201, "{}", DONE_OF("a", "\xef\xbf\xbd", "created"),
		  "key a/\xef\xbf\xbd type=_doc" },
		{ "PUT", "/a/_doc/1%C3", 0, "{}", NULL,
		  "unknown for odd name, uncertain; scan a, by request, uncertain" },
		{ "PUT", "/a/_doc/1?routing=%80", 201, "{}", DONE_OF("a", "1", "created"),
		  "unknown for odd name; scan a" },
		{ "PUT", "/%FFa/_doc/1", 0, "{}", NULL, "unknown for odd name, uncertain" },
		{ "PUT", "/%FFa/_doc/1", 201, "{}", DONE_OF("a", "1", "created"),
		  "key a/1 type=_doc" },
		/* It names another one than was asked for. */
		{ "PUT", "/a/_doc/1", 200, "{}", DONE_OF("i", "2", "created"),
		  "key i/2 type=_doc; key a/1, by request" },
	};
	SAID_CHECK(rows);
}

static void a_refusal_is_harmless_only_when_it_is_known_to_be(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "PUT", "/a/_doc/1", 400, "{}", ERROR_OF("mapper_parsing_exception", "400"), "" },
		{ "PUT", "/a/_doc/1", 401, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 403, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 405, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 406, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 411, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 413, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 415, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 431, "{}", "", "" },
		{ "PUT", "/a/_doc/1", 404, "{}", ERROR_OF("index_not_found_exception", "404"), "" },
		{ "POST", "/a/_update/1", 404, "{}", ERROR_OF("document_missing_exception", "404"),
		  "key a/1, by request" },
		{ "PUT", "/a/_doc/1", 404, "{}", NULL, "key a/1, by request" },
		{ "PUT", "/a/_doc/1", 409, "{}",
		  ERROR_OF("version_conflict_engine_exception", "409"), "key a/1, by request" },
		{ "PUT", "/a/_doc/1", 429, "{}", NULL, "key a/1, by request" },
		{ "PUT", "/a/_doc/1", 408, "{}", NULL, "key a/1, by request, uncertain" },
		{ "PUT", "/a/_doc/1", 503, "{}", ERROR_OF("unavailable_shards_exception", "503"),
		  "key a/1, by request, uncertain" },
		{ "DELETE", "/a", 403, "", "", "" },
		{ "PUT", "/a/_mapping", 400, "", "", "" },
		{ "PUT", "/_cluster/settings", 400, "", "", "" },
	};
	SAID_CHECK(rows);
}

static void what_was_not_sent_changed_nothing(void **state)
{
	(void)state;
	struct exchange_row row = { "PUT", "/a/_doc/1", 0, "{}", NULL, "" };
	struct effects_facts facts = facts_of(&row);
	facts.outcome = OUTCOME_NOT_SENT;
	said_in_any_way(facts, SPAN("{}"), SPAN(""), "");
	facts.target = SPAN("/a/_bulk/stream");
	said_in_any_way(facts, SPAN("{\"delete\":{\"_id\":\"1\"}}\n"), SPAN(""),
			"key a/1, by request, uncertain");
}

static void an_id_has_a_limit(void **state)
{
	(void)state;
	char target[1024], response[2048], expected[1024], id[601];
	memset(id, 'x', sizeof id);
	for (size_t n = 511; n < 600; n += n < 513 ? 1 : 87) {
		sprintf(target, "/i/_doc/%.*s", (int)n, id);
		sprintf(response, "{\"_index\":\"i\",\"_id\":\"%.*s\"}", (int)n, id);
		sprintf(expected, "key i/%.*s%s", (int)n, id, "");
		struct exchange_row row = {
			"PUT", target,	 200,
			"{}",  response, n > 512 ? "unknown for long name" : expected
		};
		said_check(&row, 1);
		sprintf(expected, "key i/%.*s, by request, uncertain", (int)n, id);
		struct exchange_row lost = {
			"PUT", target, 0,
			"{}",  NULL,   n > 512 ? "unknown for long name, uncertain" : expected
		};
		said_check(&lost, 1);
	}
}

static void another_syntax_than_json_is_not_read(void **state)
{
	(void)state;
	struct exchange_row row = { "PUT", "/a/_doc/1", 200, "{}", DONE_OF("i", "1", "noop"), "" };
	struct effects_facts facts = facts_of(&row);
	facts.response_type = SPAN("application/CBOR");
	said_in_any_way(facts, SPAN(""), SPAN("\xbf\xff"), "key a/1, by request");
	facts.response_type = SPAN("application/json");
	facts.response_coding = SPAN("br");
	said_in_any_way(facts, SPAN(""), SPAN("?"), "key a/1, by request");
}

/* --- many at a time --- */

#define BY_QUERY(deleted, failures)                                                                \
	"{\"took\":1,\"timed_out\":false,\"total\":9,\"updated\":0,\"deleted\":" deleted           \
	",\"batches\":1,\"version_conflicts\":0,\"noops\":0,\"retries\":{\"bulk\":0,\"search\":0}" \
	","                                                                                        \
	"\"throttled_millis\":0,\"failures\":[" failures "]}"
#define MATCH "{\"query\":{\"term\":{\"a\":\"b\"}}}"

static void a_delete_by_query_is_swept(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a,b*/_delete_by_query", 200, MATCH, BY_QUERY("9", ""),
		  "sweep a,b* query=" MATCH },
		{ "POST", "/a/_delete_by_query", 409, MATCH, BY_QUERY("9", "{\"status\":409}"),
		  "sweep a query=" MATCH },
		{ "POST", "/a/_delete_by_query", 0, MATCH, NULL,
		  "sweep a query=" MATCH ", uncertain" },
		{ "POST", "/a/_delete_by_query", 400, MATCH, ERROR_OF("parsing_exception", "400"),
		  "" },
		/* One of two indices was blocked. */
		{ "POST", "/a/_delete_by_query", 403, MATCH, BY_QUERY("3", "{\"status\":403}"),
		  "sweep a query=" MATCH },
		{ "POST", "/a/_delete_by_query", 403, MATCH, NULL, "sweep a query=" MATCH },
		{ "POST", "/a/_delete_by_query", 404, MATCH,
		  ERROR_OF("index_not_found_exception", "404"), "" },
		{ "POST", "/a/_delete_by_query?wait_for_completion=false", 200, MATCH,
		  "{\"task\":\"r1A2WoRbTwKZ516z6NEs5A:36619\"}",
		  "sweep a query=" MATCH " task=r1A2WoRbTwKZ516z6NEs5A:36619" },
		{ "POST", "/%3Ca-%7Bnow%2Fd%7D%3E/_delete_by_query", 200, MATCH, BY_QUERY("9", ""),
		  "sweep * query=" MATCH },
		{ "POST", "/a/_delete_by_query?wait_for_completion=false", 200, MATCH, NULL,
		  "sweep a query=" MATCH " task=" },
	};
	SAID_CHECK(rows);
}

#define QUERY_OF(json) "{\"query\":" json "}"

static void a_query_that_finds_other_documents_later_is_walked(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_delete_by_query", 200,
		  QUERY_OF("{\"range\":{\"t\":{\"lt\":\"now-1d/d\"}}}"), BY_QUERY("9", ""),
		  "walk a for date math" },
		{ "POST", "/a/_delete_by_query", 200,
		  QUERY_OF("{\"query_string\":{\"query\":\"t:[* TO now]\"}}"), BY_QUERY("9", ""),
		  "walk a for date math" },
		{ "POST", "/a/_delete_by_query", 200, QUERY_OF("{\"term\":{\"t\":\"n\\u006fw\"}}"),
		  BY_QUERY("9", ""), "walk a for date math" },
		{ "POST", "/a/_delete_by_query", 200,
		  QUERY_OF("{\"term\":{\"t\":\"snow nowhere\"}}"), BY_QUERY("9", ""),
		  "sweep a query=" QUERY_OF("{\"term\":{\"t\":\"snow nowhere\"}}") },
		{ "POST", "/a/_delete_by_query", 200,
		  QUERY_OF("{\"script\":{\"script\":{\"source\":\"x\"}}}"), BY_QUERY("9", ""),
		  "walk a for script" },
		{ "POST", "/a/_delete_by_query", 200,
		  QUERY_OF("{\"terms\":{\"u\":{\"index\":\"x\",\"id\":\"1\",\"path\":\"p\"}}}"),
		  BY_QUERY("9", ""), "walk a for another document" },
		{ "POST", "/a/_delete_by_query?q=a:b", 200, "", BY_QUERY("9", ""),
		  "walk a for query" },
		{ "POST", "/a/_delete_by_query", 200, "query: x", BY_QUERY("9", ""),
		  "walk a for query" },
		{ "POST", "/a/_delete_by_query", 200, NULL, BY_QUERY("9", ""), "walk a for query" },
	};
	SAID_CHECK(rows);
}

static void a_query_is_kept_up_to_a_limit(void **state)
{
	(void)state;
	static struct said s;
	struct exchange_row row = { "POST", "/a/_delete_by_query", 200, "", "", "" };
	struct effects_facts facts = facts_of(&row);
	for (size_t more = 0; more < 2; more++) {
		size_t n = SWEEP_QUERY_BYTES + more;
		char *query = malloc(n);
		memset(query, ' ', n);
		memcpy(query, MATCH, sizeof MATCH - 1);
		said_exchange(&s, &facts, (struct span){ query, n }, SPAN("{}"), 100000);
		if (more)
			assert_string_equal(s.text, "walk a for query");
		else
			assert_int_equal(s.n, n + sizeof "sweep a query=" - 1);
		free(query);
	}
}

static void an_update_by_query_is_a_scan_unless_its_script_deletes(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/a/_update_by_query?conflicts=proceed", 200, "", BY_QUERY("0", ""),
		  "scan a" },
		{ "POST", "/a/_update_by_query", 200, MATCH, BY_QUERY("0", ""), "scan a" },
		{ "POST", "/a/_update_by_query", 409, MATCH, BY_QUERY("0", "{}"), "scan a" },
		{ "POST", "/a/_update_by_query", 0, MATCH, NULL, "scan a, uncertain" },
		{ "POST", "/a/_update_by_query?pipeline=p", 200, MATCH, BY_QUERY("0", ""),
		  "scan *" },
		{ "POST", "/a/_update_by_query?pipeline=_none", 200, MATCH, BY_QUERY("0", ""),
		  "scan a" },
		{ "POST", "/a/_update_by_query", 200, "{\"script\":{\"source\":\"ctx.op='noop'\"}}",
		  BY_QUERY("0", ""), "scan a" },
		{ "POST", "/a/_update_by_query", 200,
		  "{\"script\":{\"source\":\"ctx.op='delete'\"}}", BY_QUERY("3", ""),
		  "walk a for script" },
		{ "POST", "/a/_update_by_query", 200, "{\"script\":{\"source\":\"x\"}}", NULL,
		  "walk a for script" },
		{ "POST", "/a/_update_by_query?wait_for_completion=false", 200, MATCH,
		  "{\"task\":\"n:1\"}", "scan a task=n:1" },
	};
	SAID_CHECK(rows);
}

#define REINDEX(rest)                                                                              \
	"{\"source\":{\"index\":\"s\"},\"dest\":{\"index\":\"d\",\"op_type\":\"create\"}" rest "}"

static void a_reindex_scans_the_index_that_it_writes(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/_reindex", 200, REINDEX(""), BY_QUERY("0", ""), "scan d" },
		{ "POST", "/_reindex", 409, REINDEX(""), BY_QUERY("0", "{}"), "scan d" },
		{ "POST", "/_reindex", 200, REINDEX(",\"script\":{\"source\":\"ctx._index='x'\"}"),
		  BY_QUERY("0", ""), "scan *" },
		{ "POST", "/_reindex", 200, REINDEX(",\"script\":{\"id\":\"stored\"}"),
		  BY_QUERY("0", ""), "scan *" },
		{ "POST", "/_reindex", 200, REINDEX(",\"script\":{\"source\":\"ctx.op='delete'\"}"),
		  BY_QUERY("2", ""), "walk d for script" },
		{ "POST", "/_reindex", 200, "{\"dest\":{\"pipeline\":\"p\",\"index\":\"d\"}}",
		  BY_QUERY("0", ""), "scan *" },
		{ "POST", "/_reindex", 200, "{", BY_QUERY("0", ""), "scan *" },
		{ "POST", "/_reindex", 200, "{", NULL, "walk * for script" },
		{ "POST", "/_reindex?wait_for_completion=false", 200, REINDEX(""),
		  "{\"task\":\"n:1\"}", "scan d task=n:1" },
	};
	SAID_CHECK(rows);
}

static void a_deletion_is_a_fence(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "DELETE", "/a", 200, "", "{\"acknowledged\":true}", "fence a" },
		{ "DELETE", "/a-*,-a%2D1", 200, "", "{\"acknowledged\":true}", "fence a-*,-a-1" },
		{ "DELETE", "/a,%3Cb-%7Bnow%2Fd%7D%3E", 200, "", "{\"acknowledged\":true}",
		  "surroundings; unknown for date math" },
		{ "DELETE", "/_all", 200, "", NULL, "fence _all" },
		{ "DELETE", "/a", 200, "", "{\"acknowledged\":false}", "fence a, uncertain" },
		{ "DELETE", "/a", 404, "", ERROR_OF("index_not_found_exception", "404"), "" },
		{ "DELETE", "/a", 404, "", NULL, "fence a, uncertain" },
		{ "DELETE", "/a", 0, "", NULL, "fence a, uncertain" },
		{ "DELETE", "/_data_stream/d", 200, "", "{\"acknowledged\":true}",
		  "fence d, stream" },
		{ "POST", "/_aliases", 200,
		  "{\"actions\":[{\"add\":{\"index\":\"new\",\"alias\":\"a\"}},"
		  "{\"remove_index\":{\"index\":\"old\"}},"
		  "{\"remove_index\":{\"indices\":[\"x\",\"y*\"]}},{\"remove\":{\"index\":\"z\","
		  "\"alias\":\"b\"}}]}",
		  "{\"acknowledged\":true}", "fence old; fence x; fence y*; surroundings" },
		{ "POST", "/_aliases", 0, "{\"actions\":[{\"remove_index\":{\"index\":\"old\"}}]}",
		  NULL, "fence old, uncertain; surroundings, uncertain" },
		{ "POST", "/_aliases", 200, NULL, NULL, "unknown for aliases; surroundings" },
	};
	SAID_CHECK(rows);
}

static void what_a_statement_deletes_is_walked(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "POST", "/_plugins/_sql", 200, "{\"query\":\"DELETE FROM logs-1 WHERE a=1\"}",
		  "{}", "walk logs-1 for statement" },
		{ "POST", "/_opendistro/_sql", 200, "{\"query\":\" delete\\n from `a b`\"}", "{}",
		  "walk * for statement" },
		{ "POST", "/_plugins/_sql", 200, "{\"query\":\"Select 1\"}", "{}", "" },
		{ "POST", "/_sql", 200, "{\"query\":\"SHOW TABLES\"}", "{}", "" },
		{ "POST", "/_sql", 200, "{\"cursor\":\"sDXF1ZXJ5\"}", "{}", "" },
		{ "POST", "/_plugins/_sql", 200, "{\"query\":\"/* x */ DELETE FROM a\"}", "{}",
		  "walk * for statement" },
		{ "POST", "/_plugins/_sql", 200, NULL, "{}", "walk * for statement" },
		{ "GET", "/_plugins/_sql?sql=select+*+from+a", 200, "", "{}", "" },
		{ "GET", "/_plugins/_sql?sql=delete+from+a", 200, "", "{}",
		  "walk a for statement" },
	};
	SAID_CHECK(rows);
}

static void the_others_are_told_by_their_paths(void **state)
{
	(void)state;
	static const struct exchange_row rows[] = {
		{ "PUT", "/a%2D1", 200, "{}", "{}", "surroundings a-1" },
		{ "PUT", "/_template/t", 200, "{}", "{}", "surroundings" },
		{ "PUT", "/a/_mapping", 0, "{}", NULL, "surroundings a, uncertain" },
		{ "POST", "/a/_rollover", 200, "{}", "{}", "surroundings a" },
		{ "PUT", "/a/_split/b", 200, "{}", "{}", "walk b for resize" },
		{ "PUT", "/a/_shrink/b?wait_for_completion=false", 200, "{}", "{\"task\":\"n:2\"}",
		  "walk b for resize task=n:2" },
		{ "POST", "/_snapshot/r/s/_restore", 200, "{}", "{}", "walk * for restore" },
		{ "PUT", "/_cluster/settings", 200, "{}", "{}", "unknown for cluster" },
		{ "POST", "/something/_new/1", 200, "{}", "{}", "unknown for other" },
		{ "POST", "/a/_refresh", 200, "", "{}", "" },
		{ "POST", "/a/_search", 200, "{}", "{}", "" },
		{ "GET", "/a/_doc/1", 200, "", "{}", "" },
	};
	SAID_CHECK(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_the_one_that_its_response_names),
		cmocka_unit_test(a_response_that_hides_its_document_leaves_the_request),
		cmocka_unit_test(a_refusal_is_harmless_only_when_it_is_known_to_be),
		cmocka_unit_test(what_was_not_sent_changed_nothing),
		cmocka_unit_test(an_id_has_a_limit),
		cmocka_unit_test(another_syntax_than_json_is_not_read),
		cmocka_unit_test(a_delete_by_query_is_swept),
		cmocka_unit_test(a_query_that_finds_other_documents_later_is_walked),
		cmocka_unit_test(a_query_is_kept_up_to_a_limit),
		cmocka_unit_test(an_update_by_query_is_a_scan_unless_its_script_deletes),
		cmocka_unit_test(a_reindex_scans_the_index_that_it_writes),
		cmocka_unit_test(a_deletion_is_a_fence),
		cmocka_unit_test(what_a_statement_deletes_is_walked),
		cmocka_unit_test(the_others_are_told_by_their_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
