#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "capture/bytes.h"
#include "replay/batch.h"

static struct copy_batch *open_batch(size_t bulk_bytes, size_t keys_max)
{
	struct copy_batch_config config = { .bulk_bytes = bulk_bytes, .keys_max = keys_max };
	return batch_open(&config);
}

static void add(struct copy_batch *b, const char *id)
{
	struct copy_of of = { .index = SPAN("x"), .id = span_of(id), .absence = COPY_ABSENCE_SURE };
	assert_int_equal(batch_add(b, &of), BATCH_ADDED);
}

static enum batch_step documents(struct copy_batch *b, const char *text)
{
	struct span s = span_of(text);
	return batch_read_documents(b, &s, true);
}

static enum batch_step results(struct copy_batch *b, const char *text)
{
	struct span s = span_of(text);
	return batch_read_results(b, &s, true);
}

static void assert_operations(const struct copy_batch *b, const char *want)
{
	char got[1024];
	struct span s = batch_operations(b);
	assert_true(s.n < sizeof got);
	if (s.n)
		memcpy(got, s.at, s.n);
	got[s.n] = 0;
	assert_string_equal(got, want);
}

#define FOUND(id) "{\"_index\":\"x\",\"_id\":\"" id "\",\"found\":true,\"_source\":{\"a\":" id "}}"
#define ABSENT(id) "{\"_index\":\"x\",\"_id\":\"" id "\",\"found\":false}"
#define LINES(id) "{\"index\":{\"_index\":\"x\",\"_id\":\"" id "\"}}\n{\"a\":" id "}\n"
#define DELETES(id) "{\"delete\":{\"_index\":\"x\",\"_id\":\"" id "\"}}\n"
#define ITEM(action, id, status)                                                                   \
	"{\"" action "\":{\"_index\":\"x\",\"_id\":\"" id "\",\"status\":" status "}}"

static void a_batch_brings_documents_from_one_cluster_to_the_other(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(1000, 10);
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	struct span question = batch_question(b);
	assert_true(
		span_is(question, SPAN("{\"docs\":[{\"_index\":\"x\",\"_id\":\"1\"},{\"_index\":"
				       "\"x\",\"_id\":\"2\"}]}")));
	assert_int_equal(documents(b, "{\"docs\":[" FOUND("1") "," ABSENT("2") "]}"), BATCH_END);
	assert_operations(b, LINES("1") DELETES("2"));
	assert_int_equal(batch_operation_n(b), 2);
	assert_int_equal(batch_copy(b, 0)->verdict, COPY_AGAIN);
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "1", "201") "," ITEM("delete", "2",
										      "404") "]}"),
			 BATCH_END);
	assert_int_equal(batch_copy(b, 0)->verdict, COPY_DONE);
	assert_int_equal(batch_copy(b, 0)->status, 201);
	assert_int_equal(batch_copy(b, 1)->verdict, COPY_DONE);
	assert_operations(b, "");
	batch_close(b);
}

static void keys_are_bounded_and_are_text(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(1000, 2);
	static const char *const no_text[] = { "\x80",
					       "a\xc3",
					       "\xc0\x80",
					       "\xed\xa0\x80",
					       "\xf4\x90\x80\x80",
					       "\xe0\x80\x80",
					       "\xf0\x80\x80\x80",
					       "\xff",
					       "\xc3(" };
	static const char *const text[] = { "\xc2\x80\xf0\x9f\x98\x80\xed\x9f\xbf",
					    "\xe0\xa0\x80\xf4\x8f\xbf\xbf\x01" };
	batch_begin(b);
	for (size_t i = 0; i < sizeof no_text / sizeof *no_text; i++) {
		struct copy_of of = { .index = SPAN("x"), .id = span_of(no_text[i]) };
		assert_int_equal(batch_add(b, &of), BATCH_NO_TEXT);
		of = (struct copy_of){ .index = SPAN("x"),
				       .id = SPAN("1"),
				       .routing = span_of(no_text[i]) };
		assert_int_equal(batch_add(b, &of), BATCH_NO_TEXT);
	}
	add(b, text[0]);
	add(b, text[1]);
	struct copy_of of = { .index = SPAN("x"), .id = SPAN("3") };
	assert_int_equal(batch_add(b, &of), BATCH_FULL);
	assert_int_equal(batch_n(b), 2);
	batch_close(b);
}

