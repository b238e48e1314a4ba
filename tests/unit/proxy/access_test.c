#include "unit/cmocka_all.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/access.h"
#include "proxy/request.h"

/* 2026-11-23T18:01:25.123456Z */
#define NOW_WALL_NS 1795456885123456000ull
#define MS 1000000ull

/* An exchange that is over, as if it had lived, and all that its line is made from. */
struct scene {
	struct slab chunks;
	struct arena arena;
	struct plan plan;
	struct listener listener;
	struct msg head;
	struct front_facts facts;
	struct addr client, node;
	struct request request;
	struct access_entry entry;
	struct waker waker;
	struct access access;
	struct counters *counters;
	char *line;
};

static int open_scene(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&s->arena, &s->chunks);
	addr_parse(SPAN("192.0.2.7"), 5555, &s->client);
	addr_parse(SPAN("10.1.0.1"), 9200, &s->node);
	s->plan.clusters[ARM_SOURCE].name = "source";
	s->plan.access = ACCESS_ALB;
	s->listener = (struct listener){ .name = "weighted", .port = 443 };
	s->facts = (struct front_facts){ .peer = &s->client, .number = 7 };
	msg_open(&s->head, &s->arena, MSG_REQUEST);
	msg_set_request(&s->head, SPAN("GET"), SPAN("/a?b=c"));
	msg_add(&s->head, NAME_HOST, SPAN("search.test"));
	s->request = (struct request){
		.head = &s->head,
		.plan = &s->plan,
		.listener = &s->listener,
		.client = s->client,
		.arm = ARM_SOURCE,
		.epoch = 3,
		.began_ns = 3000 * MS,
		.class = { .class = CLASS_WRITE },
	};
	s->entry = (struct access_entry){
		.request = &s->request,
		.now_ns = 5000 * MS,
		.wall_ns = NOW_WALL_NS,
		.asked_ns = 3002 * MS,
		.responded_ns = 4502 * MS,
		.request_bytes = 20,
		.response_bytes = 1000,
		.status = 200,
	};
	assert_true(waker_open(&s->waker));
	access_open(&s->access, &s->waker, 1);
	s->counters = calloc(1, sizeof *s->counters);
	*state = s;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *s = *state;
	free(s->line);
	free(s->counters);
	access_close(&s->access);
	waker_close(&s->waker);
	arena_close(&s->arena);
	slab_close(&s->chunks);
	free(s);
	return 0;
}

static void note(struct scene *s)
{
	s->request.notes = access_note(&s->arena, &s->facts);
	s->request.notes->request_head_bytes = 80;
}

static void attempt(struct scene *s, const char *host, uint16_t status)
{
	struct addr to;
	struct msg head = { .status = status, .text_n = 98 };
	assert_true(addr_parse(span_of(host), 9200, &to));
	access_note_attempt(s->request.notes, &s->arena, &to, "es-1:9200");
	if (status)
		access_note_response(s->request.notes, &head);
}

static const char *line_of(struct scene *s, enum access_format format)
{
	size_t n = access_line(&s->access, &s->entry, format);
	assert_true(n > 0 && s->access.line[n - 1] == '\n');
	assert_null(memchr(s->access.line, '\n', n - 1));
	free(s->line);
	s->line = strndup(s->access.line, n - 1);
	return s->line;
}

/* The value of a key in the JSON line, with its quotes. */
static void assert_json(struct scene *s, const char *key, const char *expected)
{
	char begin[64];
	snprintf(begin, sizeof begin, "\"%s\":", key);
	const char *at = strstr(line_of(s, ACCESS_JSON), begin);
	assert_non_null(at);
	at += strlen(begin);
	if (strncmp(at, expected, strlen(expected)) != 0 || !strchr(",}", at[strlen(expected)]))
		print_error("%s is %.60s, not %s\n", key, at, expected);
	assert_memory_equal(at, expected, strlen(expected));
	assert_non_null(strchr(",}", at[strlen(expected)]));
}

