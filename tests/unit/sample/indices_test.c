#include "unit/sample/kit.h"

static void an_index_has_mappings_settings_and_aliases(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a",
		  "{\"settings\":{\"number_of_replicas\":0,\"index.refresh_interval\":\"5s\","
		  "\"index\":{\"mapping\":{\"total_fields\":{\"limit\":2000}}}},"
		  "\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"n\":{\"type\":"
		  "\"integer\"}}},"
		  "\"aliases\":{\"all\":{\"routing\":\"r\",\"is_write_index\":true}}}",
		  200, "\"shards_acknowledged\":true,\"index\":\"a\"" },
		{ "PUT /a", NULL, 400, "resource_already_exists_exception" },
		{ "PUT /all", NULL, 400, "invalid_index_name_exception" },
		{ "PUT /B", NULL, 400, "invalid_index_name_exception" },
		{ "PUT /b", "{\"mappings\":[]}", 400, "mapper_parsing_exception" },
		{ "GET /b", NULL, 404, "index_not_found_exception" },
		{ "HEAD /a", NULL, 200, NULL },
		{ "GET /a?filter_path=*.mappings,*.aliases", NULL, 200,
		  "{\"a\":{\"aliases\":{\"all\":{\"index_routing\":\"r\",\"search_routing\":\"r\","
		  "\"is_write_index\":true}},\"mappings\":{\"dynamic\":\"strict\",\"properties\":{"
		  "\"n\":{\"type\":\"integer\"}}}}}" },
		{ "GET /a/_settings?filter_path=*.settings.index.number_of_*,"
		  "*.settings.index.refresh_interval,*.settings.index.mapping",
		  NULL, 200,
		  "{\"a\":{\"settings\":{\"index\":{\"number_of_shards\":\"1\",\"number_of_"
		  "replicas\":"
		  "\"0\",\"refresh_interval\":\"5s\",\"mapping\":{\"total_fields\":{\"limit\":"
		  "\"2000\"}}}}}}" },
		{ "PUT /a/_doc/1", "{\"n\":1}", 201, NULL },
		{ "PUT /a/_doc/1", "{\"m\":1}", 400, "strict_dynamic_mapping_exception" });
}

static void versions_count_changes(void **state)
{
#define VERSIONS "GET /_cluster/state/metadata/a,none?filter_path=metadata.indices.*.*_version"
	(void)state;
	EXPECT_ALL(
		{ "PUT /a", NULL, 200, NULL },
		{ VERSIONS, NULL, 200,
		  "{\"metadata\":{\"indices\":{\"a\":{\"mapping_version\":1,\"settings_version\":1,"
		  "\"aliases_version\":1}}}}" },
		{ "PUT /a/_doc/1", "{\"n\":1}", 201, NULL },
		{ VERSIONS, NULL, 200, "{\"mapping_version\":2,\"settings_version\":1" },
		{ "PUT /a/_doc/1", "{\"n\":2}", 200, NULL },
		{ "PUT /a/_mapping", "{\"properties\":{\"n\":{\"type\":\"long\"}}}", 200, NULL },
		{ VERSIONS, NULL, 200, "{\"mapping_version\":2,\"settings_version\":1" },
		{ "PUT /a/_mapping", "{\"properties\":{\"m\":{\"type\":\"long\"}}}", 200, NULL },
		{ "PUT /a/_settings", "{\"index\":{\"refresh_interval\":\"2s\"}}", 200, NULL },
		{ "PUT /a/_settings", "{\"index\":{\"refresh_interval\":\"2s\"}}", 200, NULL },
		{ "PUT /a/_alias/x", NULL, 200, NULL }, { "PUT /a/_alias/x", NULL, 200, NULL },
		{ VERSIONS, NULL, 200,
		  "{\"mapping_version\":3,\"settings_version\":2,\"aliases_version\":2}" },
		{ "GET /_cluster/state/metadata/a?filter_path=**.aliases,**.primary_terms", NULL,
		  200,
		  "{\"metadata\":{\"indices\":{\"a\":{\"aliases\":[\"x\"],\"primary_terms\":{\"0\":"
		  "1}}}}}" },
		{ "POST /a/_close", NULL, 200, NULL },
		{ "PUT /a/_doc/1", "{\"n\":2}", 400, "index_closed_exception" },
		{ "POST /a/_open", NULL, 200, NULL },
		{ "PUT /a/_doc/1", "{\"n\":2}", 200, "\"_primary_term\":2" },
		{ "GET /_cluster/state?filter_path=metadata.indices.a.primary_terms", NULL, 200,
		  "{\"0\":2}" });
}

