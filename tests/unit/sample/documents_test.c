#include "unit/sample/kit.h"

static void a_document_comes_back_byte_by_byte(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_doc/1", "{ \"n\" : 1.10 }", 201, "\"result\":\"created\"" },
		   { "GET /a/_doc/1", NULL, 200,
		     "{\"_index\":\"a\",\"_id\":\"1\",\"_version\":1,\"_seq_no\":0,"
		     "\"_primary_term\":1,\"found\":true,\"_source\":{ \"n\" : 1.10 }}" },
		   { "GET /a/_source/1", NULL, 200, "{ \"n\" : 1.10 }" },
		   { "GET /a/_doc/1?filter_path=_source", NULL, 200,
		     "{\"_source\":{ \"n\" : 1.10 }}" });
}

static void each_change_has_the_next_sequence_number(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1", "{}", 201, "\"_seq_no\":0," },
		{ "PUT /a/_doc/2", "{}", 201, "\"_version\":1,\"result\":\"created\"" },
		{ "PUT /a/_doc/1", "{}", 200, "\"_version\":2,\"result\":\"updated\"" },
		{ "PUT /b/_doc/1", "{}", 201, "\"_seq_no\":0," },
		{ "DELETE /a/_doc/1", NULL, 200, "\"_version\":3,\"result\":\"deleted\"" },
		{ "GET /a/_doc/1", NULL, 404, "\"found\":false" },
		{ "DELETE /a/_doc/1", NULL, 404, "\"_version\":4,\"result\":\"not_found\"" },
		{ "PUT /a/_doc/1", "{}", 201, "\"_version\":5,\"result\":\"created\"" },
		{ "GET /a/_doc/1", NULL, 200, "\"_seq_no\":5,\"_primary_term\":1" },
		{ "GET /_stats?level=shards&filter_path=indices.a.shards.*.seq_no.max_seq_no", NULL,
		  200,
		  "{\"indices\":{\"a\":{\"shards\":{\"0\":[{\"seq_no\":{\"max_seq_no\":5}}]}}}}" });
}

static void a_deletion_is_forgotten_after_a_minute(void **state)
{
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", "{}", 201, NULL });
	sample_expect(&p, &(struct asked){ "DELETE /a/_doc/1", NULL, 200, "\"_version\":2" });
	sample_store_second(&p.store);
	p.store.now_ms += SAMPLE_FORGET_MS - 1;
	sample_store_second(&p.store);
	assert_non_null(sample_index_find(sample_store_find(&p.store, SPAN("a")), 0, SPAN("1")));
	p.store.now_ms++;
	sample_store_second(&p.store);
	assert_null(sample_index_find(sample_store_find(&p.store, SPAN("a")), 0, SPAN("1")));
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", "{}", 201, "\"_version\":1" });
	sample_close(&p);
}

static void a_condition_that_does_not_hold_is_a_conflict(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_doc/1?if_seq_no=0&if_primary_term=1", "{}", 409,
		     "but no document was found" },
		   { "PUT /a/_doc/1", "{}", 201, NULL },
		   { "PUT /a/_doc/1?if_seq_no=1&if_primary_term=1", "{}", 409, "current document" },
		   { "PUT /a/_doc/1?if_seq_no=0&if_primary_term=2", "{}", 409, "current document" },
		   { "PUT /a/_doc/1?if_seq_no=0&if_primary_term=1", "{}", 200, "\"_version\":2" },
		   { "DELETE /a/_doc/1?if_seq_no=0&if_primary_term=1", NULL, 409, NULL },
		   { "DELETE /a/_doc/1?if_seq_no=1&if_primary_term=1", NULL, 200, NULL },
		   { "PUT /a/_doc/1?if_seq_no=1", "{}", 400, "if_primary_term" },
		   { "PUT /a/_doc/1?if_seq_no=x&if_primary_term=1", "{}", 400, NULL });
}

