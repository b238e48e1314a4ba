#include "unit/ends/party.h"

#include "ends/reply.h"

/* A reply, and a client that hears it. */
struct talk {
	struct bufs bufs;
	struct slab chunks;
	struct arena arena;
	struct words words;
	struct party client;
	struct stream stream; /* the side that replies */
	struct reply reply;
};

static bool is_handed_over(const struct talk *t)
{
	return !t->reply.body.bytes;
}

static struct talk *talk_of(struct stream *s)
{
	return list_entry(s, struct talk, stream);
}

static void on_head(struct stream *to, struct msg *m, bool end)
{
	(void)to, (void)m, (void)end;
}

static void on_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	reply_go_on(&talk_of(to)->reply);
}

static void on_abort(struct stream *to, enum stream_way way, enum err why)
{
	(void)way, (void)why;
	reply_stop(&talk_of(to)->reply);
}

static const struct stream_verbs verbs = { .head = on_head, .grant = on_grant, .abort = on_abort };

static int open_talk(void **state)
{
	struct talk *t = calloc(1, sizeof *t);
	bufs_open(&t->bufs);
	slab_open(&t->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&t->arena, &t->chunks);
	party_init(&t->client, &t->words, &t->bufs);
	stream_init(&t->stream, &verbs, "reply");
	stream_join(&t->stream, &t->client.stream);
	*state = t;
	return 0;
}

static int close_talk(void **state)
{
	struct talk *t = *state;
	reply_stop(&t->reply);
	party_free(&t->client);
	arena_close(&t->arena);
	slab_close(&t->chunks);
	bufs_close(&t->bufs);
	free(t);
	return 0;
}

static void say_text(struct talk *t, const char *text, bool head_only)
{
	reply_text(&t->reply, &t->client.stream, &t->arena, &t->bufs, 200, SPAN("text/plain"),
		   span_of(text), head_only);
}

static void say_error(struct talk *t, enum err why, bool head_only)
{
	reply_error(&t->reply, &t->client.stream, &t->arena, &t->bufs, why, "", head_only);
}

static void assert_length(const struct talk *t, size_t n)
{
	char text[24];
	snprintf(text, sizeof text, "%zu", n);
	assert_field(&t->client, "Content-Length", text);
	assert_int_equal(t->client.length, n);
}

/* --- claims --- */

static void an_error_is_told_in_json_and_in_a_field(void **state)
{
	struct talk *t = *state;
	party_grants(&t->client, 1000);
	say_error(t, ERR_BACK_REFUSED, false);
	assert_words(&t->words, "head(502) data.");
	assert_string_equal(t->client.body,
			    "{\"error\":\"connect_refused\",\"status\":502,"
			    "\"message\":\"The cluster's node refused the connection.\"}\n");
	assert_field(&t->client, "X-Crossfade-Error", "connect_refused");
	assert_field(&t->client, "Content-Type", "application/json");
	assert_length(t, t->client.body_n);
	assert_true(is_handed_over(t));
}

static void check_error(enum err why)
{
	void *state;
	open_talk(&state);
	struct talk *t = state;
	char expected[600];
	int n = snprintf(expected, sizeof expected,
			 "{\"error\":\"%s\",\"status\":%d,\"message\":\"%s\"}\n", err_word(why),
			 (int)reply_status(why), err_sentence(why));
	/* Nothing in it has to be escaped. */
	assert_null(strpbrk(err_word(why), "\"\\\r\n\t "));
	assert_null(strpbrk(err_sentence(why), "\"\\\r\n\t"));
	party_grants(&t->client, 1000);
	say_error(t, why, false);
	char status[32];
	snprintf(status, sizeof status, "head(%u) data.", reply_status(why));
	assert_words(&t->words, status);
	assert_string_equal(t->client.body, expected);
	assert_length(t, (size_t)n);
	assert_field(&t->client, "X-Crossfade-Error", err_word(why));
	close_talk(&state);
}

static void no_error_is_too_strange_to_be_told(void **state)
{
	(void)state;
	for (enum err why = 0; why < ERRS; why++)
		check_error(why);
	assert_int_equal(reply_status(ERR_BACK_REFUSED), 502);
	assert_int_equal(reply_status(ERR_OUT_OF_HANDLES), 503);
	assert_int_equal(reply_status(ERR_TOO_MANY_CONNECTIONS), 503);
	assert_int_equal(reply_status(ERR_PEER_CLOSED), 500);
}

/* Whatever has happened to it: it is known as such without looking at the status. */
static void a_write_whose_outcome_is_unknown_is_told_so(void **state)
{
	(void)state;
	for (enum err why = 0; why < ERRS; why++) {
		void *own;
		open_talk(&own);
		struct talk *t = own;
		char word[128], body[600];
		snprintf(word, sizeof word, "%s; outcome=unknown", err_word(why));
		snprintf(
			body, sizeof body,
			"{\"error\":\"%s\",\"status\":500,\"outcome\":\"unknown\",\"message\":\"%s "
			"The request was sent and may have been applied: check before you send it "
			"again.\"}\n",
			err_word(why), err_sentence(why));
		party_grants(&t->client, 1000);
		reply_unknown(&t->reply, &t->client.stream, &t->arena, &t->bufs, why, 500, false);
		assert_words(&t->words, "head(500) data.");
		assert_field(&t->client, "X-Crossfade-Error", word);
		assert_field(&t->client, "Retry-After", "");
		assert_string_equal(t->client.body, body);
		assert_length(t, strlen(body));
		close_talk(&own);
	}
}

