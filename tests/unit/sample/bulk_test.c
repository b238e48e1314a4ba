#include "unit/sample/kit.h"

static void each_item_has_its_own_status(void **state)
{
	(void)state;
	EXPECT_ALL({ "POST /_bulk",
		     "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"n\":1}\n"
		     "{\"create\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"n\":2}\n"
		     "{\"update\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"doc\":{\"m\":3}}\n"
		     "{\"update\":{\"_index\":\"a\",\"_id\":\"2\"}}\n"
		     "{\"doc\":{\"m\":4},\"doc_as_upsert\":true}\n"
		     "{\"update\":{\"_index\":\"a\",\"_id\":\"3\"}}\n{\"doc\":{\"m\":4}}\n"
		     "{\"delete\":{\"_index\":\"a\",\"_id\":\"2\"}}\n"
		     "{\"delete\":{\"_index\":\"a\",\"_id\":\"9\"}}\n"
		     "{\"index\":{\"_index\":\"a\",\"_id\":\"4\"}}\n{\"n\":\"x\"}\n",
		     200,
		     "\"errors\":true ,\"items\":[{\"index\":{\"_index\":\"a\",\"_id\":\"1\"" },
		   { "GET /a/_source/1", NULL, 200, "{\"n\":1,\"m\":3}" },
		   { "GET /a/_doc/2", NULL, 404, NULL });
	EXPECT_ALL(
		{ "POST /a/_bulk?filter_path=items.*.status,items.*.error.type",
		  "{\"index\":{\"_id\":\"1\"}}\n{\"n\":1}\n{\"create\":{\"_id\":\"1\"}}\n{\"n\":2}"
		  "\n"
		  "{\"update\":{\"_id\":\"3\"}}\n{\"doc\":{}}\n{\"delete\":{\"_id\":\"9\"}}\n"
		  "{\"index\":{\"_id\":\"4\"}}\n{\"n\":\"x\"}\n{\"index\":{\"_index\":\"B\"}}\n{}"
		  "\n",
		  200,
		  "{\"items\":[{\"index\":{\"status\":201}},"
		  "{\"create\":{\"status\":409,\"error\":{\"type\":\"version_conflict_engine_"
		  "exception\"}}},"
		  "{\"update\":{\"status\":404,\"error\":{\"type\":\"document_missing_exception\"}}"
		  "},"
		  "{\"delete\":{\"status\":404}},"
		  "{\"index\":{\"status\":400,\"error\":{\"type\":\"mapper_parsing_exception\"}}},"
		  "{\"index\":{\"status\":400,\"error\":{\"type\":\"invalid_index_name_exception\"}"
		  "}}]}" });
}

static void an_item_has_routing_versions_and_conditions(void **state)
{
	(void)state;
	EXPECT_ALL({ "POST /a/_bulk?routing=q",
		     "{\"index\":{\"_id\":\"1\",\"version\":5,\"version_type\":\"external\"}}\n{}\n"
		     "{\"index\":{\"_id\":\"2\",\"routing\":\"r\"}}\n{}\n",
		     200, "\"errors\":false" },
		   { "GET /a/_doc/1", NULL, 200, "\"_version\":5" },
		   { "GET /a/_doc/1", NULL, 200, "\"_routing\":\"q\"" },
		   { "GET /a/_doc/2", NULL, 200, "\"_routing\":\"r\"" },
		   { "POST /a/_bulk?filter_path=items.*.status",
		     "{\"index\":{\"_id\":\"1\",\"version\":5,\"version_type\":\"external\"}}\n{}\n"
		     "{\"index\":{\"_id\":\"1\",\"version\":5,\"version_type\":\"external_gte\"}}"
		     "\n{}\n"
		     "{\"index\":{\"_id\":\"2\",\"if_seq_no\":1,\"if_primary_term\":1}}\n{}\n"
		     "{\"index\":{\"_id\":\"2\",\"if_seq_no\":1,\"if_primary_term\":1}}\n{}\n"
		     "{\"index\":{\"_id\":\"2\",\"op_type\":\"create\"}}\n{}\n",
		     200,
		     "{\"items\":[{\"index\":{\"status\":409}},{\"index\":{\"status\":200}},"
		     "{\"index\":{\"status\":200}},{\"index\":{\"status\":409}},"
		     "{\"create\":{\"status\":409}}]}" });
}

/* As OpenSearch 2: it is read as a whole first, and nothing of it is done. */
static void a_bulk_that_cannot_be_read_has_no_effect(void **state)
{
	static const char *const bad[] = {
		"{\"index\":{\"_id\":\"1\",\"_type\":\"_doc\"}}\n{}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}\n{\"index\":{\"_id\":\"3\"}}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}\n{\"change\":{\"_id\":\"3\"}}\n{}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}\nnonsense\n{}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}\n{\"delete\":{}}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}\n{\"index\":[]}\n{}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}\n{\"index\":{},\"create\":{}}\n{}\n",
		"{\"index\":{\"_id\":\"2\",\"version\":-1}}\n{}\n",
		"{\"index\":{\"_id\":\"2\",\"version_type\":\"force\"}}\n{}\n",
		"{\"index\":{\"_id\":\"2\",\"_id_\":\"x\"}}\n{}\n",
		"{\"index\":{\"_id\":\"\"}}\n{}\n",
		"{\"index\":{\"_id\":\"2\"}}\n{}",
		"",
	};
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		sample_expect(&p, &(struct asked){ "POST /a/_bulk", bad[i], 400, NULL });
	assert_int_equal(p.store.n, 0);
	sample_expect(&p, &(struct asked){ "POST /_bulk", "{\"index\":{}}\n{}\n", 400,
					   "index is missing" });
	sample_close(&p);
}

