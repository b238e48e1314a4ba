#include "unit/sample/kit.h"

#define BY_SEQ_NO "\"_source\":false,\"seq_no_primary_term\":true,\"sort\":[{\"_seq_no\":\"asc\"}]"

static void a_search_sees_what_was_refreshed(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_doc/1", "{\"n\":1}", 201, NULL },
		   { "GET /a/_search", NULL, 200, "\"total\":{\"value\":0" },
		   { "GET /a/_count", NULL, 200, "{\"count\":0," },
		   { "POST /a/_refresh", NULL, 200, NULL },
		   { "GET /a/_count", NULL, 200, "{\"count\":1," },
		   { "PUT /a/_doc/1", "{\"n\":2}", 200, NULL },
		   { "PUT /a/_doc/1", "{\"n\":3}", 200, NULL },
		   { "GET /a/_search?filter_path=hits.hits._source", NULL, 200, "{\"n\":1}" },
		   { "GET /a/_source/1", NULL, 200, "{\"n\":3}" },
		   { "PUT /a/_doc/2?refresh=true", "{\"n\":4}", 201, NULL },
		   { "GET /a/_search?filter_path=hits.hits._source", NULL, 200,
		     "[{\"_source\":{\"n\":3}},{\"_source\":{\"n\":4}}]" },
		   { "DELETE /a/_doc/1", NULL, 200, NULL }, { "GET /a/_count", NULL, 200, ":2," },
		   { "DELETE /a/_doc/2?refresh=wait_for", NULL, 200, NULL },
		   { "GET /a/_count", NULL, 200, "{\"count\":0," },
		   { "GET /a/_search", NULL, 200, "\"max_score\":null,\"hits\":[]" });
}

static void a_second_refreshes_what_may_be(void **state)
{
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	sample_expect(&p,
		      &(struct asked){ "PUT /b",
				       "{\"settings\":{\"index\":{\"refresh_interval\":\"-1\"}}}",
				       200, NULL });
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", "{}", 201, NULL });
	sample_expect(&p, &(struct asked){ "PUT /b/_doc/1", "{}", 201, NULL });
	sample_store_second(&p.store);
	sample_expect(&p, &(struct asked){ "GET /a/_count", NULL, 200, "\"count\":1," });
	sample_expect(&p, &(struct asked){ "GET /b/_count", NULL, 200, "\"count\":0," });
	sample_close(&p);
}

static void scans_go_by_sequence_numbers(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1?routing=r", "{}", 201, NULL },
		{ "PUT /a/_doc/2", "{}", 201, NULL }, { "PUT /a/_doc/3", "{}", 201, NULL },
		{ "PUT /a/_doc/1?routing=r", "{}", 200, NULL },
		{ "DELETE /a/_doc/2?refresh", NULL, 200, NULL },
		{ "POST /a/_search?filter_path=hits.hits", "{" BY_SEQ_NO "}", 200,
		  "[{\"_index\":\"a\",\"_id\":\"3\",\"_score\":null,\"_seq_no\":2,"
		  "\"_primary_term\":1,\"sort\":[2]},{\"_index\":\"a\",\"_id\":\"1\","
		  "\"_score\":null,\"_routing\":\"r\",\"_seq_no\":3,\"_primary_term\":1,"
		  "\"sort\":[3]}]" },
		{ "POST /a/_search?filter_path=hits.hits._id",
		  "{\"query\":{\"range\":{\"_seq_no\":{\"gt\":2}}}," BY_SEQ_NO "}", 200,
		  "{\"hits\":{\"hits\":[{\"_id\":\"1\"}]}}" },
		{ "POST /a/_search?filter_path=hits.hits._id",
		  "{\"query\":{\"range\":{\"_seq_no\":{\"gte\":2,\"lt\":3}}}," BY_SEQ_NO "}", 200,
		  "{\"hits\":{\"hits\":[{\"_id\":\"3\"}]}}" },
		{ "POST /a/_search?filter_path=hits.hits._id",
		  "{\"query\":{\"range\":{\"_seq_no\":{\"gt\":-1,\"lte\":3}}},\"size\":1," BY_SEQ_NO
		  ",\"search_after\":[2]}",
		  200, "{\"hits\":{\"hits\":[{\"_id\":\"1\"}]}}" },
		{ "POST /a/_search?filter_path=hits.hits._id",
		  "{\"sort\":{\"_seq_no\":{\"order\":\"desc\"}}}", 200,
		  "[{\"_id\":\"1\"},{\"_id\":\"3\"}]" },
		{ "POST /a/_search?sort=_seq_no:desc&size=1&from=1&filter_path=hits.hits._id", NULL,
		  200, "[{\"_id\":\"3\"}]" },
		{ "POST /a/_search?preference=_shards:0", "{}", 200, "\"value\":2" },
		{ "POST /a/_search?preference=_shards:1", "{}", 200, "\"value\":0" },
		{ "POST /a/_search", "{\"sort\":[\"n\"]}", 400, NULL },
		{ "POST /a/_search", "{\"size\":10001}", 400, "Result window is too large" },
		{ "POST /a/_search", "{\"size\":-1}", 400, NULL },
		{ "POST /b/_search", "{}", 404, "index_not_found_exception" },
		{ "POST /b*/_search", "{}", 200, "\"value\":0" });
}

