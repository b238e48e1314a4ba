#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/bulk_read.h"
#include "replay/bulk_write.h"

/* --- lines --- */

#define X .index = SPAN_INIT("x"), .id = SPAN_INIT("1\"")

static void lines_of_operations(void **state)
{
	(void)state;
	static const struct {
		struct copy_of of;
		struct mget_document d;
		enum copy_action action;
		const char *line;
	} rows[] = {
		{ { X },
		  { .found = MGET_FOUND },
		  COPY_INDEX,
		  "{\"index\":{\"_index\":\"x\",\"_id\":\"1\\\"\"}}\n" },
		/* What the document says of its routing counts, and that it has none. */
		{ { X, .routing = SPAN_INIT("old") },
		  { .found = MGET_FOUND, .routing_n = 3, .routing = "new" },
		  COPY_INDEX,
		  "{\"index\":{\"_index\":\"x\",\"_id\":\"1\\\"\",\"routing\":\"new\"}}\n" },
		{ { X, .routing = SPAN_INIT("old") },
		  { .found = MGET_FOUND },
		  COPY_INDEX,
		  "{\"index\":{\"_index\":\"x\",\"_id\":\"1\\\"\"}}\n" },
		{ { X, .routing = SPAN_INIT("old"), .absence = COPY_ABSENCE_SURE },
		  { .found = MGET_ABSENT },
		  COPY_DELETE,
		  "{\"delete\":{\"_index\":\"x\",\"_id\":\"1\\\"\",\"routing\":\"old\"}}\n" },
		{ { X, .versions = COPY_EXTERNAL_VERSIONS },
		  { .found = MGET_FOUND, .version = 17 },
		  COPY_INDEX,
		  "{\"index\":{\"_index\":\"x\",\"_id\":\"1\\\"\",\"version_type\":\"external_"
		  "gte\","
		  "\"version\":17}}\n" },
		/* It may be there by another routing: a search tells. */
		{ { X }, { .found = MGET_ABSENT }, COPY_NOTHING, "" },
		{ { X, .absence = COPY_SEARCHED }, { .found = MGET_ABSENT }, COPY_NOTHING, "" },
		{ { X, .absence = COPY_SEARCHED,
		    .place = { SPAN_INIT("x"), SPAN_INIT("r"), 3, 1 } },
		  { .found = MGET_ERROR,
		    .error = { .there = true, .type_n = 25, .type = "routing_missing_exception" } },
		  COPY_DELETE,
		  "{\"delete\":{\"_index\":\"x\",\"_id\":\"1\\\"\",\"routing\":\"r\",\"if_seq_no\":"
		  "3,"
		  "\"if_primary_term\":1}}\n" },
		/* By another routing it may be another document. */
		{ { X, .absence = COPY_SEARCHED,
		    .place = { SPAN_INIT("x"), SPAN_INIT("r"), 3, 1 } },
		  { .found = MGET_FOUND, .routing_n = 1, .routing = "s" },
		  COPY_INDEX,
		  "{\"index\":{\"_index\":\"x\",\"_id\":\"1\\\"\",\"routing\":\"s\"}}\n" },
		{ { X, .versions = COPY_EXTERNAL_VERSIONS, .absence = COPY_ABSENCE_SURE },
		  { .found = MGET_ABSENT },
		  COPY_DELETE,
		  "{\"delete\":{\"_index\":\"x\",\"_id\":\"1\\\"\"}}\n" },
		{ { X, .stream = SPAN_INIT("s") },
		  { .found = MGET_FOUND },
		  COPY_CREATE,
		  "{\"create\":{\"_index\":\"s\",\"_id\":\"1\\\"\"}}\n" },
		/* The replica does not have it either. */
		{ { X, .stream = SPAN_INIT("s") }, { .found = MGET_ABSENT }, COPY_NOTHING, "" },
		/* In the replica's own backing index, on the condition that it has not changed. */
		{ { X, .stream = SPAN_INIT("s"), .absence = COPY_SEARCHED,
		    .place = { SPAN_INIT("y"), .seq_no = 7, .primary_term = 2 } },
		  { .found = MGET_FOUND },
		  COPY_INDEX,
		  "{\"index\":{\"_index\":\"y\",\"_id\":\"1\\\"\",\"if_seq_no\":7,\"if_primary_"
		  "term\":2}}"
		  "\n" },
		{ { X, .stream = SPAN_INIT("s"), .absence = COPY_SEARCHED,
		    .place = { SPAN_INIT("y"), .seq_no = 0, .primary_term = 1 } },
		  { .found = MGET_ABSENT },
		  COPY_DELETE,
		  "{\"delete\":{\"_index\":\"y\",\"_id\":\"1\\\"\",\"if_seq_no\":0,\"if_primary_"
		  "term\":1}"
		  "}\n" },
		{ { X, .versions = COPY_EXTERNAL_VERSIONS },
		  { .found = MGET_FOUND, .version = UINT64_MAX },
		  COPY_NOTHING,
		  "" },
		{ { X }, { .found = MGET_NO_SOURCE }, COPY_NOTHING, "" },
		{ { X }, { .found = MGET_ERROR }, COPY_NOTHING, "" },
		{ { X }, { .found = MGET_TOO_LONG }, COPY_NOTHING, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes to = { 0 };
		enum copy_action action = bulk_write_action(&rows[i].of, &rows[i].d);
		assert_int_equal(action, rows[i].action);
		if (action != COPY_NOTHING)
			bulk_write_line(&to, &rows[i].of, &rows[i].d, action);
		bytes_add(&to, (struct span){ "", 1 });
		assert_string_equal(to.at, rows[i].line);
		bytes_free(&to);
	}
}

/* --- verdicts --- */

#define OWN COPY_OWN_VERSIONS
#define EXTERNAL COPY_EXTERNAL_VERSIONS

static void what_an_item_means(void **state)
{
	(void)state;
	static const struct {
		enum copy_action action;
		enum copy_versions versions;
		unsigned status;
		const char *type; /* NULL: there is no error */
		enum copy_verdict verdict;
	} rows[] = {
		{ COPY_INDEX, OWN, 200, NULL, COPY_DONE },
		{ COPY_INDEX, OWN, 201, NULL, COPY_DONE },
		{ COPY_INDEX, OWN, 200, "strange", COPY_AGAIN },
		{ COPY_DELETE, OWN, 200, NULL, COPY_DONE },
		{ COPY_DELETE, OWN, 404, NULL, COPY_DONE },
		{ COPY_DELETE, OWN, 404, "index_not_found_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 404, "index_not_found_exception", COPY_AGAIN },
		/* It is looked for, and changed where it is. */
		{ COPY_CREATE, OWN, 409, "version_conflict_engine_exception", COPY_AGAIN },
		{ COPY_CREATE, OWN, 409, "something_else", COPY_AGAIN },
		{ COPY_INDEX, EXTERNAL, 409, "version_conflict_engine_exception", COPY_NEWER },
		{ COPY_INDEX, OWN, 409, "version_conflict_engine_exception", COPY_AGAIN },
		{ COPY_DELETE, EXTERNAL, 409, "version_conflict_engine_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 429, "es_rejected_execution_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 429, "cluster_block_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 401, "security_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 403, "cluster_block_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 500, "exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 503, "unavailable_shards_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 400, "mapper_parsing_exception", COPY_REFUSED },
		{ COPY_INDEX, OWN, 400, "", COPY_REFUSED },
		{ COPY_INDEX, OWN, 413, "too_large", COPY_REFUSED },
		{ COPY_INDEX, OWN, 400, "index_closed_exception", COPY_AGAIN },
		{ COPY_INDEX, OWN, 302, NULL, COPY_AGAIN },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct copy c = { .of.versions = rows[i].versions, .action = rows[i].action };
		struct cluster_error e = { .there = rows[i].type != NULL };
		if (rows[i].type) {
			e.type_n = strlen(rows[i].type);
			memcpy(e.type, rows[i].type, e.type_n);
		}
		if (bulk_read_verdict(&c, rows[i].status, &e) != rows[i].verdict)
			fail_msg("%u %s, row %zu", rows[i].status, rows[i].type, i);
	}
}

/* --- responses --- */

/* The second one was not sent. */
static const struct copy sent[] = {
	{ .of = { .index = SPAN_INIT("x"), .id = SPAN_INIT("1") }, .action = COPY_INDEX },
	{ .of = { .index = SPAN_INIT("x"), .id = SPAN_INIT("2") } },
	{ .of = { .index = SPAN_INIT(".ds-s-1"), .id = SPAN_INIT("3\n"), .stream = SPAN_INIT("s") },
	  .action = COPY_CREATE },
	{ .of = { .index = SPAN_INIT("y"), .id = SPAN_INIT("4") }, .action = COPY_DELETE },
};

static const char *read_by(const char *text, size_t piece)
{
	static char got[4096];
	struct bulk_read r;
	size_t n = strlen(text), at = 0;
	enum bulk_read_step step = BULK_READ_MORE;
	got[0] = 0;
	bulk_read_begin(&r, sent, 4);
	while (step == BULK_READ_MORE && at <= n) {
		size_t take = n - at < piece ? n - at : piece;
		char *exact = malloc(take + 1);
		assert_non_null(exact);
		memcpy(exact + 1, text + at, take);
		struct span s = { exact + 1, take };
		at += take + (at == n);
		while ((step = bulk_read(&r, &s, at >= n)) == BULK_READ_ITEM)
			sprintf(got + strlen(got), "%zu %s %u [%.*s: %.*s]; ", r.at,
				r.verdict == COPY_DONE ? "done" : "refused", r.status,
				(int)r.error.type_n, r.error.type, (int)r.error.reason_n,
				r.error.reason);
		free(exact);
	}
	strcat(got, step == BULK_READ_END ? "end" : step == BULK_READ_BAD ? "bad" : "more");
	return got;
}

#define ITEM_1                                                                                     \
	"{\"index\":{\"_index\":\"x\",\"_type\":\"_doc\",\"_id\":\"1\",\"_version\":1,"            \
	"\"result\":\"created\",\"_shards\":{\"total\":2,\"status\":7},\"_seq_no\":0,"             \
	"\"_primary_term\":1,\"status\":201}}"
#define ITEM_3                                                                                     \
	"{\"create\":{\"_index\":\".ds-s-000009\",\"_id\":\"3\\n\",\"status\":400,\"error\":{"     \
	"\"type\":\"mapper_parsing_exception\",\"reason\":\"failed \\\"to\\\" parse\","            \
	"\"caused_by\":{\"type\":\"t\",\"reason\":\"r\"}}}}"
#define ITEM_4                                                                                     \
	"{\"delete\":{\"_index\":\"y\",\"_id\":\"4\",\"result\":\"not_found\",\"status\":404}}"
#define SAID_1 "0 done 201 [: ]; "
#define SAID_3 "2 refused 400 [mapper_parsing_exception: failed \"to\" parse]; "
#define SAID_4 "3 done 404 [: ]; "

static const struct {
	const char *response, *said;
} rows[] = {
	{ "{\"took\":3,\"errors\":true,\"items\":[" ITEM_1 "," ITEM_3 "," ITEM_4 "]}",
	  SAID_1 SAID_3 SAID_4 "end" },
	{ " {\"items\" : [ " ITEM_1 " , " ITEM_3 " , " ITEM_4
	  " ] , \"ingest_took\" : {\"items\":[]} } ",
	  SAID_1 SAID_3 SAID_4 "end" },
	/* Fewer, more, others than were sent. */
	{ "{\"items\":[" ITEM_1 "," ITEM_3 "]}", SAID_1 SAID_3 "bad" },
	{ "{\"items\":[" ITEM_1 "," ITEM_3 "," ITEM_4 "," ITEM_4 "]}", SAID_1 SAID_3 SAID_4 "bad" },
	{ "{\"items\":[" ITEM_3 "]}", "bad" },
	{ "{\"items\":[" ITEM_1 "," ITEM_4 "]}", SAID_1 "bad" },
	{ "{\"items\":[{\"create\":{\"_index\":\"x\",\"_id\":\"1\",\"status\":201}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"_id\":\"2\",\"status\":201}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"y\",\"_id\":\"1\",\"status\":201}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"status\":201}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"_id\":\"1\"}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"_id\":\"1\",\"status\":\"201\"}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"_id\":\"1\",\"status\":20100}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"_id\":\"1\",\"status\":{}}}]}", "bad" },
	{ "{\"items\":[{\"index\":{\"_index\":\"x\",\"_id\":\"1\",\"status\":201},\"index\":{}}]}",
	  "bad" },
	{ "{\"items\":[{\"index\":[]}]}", "bad" },
	{ "{\"items\":[{}]}", "bad" },
	{ "{\"items\":[[]]}", "bad" },
	{ "{\"items\":{}}", "bad" },
	{ "{\"items\":[]}", "bad" },
	{ "{\"error\":{\"type\":\"t\"},\"status\":503}", "bad" },
	{ "[]", "bad" },
	{ "7", "bad" },
	{ "", "bad" },
	{ "{\"items\":[" ITEM_1 "," ITEM_3 "," ITEM_4, SAID_1 SAID_3 SAID_4 "bad" },
};

static void a_response_is_read_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t piece = 1; piece <= strlen(rows[i].response) + 1; piece++) {
			const char *got = read_by(rows[i].response, piece);
			if (strcmp(got, rows[i].said))
				fail_msg("%s by %zu:\n%s\n%s", rows[i].response, piece, got,
					 rows[i].said);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_operations),
		cmocka_unit_test(what_an_item_means),
		cmocka_unit_test(a_response_is_read_in_pieces_of_any_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