static void a_line_has_the_fields_of_alb(void **state)
{
	struct scene *s = *state;
	struct tls_context *tls = NULL;
	s->listener.tls = &tls;
	s->facts.session = (struct wire_tls_facts){ .version = "TLSv1.3",
						    .cipher = "TLS_AES_128_GCM_SHA256",
						    .server_name = "search.test",
						    .resumed = true };
	msg_add(&s->head, NAME_USER_AGENT, SPAN("curl/7.88.1"));
	msg_add(&s->head, NAME_X_AMZN_TRACE_ID, SPAN("Root=1-a-b"));
	note(s);
	attempt(s, "10.1.0.2", 0);
	attempt(s, "10.1.0.1", 200);
	msg_set(&s->head, NAME_HOST, SPAN("es-1:9200"));
	assert_string_equal(
		line_of(s, ACCESS_ALB),
		"https 2026-11-23T18:01:25.123456Z crossfade/weighted 192.0.2.7:5555 10.1.0.1:9200 "
		"0.002 1.500 0.000 200 200 100 1100 "
		"\"GET https://search.test:443/a?b=c HTTP/1.1\" \"curl/7.88.1\" "
		"TLS_AES_128_GCM_SHA256 TLSv1.3 source \"Root=1-a-b\" \"search.test\" "
		"\"session-reused\" 0 2026-11-23T18:01:23.123456Z \"forward\" \"-\" \"-\" "
		"\"10.1.0.2:9200 10.1.0.1:9200\" \"- 200\" \"-\" \"-\" TID_bd64a5d9adefe000 "
		"es-1:9200 - TransformSuccess");
}

static void json_has_them_by_name_and_some_more(void **state)
{
	struct scene *s = *state;
	note(s);
	attempt(s, "10.1.0.1", 200);
	assert_string_equal(
		line_of(s, ACCESS_JSON),
		"{\"type\":\"http\",\"time\":\"2026-11-23T18:01:25.123456Z\","
		"\"elb\":\"crossfade/weighted\",\"client\":\"192.0.2.7:5555\","
		"\"target\":\"10.1.0.1:9200\",\"request_processing_time\":0.002,"
		"\"target_processing_time\":1.500,\"response_processing_time\":0.000,"
		"\"elb_status_code\":200,\"target_status_code\":200,\"received_bytes\":100,"
		"\"sent_bytes\":1100,\"request\":\"GET http://search.test:443/a?b=c HTTP/1.1\","
		"\"user_agent\":null,\"ssl_cipher\":null,\"ssl_protocol\":null,"
		"\"target_group\":\"source\",\"trace_id\":null,\"domain_name\":null,"
		"\"chosen_cert\":null,\"matched_rule_priority\":0,"
		"\"request_creation_time\":\"2026-11-23T18:01:23.123456Z\","
		"\"actions_executed\":\"forward\",\"redirect_url\":null,\"error_reason\":null,"
		"\"target_list\":\"10.1.0.1:9200\",\"target_status_code_list\":\"200\","
		"\"classification\":null,\"classification_reason\":null,"
		"\"conn_trace_id\":\"TID_bd64a5d9adefe000\",\"transformed_host\":null,"
		"\"transformed_uri\":null,\"request_transform_status\":null,"
		"\"listener\":\"weighted\",\"node\":\"es-1:9200\",\"method\":\"GET\","
		"\"host\":\"search.test\",\"path\":\"/"
		"a?b=c\",\"kind\":\"write\",\"outcome\":\"accepted\",\"total_time\":2.000,"
		"\"epoch\":3,"
		"\"attempts\":1,\"traceparent\":null}");
}

/* --- what happened --- */

static void a_client_that_goes_is_460_and_its_times_are_unknown(void **state)
{
	struct scene *s = *state;
	s->entry.status = 0;
	s->entry.responded_ns = 0;
	s->entry.why = ERR_PEER_RESET;
	note(s);
	attempt(s, "10.1.0.1", 0);
	assert_json(s, "elb_status_code", "460");
	assert_json(s, "target_status_code", "null");
	assert_json(s, "request_processing_time", "-1");
	assert_json(s, "target_processing_time", "-1");
	assert_json(s, "response_processing_time", "-1");
	assert_json(s, "error_reason", "\"peer_reset\"");
	assert_json(s, "target", "\"10.1.0.1:9200\"");
}

