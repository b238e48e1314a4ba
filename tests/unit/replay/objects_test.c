#include "unit/cmocka_all.h"

#include "replay/objects.h"

static json_t *json_of(const char *text)
{
	json_t *j = text ? json_loads(text, 0, NULL) : NULL;
	assert_true(!text || j);
	return j;
}

static void objects_are_read_as_they_are_put(void **state)
{
	(void)state;
	static const struct {
		enum object_kind kind;
		const char *response, *expected;
	} rows[] = {
		{ OBJECT_PIPELINE, NULL, "{}" },
		{ OBJECT_PIPELINE, "{\"p\":{\"processors\":[]},\".own\":{}}",
		  "{\"p\":{\"processors\":[]}}" },
		{ OBJECT_SCRIPT,
		  "{\"metadata\":{\"stored_scripts\":{\"s\":{\"lang\":\"painless\",\"source\":"
		  "\"1\"}}}}",
		  "{\"s\":{\"script\":{\"lang\":\"painless\",\"source\":\"1\"}}}" },
		{ OBJECT_TEMPLATE,
		  "{\"index_templates\":[{\"name\":\"t\",\"index_template\":{\"index_patterns\":["
		  "\"a\"],"
		  "\"template\":{\"settings\":{\"index\":{\"default_pipeline\":\"p\",\"lifecycle\":"
		  "{}"
		  ",\"number_of_shards\":\"2\"}}},\"data_stream\":{\"hidden\":false}}},{\"name\":"
		  "\"m\",\"index_template\":{\"_meta\":{\"managed\":true}}}]}",
		  "{\"t\":{\"index_patterns\":[\"a\"],\"template\":{\"settings\":{\"index\":{"
		  "\"number_of_shards\":\"2\"}}},\"data_stream\":{}}}" },
		{ OBJECT_COMPONENT,
		  "{\"component_templates\":[{\"name\":\"c\",\"component_template\":{\"template\":{"
		  "\"settings\":{\"index.final_pipeline\":\"p\",\"index.codec\":\"x\"}}}}]}",
		  "{\"c\":{\"template\":{\"settings\":{\"index.codec\":\"x\"}}}}" },
		{ OBJECT_OLD_TEMPLATE,
		  "{\"o\":{\"order\":0,\"mappings\":{\"_doc\":{\"properties\":{\"n\":{}}}},"
		  "\"settings\":{\"index\":{\"final_pipeline\":\"p\"}}}}",
		  "{\"o\":{\"order\":0,\"mappings\":{\"properties\":{\"n\":{}}},\"settings\":{"
		  "\"index\":{}}}}" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *response = json_of(rows[i].response), *expected = json_of(rows[i].expected);
		json_t *read = objects_read(rows[i].kind, response);
		assert_true(json_equal(read, expected));
		json_decref(response);
		json_decref(expected);
		json_decref(read);
	}
}

static void the_replica_gets_what_it_lacks_and_what_changes(void **state)
{
	(void)state;
	static const struct {
		const char *owner, *last, *replica, *changes;
	} rows[] = {
		{ "{\"a\":{}}", NULL, "{}", "{\"a\":{}}" },
		/* What differs at the start is left. */
		{ "{\"a\":{\"n\":1}}", NULL, "{\"a\":{\"n\":2}}", "{}" },
		{ "{\"a\":{\"n\":1}}", "{\"a\":{\"n\":1}}", "{\"a\":{\"n\":2}}", "{}" },
		{ "{\"a\":{\"n\":3}}", "{\"a\":{\"n\":1}}", "{\"a\":{\"n\":2}}",
		  "{\"a\":{\"n\":3}}" },
		{ "{\"a\":{\"n\":2}}", "{\"a\":{\"n\":1}}", "{\"a\":{\"n\":2}}", "{}" },
		{ "{}", "{\"a\":{}}", "{\"a\":{}}", "{\"a\":null}" },
		{ "{}", "{\"a\":{}}", "{}", "{}" },
		/* It was never the owner's. */
		{ "{}", "{}", "{\"a\":{}}", "{}" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *owner = json_of(rows[i].owner), *last = json_of(rows[i].last);
		json_t *replica = json_of(rows[i].replica), *expected = json_of(rows[i].changes);
		json_t *changes = objects_compare(owner, last, replica);
		assert_true(json_equal(changes, expected));
		json_decref(owner);
		json_decref(last);
		json_decref(replica);
		json_decref(expected);
		json_decref(changes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_read_as_they_are_put),
		cmocka_unit_test(the_replica_gets_what_it_lacks_and_what_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