static void settings_of_the_clusters_own_are_refused(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a", "{\"settings\":{\"index\":{\"uuid\":\"x\"}}}", 400, "[index.uuid]" },
		   { "PUT /a", "{\"settings\":{\"index.version.created\":\"1\"}}", 400, NULL },
		   { "GET /a", NULL, 404, NULL },
		   { "PUT /a", "{\"settings\":{\"number_of_shards\":0}}", 400, "from 1 to" },
		   { "PUT /a", "{\"settings\":{\"number_of_shards\":3}}", 200, NULL },
		   { "PUT /a/_settings", "{\"index\":{\"number_of_shards\":2}}", 400,
		     "final setting" },
		   { "PUT /a/_settings", "{\"index\":{\"creation_date\":2}}", 400, NULL },
		   { "PUT /a/_settings", "{\"number_of_replicas\":2}", 200, NULL },
		   { "PUT /a/_settings", "{\"index\":{\"number_of_replicas\":null}}", 200, NULL },
		   { "GET /a/_settings", NULL, 200,
		     "{\"number_of_shards\":\"3\",\"number_of_replicas\":\"1\"" });
}

static char *uuid_of(struct sample *p)
{
	unsigned status;
	return sample_ask(p, "GET /_cluster/state/metadata/a?filter_path=**.uuid", NULL, &status);
}

static void an_index_that_is_made_anew_is_another_one(void **state)
{
	(void)state;
	struct sample p;
	sample_open(&p, "source");
	sample_expect(&p, &(struct asked){ "PUT /a", NULL, 200, NULL });
	char *first = uuid_of(&p), *again = uuid_of(&p);
	assert_string_equal(first, again);
	sample_expect(&p, &(struct asked){ "DELETE /a", NULL, 200, "{\"acknowledged\":true}" });
	sample_expect(&p, &(struct asked){ "PUT /a", NULL, 200, NULL });
	char *second = uuid_of(&p);
	assert_int_equal(strlen(first), strlen(second));
	assert_string_not_equal(first, second);
	free(first);
	free(again);
	free(second);
	sample_close(&p);
}