static void a_write_whose_client_goes_has_its_responses_status_all_the_same(void **state)
{
	struct scene *s = *state;
	s->entry.status = 200;
	s->request.orphaned_ns = 1;
	s->entry.why = ERR_PEER_RESET;
	note(s);
	attempt(s, "10.1.0.1", 200);
	assert_json(s, "elb_status_code", "460");
	assert_json(s, "target_status_code", "200");
	assert_json(s, "target_processing_time", "1.500");
	assert_json(s, "response_processing_time", "-1");
	assert_json(s, "sent_bytes", "0");
	assert_json(s, "error_reason", "\"peer_reset\"");
	assert_json(s, "outcome", "\"accepted\"");
}

static void a_write_has_an_outcome(void **state)
{
	struct scene *s = *state;
	static const struct {
		unsigned status;
		bool unknown, read;
		const char *outcome;
	} rows[] = {
		{ 201, false, false, "\"accepted\"" }, { 399, false, false, "\"accepted\"" },
		{ 400, false, false, "\"rejected\"" }, { 499, false, false, "\"rejected\"" },
		{ 500, false, false, "\"failed\"" },   { 0, true, false, "\"unknown\"" },
		{ 0, false, false, "\"not_sent\"" },   { 200, false, true, "null" },
	};
	note(s);
	attempt(s, "10.1.0.1", 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		s->request.notes->attempts[0].status = (uint16_t)rows[i].status;
		s->entry.unknown = rows[i].unknown;
		s->request.class.class = rows[i].read ? CLASS_READ : CLASS_WRITE;
		assert_json(s, "outcome", rows[i].outcome);
	}
}

static void a_response_made_here_names_its_reason(void **state)
{
	struct scene *s = *state;
	s->entry.status = 503;
	s->entry.responded_ns = s->entry.asked_ns = 0;
	s->entry.response_bytes = 321;
	s->entry.why = ERR_NO_ADDRESS;
	note(s);
	assert_json(s, "elb_status_code", "503");
	assert_json(s, "target_status_code", "null");
	assert_json(s, "error_reason", "\"no_address\"");
	assert_json(s, "target", "null");
	assert_json(s, "target_list", "null");
	assert_json(s, "sent_bytes", "321");
	assert_json(s, "classification", "null");
}

static void what_was_no_request_is_severe(void **state)
{
	struct scene *s = *state;
	s->entry.status = 400;
	s->entry.responded_ns = 0;
	s->request.head = NULL;
	s->request.arm = ARM_NONE;
	s->entry.why = ERR_BARE_LF;
	note(s);
	assert_json(s, "request", "\"- - -\"");
	assert_json(s, "classification", "\"Severe\"");
	assert_json(s, "classification_reason", "\"bare_lf\"");
	assert_json(s, "matched_rule_priority", "null");
	assert_json(s, "actions_executed", "null");
	assert_json(s, "target_group", "null");
	/* A client that hung up is no attacker. */
	s->entry.why = ERR_CUT_REQUEST;
	assert_json(s, "classification", "null");
	assert_json(s, "error_reason", "\"request_cut\"");
}

static void a_tunnel_is_a_web_socket(void **state)
{
	struct scene *s = *state;
	s->entry.status = 101;
	note(s);
	assert_json(s, "type", "\"ws\"");
}