static void empty_lines_and_carriage_returns_are_passed(void **state)
{
	(void)state;
	EXPECT_ALL({ "POST /a/_bulk",
		     "\n{\"index\":{\"_id\":\"1\"}}\r\n{ \"n\" : 1 "
		     "}\r\n\n{\"delete\":{\"_id\":\"2\"}}\n",
		     200, "\"errors\":false" },
		   { "GET /a/_source/1", NULL, 200, "{ \"n\" : 1 }" });
}

/* The short way for actions reads the same as the long one, which takes whatever JSON has. */
static void an_action_may_be_written_in_any_way(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "POST /_bulk?filter_path=items.*._index,items.*._id",
		  " { \"index\" : { \"_id\" : \"\\u00e9\\n\" , \"_index\" : \"a\" } } \n{}\n"
		  "{\"create\":{\"_index\":\"a\",\"_id\":null}}\n{}\n"
		  "{\"index\":{\"_index\":\"a\",\"_id\":\"\xc3\xa9\"}}\n{}\n",
		  200, "{\"items\":[{\"index\":{\"_index\":\"a\",\"_id\":\"\xc3\xa9\\u000a\"}}" },
		{ "POST /a/_bulk?filter_path=items.*._id", "{\"index\":{\"_id\":-7}}\n{}\n", 200,
		  "{\"items\":[{\"index\":{\"_id\":\"-7\"}}]}" },
		{ "GET /a/_doc/-7", NULL, 200, NULL },
		{ "POST /_mget", "{\"docs\":[{\"_index\":\"a\",\"_id\":-7}]}", 200, "true" },
		{ "POST /a/_mget", "{\"ids\":[-7]}", 200, "true" },
		{ "POST /_bulk", "{\"index\":{\"_index\":\"a\",\"_id\":\"\xff\"}}\n{}\n", 400,
		  NULL },
		{ "POST /_bulk", "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}} x\n{}\n", 400,
		  NULL },
		{ "POST /_bulk", "{\"index\":{\"_index\":\"a\",\"_id\":\"1\",}}\n{}\n", 400, NULL },
		{ "POST /_bulk", "{\"index\":{\"_index\":\"a\",\"_id\":\"\t\"}}\n{}\n", 400,
		  NULL });
}

static void items_are_refused_one_by_one(void **state)
{
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	const char *two = "{\"index\":{\"_id\":\"1\"}}\n{}\n{\"delete\":{\"_id\":\"2\"}}\n";
	sample_expect(&p, &(struct asked){ "PUT /_demo/faults", "{\"refuse_items\":429}", 200,
					   "\"refuse_items\":429" });
	sample_expect(&p,
		      &(struct asked){ "POST /a/_bulk?filter_path=errors,items.*.status", two, 200,
				       "{\"errors\":true,\"items\":[{\"index\":{\"status\":429}},"
				       "{\"delete\":{\"status\":429}}]}" });
	sample_expect(&p, &(struct asked){ "PUT /_demo/faults", "{\"read_only\":true}", 200,
					   "\"refuse_items\":0" });
	sample_expect(&p, &(struct asked){ "POST /a/_bulk", two, 200, "cluster_block_exception" });
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", "{}", 403, "cluster_block_exception" });
	sample_expect(&p, &(struct asked){ "POST /a/_delete_by_query", "{}", 403, NULL });
	sample_expect(&p, &(struct asked){ "PUT /_demo/faults", "{\"refuse\":503}", 200, NULL });
	sample_expect(&p, &(struct asked){ "POST /a/_bulk", two, 503, "rejected_execution" });
	sample_expect(&p, &(struct asked){ "GET /a/_doc/1", NULL, 404, NULL });
	sample_expect(&p, &(struct asked){ "PUT /_demo/faults", "{\"nonsense\":1}", 400, NULL });
	sample_expect(&p, &(struct asked){ "PUT /_demo/faults", "{\"refuse\":200}", 400, NULL });
	sample_expect(&p, &(struct asked){ "PUT /_demo/faults", "{\"stall_ms\":-1}", 400, NULL });
	sample_expect(&p, &(struct asked){ "GET /_demo/faults", NULL, 200, "\"refuse\":503" });
	sample_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_item_has_its_own_status),
		cmocka_unit_test(an_item_has_routing_versions_and_conditions),
		cmocka_unit_test(a_bulk_that_cannot_be_read_has_no_effect),
		cmocka_unit_test(empty_lines_and_carriage_returns_are_passed),
		cmocka_unit_test(an_action_may_be_written_in_any_way),
		cmocka_unit_test(items_are_refused_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