/* Each bulk has room for two; the third is the last one's alone. */
static void documents_beyond_the_limit_go_in_a_further_bulk(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(2 * strlen(LINES("1")), 10);
	struct span s =
		SPAN("{\"docs\":[" FOUND("1") "," FOUND("2") "," FOUND("3") "," ABSENT("4") "]}");
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	add(b, "3");
	add(b, "4");
	batch_question(b);
	assert_int_equal(batch_read_documents(b, &s, true), BATCH_SEND);
	assert_operations(b, LINES("1") LINES("2"));
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "1", "201") "," ITEM("index", "2",
										      "429") "]}"),
			 BATCH_END);
	assert_int_equal(batch_read_documents(b, &s, true), BATCH_END);
	assert_operations(b, LINES("3") DELETES("4"));
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "3", "200") "," ITEM("delete", "4",
										      "200") "]}"),
			 BATCH_END);
	static const enum copy_verdict want[] = { COPY_DONE, COPY_AGAIN, COPY_DONE, COPY_DONE };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(batch_copy(b, i)->verdict, want[i]);
	batch_close(b);
}

/* The text of a document is far larger than the limit, in the middle and at the end. */
static void a_document_above_the_limit_goes_alone(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(100, 10);
	char text[2000], want[600];
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	add(b, "3");
	batch_question(b);
	snprintf(text, sizeof text,
		 "{\"docs\":[" FOUND("1") ",{\"_index\":\"x\",\"_id\":\"2\",\"found\":true,"
					  "\"_source\":{\"a\":%0300d}},{\"_index\":\"x\",\"_id\":"
					  "\"3\",\"found\":true,"
					  "\"_source\":{\"a\":%0400d}}]}",
		 0, 0);
	struct span s = span_of(text);
	assert_int_equal(batch_read_documents(b, &s, true), BATCH_SEND);
	assert_operations(b, LINES("1"));
	batch_no_results(b);
	assert_int_equal(batch_read_documents(b, &s, true), BATCH_SEND);
	snprintf(want, sizeof want,
		 "{\"index\":{\"_index\":\"x\",\"_id\":\"2\"}}\n{\"a\":%0300d}\n", 0);
	assert_operations(b, want);
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "2", "413") "]}"), BATCH_END);
	assert_int_equal(batch_read_documents(b, &s, true), BATCH_END);
	snprintf(want, sizeof want,
		 "{\"index\":{\"_index\":\"x\",\"_id\":\"3\"}}\n{\"a\":%0400d}\n", 0);
	assert_operations(b, want);
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "3", "201") "]}"), BATCH_END);
	assert_int_equal(batch_copy(b, 0)->verdict, COPY_AGAIN);
	assert_int_equal(batch_copy(b, 1)->verdict, COPY_REFUSED);
	assert_int_equal(batch_copy(b, 2)->verdict, COPY_DONE);
	batch_close(b);
}

#define IS_NO_INDEX "\"error\":{\"type\":\"index_not_found_exception\",\"reason\":\"why\"}}"
#define IS_NO_SHARD "\"error\":{\"type\":\"no_shard_available_action_exception\"}}"
#define IS_NO_ROUTING "\"error\":{\"type\":\"routing_missing_exception\"}}"
#define HIDES_SOURCE "\"found\":true}"

static void what_the_owner_does_not_give_is_not_written(void **state)
{
	(void)state;
	static const char response[] = "{\"docs\":[{\"_index\":\"x\",\"_id\":\"1\"," IS_NO_INDEX
				       ",{\"_index\":\"x\",\"_id\":\"2\"," IS_NO_SHARD
				       ",{\"_index\":\"x\",\"_id\":\"3\"," HIDES_SOURCE
				       ",{\"_index\":\"x\",\"_id\":\"4\"," IS_NO_ROUTING "]}";
	struct copy_batch *b = open_batch(1000, 10);
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	add(b, "3");
	add(b, "4");
	batch_question(b);
	assert_int_equal(documents(b, response), BATCH_END);
	assert_operations(b, "");
	static const enum copy_verdict want[] = { COPY_NO_INDEX, COPY_AGAIN, COPY_UNREADABLE,
						  COPY_UNSURE };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(batch_copy(b, i)->verdict, want[i]);
	const struct cluster_error *e = batch_error(b, batch_copy(b, 0));
	assert_non_null(e);
	assert_true(span_is(cluster_error_type(e), SPAN("index_not_found_exception")));
	assert_true(span_is((struct span){ e->reason, e->reason_n }, SPAN("why")));
	assert_null(batch_error(b, batch_copy(b, 2)));
	batch_close(b);
}