static void create_makes_only_what_is_not_there(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_create/1", "{}", 201, NULL },
		   { "PUT /a/_create/1", "{}", 409, "document already exists" },
		   { "PUT /a/_doc/1?op_type=create", "{}", 409, "document already exists" },
		   { "DELETE /a/_doc/1", NULL, 200, NULL },
		   { "POST /a/_create/1", "{}", 201, "\"_version\":3" });
}

static void an_external_version_outweighs_lower_ones(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1?version=7&version_type=external", "{}", 201, "\"_version\":7" },
		{ "PUT /a/_doc/1?version=7&version_type=external", "{}", 409, "higher or equal" },
		{ "PUT /a/_doc/1?version=7&version_type=external_gte", "{}", 200,
		  "\"_version\":7" },
		{ "PUT /a/_doc/1?version=6&version_type=external_gte", "{}", 409, NULL },
		{ "DELETE /a/_doc/1?version=9&version_type=external", NULL, 200, "\"_version\":9" },
		{ "PUT /a/_doc/1?version=8&version_type=external", "{}", 409, NULL },
		{ "PUT /a/_doc/1?version=10&version_type=external", "{}", 201, "\"_version\":10" },
		{ "PUT /a/_doc/1?version=11", "{}", 400, NULL },
		{ "PUT /a/_doc/1?version=11&version_type=force", "{}", 400, NULL });
}

static void routing_is_remembered(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_doc/1?routing=x%20y", "{}", 201, NULL },
		   { "GET /a/_doc/1", NULL, 200, "\"_routing\":\"x y\"" },
		   { "POST /a/_update/1", "{\"doc\":{\"n\":1}}", 200, NULL },
		   { "GET /a/_doc/1?_source=false", NULL, 200,
		     "\"_routing\":\"x y\",\"found\":true}" },
		   { "PUT /a/_doc/1", "{}", 200, NULL },
		   { "GET /a/_doc/1", NULL, 200, "\"_primary_term\":1,\"found\"" });
}

static void an_update_merges(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "POST /a/_update/1", "{\"doc\":{\"n\":1}}", 404, "document_missing_exception" },
		{ "POST /a/_update/1", "{\"doc\":{\"o\":{\"x\":1}},\"doc_as_upsert\":true}", 201,
		  NULL },
		{ "POST /a/_update/1", "{\"doc\":{\"o\":{\"y\":2},\"n\":3}}", 200, "\"updated\"" },
		{ "GET /a/_source/1", NULL, 200, "{\"o\":{\"x\":1,\"y\":2},\"n\":3}" },
		{ "POST /a/_update/1", "{\"doc\":{\"n\":3}}", 200,
		  "\"_version\":2,\"result\":\"noop\"" },
		{ "POST /a/_update/1", "{\"doc\":{\"n\":3},\"detect_noop\":false}", 200,
		  "\"_version\":3,\"result\":\"updated\"" },
		{ "POST /a/_update/2", "{\"script\":\"ctx._source.n += 1\",\"upsert\":{\"n\":5}}",
		  201, NULL },
		{ "POST /a/_update/2", "{\"script\":\"ctx._source.n += 1\",\"upsert\":{\"n\":5}}",
		  200, NULL },
		{ "GET /a/_source/2", NULL, 200, "{\"n\":6}" },
		{ "POST /a/_update/2", "{\"doc\":{\"n\":\"x\"}}", 400, "mapper_parsing_exception" },
		{ "POST /a/_update/2", "{\"script\":\"ctx.op = 'delete'\"}", 200, "\"deleted\"" },
		{ "POST /a/_update/2", "{}", 404, NULL }, { "POST /a/_update/1", "{}", 400, NULL },
		{ "POST /a/_update/1?if_seq_no=0&if_primary_term=1", "{\"doc\":{\"n\":9}}", 409,
		  NULL });
}