static void only_a_503_says_when_to_come_again(void **state)
{
	(void)state;
	static const struct {
		enum err why;
		const char *retry_after;
	} rows[] = {
		{ ERR_NO_ADDRESS, "1" },      { ERR_STOPPING, "1" }, { ERR_BACK_RESET, "" },
		{ ERR_RESPONSE_TIMEOUT, "" }, { ERR_HEAD_SIZE, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_talk(&own);
		struct talk *t = own;
		say_error(t, rows[i].why, false);
		assert_field(&t->client, "Retry-After", rows[i].retry_after);
		close_talk(&own);
	}
}

static void head_is_told_the_length_and_gets_no_body(void **state)
{
	struct talk *t = *state;
	party_grants(&t->client, 1000);
	say_error(t, ERR_NO_ADDRESS, true);
	assert_words(&t->words, "head(503).");
	assert_true(t->client.length > 50);
	assert_int_equal(t->client.body_n, 0);
	assert_true(is_handed_over(t));
}

static void an_empty_body_ends_with_its_head(void **state)
{
	struct talk *t = *state;
	say_text(t, "", false);
	assert_words(&t->words, "head(200).");
	assert_length(t, 0);
	assert_true(is_handed_over(t));
}

/* The head is free. After each grant as much is said as it allows, and the end with the last byte.
 */
static void the_body_goes_as_far_as_credit_does(void **state)
{
	(void)state;
	static const struct {
		size_t before, grants[4];
		const char *words[5]; /* after the start, then after each grant */
	} rows[] = {
		{ 0, { 10 }, { "head(200)", "data." } },
		{ 10, { 0 }, { "head(200) data." } },
		{ 11, { 0 }, { "head(200) data." } },
		{ 9, { 1 }, { "head(200) data", "data." } },
		{ 0, { 9, 1 }, { "head(200)", "data", "data." } },
		{ 1, { 1, 8 }, { "head(200) data", "data", "data." } },
		{ 3, { 3, 3, 5 }, { "head(200) data", "data", "data", "data." } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_talk(&own);
		struct talk *t = own;
		size_t credit = rows[i].before;
		if (credit)
			party_grants(&t->client, credit);
		say_text(t, "0123456789", false);
		assert_words(&t->words, rows[i].words[0]);
		for (int k = 0; k < 4 && rows[i].grants[k]; k++) {
			credit += rows[i].grants[k];
			party_grants(&t->client, rows[i].grants[k]);
			assert_words(&t->words, rows[i].words[k + 1]);
			assert_int_equal(t->client.body_n, credit < 10 ? credit : 10);
			assert_int_equal(is_handed_over(t), credit >= 10);
		}
		assert_string_equal(t->client.body, "0123456789");
		close_talk(&own);
	}
}

static void a_body_may_be_larger_than_all_credit(void **state)
{
	struct talk *t = *state;
	enum { MUCH = 3 * STREAM_CREDIT_BYTES + 7 };
	struct chain body = { 0 };
	char *text = malloc(MUCH);
	for (size_t i = 0; i < MUCH; i++)
		text[i] = (char)(i * 7 + i / 251);
	chain_copy_in(&body, &t->bufs, text, MUCH);
	struct msg *m = arena_take(&t->arena, sizeof *m);
	msg_open(m, &t->arena, MSG_RESPONSE);
	msg_set_status(m, 206, SPAN("Partial Content"));
	reply_start(&t->reply, &t->client.stream, m, &body, false);
	assert_true(chain_empty(&body));
	assert_length(t, MUCH);
	while (!is_handed_over(t))
		party_grants(&t->client, STREAM_CREDIT_BYTES);
	assert_words(&t->words, "head(206) data.");
	assert_int_equal(t->client.body_n, MUCH);
	assert_memory_equal(t->client.body, text, MUCH);
	free(text);
}

static void a_text_has_its_status_and_type_and_is_copied(void **state)
{
	struct talk *t = *state;
	char text[] = "green";
	reply_text(&t->reply, &t->client.stream, &t->arena, &t->bufs, 404, SPAN("text/css"),
		   span_of(text), false);
	memset(text, 'x', 5);
	party_grants(&t->client, 5);
	assert_words(&t->words, "head(404) data.");
	assert_string_equal(t->client.body, "green");
	assert_field(&t->client, "Content-Type", "text/css");
	assert_field(&t->client, "X-Crossfade-Error", "");
	assert_memory_equal(t->client.head, "HTTP/1.1 404 Not Found\r\n", 24);
}

static void a_client_that_goes_leaves_nothing_behind(void **state)
{
	struct talk *t = *state;
	party_grants(&t->client, 2);
	say_text(t, "0123456789", false);
	assert_false(is_handed_over(t));
	assert_true(t->bufs.bytes_out > 0);
	party_leave(&t->client, ERR_PEER_RESET);
	assert_true(is_handed_over(t));
	assert_int_equal(t->bufs.bytes_out, 0);
	reply_go_on(&t->reply);
	assert_words(&t->words, "head(200) data");
}

static void going_on_behind_the_end_says_nothing(void **state)
{
	struct talk *t = *state;
	party_grants(&t->client, 100);
	say_text(t, "0123456789", false);
	reply_go_on(&t->reply);
	assert_words(&t->words, "head(200) data.");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_talk, close_talk)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_error_is_told_in_json_and_in_a_field),
		TEST(no_error_is_too_strange_to_be_told),
		cmocka_unit_test(a_write_whose_outcome_is_unknown_is_told_so),
		TEST(only_a_503_says_when_to_come_again),
		TEST(head_is_told_the_length_and_gets_no_body),
		TEST(an_empty_body_ends_with_its_head),
		TEST(the_body_goes_as_far_as_credit_does),
		TEST(a_body_may_be_larger_than_all_credit),
		TEST(a_text_has_its_status_and_type_and_is_copied),
		TEST(a_client_that_goes_leaves_nothing_behind),
		TEST(going_on_behind_the_end_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