static void errors_of_items_are_kept(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(1000, 10);
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	batch_question(b);
	documents(b, "{\"docs\":[" FOUND("1") "," FOUND("2") "]}");
	assert_int_equal(
		results(b, "{\"items\":[" ITEM(
				   "index", "1",
				   "201") ",{\"index\":{\"_index\":\"x\","
					  "\"_id\":\"2\",\"status\":400,\"error\":{\"type\":\"t\","
					  "\"reason\":\"r\"}}}]}"),
		BATCH_END);
	assert_null(batch_error(b, batch_copy(b, 0)));
	assert_int_equal(batch_copy(b, 1)->verdict, COPY_REFUSED);
	assert_true(span_is(cluster_error_type(batch_error(b, batch_copy(b, 1))), SPAN("t")));
	batch_close(b);
}

static void an_error_may_say_nothing(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(1000, 10);
	batch_begin(b);
	add(b, "1");
	batch_question(b);
	documents(b, "{\"docs\":[{\"_index\":\"x\",\"_id\":\"1\",\"error\":{}}]}");
	const struct cluster_error *e = batch_error(b, batch_copy(b, 0));
	assert_non_null(e);
	assert_int_equal(e->type_n + e->reason_n, 0);
	batch_close(b);
}

/* Nothing of it counts, not even the item that was right. */
static void of_a_bad_response_nothing_counts(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(1000, 10);
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	batch_question(b);
	documents(b, "{\"docs\":[" FOUND("1") "," FOUND("2") "]}");
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "1", "201") "]}"), BATCH_BAD);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(batch_copy(b, i)->verdict, COPY_AGAIN);
		assert_int_equal(batch_copy(b, i)->status, 0);
	}
	assert_operations(b, "");
	batch_close(b);
}

/* What was read before is good: the owner has said it of that key. */
static void a_response_that_breaks_off_leaves_what_was_read(void **state)
{
	(void)state;
	struct copy_batch *b = open_batch(1000, 10);
	batch_begin(b);
	add(b, "1");
	add(b, "2");
	batch_question(b);
	assert_int_equal(
		documents(b, "{\"docs\":[" FOUND("1") ",{\"_index\":\"x\",\"_id\":\"2\",\"fo"),
		BATCH_BAD);
	assert_operations(b, LINES("1"));
	assert_int_equal(results(b, "{\"items\":[" ITEM("index", "1", "201") "]}"), BATCH_END);
	assert_int_equal(batch_copy(b, 0)->verdict, COPY_DONE);
	assert_int_equal(batch_copy(b, 1)->verdict, COPY_AGAIN);
	batch_begin(b);
	assert_int_equal(batch_n(b), 0);
	add(b, "2");
	batch_question(b);
	assert_int_equal(documents(b, "{\"docs\":[" FOUND("2") "]}"), BATCH_END);
	assert_operations(b, LINES("2"));
	batch_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_brings_documents_from_one_cluster_to_the_other),
		cmocka_unit_test(keys_are_bounded_and_are_text),
		cmocka_unit_test(documents_beyond_the_limit_go_in_a_further_bulk),
		cmocka_unit_test(a_document_above_the_limit_goes_alone),
		cmocka_unit_test(what_the_owner_does_not_give_is_not_written),
		cmocka_unit_test(errors_of_items_are_kept),
		cmocka_unit_test(an_error_may_say_nothing),
		cmocka_unit_test(of_a_bad_response_nothing_counts),
		cmocka_unit_test(a_response_that_breaks_off_leaves_what_was_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
