#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/mget.h"

static const struct copy two[] = {
	{ .of = { .index = SPAN_INIT("x"), .id = SPAN_INIT("1") } },
	{ .of = { .index = SPAN_INIT("y"),
		  .id = SPAN_INIT("a\"\xc3\xa9\n"),
		  .routing = SPAN_INIT("r") } },
};

static void a_request_names_index_id_and_routing(void **state)
{
	(void)state;
	struct bytes to = { 0 };
	mget_write(&to, two, 2);
	bytes_add(&to, (struct span){ "", 1 });
	assert_string_equal(to.at, "{\"docs\":[{\"_index\":\"x\",\"_id\":\"1\"},{\"_index\":\"y\","
				   "\"_id\":\"a\\\"\xc3\xa9\\u000a\",\"routing\":\"r\"}]}");
	bytes_free(&to);
}

static void write_number(char *to, uint64_t n)
{
	if (n == UINT64_MAX)
		strcat(to, " -");
	else
		sprintf(to + strlen(to), " %d", (int)n);
}

static void write_document(char *to, const struct mget_document *d)
{
	static const char *const found[] = { "found", "absent", "no source", "too long", "error" };
	sprintf(to + strlen(to), "%s", found[d->found]);
	if (d->found == MGET_FOUND) {
		sprintf(to + strlen(to), " %.*s", (int)d->source.text.n, d->source.text.at);
		sprintf(to + strlen(to), " [%.*s]", (int)d->routing_n, d->routing);
		write_number(to, d->version);
		write_number(to, d->seq_no);
		write_number(to, d->primary_term);
	}
	if (d->found == MGET_ERROR)
		sprintf(to + strlen(to), " %.*s: %.*s", (int)d->error.type_n, d->error.type,
			(int)d->error.reason_n, d->error.reason);
	strcat(to, "; ");
}

/* What a response says of two documents, in pieces of that size. */
static const char *read_by(const char *text, size_t piece)
{
	static char got[4096];
	struct mget m;
	size_t n = strlen(text), at = 0;
	enum mget_step step = MGET_MORE;
	got[0] = 0;
	mget_open(&m);
	mget_begin(&m, two, 2);
	while (step == MGET_MORE && at <= n) {
		size_t take = n - at < piece ? n - at : piece;
		char *exact = malloc(take + 1);
		assert_non_null(exact);
		memcpy(exact + 1, text + at, take);
		struct span s = { exact + 1, take };
		at += take + (at == n);
		while ((step = mget_read(&m, &s, at >= n)) == MGET_DOCUMENT)
			write_document(got, &m.document);
		free(exact);
	}
	strcat(got, step == MGET_END ? "end" : step == MGET_BAD ? "bad" : "more");
	mget_close(&m);
	return got;
}

#define X "{\"_index\":\"x\",\"_type\":\"_doc\",\"_id\":\"1\""
#define Y "{\"_index\":\"y\",\"_type\":\"_doc\",\"_id\":\"a\\\"\\u00e9\\n\""
#define X_FOUND                                                                                    \
	X ",\"_version\":3,\"_seq_no\":7,\"_primary_term\":1,\"found\":true,\"_source\":{\"a\":1}" \
	  "}"
#define Y_ABSENT Y ",\"found\":false}"