static void hits_of_several_indices_are_sorted(void **state)
{
	(void)state;
	EXPECT_ALL({ "POST /_bulk?refresh",
		     "{\"index\":{\"_index\":\"b\",\"_id\":\"b0\"}}\n{}\n"
		     "{\"index\":{\"_index\":\"a\",\"_id\":\"a0\"}}\n{}\n"
		     "{\"index\":{\"_index\":\"a\",\"_id\":\"a1\"}}\n{}\n"
		     "{\"index\":{\"_index\":\"b\",\"_id\":\"b1\"}}\n{}\n"
		     "{\"index\":{\"_index\":\"c\",\"_id\":\"c0\"}}\n{}\n",
		     200, NULL },
		   { "POST /a,b/_search?sort=_seq_no:asc&size=3&filter_path=hits.hits._id", NULL,
		     200, "[{\"_id\":\"a0\"},{\"_id\":\"b0\"},{\"_id\":\"a1\"}]" },
		   { "POST /_search?filter_path=hits.hits._id", NULL, 200,
		     "[{\"_id\":\"a0\"},{\"_id\":\"a1\"},{\"_id\":\"b0\"},{\"_id\":\"b1\"},"
		     "{\"_id\":\"c0\"}]" },
		   { "POST /*,-b/_search?size=2&filter_path=hits.hits._id,hits.total", NULL, 200,
		     "{\"hits\":{\"total\":{\"value\":3,\"relation\":\"eq\"},\"hits\":[{\"_id\":"
		     "\"a0\"},"
		     "{\"_id\":\"a1\"}]}}" },
		   { "POST /_search?filter_path=hits.total", "{\"track_total_hits\":2}", 200,
		     "{\"value\":2,\"relation\":\"gte\"}" },
		   { "POST /_search?filter_path=hits.total", "{\"track_total_hits\":false}", 200,
		     "{}" },
		   { "POST /a,none/_search", NULL, 404, NULL },
		   { "POST /a,none/_search?ignore_unavailable=true", NULL, 200, "\"value\":2" });
}