static void the_first_document_decides_the_types(void **state)
{
	(void)state;
	EXPECT_ALL(
		{ "PUT /a/_doc/1",
		  "{\"l\":1,\"f\":1.5,\"b\":true,\"d\":\"2026-11-24T10:00:00Z\",\"t\":\"x\",\"o\":{"
		  "\"i\":[2]},\"e\":[],\"z\":null,\"p.q\":1}",
		  201, NULL },
		{ "GET /a/_mapping", NULL, 200,
		  "{\"a\":{\"mappings\":{\"properties\":{\"l\":{\"type\":\"long\"},\"f\":{\"type\":"
		  "\"float\"},\"b\":{\"type\":\"boolean\"},\"d\":{\"type\":\"date\"},\"t\":{"
		  "\"type\":"
		  "\"text\",\"fields\":{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":256}}},"
		  "\"o\":{"
		  "\"properties\":{\"i\":{\"type\":\"long\"}}},\"p\":{\"properties\":{\"q\":{"
		  "\"type\":"
		  "\"long\"}}}}}}}" },
		{ "PUT /a/_doc/2", "{\"l\":\"x\"}", 400,
		  "failed to parse field [l] of type [long]. Preview of field's value: 'x'" },
		{ "PUT /a/_doc/2", "{\"l\":[1,\"x\"]}", 400, NULL },
		{ "PUT /a/_doc/2", "{\"l\":{}}", 400, NULL },
		{ "PUT /a/_doc/2", "{\"l\":true}", 400, NULL },
		{ "PUT /a/_doc/2", "{\"l\":\"12\"}", 201, NULL },
		{ "PUT /a/_doc/2", "{\"l\":1.5}", 200, NULL },
		{ "PUT /a/_doc/2", "{\"b\":1}", 400, NULL },
		{ "PUT /a/_doc/2", "{\"b\":\"true\"}", 200, NULL },
		{ "PUT /a/_doc/2", "{\"d\":\"soon\"}", 400, NULL },
		{ "PUT /a/_doc/2", "{\"d\":1796085151171}", 200, NULL },
		{ "PUT /a/_doc/2", "{\"t\":{\"x\":1}}", 400, NULL },
		{ "PUT /a/_doc/2", "{\"t\":17}", 200, NULL },
		{ "PUT /a/_doc/2", "{\"o\":1}", 400,
		  "object mapping for [o] tried to parse field [o] as object" },
		{ "PUT /a/_doc/2", "{\"o\":[{\"i\":3},{\"j\":4}]}", 200, NULL },
		{ "PUT /a/_doc/2", "{\"new\":1,\"o\":1}", 400, NULL },
		{ "GET /a/_mapping?filter_path=*.*.*.o,*.*.*.new", NULL, 200,
		  "{\"a\":{\"mappings\":{\"properties\":{\"o\":{\"properties\":{\"i\":{\"type\":"
		  "\"long\"},"
		  "\"j\":{\"type\":\"long\"}}}}}}}" },
		{ "PUT /a/_mapping", "{\"properties\":{\"l\":{\"type\":\"text\"}}}", 400,
		  "mapper [l] cannot be changed from type [long] to [text]" },
		{ "PUT /a/_mapping",
		  "{\"properties\":{\"g\":{\"type\":\"geo_point\"},\"k\":{\"type\":"
		  "\"keyword\",\"ignore_malformed\":true}}}",
		  200, NULL },
		{ "PUT /a/_doc/3", "{\"g\":{\"lat\":1,\"lon\":2}}", 201, NULL },
		{ "PUT /a/_doc/4", "{\".\":1}", 400, "empty part" });
}

static void a_mapping_has_limits(void **state)
{
	(void)state;
	struct sample p;
	unsigned status;
	char *deep = calloc(1, 4096), *wide = calloc(1, 32768);
	sample_open(&p, "source");
	for (int i = 0; i < 30; i++)
		strcat(deep, "{\"a\":");
	strcat(deep, "1");
	for (int i = 0; i < 30; i++)
		strcat(deep, "}");
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", deep, 400, "mapping depth [20]" });
	strcpy(wide, "{\"x\":0");
	for (int i = 0; i < SAMPLE_FIELDS_MAX; i++)
		sprintf(wide + strlen(wide), ",\"f%d\":1", i);
	strcat(wide, "}");
	sample_expect(&p, &(struct asked){ "PUT /a/_doc/1", wide, 400, "total fields [1000]" });
	char *text = sample_ask(&p, "GET /a/_mapping", NULL, &status);
	assert_string_equal(text, "{\"a\":{\"mappings\":{}}}");
	free(text);
	free(deep);
	free(wide);
	sample_close(&p);
}