static const struct {
	const char *response, *said;
} rows[] = {
	{ "{\"docs\":[" X_FOUND "," Y_ABSENT "]}", "found {\"a\":1} [] 3 7 1; absent; end" },
	{ "{\"docs\":[" X_FOUND "," Y ",\"_version\":1,\"_routing\":\"r\\u0041\",\"found\":true,"
	  "\"_source\": {\n \"b\" : \"}\" /* c "
	  "*/\n},\"fields\":{\"_id\":[\"7\"],\"found\":[false]}}]}",
	  "found {\"a\":1} [] 3 7 1; found { \"b\" : \"}\" } [rA] 1 - -; end" },
	/* In any order, with blanks, and with what nobody has asked for. */
	{ " { \"took\" : 1 , \"docs\" : [ {\"_source\":{} , \"found\":true,\"_id\":\"1\","
	  "\"_index\":\"x\",\"_ignored\":[\"a\"]} , " Y_ABSENT " ] , \"docs2\":{\"docs\":[1]} } ",
	  "found {} [] - - -; absent; end" },
	/* Of what is there twice the last counts. */
	{ "{\"docs\":[" X ",\"_version\":1,\"_version\":2,\"found\":false,\"found\":true,"
	  "\"_source\":{\"a\":1},\"_source\":{\"b\":2}}," Y_ABSENT "]}",
	  "found {\"b\":2} [] 2 - -; absent; end" },
	{ "{\"docs\":[" X ",\"found\":true}," Y_ABSENT "]}", "no source; absent; end" },
	{ "{\"docs\":[" X ",\"error\":{\"root_cause\":[{\"type\":\"t0\",\"reason\":\"r0\"}],"
	  "\"type\":\"index_not_found_exception\",\"reason\":\"no such index [x]\","
	  "\"caused_by\":{\"type\":\"t1\"}}}," Y_ABSENT "]}",
	  "error index_not_found_exception: no such index [x]; absent; end" },
	{ "{\"docs\":[" X ",\"error\":\"text\"}," Y_ABSENT "]}", "error : ; absent; end" },
	{ "{\"docs\":[" X
	  ",\"_seq_no\":-2,\"_version\":1.5,\"found\":true,\"_source\":{}}," Y_ABSENT "]}",
	  "found {} [] - - -; absent; end" },
	/* Others than were asked for, fewer, more. */
	{ "{\"docs\":[" Y_ABSENT "," X_FOUND "]}", "bad" },
	{ "{\"docs\":[" X_FOUND "]}", "found {\"a\":1} [] 3 7 1; bad" },
	{ "{\"docs\":[" X_FOUND "," Y_ABSENT "," Y_ABSENT "]}",
	  "found {\"a\":1} [] 3 7 1; absent; bad" },
	{ "{\"docs\":[" X_FOUND "," Y_ABSENT "],\"docs\":[{}]}",
	  "found {\"a\":1} [] 3 7 1; absent; bad" },
	{ "{\"docs\":[{\"_index\":\"x\",\"_id\":\"2\",\"found\":false}]}", "bad" },
	{ "{\"docs\":[{\"_index\":\"z\",\"_id\":\"1\",\"found\":false}]}", "bad" },
	{ "{\"docs\":[{\"_index\":\"x\",\"found\":false}]}", "bad" },
	{ "{\"docs\":[{\"_id\":\"1\",\"found\":false}]}", "bad" },
	{ "{\"docs\":[" X "}]}", "bad" },
	{ "{\"docs\":[" X ",\"found\":\"true\"}]}", "bad" },
	{ "{\"docs\":[" X ",\"found\":true,\"_source\":5}]}", "bad" },
	{ "{\"docs\":[{\"_index\":\"x\",\"_id\":{}}]}", "bad" },
	{ "{\"docs\":[[]]}", "bad" },
	{ "{\"docs\":[1]}", "bad" },
	{ "{\"docs\":{}}", "bad" },
	{ "{\"docs\":\"\"}", "bad" },
	{ "{\"error\":{\"type\":\"t\"},\"status\":400}", "bad" },
	{ "{}", "bad" },
	{ "[]", "bad" },
	{ "null", "bad" },
	{ "", "bad" },
	{ "<html>", "bad" },
	{ "{\"docs\":[" X_FOUND "," Y_ABSENT "]", "found {\"a\":1} [] 3 7 1; absent; bad" },
	{ "{\"docs\":[" X_FOUND "," Y_ABSENT "]}}", "found {\"a\":1} [] 3 7 1; absent; bad" },
	{ "{\"docs\":[" X ",\"found\":true,\"_source\":{\"a\":", "bad" },
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

static void a_routing_that_is_too_long_concerns_its_document_alone(void **state)
{
	(void)state;
	char text[2048];
	snprintf(text, sizeof text,
		 "{\"docs\":[" X ",\"_routing\":\"%0600d\",\"found\":true,\"_source\":{}}," Y_ABSENT
		 "]}",
		 0);
	assert_string_equal(read_by(text, 4096), "no source; absent; end");
}

/* Two bytes each: the last one does not fit whole, and is left out. */
static void a_long_reason_is_cut_at_a_character(void **state)
{
	(void)state;
	char reason[2 * ERROR_REASON_BYTES + 1] = ".", text[4096];
	for (size_t i = 1; i + 2 < sizeof reason; i += 2)
		memcpy(reason + i, "\xc3\xa9", 3);
	snprintf(text, sizeof text,
		 "{\"docs\":[" X ",\"error\":{\"reason\":\"%s\",\"type\":\"t\"}}," Y_ABSENT "]}",
		 reason);
	const char *got = read_by(text, 4096);
	assert_memory_equal(got, "error t: .\xc3\xa9", 12);
	assert_memory_equal(got + strlen("error t: ") + ERROR_REASON_BYTES - 1, "; absent", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_names_index_id_and_routing),
		cmocka_unit_test(a_response_is_read_in_pieces_of_any_size),
		cmocka_unit_test(a_routing_that_is_too_long_concerns_its_document_alone),
		cmocka_unit_test(a_long_reason_is_cut_at_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