static void scripts_know_a_few_statements(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1", "{\"n\":1}", 201, NULL },
		{ "POST /a/_update/1",
		  "{\"script\":{\"source\":\"ctx._source.n -= params.k; ctx._source.t = 'x y'; "
		  "ctx._source.f = 1.5\",\"params\":{\"k\":3}}}",
		  200, NULL },
		{ "GET /a/_source/1", NULL, 200, "{\"n\":-2,\"t\":\"x y\",\"f\":1.5}" },
		{ "POST /a/_update/1", "{\"script\":\"ctx.op = 'none'\"}", 200, "\"noop\"" },
		{ "POST /a/_update/1", "{\"script\":\"ctx._source.t += 1\"}", 400, NULL },
		{ "POST /a/_update/1", "{\"script\":\"ctx._source.n = params.none\"}", 400, NULL },
		{ "POST /a/_update/1", "{\"script\":\"ctx._source.n = 1 ctx.op = 'none'\"}", 400,
		  NULL },
		{ "POST /a/_update/1", "{\"script\":\"ctx._source.n = 'x\"}", 400, NULL },
		{ "POST /a/_update/1", "{\"script\":\"for (;;) {}\"}", 400, NULL });
}

static void what_is_no_document_is_refused(void **state)
{
	(void)state;
	char line[700] = "PUT /a/_doc/";
	memset(line + strlen(line), 'x', SAMPLE_ID_BYTES + 1);
	EXPECT_ALL({ "PUT /a/_doc/1", "", 400, "mapper_parsing_exception" },
		   { "PUT /a/_doc/1", "[1]", 400, NULL },
		   { "PUT /a/_doc/1", "{\"a\":}", 400, NULL },
		   { "PUT /a/_doc/1", "{\"a\":\"\xff\"}", 400, NULL },
		   { "PUT /a/_doc/1", "{} {}", 400, NULL },
		   { "PUT /a/_doc/%ff", "{}", 400, "no UTF-8" },
		   { "PUT /a/_doc/1?routing=%ff", "{}", 400, "no UTF-8" },
		   { line, "{}", 400, "must be no longer than 512 bytes" },
		   { "PUT /A/_doc/1", "{}", 400, "invalid_index_name_exception" },
		   { "PUT /_a/_doc/1", "{}", 400, "no handler" },
		   { "DELETE /b/_doc/1", NULL, 404, "index_not_found_exception" },
		   { "GET /b/_doc/1", NULL, 404, "index_not_found_exception" },
		   { "PATCH /a/_doc/1", "{}", 405, NULL }, { "GET /a/_doc", NULL, 405, NULL });
	line[strlen(line) - 1] = 0;
	EXPECT_ALL({ line, "{}", 201, NULL });
}

static void ids_that_are_made_are_nobody_elses(void **state)
{
	(void)state;
	struct sample a, b;
	unsigned status;
	sample_open(&a, "source");
	sample_open(&b, "target");
	char *one = sample_ask(&a, "POST /a/_doc?filter_path=_id", "{}", &status);
	char *two = sample_ask(&a, "POST /a/_doc?filter_path=_id", "{}", &status);
	char *other = sample_ask(&b, "POST /a/_doc?filter_path=_id", "{}", &status);
	assert_int_equal(status, 201);
	assert_string_not_equal(one, two);
	assert_string_not_equal(one, other);
	free(one);
	free(two);
	free(other);
	sample_close(&a);
	sample_close(&b);
}

/* Of three shards r0 leads to the first, and the id 2, as r1, to the second. */
static void a_routing_leads_to_a_shard(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a", "{\"settings\":{\"number_of_shards\":3}}", 200, NULL },
		   { "PUT /a/_doc/2?routing=r0", "{\"n\":1}", 201, "\"_seq_no\":0," },
		   { "PUT /a/_doc/2", "{\"n\":2}", 201, "\"_seq_no\":0," },
		   { "PUT /a/_doc/2?routing=r1", "{\"n\":3}", 200, "\"_seq_no\":1," },
		   { "GET /a/_doc/2?routing=r0", NULL, 200, "{\"n\":1}" },
		   { "GET /a/_source/2", NULL, 200, "{\"n\":3}" },
		   { "GET /a/_doc/2?routing=r2", NULL, 404, NULL },
		   { "POST /_mget",
		     "{\"docs\":[{\"_index\":\"a\",\"_id\":\"2\",\"routing\":\"r2\"}]}", 200,
		     "\"found\":false" },
		   { "POST /a/_update/2?routing=r2", "{\"doc\":{}}", 404, "document_missing" },
		   { "POST /a/_update/2", "{\"doc\":{\"k\":1}}", 200, NULL },
		   { "GET /a/_doc/2", NULL, 200, "\"_routing\":\"r1\"" },
		   { "DELETE /a/_doc/2?routing=r2", NULL, 404, "not_found" },
		   { "DELETE /a/_doc/2", NULL, 200, "deleted" },
		   { "GET /a/_doc/2?routing=r0", NULL, 200, "{\"n\":1}" });
}