static void the_port_of_a_host_stands_once(void **state)
{
	static const struct {
		const char *host, *request;
	} rows[] = {
		{ "a.test", "\"GET http://a.test:443/ HTTP/1.1\"" },
		{ "a.test:80", "\"GET http://a.test:80/ HTTP/1.1\"" },
		{ "[::1]", "\"GET http://[::1]:443/ HTTP/1.1\"" },
		{ "[::1]:80", "\"GET http://[::1]:80/ HTTP/1.1\"" },
		{ "", "\"GET http://:443/ HTTP/1.1\"" },
	};
	struct scene *s = *state;
	note(s);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		msg_open(&s->head, &s->arena, MSG_REQUEST);
		msg_set_request(&s->head, SPAN("GET"), SPAN("/"));
		msg_add(&s->head, NAME_HOST, span_of(rows[i].host));
		assert_json(s, "request", rows[i].request);
	}
}

/* --- what a client sends --- */

/* Whatever bytes stand in a value, they cannot end it, and each can be told from all others. */
static void no_byte_ends_a_field_or_a_line(void **state)
{
	struct scene *s = *state;
	for (int byte = 1; byte < 256; byte++) {
		char name[] = { 'a', (char)byte, 'z', 0 }, alb[32], json[32];
		bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
		snprintf(alb, sizeof alb, plain ? "\"a%cz\"" : "\"a\\x%02Xz\"", byte);
		snprintf(json, sizeof json, plain ? "\"a%cz\"" : "\"a\\u00%02Xz\"", byte);
		s->facts.session.server_name = name;
		note(s);
		assert_json(s, "domain_name", json);
		assert_non_null(strstr(line_of(s, ACCESS_ALB), alb));
	}
}

static void a_forged_line_stays_in_its_field(void **state)
{
	struct scene *s = *state;
	msg_add(&s->head, NAME_USER_AGENT, SPAN("x\" - - \"GET /evil\" 200 \\"));
	note(s);
	attempt(s, "10.1.0.1", 200);
	assert_non_null(strstr(line_of(s, ACCESS_ALB),
			       " \"x\\x22 - - \\x22GET /evil\\x22 200 \\x5C\" - - source "));
}

static size_t length_of_agent(struct scene *s, enum access_format format, char *last)
{
	const char *key = format == ACCESS_JSON ? "\"user_agent\":\"" : "HTTP/1.1\" \"";
	const char *at = strstr(line_of(s, format), key);
	assert_non_null(at);
	at += strlen(key);
	const char *end = strchr(at, '"');
	*last = end[-1];
	return (size_t)(end - at);
}

static size_t length_of_agent_of(struct scene *s, char byte, size_t n, enum access_format format,
				 char *last)
{
	char agent[8200];
	memset(agent, byte, sizeof agent);
	msg_open(&s->head, &s->arena, MSG_REQUEST);
	msg_set_request(&s->head, SPAN("GET"), SPAN("/"));
	msg_add(&s->head, NAME_USER_AGENT, (struct span){ agent, n });
	return length_of_agent(s, format, last);
}

/* 8 KiB of user agent, as with ALB. */
static void a_long_value_is_cut_between_escapes(void **state)
{
	struct scene *s = *state;
	char last;
	note(s);
	assert_int_equal(length_of_agent_of(s, 'a', 8191, ACCESS_ALB, &last), 8191);
	assert_int_equal(length_of_agent_of(s, 'a', 8192, ACCESS_ALB, &last), 8192);
	assert_int_equal(length_of_agent_of(s, 'a', 8193, ACCESS_ALB, &last), 8192);
	assert_int_equal(length_of_agent_of(s, '"', 2049, ACCESS_ALB, &last), 8192);
	assert_int_equal(last, '2');
	/* \u0022 has six. */
	assert_int_equal(length_of_agent_of(s, '"', 2049, ACCESS_JSON, &last), 8190);
	assert_int_equal(last, '2');
}

