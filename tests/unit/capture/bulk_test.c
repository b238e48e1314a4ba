#include "unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "capture/bulk.h"

#define ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define GOOD                                                                                       \
	"{\"index\":{\"_index\":\"a\",\"_id\":\"1\",\"_shards\":{\"failed\":0},\"status\":201}}"
#define GONE "{\"delete\":{\"_id\":\"2\",\"result\":\"not_found\",\"status\":404}}"
#define BAD                                                                                        \
	"{\"create\":{\"_id\":\"3\",\"status\":409,\"error\":{\"type\":\"x\",\"reason\":"          \
	"\"a } ] \\\" { in a text\",\"status\":500}}}"

static bool refused(const char *head, struct span body, size_t piece, struct bulk_counts *counts)
{
	struct bulk *b = bulk_open(span_of(head));
	assert_non_null(b);
	for (size_t at = 0; at < body.n; at += piece)
		bulk_take(b,
			  (struct span){ body.at + at, piece < body.n - at ? piece : body.n - at });
	bool said = bulk_has_refused(b, counts);
	bulk_close(b);
	return said;
}

static void what_goes_to_bulk_is_known_by_its_path(void **state)
{
	(void)state;
	static const char *const are[] = { "/_bulk", "/a/_bulk", "/a/b/_bulk?refresh=true",
					   "/_bulk/stream", "/_bulk/" };
	static const char *const are_not[] = {
		"/a/_doc?x=/_bulk", "/_bulkx", "/a/_bulk/more", "/bulk", "", "/"
	};
	for (size_t i = 0; i < ARRAY_N(are); i++)
		assert_true(bulk_is(span_of(are[i])));
	for (size_t i = 0; i < ARRAY_N(are_not); i++)
		assert_false(bulk_is(span_of(are_not[i])));
}

static void items_that_were_refused_are_counted(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		bool partly, counted;
		uint64_t accepted, refused;
	} rows[] = {
		{ "{\"took\":1,\"errors\":true,\"items\":[" GOOD "," GONE "," BAD "]}", true, true,
		  2, 1 },
		{ "{ \"items\" : [ " BAD " ] , \"errors\" : true }\r\n", true, true, 0, 1 },
		{ "{\"took\":1,\"errors\":false,\"items\":[" GOOD "]}", false, false, 0, 0 },
		/* filter_path=errors,items.*.error */
		{ "{\"errors\":true,\"items\":[{\"index\":{\"error\":{\"type\":\"x\"}}}]}", true,
		  false, 0, 0 },
		{ "{\"errors\":true}", true, false, 0, 0 },
		/* filter_path=errors,items.*.status */
		{ "{\"errors\":true,\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"status\":"
		  "400}}]}",
		  true, true, 1, 1 },
		/* A stream has a response for each of its parts. */
		{ "{\"errors\":false,\"items\":[" GOOD "]}\n{\"errors\":true,\"items\":[" BAD
		  "]}\n",
		  true, true, 1, 1 },
		/* What is not whole, or no such response, says nothing. */
		{ "{\"errors\":true,\"items\":[" BAD, false, false, 0, 0 },
		{ "", false, false, 0, 0 },
		{ "<html>\"errors\":true</html>", false, false, 0, 0 },
		{ "{\"x\":{\"errors\":true}}", false, false, 0, 0 },
		{ "{\"x\":\"\\\"errors\\\":true\"}", false, false, 0, 0 },
		{ "]]]{\"errors\":true}", false, false, 0, 0 },
	};
	static const size_t pieces[] = { 1, 7, 65536 };
	for (size_t i = 0; i < ARRAY_N(rows) * ARRAY_N(pieces); i++) {
		struct bulk_counts counts;
		size_t row = i / ARRAY_N(pieces), piece = pieces[i % ARRAY_N(pieces)];
		bool partly = refused(HEAD "\r\n", span_of(rows[row].body), piece, &counts);
		if (partly != rows[row].partly)
			print_error("%s\n", rows[row].body);
		assert_int_equal(partly, rows[row].partly);
		if (!partly)
			continue;
		assert_int_equal(counts.counted, rows[row].counted);
		if (!counts.counted)
			continue;
		assert_int_equal(counts.accepted, rows[row].accepted);
		assert_int_equal(counts.refused, rows[row].refused);
	}
}

static void a_body_that_is_compressed_is_read_too(void **state)
{
	(void)state;
	static const char body[] = "{\"errors\":true,\"items\":[" GOOD "," BAD "]}";
	unsigned char packed[1024];
	struct bulk_counts counts;
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)body,
		       .avail_in = sizeof body - 1,
		       .next_out = packed,
		       .avail_out = sizeof packed };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	struct span all = { (char *)packed, sizeof packed - z.avail_out };
	deflateEnd(&z);
	assert_true(refused(HEAD "content-encoding: gzip\r\n\r\n", all, 3, &counts));
	assert_int_equal(counts.accepted, 1);
	assert_int_equal(counts.refused, 1);
	assert_false(refused(HEAD "Content-Encoding: gzip\r\n\r\n", SPAN(body), 3, &counts));
	assert_null(bulk_open(SPAN(HEAD "Content-Encoding: br\r\n\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_to_bulk_is_known_by_its_path),
		cmocka_unit_test(items_that_were_refused_are_counted),
		cmocka_unit_test(a_body_that_is_compressed_is_read_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