static void a_write_may_require_an_alias(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a/_doc/1?require_alias=true", "{}", 404, "is not an alias" },
		   { "POST /_bulk",
		     "{\"index\":{\"_index\":\"a\",\"_id\":\"1\",\"require_alias\":true}}\n{}\n",
		     200, "is not an alias" },
		   { "PUT /a", "{\"aliases\":{\"x\":{}}}", 200, NULL },
		   { "PUT /a/_doc/1?require_alias=true", "{}", 404, NULL },
		   { "PUT /x/_doc/1?require_alias=true", "{}", 201, "\"_index\":\"a\"" });
}

static void mget_answers_each_for_itself(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1?routing=r", "{\"n\":1}", 201, NULL },
		{ "POST /_mget", "{\"docs\":[{\"_index\":\"a\",\"_id\":\"1\",\"routing\":\"r\"}]}",
		  200, "\"_seq_no\":0,\"_primary_term\":1,\"_routing\":\"r\",\"found\":true" },
		{ "POST /_mget",
		  "{\"docs\":[{\"_index\":\"a\",\"_id\":\"2\"},{\"_index\":\"b\",\"_id\":\"1\"}]}",
		  200,
		  "{\"docs\":[{\"_index\":\"a\",\"_id\":\"2\",\"found\":false},{\"_index\":\"b\","
		  "\"_id\":\"1\",\"error\":{\"type\":\"index_not_found_exception\"" },
		{ "POST /a/_mget?_source=false", "{\"ids\":[\"1\"]}", 200, "\"found\":true}]}" },
		{ "POST /a/_mget", "{\"docs\":[{\"_id\":\"1\",\"_source\":false}]}", 200,
		  "\"found\":true}]}" },
		{ "POST /_mget", "{\"docs\":[{\"_index\":\"a\",\"_id\":\"1\",\"_type\":\"_doc\"}]}",
		  400, "[_type]" },
		{ "POST /_mget", "{\"docs\":[{\"_id\":\"1\"}]}", 400, "index is missing" },
		{ "POST /_mget", "{\"docs\":[]}", 400, "no documents to get" },
		{ "POST /_mget", "[]", 400, NULL });
}

static void a_full_cluster_refuses_more(void **state)
{
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	p.store.bytes_max = 2000;
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", "{}", 201, NULL });
	while (p.store.bytes < 2000) {
		unsigned status;
		free(sample_ask(&p, "POST /a/_doc", "{\"t\":\"some text\"}", &status));
	}
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/2", "{}", 429, "circuit_breaking" });
	sample_expect(&p, &(struct asked){ "DELETE /a/_doc/1", NULL, 200, NULL });
	sample_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_comes_back_byte_by_byte),
		cmocka_unit_test(each_change_has_the_next_sequence_number),
		cmocka_unit_test(a_deletion_is_forgotten_after_a_minute),
		cmocka_unit_test(a_condition_that_does_not_hold_is_a_conflict),
		cmocka_unit_test(create_makes_only_what_is_not_there),
		cmocka_unit_test(an_external_version_outweighs_lower_ones),
		cmocka_unit_test(routing_is_remembered),
		cmocka_unit_test(an_update_merges),
		cmocka_unit_test(scripts_know_a_few_statements),
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(ids_that_are_made_are_nobody_elses),
		cmocka_unit_test(a_routing_leads_to_a_shard),
		cmocka_unit_test(a_write_may_require_an_alias),
		cmocka_unit_test(mget_answers_each_for_itself),
		cmocka_unit_test(a_full_cluster_refuses_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