static void an_alias_stands_for_its_index(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /a-1", NULL, 200, NULL }, { "PUT /a-2", NULL, 200, NULL },
		   { "POST /_aliases",
		     "{\"actions\":[{\"add\":{\"index\":\"a-*\",\"alias\":\"both\"}},"
		     "{\"add\":{\"index\":\"a-1\",\"alias\":\"one\",\"index_routing\":\"r\"}}]}",
		     200, "{\"acknowledged\":true}" },
		   { "PUT /one/_doc/1", "{}", 201, "\"_index\":\"a-1\"" },
		   { "GET /one/_doc/1", NULL, 200, "\"_routing\":\"r\"" },
		   { "POST /_bulk?refresh", "{\"index\":{\"_index\":\"one\",\"_id\":\"2\"}}\n{}\n",
		     200, "\"_index\":\"a-1\",\"_id\":\"2\"" },
		   { "GET /both/_count", NULL, 200, "\"count\":2," },
		   { "PUT /both/_doc/1", "{}", 400, "no write index is defined for alias [both]" },
		   { "GET /both/_doc/1", NULL, 400, "more than one index" },
		   { "PUT /a-2/_alias/both", "{\"is_write_index\":true}", 200, NULL },
		   { "PUT /both/_doc/3", "{}", 201, "\"_index\":\"a-2\"" },
		   { "GET /_alias/one", NULL, 200,
		     "{\"a-1\":{\"aliases\":{\"one\":{\"index_routing\":\"r\"}}}}" },
		   { "GET /a-2/_alias", NULL, 200,
		     "{\"a-2\":{\"aliases\":{\"both\":{\"is_write_index\":true}}}}" },
		   { "GET /_alias/none", NULL, 404, NULL },
		   { "GET /_aliases", NULL, 200, "{\"a-1\":{\"aliases\":{\"both\":{},\"one\"" },
		   { "DELETE /one", NULL, 400, "matches an alias" },
		   { "DELETE /a-1/_alias/one", NULL, 200, NULL },
		   { "DELETE /a-1/_alias/one", NULL, 404, NULL },
		   { "PUT /a-1/_alias/a-2", NULL, 400, "invalid_alias_name_exception" },
		   { "POST /_aliases",
		     "{\"actions\":[{\"remove\":{\"index\":\"a-2\",\"alias\":\"both\"}},"
		     "{\"remove_index\":{\"index\":\"a-1\"}}]}",
		     200, NULL },
		   { "GET /_aliases", NULL, 200, "{\"a-2\":{\"aliases\":{}}}" },
		   { "POST /_aliases", "{\"actions\":[{\"change\":{}}]}", 400, NULL },
		   { "POST /_aliases", "{\"actions\":[{\"add\":{\"alias\":\"x\"}}]}", 400, NULL });
}

static void indices_are_deleted_by_patterns_of_their_names(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /logs-1", "{\"aliases\":{\"logs-all\":{}}}", 200, NULL },
		   { "PUT /logs-2", NULL, 200, NULL },
		   { "PUT /other", "{\"aliases\":{\"logs-other\":{}}}", 200, NULL },
		   { "DELETE /logs-*,-logs-2", NULL, 200, NULL },
		   { "GET /_cat/indices?format=json&filter_path=index", NULL, 200,
		     "[{\"index\":\"logs-2\"},{\"index\":\"other\"}]" },
		   { "DELETE /none", NULL, 404, NULL },
		   { "DELETE /none?ignore_unavailable=true", NULL, 200, NULL },
		   { "DELETE /_all", NULL, 200, NULL }, { "GET /_cat/indices", NULL, 200, "[]" });
}

static void the_cluster_says_who_and_how_it_is(void **state)
{
	(void)state;
	EXPECT_ALL({ "GET /", NULL, 200, "\"distribution\":\"opensearch\"" },
		   { "PUT /a", NULL, 200, NULL },
		   { "GET /_cluster/health", NULL, 200, "\"status\":\"green\"" },
		   { "GET /_cluster/health/a?wait_for_status=green", NULL, 200,
		     "\"active_primary_shards\":1" },
		   { "GET /_tasks?actions=indices:data/write/*", NULL, 200, "{\"nodes\":{}}" },
		   { "GET /a/_stats", NULL, 200,
		     "\"primaries\":{\"docs\":{\"count\":0,\"deleted\":0}}" },
		   { "GET /a/_stats?level=shards", NULL, 200, "\"max_seq_no\":-1" },
		   { "GET /_index_template", NULL, 200, "{\"index_templates\":[]}" },
		   { "GET /_component_template", NULL, 200, "{\"component_templates\":[]}" },
		   { "GET /_data_stream", NULL, 200, "{\"data_streams\":[]}" },
		   { "GET /_ingest/pipeline", NULL, 200, "{}" },
		   { "PUT /_ingest/pipeline/x", "{}", 200, NULL },
		   { "GET /_ingest/pipeline", NULL, 200, "{\"x\":{}}" },
		   { "GET /_nonsense", NULL, 400, "no handler found for uri [/_nonsense]" },
		   { "GET /a/b/c/d/e/f/g", NULL, 400, NULL }, { "PATCH /a", NULL, 405, NULL });
}

