#include "unit/control/http_kit.h"

#define BODY_MAX 1000

/* Says what it was asked: METHOD PATH ? QUERY : bytes of body. */
static void serve_echo(struct call *c)
{
	char text[512];
	int n = snprintf(text, sizeof text, "%.*s %.*s?%.*s:%zu", (int)msg_method(c->request).n,
			 msg_method(c->request).at, (int)c->path.n, c->path.at, (int)c->query.n,
			 c->query.at, c->body.n);
	call_text(c, 200, SPAN("text/plain"), (struct span){ text, (size_t)n });
}

static void gone_never(struct call *c)
{
	(void)c;
	fail_msg("a call that was answered at once has gone");
}

static const struct service_user echo = { serve_echo, gone_never };

static void whole_requests_get_whole_answers(void **state)
{
	(void)state;
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{ "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", "200 GET /a?b=c:0" },
		{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "200 GET /?:0" },
		{ "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "200 PUT /x?:3" },
		{ "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
		  "200 PUT /x?:5" },
		{ "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "1\r\na\r\n0\r\nMore: x\r\n\r\n",
		  "200 PUT /x?:1" },
		{ "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
		  "1\r\n\r\na",
		  "200 PUT /x?:1" },
	};
	struct http_server s;
	char answer[65536];
	http_server_open(&s, &echo, NULL, BODY_MAX);
	int fd = http_connect(&s.at);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		http_ask(fd, rows[i].request, answer);
		assert_string_equal(answer, rows[i].answer);
	}
	close(fd);
	http_server_close(&s);
}

static void too_large_a_body_is_refused(void **state)
{
	(void)state;
	struct http_server s;
	char answer[65536], request[4096], body[BODY_MAX + 100];
	http_server_open(&s, &echo, NULL, BODY_MAX);
	int fd = http_connect(&s.at);
	http_ask(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", answer);
	assert_memory_equal(answer, "413 ", 4);
	close(fd);
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = 0;
	snprintf(request, sizeof request,
		 "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n",
		 sizeof body - 1, body);
	fd = http_connect(&s.at);
	http_ask(fd, request, answer);
	assert_memory_equal(answer, "413 ", 4);
	close(fd);
	http_server_close(&s);
}

static void what_is_no_request_is_refused(void **state)
{
	(void)state;
	struct http_server s;
	char answer[65536];
	http_server_open(&s, &echo, NULL, BODY_MAX);
	int fd = http_connect(&s.at);
	http_ask(fd, "GET / HTTP/1.1\r\n\r\n", answer);
	assert_memory_equal(answer, "400 ", 4);
	assert_false(http_hear(fd, answer));
	close(fd);
	http_server_close(&s);
}

/* --- answers that come later --- */

struct later {
	struct timer timer;
	struct call *call;
	atomic_uint served, gone;
};

static void answer_now(struct timer *t)
{
	struct later *l = list_entry(t, struct later, timer);
	call_text(l->call, 200, SPAN("text/plain"), SPAN("later"));
}

static void serve_later(struct call *c)
{
	struct later *l = c->service->owner;
	l->call = c;
	timer_init(&l->timer, answer_now);
	if (span_is(c->path, SPAN("/soon")))
		timer_set(&c->service->loop->wheel, &l->timer, c->service->loop->wheel.now_ms + 20);
	atomic_fetch_add(&l->served, 1);
}

static void gone_later(struct call *c)
{
	struct later *l = c->service->owner;
	assert_ptr_equal(l->call, c);
	atomic_fetch_add(&l->gone, 1);
}

static const struct service_user later_user = { serve_later, gone_later };

static void an_answer_may_come_later(void **state)
{
	(void)state;
	struct later l = { 0 };
	struct http_server s;
	char answer[65536];
	http_server_open(&s, &later_user, &l, BODY_MAX);
	int fd = http_connect(&s.at);
	http_ask(fd, "GET /soon HTTP/1.1\r\nHost: h\r\n\r\n", answer);
	assert_string_equal(answer, "200 later");
	close(fd);
	http_server_close(&s);
	assert_int_equal(l.gone, 0);
}

static void a_client_that_goes_is_told_of(void **state)
{
	(void)state;
	struct later l = { 0 };
	struct http_server s;
	http_server_open(&s, &later_user, &l, BODY_MAX);
	int fd = http_connect(&s.at);
	http_say(fd, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	while (!atomic_load(&l.served))
		sched_yield();
	/* With a reset: a FIN alone would be a client that still listens. */
	struct linger hard = { 1, 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	while (!atomic_load(&l.gone))
		sched_yield();
	http_server_close(&s);
	assert_int_equal(l.gone, 1);
}

static void stopping_ends_what_waits(void **state)
{
	(void)state;
	struct later l = { 0 };
	struct http_server s;
	char answer[65536];
	http_server_open(&s, &later_user, &l, BODY_MAX);
	int idle = http_connect(&s.at), fd = http_connect(&s.at);
	http_say(fd, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	while (!atomic_load(&l.served))
		sched_yield();
	http_server_close(&s);
	assert_int_equal(l.gone, 1);
	assert_false(http_hear(fd, answer));
	assert_false(http_hear(idle, answer));
	close(fd);
	close(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_requests_get_whole_answers),
		cmocka_unit_test(too_large_a_body_is_refused),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(an_answer_may_come_later),
		cmocka_unit_test(a_client_that_goes_is_told_of),
		cmocka_unit_test(stopping_ends_what_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