/* The longest that a client may send, each byte of it escaped: access_line() says must(). */
static void the_longest_line_has_its_room(void **state)
{
	struct scene *s = *state;
	size_t n = FIELD_LINE_BYTES - 64;
	char *quotes = malloc(n + 1);
	memset(quotes, '"', n);
	quotes[n] = 0;
	s->facts.session = (struct wire_tls_facts){ quotes, quotes, quotes, quotes, false, quotes };
	msg_open(&s->head, &s->arena, MSG_REQUEST);
	msg_set_request(&s->head, SPAN("GETGETGETGETGETGETGETGETGETGETGETGETGETX"),
			(struct span){ quotes, n });
	msg_add(&s->head, NAME_HOST, (struct span){ quotes, n });
	msg_add(&s->head, NAME_USER_AGENT, (struct span){ quotes, n });
	msg_add(&s->head, NAME_X_AMZN_TRACE_ID, (struct span){ quotes, n });
	msg_add(&s->head, NAME_TRACEPARENT, (struct span){ quotes, n });
	note(s);
	for (int i = 0; i < CONNECT_ATTEMPTS_MAX; i++)
		attempt(s, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 0);
	msg_set(&s->head, NAME_HOST, SPAN("other"));
	line_of(s, ACCESS_ALB);
	line_of(s, ACCESS_JSON);
	free(quotes);
}

static void a_secret_of_a_query_stands_in_no_line(void **state)
{
	struct scene *s = *state;
	static const struct span names[] = { SPAN_INIT("access_token") };
	s->plan.access_secrets = (struct secret_names){ names, 1 };
	msg_open(&s->head, &s->arena, MSG_REQUEST);
	msg_set_request(&s->head, SPAN("GET"), SPAN("/a?access%5Ftoken=sesame&b=c"));
	msg_add(&s->head, NAME_HOST, SPAN("search.test"));
	note(s);
	assert_null(strstr(line_of(s, ACCESS_ALB), "sesame"));
	assert_non_null(strstr(line_of(s, ACCESS_ALB),
			       "\"GET http://search.test:443/a?access%5Ftoken=***&b=c HTTP/1.1\""));
	assert_null(strstr(line_of(s, ACCESS_JSON), "sesame"));
	assert_json(s, "path", "\"/a?access%5Ftoken=***&b=c\"");
}

/* --- the ring --- */

static bool is_woken(const struct scene *s)
{
	return poll(&(struct pollfd){ .fd = s->waker.fd, .events = POLLIN }, 1, 0) == 1;
}

static void a_full_ring_loses_lines_and_counts_them(void **state)
{
	struct scene *s = *state;
	note(s);
	size_t bytes = strlen(line_of(s, ACCESS_ALB)) + 1;
	uint64_t fits = ACCESS_RING_BYTES / bytes, half = ACCESS_RING_BYTES / 2 / bytes;
	for (uint64_t i = 0; i < half; i++)
		access_write(&s->access, &s->entry, s->counters);
	assert_false(is_woken(s));
	access_write(&s->access, &s->entry, s->counters);
	assert_true(is_woken(s));
	for (uint64_t i = half + 1; i < fits + 3; i++)
		access_write(&s->access, &s->entry, s->counters);
	assert_int_equal(counter_read(&s->counters->access_lines), fits);
	assert_int_equal(counter_read(&s->counters->access_dropped), 3);
	assert_int_equal(ring_used(&s->access.ring), fits * bytes);
	/* The thread has come round. */
	ring_take(&s->access.ring, bytes);
	access_write(&s->access, &s->entry, s->counters);
	assert_int_equal(counter_read(&s->counters->access_lines), fits + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_the_fields_of_alb),
		TEST(json_has_them_by_name_and_some_more),
		TEST(a_client_that_goes_is_460_and_its_times_are_unknown),
		TEST(a_write_whose_client_goes_has_its_responses_status_all_the_same),
		TEST(a_write_has_an_outcome),
		TEST(a_response_made_here_names_its_reason),
		TEST(what_was_no_request_is_severe),
		TEST(a_tunnel_is_a_web_socket),
		TEST(the_port_of_a_host_stands_once),
		TEST(no_byte_ends_a_field_or_a_line),
		TEST(a_forged_line_stays_in_its_field),
		TEST(a_long_value_is_cut_between_escapes),
		TEST(the_longest_line_has_its_room),
		TEST(a_secret_of_a_query_stands_in_no_line),
		TEST(a_full_ring_loses_lines_and_counts_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
