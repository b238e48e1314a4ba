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

static const struct service_user echo = { .serve = serve_echo, .gone = gone_never };

static void whole_requests_get_whole_responses(void **state)
{
	(void)state;
	static const struct {
		const char *request, *response;
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
	char response[65536];
	http_server_open(&s, &echo, NULL, BODY_MAX);
	int fd = http_connect(&s.at);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		http_ask(fd, rows[i].request, response);
		assert_string_equal(response, rows[i].response);
	}
	close(fd);
	http_server_close(&s);
}

static void too_large_a_body_is_refused(void **state)
{
	(void)state;
	struct http_server s;
	char response[65536], request[4096], body[BODY_MAX + 100];
	http_server_open(&s, &echo, NULL, BODY_MAX);
	int fd = http_connect(&s.at);
	http_ask(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", response);
	assert_memory_equal(response, "413 ", 4);
	close(fd);
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = 0;
	snprintf(request, sizeof request,
		 "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n",
		 sizeof body - 1, body);
	fd = http_connect(&s.at);
	http_ask(fd, request, response);
	assert_memory_equal(response, "413 ", 4);
	close(fd);
	http_server_close(&s);
}

static void what_is_no_request_is_refused(void **state)
{
	(void)state;
	struct http_server s;
	char response[65536];
	http_server_open(&s, &echo, NULL, BODY_MAX);
	int fd = http_connect(&s.at);
	http_ask(fd, "GET / HTTP/1.1\r\n\r\n", response);
	assert_memory_equal(response, "400 ", 4);
	assert_false(http_hear(fd, response));
	close(fd);
	http_server_close(&s);
}

/* --- responses that come later --- */

struct later {
	struct timer timer;
	struct call *call;
	atomic_uint served, gone;
};

static void respond_now(struct timer *t)
{
	struct later *l = list_entry(t, struct later, timer);
	call_text(l->call, 200, SPAN("text/plain"), SPAN("later"));
}

static void serve_later(struct call *c)
{
	struct later *l = c->service->owner;
	l->call = c;
	timer_init(&l->timer, respond_now);
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

static const struct service_user later_user = { .serve = serve_later, .gone = gone_later };

static void a_response_may_come_later(void **state)
{
	(void)state;
	struct later l = { 0 };
	struct http_server s;
	char response[65536];
	http_server_open(&s, &later_user, &l, BODY_MAX);
	int fd = http_connect(&s.at);
	http_ask(fd, "GET /soon HTTP/1.1\r\nHost: h\r\n\r\n", response);
	assert_string_equal(response, "200 later");
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

/* --- responses that come piece by piece --- */

#define PIECE_BYTES 16384
#define PIECES 1024

/* Says as much as is taken, and goes on when it is. */
struct teller {
	struct call *call;
	struct timer next;
	unsigned said, taken;
	size_t most; /* that was not taken at once */
	atomic_uint gone;
	atomic_bool waits; /* for somebody to take what was said */
};

static void tell_on(struct teller *t)
{
	static char piece[PIECE_BYTES];
	memset(piece, 'x', sizeof piece);
	while (t->said < PIECES && call_untaken(t->call) < CALL_UNTAKEN_BYTES) {
		t->said++;
		if (!call_say(t->call, (struct span){ piece, sizeof piece }))
			return;
		if (call_untaken(t->call) > t->most)
			t->most = call_untaken(t->call);
	}
	if (t->said == PIECES)
		call_end(t->call);
	else
		atomic_store(&t->waits, true);
}

static void say_second(struct timer *timer)
{
	struct teller *t = list_entry(timer, struct teller, next);
	assert_true(call_say(t->call, SPAN("second\n")));
	call_end(t->call);
}

static void serve_pieces(struct call *c)
{
	struct teller *t = c->service->owner;
	t->call = c;
	t->said = 0;
	timer_init(&t->next, say_second);
	call_head(c, 200, SPAN("text/plain"));
	if (!call_begin(c))
		return;
	if (span_is(c->path, SPAN("/much"))) {
		tell_on(t);
		return;
	}
	assert_true(call_say(c, SPAN("first\n")));
	timer_set(&c->service->loop->wheel, &t->next, c->service->loop->wheel.now_ms + 20);
}

static void gone_pieces(struct call *c)
{
	struct teller *t = c->service->owner;
	timer_clear(&t->next);
	atomic_fetch_add(&t->gone, 1);
}

static void taken_pieces(struct call *c)
{
	struct teller *t = c->service->owner;
	assert_int_equal(call_untaken(c), 0);
	t->taken++;
	tell_on(t);
}

static const struct service_user teller_user = { .serve = serve_pieces,
						 .gone = gone_pieces,
						 .taken = taken_pieces };

/* Until that stands in what has come, or the connection ends. */
static void hear_until(int fd, char *text, size_t room, const char *what)
{
	size_t n = strlen(text);
	while (!strstr(text, what)) {
		ssize_t got = recv(fd, text + n, room - 1 - n, 0);
		assert_true(got > 0);
		n += (size_t)got;
		text[n] = 0;
	}
}

static void a_response_may_come_piece_by_piece(void **state)
{
	(void)state;
	struct teller t = { 0 };
	struct http_server s;
	char text[4096] = "";
	http_server_open(&s, &teller_user, &t, BODY_MAX);
	int fd = http_connect(&s.at);
	http_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	hear_until(fd, text, sizeof text, "first\n");
	assert_non_null(strcasestr(text, "\r\ntransfer-encoding: chunked\r\n"));
	assert_null(strstr(text, "second"));
	hear_until(fd, text, sizeof text, "\r\n0\r\n\r\n");
	assert_non_null(strstr(text, "6\r\nfirst\n\r\n7\r\nsecond\n\r\n0\r\n\r\n"));
	/* The connection serves on; of HEAD no piece comes. */
	text[0] = 0;
	http_say(fd, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	hear_until(fd, text, sizeof text, "\r\n\r\n");
	assert_null(strstr(text, "first"));
	close(fd);
	http_server_close(&s);
	assert_int_equal(t.gone, 0);
}

static void who_does_not_take_the_pieces_holds_back_who_says_them(void **state)
{
	(void)state;
	struct teller t = { 0 };
	struct http_server s;
	static char text[1 << 16];
	size_t n = 0;
	http_server_open(&s, &teller_user, &t, BODY_MAX);
	int fd = http_connect(&s.at);
	http_say(fd, "GET /much HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	while (!atomic_load(&t.waits))
		sched_yield();
	for (ssize_t got; (got = recv(fd, text, sizeof text, 0)) > 0;)
		n += (size_t)got;
	assert_true(n > (size_t)PIECES * PIECE_BYTES);
	assert_true(n < (size_t)PIECES * PIECE_BYTES * 11 / 10);
	close(fd);
	http_server_close(&s);
	assert_true(t.taken > 0);
	assert_true(t.most < CALL_UNTAKEN_BYTES + PIECE_BYTES);
}

static void who_goes_amid_the_pieces_is_told_of(void **state)
{
	(void)state;
	struct teller t = { 0 };
	struct http_server s;
	http_server_open(&s, &teller_user, &t, BODY_MAX);
	int fd = http_connect(&s.at);
	http_say(fd, "GET /much HTTP/1.1\r\nHost: h\r\n\r\n");
	while (!atomic_load(&t.waits))
		sched_yield();
	struct linger hard = { 1, 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	while (!atomic_load(&t.gone))
		sched_yield();
	http_server_close(&s);
	assert_int_equal(t.gone, 1);
}

static void stopping_ends_what_waits(void **state)
{
	(void)state;
	struct later l = { 0 };
	struct http_server s;
	char response[65536];
	http_server_open(&s, &later_user, &l, BODY_MAX);
	int idle = http_connect(&s.at), fd = http_connect(&s.at);
	http_say(fd, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
	while (!atomic_load(&l.served))
		sched_yield();
	http_server_close(&s);
	assert_int_equal(l.gone, 1);
	assert_false(http_hear(fd, response));
	assert_false(http_hear(idle, response));
	close(fd);
	close(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_requests_get_whole_responses),
		cmocka_unit_test(too_large_a_body_is_refused),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(a_response_may_come_later),
		cmocka_unit_test(a_client_that_goes_is_told_of),
		cmocka_unit_test(a_response_may_come_piece_by_piece),
		cmocka_unit_test(who_does_not_take_the_pieces_holds_back_who_says_them),
		cmocka_unit_test(who_goes_amid_the_pieces_is_told_of),
		cmocka_unit_test(stopping_ends_what_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