static void a_data_stream_rolls_over(void **state)
{
	(void)state;
	EXPECT_ALL({ "PUT /_data_stream/s-1", NULL, 400, "no matching index template" },
		   { "PUT /_index_template/t", "{\"index_patterns\":[\"s-*\"],\"data_stream\":{}}",
		     200, NULL },
		   { "PUT /s-1/_create/1", "{}", 201, "\"_index\":\".ds-s-1-000001\"" },
		   { "PUT /s-1/_doc/2", "{}", 400, "op_type of create" },
		   { "PUT /s-1/_create/1", "{}", 409, NULL },
		   { "POST /s-1/_rollover", NULL, 200, NULL },
		   { "PUT /s-1/_create/1", "{}", 201, "\"_index\":\".ds-s-1-000002\"" },
		   { "PUT /.ds-s-1-000001/_doc/1", "{}", 400, "disallowed" },
		   { "PUT /.ds-s-1-000001/_doc/1?if_seq_no=0&if_primary_term=1", "{}", 200, NULL },
		   { "POST /s-1/_refresh", NULL, 200, NULL },
		   { "GET /s-1/_count", NULL, 200, "\"count\":2" },
		   { "GET /.ds-s-1-000001", NULL, 200, "\"data_stream\":\"s-1\"" },
		   { "GET /_data_stream/s-1", NULL, 200, "\"generation\":2" },
		   { "DELETE /_data_stream/s-1", NULL, 200, NULL },
		   { "GET /_data_stream/s-1", NULL, 404, NULL },
		   { "HEAD /.ds-s-1-000001", NULL, 404, NULL });
}

static void there_are_so_many_indices(void **state)
{
	(void)state;
	struct sample p;
	char line[64];
	sample_open(&p, "source");
	for (int i = 0; i < SAMPLE_INDICES_MAX; i++) {
		snprintf(line, sizeof line, "PUT /i-%d", i);
		sample_expect(&p, &(struct asked){ line, NULL, 200, NULL });
	}
	sample_expect(&p, &(struct asked){ "PUT /more", NULL, 400, "maximum shards open" });
	sample_expect(&p, &(struct asked){ "PUT /more/_doc/1", "{}", 400, "maximum shards open" });
	sample_expect(&p, &(struct asked){ "PUT /i-7/_doc/1", "{}", 201, NULL });
	sample_expect(&p, &(struct asked){ "DELETE /i-9*", NULL, 200, NULL });
	sample_expect(&p, &(struct asked){ "PUT /more/_doc/1", "{}", 201, NULL });
	sample_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_has_mappings_settings_and_aliases),
		cmocka_unit_test(versions_count_changes),
		cmocka_unit_test(settings_of_the_clusters_own_are_refused),
		cmocka_unit_test(an_index_that_is_made_anew_is_another_one),
		cmocka_unit_test(the_first_document_decides_the_types),
		cmocka_unit_test(a_mapping_has_limits),
		cmocka_unit_test(an_alias_stands_for_its_index),
		cmocka_unit_test(indices_are_deleted_by_patterns_of_their_names),
		cmocka_unit_test(the_cluster_says_who_and_how_it_is),
		cmocka_unit_test(a_data_stream_rolls_over),
		cmocka_unit_test(there_are_so_many_indices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
