#include "unit/cmocka_all.h"

#include <stdlib.h>

#include "replay/surroundings.h"

static json_t *json_of(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);
	assert_non_null(j);
	return j;
}

static void settings_of_the_owner_make_an_index_elsewhere(void **state)
{
	(void)state;
	static const struct {
		const char *owner, *replica;
	} rows[] = {
		{ "{}", "{}" },
		{ "{\"index\":{\"number_of_shards\":\"3\",\"uuid\":\"x\",\"creation_date\":\"1\","
		  "\"provided_name\":\"a\",\"version\":{\"created\":\"7\"}}}",
		  "{\"number_of_shards\":\"3\"}" },
		/* What changes documents by itself, or removes them, waits for the cutover. */
		{ "{\"index\":{\"default_pipeline\":\"p\",\"final_pipeline\":\"q\","
		  "\"lifecycle\":{\"name\":\"l\"},\"analysis\":{\"a\":{}}}}",
		  "{\"analysis\":{\"a\":{}}}" },
		/* The replica must be able to take documents. */
		{ "{\"index\":{\"blocks\":{\"write\":\"true\"},\"routing\":{\"allocation\":{}}}}",
		  "{}" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *owner = json_of(rows[i].owner), *expected = json_of(rows[i].replica);
		json_t *settings = surroundings_settings(owner);
		assert_true(json_equal(settings, expected));
		json_decref(owner);
		json_decref(expected);
		json_decref(settings);
	}
}

static void a_mapping_below_a_type_is_taken_without_it(void **state)
{
	(void)state;
	static const struct {
		const char *owner, *replica;
	} rows[] = {
		{ "{}", "{}" },
		{ "{\"properties\":{\"n\":{\"type\":\"long\"}}}",
		  "{\"properties\":{\"n\":{\"type\":\"long\"}}}" },
		{ "{\"dynamic\":\"strict\"}", "{\"dynamic\":\"strict\"}" },
		{ "{\"book\":{\"properties\":{\"n\":{\"type\":\"long\"}}}}",
		  "{\"properties\":{\"n\":{\"type\":\"long\"}}}" },
		{ "{\"_doc\":{\"dynamic\":\"false\",\"properties\":{}}}",
		  "{\"dynamic\":\"false\",\"properties\":{}}" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *owner = json_of(rows[i].owner), *expected = json_of(rows[i].replica);
		assert_true(json_equal(surroundings_mapping(owner), expected));
		json_decref(owner);
		json_decref(expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_of_the_owner_make_an_index_elsewhere),
		cmocka_unit_test(a_mapping_below_a_type_is_taken_without_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