static void queries_match(void **state)
{
	static const struct {
		const char *query;
		const char *ids;
	} table[] = {
		{ "{\"match_all\":{}}", "1234" },
		{ "{\"ids\":{\"values\":[\"3\",\"1\",\"9\"]}}", "31" },
		{ "{\"term\":{\"s\":\"x\"}}", "12" },
		{ "{\"term\":{\"s.keyword\":{\"value\":\"x\"}}}", "12" },
		{ "{\"term\":{\"n\":2}}", "2" },
		{ "{\"term\":{\"n\":2.0}}", "2" },
		{ "{\"term\":{\"o.p\":true}}", "3" },
		{ "{\"term\":{\"l\":5}}", "4" },
		{ "{\"terms\":{\"n\":[1,2]}}", "12" },
		{ "{\"range\":{\"n\":{\"gt\":1,\"lte\":3}}}", "23" },
		{ "{\"exists\":{\"field\":\"o\"}}", "3" },
		{ "{\"bool\":{\"filter\":[{\"term\":{\"s\":\"x\"}}],\"must_not\":{\"term\":{\"n\":"
		  "1}}}}",
		  "2" },
		{ "{\"bool\":{\"should\":[{\"term\":{\"n\":1}},{\"term\":{\"l\":6}}]}}", "14" },
		{ "{\"bool\":{}}", "1234" },
		{ "{\"range\":{\"_seq_no\":{\"gte\":3}}}", "4" },
	};
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	sample_expect(&p,
		      &(struct asked){ "POST /a/_bulk?refresh",
				       "{\"index\":{\"_id\":\"1\"}}\n{\"s\":\"x\",\"n\":1}\n"
				       "{\"index\":{\"_id\":\"2\"}}\n{\"s\":\"x\",\"n\":2}\n"
				       "{\"index\":{\"_id\":\"3\"}}\n{\"o\":{\"p\":true},\"n\":3}\n"
				       "{\"index\":{\"_id\":\"4\"}}\n{\"l\":[5,6]}\n",
				       200, "\"errors\":false" });
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char body[512], ids[16] = "";
		unsigned status;
		snprintf(body, sizeof body, "{\"query\":%s}", table[i].query);
		char *text = sample_ask(&p, "POST /a/_search", body, &status);
		json_t *j = json_loads(text, 0, NULL);
		const json_t *hits = json_object_get(json_object_get(j, "hits"), "hits");
		for (size_t k = 0; k < json_array_size(hits); k++)
			strcat(ids,
			       json_string_value(json_object_get(json_array_get(hits, k), "_id")));
		if (strcmp(ids, table[i].ids) != 0)
			fail_msg("%s finds %s", table[i].query, ids);
		json_decref(j);
		free(text);
	}
	sample_expect(&p,
		      &(struct asked){ "POST /a/_search", "{\"query\":{\"match\":{\"s\":\"x\"}}}",
				       400, "parsing_exception" });
	sample_expect(&p, &(struct asked){ "POST /a/_count", "{\"query\":{}}", 400, NULL });
	sample_expect(&p, &(struct asked){ "POST /a/_count", "{\"query\":{\"term\":{\"s\":\"x\"}}}",
					   200, "\"count\":2" });
	sample_close(&p);
}

static void a_scroll_leaves_nothing_out(void **state)
{
	(void)state;
	struct sample p;
	unsigned status, n = 0;
	char ids[16] = "", body[512];
	sample_open(&p, "source");
	sample_expect(&p,
		      &(struct asked){ "POST /_bulk?refresh",
				       "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"n\":1}\n"
				       "{\"index\":{\"_index\":\"a\",\"_id\":\"2\"}}\n{\"n\":1}\n"
				       "{\"index\":{\"_index\":\"a\",\"_id\":\"3\"}}\n{\"n\":1}\n"
				       "{\"index\":{\"_index\":\"b\",\"_id\":\"4\"}}\n{\"n\":1}\n"
				       "{\"index\":{\"_index\":\"b\",\"_id\":\"5\"}}\n{\"n\":1}\n",
				       200, NULL });
	char *text = sample_ask(&p, "POST /a,b/_search?scroll=1m", "{\"size\":2,\"_source\":false}",
				&status);
	for (size_t hits_n = 1; hits_n; n++) {
		json_t *j = json_loads(text, 0, NULL);
		const json_t *hits = json_object_get(json_object_get(j, "hits"), "hits");
		hits_n = json_array_size(hits);
		for (size_t k = 0; k < hits_n; k++) {
			const json_t *hit = json_array_get(hits, k);
			strcat(ids, json_string_value(json_object_get(hit, "_id")));
			assert_null(json_object_get(hit, "_source"));
		}
		snprintf(body, sizeof body, "{\"scroll\":\"1m\",\"scroll_id\":\"%s\"}",
			 json_string_value(json_object_get(j, "_scroll_id")));
		json_decref(j);
		free(text);
		/* What is changed meanwhile moves to the end, and is shown again. */
		if (n == 0)
			sample_expect(&p,
				      &(struct asked){ "PUT /a/_doc/1?refresh", "{}", 200, NULL });
		text = sample_ask(&p, "POST /_search/scroll", body, &status);
		assert_int_equal(status, 200);
	}
	free(text);
	assert_string_equal(ids, "123145");
	sample_expect(
		&p, &(struct asked){ "POST /_search/scroll", "{\"scroll_id\":\"x\"}", 404, NULL });
	sample_expect(&p, &(struct asked){ "POST /_search/scroll", "{}", 404, NULL });
	sample_expect(&p, &(struct asked){ "DELETE /_search/scroll", "{\"scroll_id\":\"x\"}", 200,
					   "\"succeeded\":true" });
	sample_close(&p);
}

