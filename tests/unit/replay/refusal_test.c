#include "unit/cmocka_all.h"

#include <string.h>

#include "replay/refusal.h"

static void a_refusal_says_what_to_do(void **state)
{
	(void)state;
	static const struct {
		enum arm arm;
		unsigned status;
		const char *type, *reason, *part;
	} rows[] = {
		{ ARM_TARGET, 401, "security_exception", "missing", "replay.credentials.target" },
		{ ARM_SOURCE, 403, "security_exception", "denied", "replay.credentials.source" },
		{ ARM_TARGET, 403, "", "", "replay.credentials.target" },
		{ ARM_TARGET, 403, "cluster_block_exception",
		  "index [a] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];",
		  "disk is full" },
		{ ARM_TARGET, 429, "cluster_block_exception",
		  "[TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has "
		  "read-only-allow-delete block];",
		  "disk is full" },
		{ ARM_TARGET, 403, "cluster_block_exception",
		  "blocked by: [FORBIDDEN/8/index write (api)];", "index.blocks" },
		{ ARM_TARGET, 400, "mapper_parsing_exception",
		  "Failed to parse mapping: analyzer [own] has not been configured in mappings",
		  "analyzer" },
		{ ARM_TARGET, 400, "illegal_argument_exception",
		  "mapper [n] cannot be changed from type [long] to [keyword]", "another mapping" },
		{ ARM_TARGET, 400, "mapper_parsing_exception",
		  "No handler for type [dense_vector] declared on field [v]", "type" },
		{ ARM_TARGET, 400, "parsing_exception", "else", NULL },
		{ ARM_TARGET, 200, "", "analyzer", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *meaning =
			refusal_meaning(rows[i].arm, rows[i].status, span_of(rows[i].type),
					span_of(rows[i].reason));
		assert_int_equal(meaning != NULL, rows[i].part != NULL);
		if (meaning)
			assert_non_null(strstr(meaning, rows[i].part));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_says_what_to_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
