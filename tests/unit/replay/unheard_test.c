#include "unit/cmocka_all.h"

#include "replay/unheard.h"

static void a_write_acts_until_all_nodes_say_that_none_has_it(void **state)
{
	(void)state;
	static const struct {
		const char *response;
		enum unheard_said said;
	} rows[] = {
		{ "{\"nodes\":{}}", UNHEARD_CLEAR },
		{ "{\"nodes\":{\"a\":{\"tasks\":{\"a:1\":{\"headers\":{}},\"a:2\":{}}}}}",
		  UNHEARD_CLEAR },
		{ "{\"nodes\":{\"a\":{\"tasks\":{\"a:1\":{\"headers\":{\"X-Opaque-Id\":\"p-1-\"}}}}"
		  "}}",
		  UNHEARD_ACTS },
		/* A part of it, at another node. */
		{ "{\"nodes\":{\"a\":{\"tasks\":{}},\"b\":{\"tasks\":{\"b:7\":{\"parent_task_id\":"
		  "\"a:1\",\"headers\":{\"x-opaque-id\":\"p-1-\"}}}}}}",
		  UNHEARD_ACTS },
		{ "{\"nodes\":{\"a\":{\"tasks\":{\"a:1\":{\"headers\":{\"X-Opaque-Id\":\"p-11-\"}}}"
		  "}}}",
		  UNHEARD_CLEAR },
		{ "{\"nodes\":{\"a\":{\"tasks\":{\"a:1\":{\"headers\":{\"X-Opaque-Id\":\"q\"}}}}}}",
		  UNHEARD_CLEAR },
		/* A node that did not respond may have it. */
		{ "{\"node_failures\":[{\"type\":\"failed_node_exception\"}],\"nodes\":{}}",
		  UNHEARD_NOT_SAID },
		{ "{\"task_failures\":[{}],\"nodes\":{}}", UNHEARD_NOT_SAID },
		{ "{\"node_failures\":[],\"nodes\":{}}", UNHEARD_CLEAR },
		{ "{\"error\":{},\"status\":500}", UNHEARD_NOT_SAID },
		{ "[]", UNHEARD_NOT_SAID },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *j = json_loads(rows[i].response, 0, NULL);
		assert_non_null(j);
		assert_int_equal(unheard_read(j, "p-1-"), rows[i].said);
		json_decref(j);
	}
	assert_int_equal(unheard_read(NULL, "p-1-"), UNHEARD_NOT_SAID);
}

static void no_id_is_the_beginning_of_another_one(void **state)
{
	(void)state;
	struct unheard u = { .process = UINT64_MAX };
	char ids[20][UNHEARD_ID_BYTES];
	for (int i = 0; i < 20; i++)
		unheard_id(&u, ids[i]);
	for (int i = 0; i < 20; i++)
		for (int k = 0; k < 20; k++)
			assert_int_equal(strncmp(ids[k], ids[i], strlen(ids[i])) == 0, i == k);
	assert_memory_equal(ids[0], UNHEARD_PREFIX, strlen(UNHEARD_PREFIX));
}

static void what_never_left_is_not_unheard(void **state)
{
	(void)state;
	static const struct {
		enum err why, local;
		unsigned status;
		bool unheard;
	} rows[] = {
		{ ERR_NONE, ERR_NONE, 200, false },
		{ ERR_NONE, ERR_NONE, 400, false },
		{ ERR_NONE, ERR_NONE, 429, false },
		/* A proxy between says that, or a node of another one. */
		{ ERR_NONE, ERR_NONE, 502, true },
		{ ERR_NONE, ERR_NONE, 504, true },
		{ ERR_NONE, ERR_BACK_REFUSED, 502, false },
		{ ERR_NONE, ERR_CONNECT_TIMEOUT, 504, false },
		{ ERR_NONE, ERR_BACK_RESET, 502, true },
		{ ERR_NONE, ERR_RESPONSE_TIMEOUT, 504, true },
		{ ERR_RESPONSE_TIMEOUT, ERR_NONE, 0, true },
		{ ERR_BACK_CUT, ERR_NONE, 200, true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct subrequest c = { .local = rows[i].local,
					.status = (uint16_t)rows[i].status };
		assert_int_equal(subrequest_is_unheard(&c, rows[i].why), rows[i].unheard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_acts_until_all_nodes_say_that_none_has_it),
		cmocka_unit_test(no_id_is_the_beginning_of_another_one),
		cmocka_unit_test(what_never_left_is_not_unheard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