static void a_delete_by_query_deletes_what_it_saw(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1", "{\"s\":\"x\"}", 201, NULL },
		{ "PUT /a/_doc/2", "{\"s\":\"x\"}", 201, NULL },
		{ "PUT /a/_doc/3?refresh", "{\"s\":\"y\"}", 201, NULL },
		{ "PUT /a/_doc/4", "{\"s\":\"x\"}", 201, NULL },
		{ "PUT /a/_doc/2", "{\"s\":\"x\",\"n\":2}", 200, NULL },
		{ "POST /a/_delete_by_query", "{\"query\":{\"term\":{\"s\":\"x\"}}}", 409,
		  "\"total\":2,\"updated\":0,\"deleted\":1,\"noops\":0,\"version_conflicts\":1" },
		{ "GET /a/_doc/1", NULL, 404, NULL }, { "GET /a/_doc/2", NULL, 200, NULL },
		{ "GET /a/_doc/4", NULL, 200, NULL },
		{ "POST /a/_delete_by_query?conflicts=proceed&refresh=true",
		  "{\"query\":{\"ids\":{\"values\":[\"2\",\"3\"]}}}", 200, "\"deleted\":1" },
		{ "POST /a/_delete_by_query?refresh", "{\"query\":{\"match_all\":{}}}", 200,
		  "\"deleted\":2" },
		{ "GET /a/_count", NULL, 200, "\"count\":0" },
		{ "POST /a/_delete_by_query", "{\"query\":{\"match\":{\"s\":\"x\"}}}", 400, NULL },
		{ "GET /a/_delete_by_query", NULL, 405, NULL },
		{ "POST /none/_delete_by_query", NULL, 404, NULL });
}

static void an_update_by_query_gives_new_sequence_numbers(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1?routing=r", "{\"n\":1}", 201, NULL },
		{ "PUT /a/_doc/2?refresh", "{\"n\":5}", 201, NULL },
		{ "POST /a/_update_by_query",
		  "{\"query\":{\"term\":{\"n\":1}},\"script\":{\"source\":\"ctx._source.n += 1\"}}",
		  200, "\"updated\":1" },
		{ "GET /a/_doc/1", NULL, 200,
		  "\"_version\":2,\"_seq_no\":2,\"_primary_term\":1,\"_routing\":\"r\",\"found\":"
		  "true,"
		  "\"_source\":{\"n\":2}" },
		{ "POST /a/_update_by_query", NULL, 409, "\"version_conflicts\":1" },
		{ "POST /a/_update_by_query?refresh", "{\"conflicts\":\"proceed\"}", 200, NULL },
		{ "POST /a/_update_by_query", "{\"script\":\"ctx.op = 'noop'\"}", 200,
		  "\"noops\":2" },
		{ "POST /a/_update_by_query", "{\"script\":\"ctx.op = 'delete'\"}", 200,
		  "\"deleted\":2" },
		{ "GET /a/_doc/1", NULL, 404, NULL });
}

static void a_query_that_nobody_waits_for_has_a_task(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_doc/1?refresh", "{}", 201, NULL },
		   { "GET /_tasks/source:1", NULL, 404, "resource_not_found_exception" },
		   { "POST /a/_delete_by_query?wait_for_completion=false", NULL, 200,
		     "{\"task\":\"source:1\"}" },
		   { "GET /_tasks/source:1", NULL, 200, "{\"completed\":true" },
		   { "GET /_tasks/source:2", NULL, 404, NULL },
		   { "GET /_tasks/source:0", NULL, 404, NULL },
		   { "GET /_tasks/x", NULL, 404, NULL }, { "GET /a/_doc/1", NULL, 404, NULL });
}

#define ROUTED "{\"n\":1}", 201, NULL
#define PAGE "\"size\":2,\"query\":{\"match_all\":{}}"

/* r0 leads to the first shard of three, r1 and the ids 2 and 4 to the second, 3 to the third. */
static void a_search_goes_through_all_shards_or_those_that_it_names(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a", "{\"settings\":{\"number_of_shards\":3}}", 200, NULL },
		   { "PUT /a/_doc/2?routing=r0", ROUTED }, { "PUT /a/_doc/2", ROUTED },
		   { "PUT /a/_doc/4", ROUTED }, { "PUT /a/_doc/3?refresh=true", ROUTED },
		   { "POST /a/_count", "{}", 200, "\"count\":4" },
		   { "POST /a/_search", "{\"query\":{\"ids\":{\"values\":[\"2\"]}}}", 200,
		     "\"value\":2," },
		   { "POST /a/_search?preference=_shards:1", "{" BY_SEQ_NO "}", 200,
		     "\"hits\":[{\"_index\":\"a\",\"_id\":\"2\",\"_score\":null,\"_seq_no\":0,"
		     "\"_primary_term\":1,\"sort\":[0]},{\"_index\":\"a\",\"_id\":\"4\"," },
		   { "POST /a/_search?preference=_shards:0,2", "{}", 200, "\"value\":2," },
		   { "POST /a/_search?preference=_shards:3", "{}", 200, "\"value\":0," },
		   { "POST /a/_search", "{" BY_SEQ_NO "}", 200, "\"value\":4," },
		   { "GET /_stats?level=shards&filter_path=**.max_seq_no", NULL, 200,
		     "{\"0\":[{\"seq_no\":{\"max_seq_no\":0}}],\"1\":[{\"seq_no\":{\"max_seq_no\":"
		     "1}}],"
		     "\"2\":[{\"seq_no\":{\"max_seq_no\":0}}]}" },
		   { "GET /_cluster/state/metadata/a?filter_path=**.primary_terms", NULL, 200,
		     "{\"0\":1,\"1\":1,\"2\":1}" },
		   { "POST /a/_search?scroll=1m", "{" PAGE "}", 200, "2,1,1,1,a,a" },
		   { "POST /_search/scroll", "{\"scroll_id\":\"2,1,1,1,a,a\"}", 200,
		     "\"hits\":[{\"_index\":\"a\",\"_id\":\"4\"" },
		   { "POST /_search/scroll", "{\"scroll_id\":\"2,1,1,1,a,a\"}", 200,
		     "{\"_index\":\"a\",\"_id\":\"3\"" },
		   { "POST /a/_delete_by_query", "{\"query\":{\"term\":{\"n\":1}}}", 200,
		     "\"deleted\":4" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_sees_what_was_refreshed),
		cmocka_unit_test(a_second_refreshes_what_may_be),
		cmocka_unit_test(scans_go_by_sequence_numbers),
		cmocka_unit_test(hits_of_several_indices_are_sorted),
		cmocka_unit_test(queries_match),
		cmocka_unit_test(a_search_goes_through_all_shards_or_those_that_it_names),
		cmocka_unit_test(a_scroll_leaves_nothing_out),
		cmocka_unit_test(a_delete_by_query_deletes_what_it_saw),
		cmocka_unit_test(an_update_by_query_gives_new_sequence_numbers),
		cmocka_unit_test(a_query_that_nobody_waits_for_has_a_task),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
