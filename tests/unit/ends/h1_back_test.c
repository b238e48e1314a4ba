#include "unit/ends/stage.h"

#include <errno.h>

/* A connection to a node, and whoever asks over it. */
struct fixture {
	struct stage s;
	struct far_host host;
	struct h1_back *back; /* NULL: it is lost */
	struct party asker;
	bool had_sent; /* when it was lost */
};

/* --- its user: what it hears stands among the asker's words, in their order --- */

static void on_idle(struct h1_back *b)
{
	struct fixture *f = b->owner;
	words_add(&f->s.words, "idle");
}

static void on_lost(struct h1_back *b, enum err why)
{
	struct fixture *f = b->owner;
	words_add(&f->s.words, "lost(%s)", err_word(why));
	f->had_sent = h1_back_has_sent(b);
	f->back = NULL;
}

static const struct h1_back_user user = { .idle = on_idle, .lost = on_lost };

/* --- the fixture --- */

static void begin_connect(struct fixture *f, struct tls_context *tls)
{
	f->back = h1_back_connect(&f->s.backs, &user, &back_policy, f, &f->host.at, tls,
				  tls ? "node.test" : NULL, &f->s.budget);
}

static void open_host(struct fixture *f)
{
	struct addr at = address_of("10.9.0.1", 9200);
	stage_open(&f->s);
	far_host_open(&f->host, &f->s.far, &at);
	party_init(&f->asker, &f->s.words, &f->s.bufs);
}

/* Not connected yet. */
static int open_unconnected(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	open_host(f);
	begin_connect(f, NULL);
	*state = f;
	return 0;
}

static int open_fixture(void **state)
{
	open_unconnected(state);
	struct fixture *f = *state;
	far_settle(&f->s.far);
	assert_words(&f->s.words, "idle");
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	party_leave(&f->asker, ERR_CANCELED);
	if (f->back)
		h1_back_close(f->back);
	far_settle(&f->s.far);
	assert_int_equal(f->s.backs.open_n, 0);
	party_free(&f->asker);
	far_host_close(&f->host);
	stage_close(&f->s);
	free(f);
	return 0;
}

static struct far *node(struct fixture *f)
{
	assert_true(f->host.conn_n > 0);
	return f->host.conns[f->host.conn_n - 1];
}

static void settle(struct fixture *f)
{
	far_settle(&f->s.far);
}

static void pass_ms(struct fixture *f, uint64_t ms)
{
	far_pass_ms(&f->s.far, ms);
}

/* The asker takes so much of a response's body. Nothing is settled. */
static void begin_ask(struct fixture *f, const char *head, bool end, size_t credit)
{
	h1_back_take(f->back, &f->asker.stream, &f->s.arena);
	if (credit)
		party_grants(&f->asker, credit);
	stream_head(f->asker.stream.peer, request_of(&f->s.arena, head), end);
}

static void ask(struct fixture *f, const char *head, bool end)
{
	begin_ask(f, head, end, STREAM_CREDIT_BYTES);
	settle(f);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define UPGRADE GET "Connection: upgrade\r\nUpgrade: websocket\r\n"
#define SWITCHES                                                                                   \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

/* --- responses --- */

enum then { STAYS, FINISHES, RESETS };

struct response_row {
	const char *method, *response;
	enum then then;
	const char *heard, *body;
};

static void check_response(const struct response_row *row)
{
	void *own;
	open_fixture(&own);
	struct fixture *f = own;
	char head[64];
	snprintf(head, sizeof head, "%s / HTTP/1.1\r\nHost: a\r\n", row->method);
	ask(f, head, true);
	assert_words(&f->s.words, "");
	struct far *n = node(f);
	if (row->response[0])
		far_say(n, row->response);
	if (row->then == FINISHES)
		far_finish(n);
	else if (row->then == RESETS)
		far_hang_up(n, true);
	assert_words(&f->s.words, row->heard);
	assert_string_equal(f->asker.body, row->body);
	close_fixture(&own);
}

#define HEAD_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define HEAD_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void a_response_is_passed_on_and_the_connection_kept(void **state)
{
	(void)state;
	static const struct response_row rows[] = {
		{ "GET", HEAD_5 "hello", STAYS, "head(200) data. idle", "hello" },
		{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STAYS, "head(200). idle",
		  "" },
		{ "GET", HEAD_CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", STAYS,
		  "head(200) data. idle", "hello!" },
		{ "GET", HEAD_CHUNKED "0\r\n\r\n", STAYS, "head(200) data. idle", "" },
		{ "GET", HEAD_CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 7\r\nX-Of: 9\r\n\r\n", STAYS,
		  "head(200) data trailers(2). idle", "hello" },
		{ "GET", HEAD_CHUNKED "0\r\nX-Sum: 7\r\n\r\n", STAYS, "head(200) trailers(1). idle",
		  "" },
		{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", STAYS, "head(200). idle",
		  "" },
		{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", STAYS, "head(204). idle", "" },
		{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", STAYS,
		  "head(304). idle", "" },
		{ "GET",
		  "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		  STAYS, "head(200) data. idle", "hello" },
		{ "GET",
		  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" HEAD_5 "hello",
		  STAYS, "head(100) head(103) head(200) data. idle", "hello" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_response(&rows[i]);
}

static void a_response_is_passed_on_and_the_connection_not_kept(void **state)
{
	(void)state;
	static const struct response_row rows[] = {
		{ "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
		  STAYS, "head(200) data. lost(none)", "hello" },
		{ "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", STAYS,
		  "head(200) data. lost(none)", "hello" },
		{ "GET", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", STAYS,
		  "head(204). lost(none)", "" },
		/* A last chunk may come behind such a head, whenever it likes. */
		{ "HEAD", HEAD_CHUNKED, STAYS, "head(200). lost(none)", "" },
		{ "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", STAYS,
		  "head(304). lost(none)", "" },
		{ "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", STAYS,
		  "head(204). lost(none)", "" },
		{ "GET", "HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\n" HEAD_5 "hello", STAYS,
		  "head(103) head(200) data. lost(none)", "hello" },
		/* What comes behind it was not asked for. */
		{ "GET", HEAD_5 "hello!", STAYS, "head(200) data. lost(none)", "hello" },
		{ "HEAD", HEAD_5 "hello", STAYS, "head(200). lost(none)", "" },
		{ "GET", "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n", STAYS,
		  "head(304). lost(none)", "" },
		/* Its end is the connection's. */
		{ "GET", "HTTP/1.1 200 OK\r\n\r\nhello", STAYS, "head(200) data", "hello" },
		{ "GET", "HTTP/1.1 200 OK\r\n\r\nhello", FINISHES, "head(200) data. lost(none)",
		  "hello" },
		{ "GET", "HTTP/1.1 200 OK\r\n\r\n", FINISHES, "head(200) data. lost(none)", "" },
		{ "GET", HEAD_5 "hello", FINISHES, "head(200) data. idle lost(none)", "hello" },
		{ "GET", HEAD_5 "hello", RESETS, "head(200) data. idle lost(connection_reset)",
		  "hello" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_response(&rows[i]);
}

/* The connection is given up before the asker hears of it: what it does then finds another. */
static void a_bad_response_breaks_off_and_says_why(void **state)
{
	(void)state;
	static const struct response_row rows[] = {
		{ "GET", HEAD_CHUNKED "x\r\n", STAYS,
		  "lost(response_malformed) reset(response_malformed)", "" },
		{ "GET", HEAD_CHUNKED "5;\r\nhello", STAYS,
		  "lost(response_malformed) reset(response_malformed)", "" },
		{ "GET", HEAD_CHUNKED "5\r\nhellox", STAYS,
		  "head(200) data lost(response_malformed) reset(response_malformed)", "hello" },
		{ "GET", "", FINISHES, "lost(connection_reset) reset(connection_reset)", "" },
		{ "GET", "", RESETS, "lost(connection_reset) reset(connection_reset)", "" },
		{ "GET", "HTTP/1.1 200 OK\r\nContent-", FINISHES,
		  "lost(connection_reset) reset(connection_reset)", "" },
		{ "GET", "HTTP/1.1 100 Continue\r\n\r\n", FINISHES,
		  "head(100) lost(connection_reset) reset(connection_reset)", "" },
		{ "GET", HEAD_5 "hell", FINISHES,
		  "head(200) data lost(response_cut) reset(response_cut)", "hell" },
		{ "GET", HEAD_5 "hell", RESETS,
		  "head(200) data lost(response_cut) reset(response_cut)", "hell" },
		{ "GET", HEAD_CHUNKED "5\r\nhello\r\n", FINISHES,
		  "head(200) data lost(response_cut) reset(response_cut)", "hello" },
		{ "GET", "HTTP/1.1 200 OK\r\n\r\nhello", RESETS,
		  "head(200) data lost(response_cut) reset(response_cut)", "hello" },
		{ "GET", "SSH-2.0-OpenSSH_9.2\r\n", STAYS,
		  "lost(response_malformed) reset(response_malformed)", "" },
		{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", STAYS,
		  "lost(response_malformed) reset(response_malformed)", "" },
		{ "GET", HEAD_CHUNKED "5\r\nhello\r\nxyz\r\n", STAYS,
		  "head(200) data lost(response_malformed) reset(response_malformed)", "hello" },
		{ "GET", SWITCHES, STAYS, "lost(upgrade_unasked) reset(upgrade_unasked)", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_response(&rows[i]);
}

static void a_response_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	static const char response[] = "HTTP/1.1 100 Continue\r\n\r\n" HEAD_CHUNKED
				       "5;x=y\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n";
	ask(f, GET, true);
	for (size_t i = 0; i < sizeof response - 1; i++)
		far_say_bytes(node(f), response + i, 1);
	assert_words(&f->s.words, "head(100) head(200) data trailers(1). idle");
	assert_string_equal(f->asker.body, "hello");
}

static void say_fields(struct fixture *f, unsigned n, const char *line)
{
	char *text = malloc(n * strlen(line) + 100), *at = text;
	at += sprintf(at, "HTTP/1.1 200 OK\r\n");
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "%s", line);
	sprintf(at, "Content-Length: 0\r\n\r\n");
	far_say(node(f), text);
	free(text);
}

static void a_responses_head_may_be_so_large_and_no_larger(void **state)
{
	struct fixture *f = *state;
	char line[1025];
	memset(line, 'x', 1024);
	memcpy(line, "Y: ", 3);
	memcpy(line + 1022, "\r\n", 3);
	ask(f, GET, true);
	say_fields(f, RESPONSE_HEAD_BYTES / 1024 - 1, line);
	assert_words(&f->s.words, "head(200). idle");
	ask(f, GET, true);
	say_fields(f, RESPONSE_HEAD_BYTES / 1024, line);
	assert_words(&f->s.words, "lost(response_head_too_large) reset(response_head_too_large)");
}

/* As many as come, one by one or together; their memory is that of one. */
static void there_may_be_so_many_bytes_of_interim_responses_and_no_more(void **state)
{
	struct fixture *f = *state;
	static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
	size_t n = INTERIM_BYTES / (sizeof interim - 1);
	for (int inflight_run = 0; inflight_run < 2; inflight_run++) {
		ask(f, GET, true);
		const char *held = NULL;
		for (size_t i = 0; i < n; i++) {
			far_say(node(f), interim);
			assert_words(&f->s.words, "head(102)");
			assert_true(!i || held == f->s.arena.at);
			held = f->s.arena.at;
		}
		if (inflight_run == 0)
			far_say(node(f), "HTTP/1.1 204 No Content\r\n\r\n");
		else
			far_say(node(f), interim);
		assert_words(&f->s.words, inflight_run == 0 ? "head(204). idle"
							    : "lost(interim_flood) "
							      "reset(interim_flood)");
	}
}

static void the_response_behind_interim_ones_has_nothing_of_them(void **state)
{
	struct fixture *f = *state;
	ask(f, GET, true);
	far_say(node(f), "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nA: b\r\n\r\n"
			 "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n"
			 "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n");
	assert_words(&f->s.words, "head(103) head(103) head(204). idle");
}

/* --- requests --- */

/* What the node gets. The body's pieces are said one by one; trailers, when they are there, last.
 */
static void a_request_is_written_in_its_framing(void **state)
{
	(void)state;
	static const struct {
		const char *head, *pieces[3];
		bool end_apart, trailers;
		const char *sent;
	} rows[] = {
		{ GET, { 0 }, false, false, GET "\r\n" },
		{ POST "Content-Length: 5\r\n",
		  { "he", "llo" },
		  false,
		  false,
		  POST "Content-Length: 5\r\n\r\nhello" },
		{ POST "Content-Length: 5\r\n",
		  { "hello" },
		  true,
		  false,
		  POST "Content-Length: 5\r\n\r\nhello" },
		{ POST CHUNKED,
		  { "hello", "more than ten" },
		  false,
		  false,
		  POST CHUNKED "\r\n5\r\nhello\r\nd\r\nmore than ten\r\n0\r\n\r\n" },
		{ POST CHUNKED,
		  { "hello" },
		  true,
		  false,
		  POST CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n" },
		{ POST CHUNKED, { 0 }, false, false, POST CHUNKED "\r\n0\r\n\r\n" },
		{ POST CHUNKED,
		  { "hello" },
		  false,
		  true,
		  POST CHUNKED "\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		bool any = rows[i].pieces[0] != NULL;
		ask(f, rows[i].head, !any);
		for (int k = 0; k < 3 && rows[i].pieces[k]; k++) {
			bool last = k == 2 || !rows[i].pieces[k + 1];
			bool more = rows[i].end_apart || rows[i].trailers;
			party_say(&f->asker, rows[i].pieces[k], last && !more);
			settle(f);
		}
		if (any && rows[i].end_apart)
			party_say(&f->asker, "", true);
		if (rows[i].trailers)
			stream_trailers(f->asker.stream.peer,
					trailers_of(&f->s.arena, "X-Sum", "7"));
		settle(f);
		assert_string_equal(node(f)->got, rows[i].sent);
		assert_words(&f->s.words, any ? "grant" : "");
		close_fixture(&own);
	}
}

static void what_is_asked_while_it_connects_goes_when_it_has_connected(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, POST "Content-Length: 5\r\n", false, 100);
	assert_words(&f->s.words, "");
	assert_false(h1_back_has_sent(f->back));
	settle(f);
	assert_words(&f->s.words, "grant");
	assert_true(h1_back_has_sent(f->back));
	assert_string_equal(node(f)->got, POST "Content-Length: 5\r\n\r\n");
	party_say(&f->asker, "hello", true);
	far_say(node(f), HEAD_5 "there");
	assert_words(&f->s.words, "head(200) data. idle");
}

/* --- credit --- */

/* All that is granted is said at once, and the node does not read. */
static void a_node_that_reads_nothing_is_granted_one_credit_and_no_more(void **state)
{
	struct fixture *f = *state;
	f->host.deaf = true;
	ask(f, POST CHUNKED, false);
	for (int i = 0; i < 20; i++) {
		party_say_much(&f->asker, SIZE_MAX);
		settle(f);
	}
	/* The head waits too at first, and the network holds some. */
	assert_in_range(f->asker.granted, STREAM_CREDIT_BYTES - 100,
			STREAM_CREDIT_BYTES + 64 * 1024);
	uint64_t before = f->asker.granted;
	far_hear(node(f));
	for (int i = 0; i < 20; i++) {
		party_say_much(&f->asker, STREAM_CREDIT_BYTES);
		settle(f);
	}
	assert_true(f->asker.granted >= before + 20 * STREAM_CREDIT_BYTES / 2);
}

static void credit_is_not_given_for_every_packet(void **state)
{
	struct fixture *f = *state;
	ask(f, POST CHUNKED, false);
	/* The head's bytes waited when the first was given. */
	uint64_t first = f->asker.granted, head = STREAM_CREDIT_BYTES - first;
	assert_int_equal(head, strlen(POST CHUNKED "\r\n"));
	party_say_much(&f->asker, STREAM_CREDIT_BYTES / 4 - head - 1);
	settle(f);
	assert_int_equal(f->asker.granted, first);
	party_say_much(&f->asker, 1);
	settle(f);
	assert_int_equal(f->asker.granted, first + STREAM_CREDIT_BYTES / 4);
}

static void a_response_comes_as_far_as_credit_goes(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, GET, true, 0);
	settle(f);
	far_say(node(f), HEAD_5 "hello");
	assert_words(&f->s.words, "head(200)");
	party_grants(&f->asker, 2);
	assert_string_equal(f->asker.body, "he");
	party_grants(&f->asker, 2);
	assert_string_equal(f->asker.body, "hell");
	assert_words(&f->s.words, "data");
	party_grants(&f->asker, 2);
	assert_string_equal(f->asker.body, "hello");
	assert_words(&f->s.words, "data. idle");
}

static void without_credit_the_node_is_not_read(void **state)
{
	struct fixture *f = *state;
	enum { MUCH = 1 << 20 };
	begin_ask(f, GET, true, 0);
	settle(f);
	char *much = calloc(1, MUCH);
	far_say(node(f), "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
	far_say_bytes(node(f), much, MUCH);
	free(much);
	assert_true(far_is_sending(node(f)));
	assert_true(f->s.bufs.bytes_out <= 2 * BLOCK_LARGE_BYTES);
	size_t given = 0;
	while (given < MUCH) {
		party_grants(&f->asker, MUCH / 8);
		given += MUCH / 8;
		settle(f);
		assert_int_equal(f->asker.body_n, given);
	}
	assert_words(&f->s.words, "head(200) data. idle");
}

/* An end without a byte more needs none. */
static void the_end_of_a_response_needs_no_credit(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, GET, true, 5);
	settle(f);
	far_say(node(f), HEAD_CHUNKED "5\r\nhello\r\n");
	assert_words(&f->s.words, "head(200) data");
	far_say(node(f), "0\r\n\r\n");
	party_grants(&f->asker, 1);
	settle(f);
	assert_words(&f->s.words, "data. idle");
}

/* --- early responses --- */

static void a_response_that_ends_early_stops_the_request_and_the_connection(void **state)
{
	struct fixture *f = *state;
	ask(f, POST "Content-Length: 100\r\n", false);
	party_say(&f->asker, "hello", false);
	far_say(node(f), "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	assert_words(&f->s.words, "grant head(413) data. stop(none) lost(none)");
	assert_true(stream_over(&f->asker.stream));
	assert_int_equal(node(f)->last, 0);
}

static void a_response_that_begins_early_stops_nothing(void **state)
{
	struct fixture *f = *state;
	ask(f, POST "Content-Length: 10\r\n", false);
	far_say(node(f), HEAD_5 "hel");
	assert_words(&f->s.words, "grant head(200) data");
	party_say(&f->asker, "0123456789", true);
	settle(f);
	assert_string_equal(node(f)->got, POST "Content-Length: 10\r\n\r\n0123456789");
	far_say(node(f), "lo");
	assert_words(&f->s.words, "data. idle");
}

/* --- between two responses --- */

/* It rests: it is idle for its user a second time when nothing has come. */
static void a_tail_that_comes_late_ends_the_connection(void **state)
{
	(void)state;
	static const struct {
		const char *method, *response;
		bool rests;
	} rows[] = {
		{ "HEAD", HEAD_5, true },
		{ "HEAD", "HTTP/1.1 200 OK\r\n\r\n", true },
		{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false },
		{ "GET", "HTTP/1.1 304 Not Modified\r\n\r\n", true },
		{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true },
		{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", true },
		{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false },
	};
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		char head[64];
		snprintf(head, sizeof head, "%s / HTTP/1.1\r\nHost: a\r\n", rows[i / 2].method);
		ask(f, head, true);
		far_say(node(f), rows[i / 2].response);
		f->s.words.text[0] = 0;
		assert_int_equal(f->back->rests, rows[i / 2].rests);
		if (i % 2) {
			pass_ms(f, TAIL_WAIT_MS);
			assert_words(&f->s.words, rows[i / 2].rests ? "idle" : "");
		}
		far_say(node(f), "hello");
		assert_words(&f->s.words, "lost(none)");
		close_fixture(&own);
	}
}

static void one_that_has_rested_is_kept_no_longer_than_others(void **state)
{
	struct fixture *f = *state;
	ask(f, GET, true);
	far_say(node(f), "HTTP/1.1 204 No Content\r\n\r\n");
	pass_ms(f, KEEP_MS - 1);
	assert_words(&f->s.words, "head(204). idle idle");
	pass_ms(f, 1);
	assert_words(&f->s.words, "lost(none)");
}

static void empty_lines_between_responses_are_dropped(void **state)
{
	struct fixture *f = *state;
	static const char *const strays[] = { "\n", "\r\n", "\r\n\r\n" };
	for (size_t i = 0; i < sizeof strays / sizeof *strays; i++) {
		ask(f, GET, true);
		far_say(node(f), HEAD_5 "hello");
		assert_words(&f->s.words, "head(200) data. idle");
		/* Before the next request, behind it, and at once with the response to it. */
		far_say(node(f), strays[i]);
		ask(f, GET, true);
		far_say(node(f), HEAD_5 "hello");
		ask(f, GET, true);
		far_say(node(f), strays[i]);
		assert_false(f->back->heard);
		far_say(node(f), HEAD_5 "hello");
		ask(f, GET, true);
		char *text = NULL;
		assert_true(asprintf(&text, "%s" HEAD_5 "hello%s", strays[i], strays[i]) > 0);
		far_say(node(f), text);
		free(text);
		assert_words(&f->s.words, "head(200) data. idle head(200) data. idle "
					  "head(200) data. idle");
	}
	ask(f, GET, true);
	far_say(node(f), HEAD_5 "hello");
	assert_words(&f->s.words, "head(200) data. idle");
	for (int i = 0; i < STRAY_BYTES_MAX; i++)
		far_say(node(f), "\n");
	assert_words(&f->s.words, "");
	far_say(node(f), "\n");
	assert_words(&f->s.words, "lost(none)");
}

/* What was on its way when a request was given to the connection. */
static void what_comes_before_a_request_has_gone_is_no_response(void **state)
{
	struct fixture *f = *state;
	static const char early[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	far_begin_say(node(f), early, sizeof early - 1);
	begin_ask(f, POST "Content-Length: 0\r\n", true, 100);
	settle(f);
	assert_words(&f->s.words, "lost(connection_reset) reset(connection_reset)");
	assert_false(f->had_sent);
}

#define BYE "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static void a_farewell_408_is_a_connection_that_closed(void **state)
{
	(void)state;
	static const struct {
		const char *request, *said;
		bool whole, reused;
		unsigned after_ms;
		const char *heard;
	} rows[] = {
		{ GET, BYE, true, true, 0, "lost(connection_reset) reset(connection_reset)" },
		{ GET, BYE, true, true, 5000, "lost(connection_reset) reset(connection_reset)" },
		{ POST CHUNKED, BYE, false, true, 0,
		  "grant lost(connection_reset) reset(connection_reset) stop(connection_reset)" },
		/* It has waited for that body. */
		{ POST CHUNKED, BYE, false, true, FAREWELL_MS,
		  "grant head(408). stop(none) lost(none)" },
		/* Its connection had been asked for nothing but this. */
		{ GET, BYE, true, false, 0, "head(408). lost(none)" },
		/* Search clusters say so of a wait that was asked for. */
		{ GET, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", true, true, 0,
		  "head(408). idle" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		if (rows[i].reused)
			open_fixture(&own);
		else
			open_unconnected(&own);
		struct fixture *f = own;
		ask(f, rows[i].request, rows[i].whole);
		pass_ms(f, rows[i].after_ms);
		far_say(node(f), rows[i].said);
		assert_words(&f->s.words, rows[i].heard);
		close_fixture(&own);
	}
}

/* --- giving up --- */

static void an_asker_that_leaves_resets_the_node(void **state)
{
	(void)state;
	static const char *const said[] = { "", "HTTP/1.1 100 Continue\r\n\r\n", HEAD_5,
					    HEAD_5 "hel", HEAD_CHUNKED "3\r\nhel\r\n" };
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		ask(f, POST CHUNKED, false);
		party_say(&f->asker, "half", false);
		if (said[i][0])
			far_say(node(f), said[i]);
		f->s.words.text[0] = 0;
		party_leave(&f->asker, ERR_PEER_RESET);
		settle(f);
		assert_words(&f->s.words, "lost(peer_reset)");
		assert_int_equal(node(f)->last, -ECONNRESET);
		assert_int_equal(far_heard(node(f), "0\r\n\r\n"), 0);
		close_fixture(&own);
	}
}

/* Search clusters cancel what they are asked when its connection ends in good order. */
static void an_asker_of_a_whole_request_leaves_by_fin(void **state)
{
	struct fixture *f = *state;
	ask(f, GET, true);
	party_leave(&f->asker, ERR_PEER_CLOSED);
	settle(f);
	assert_words(&f->s.words, "lost(peer_closed)");
	assert_int_equal(node(f)->last, 0);
	assert_int_equal(f->s.backs.open_n, 0);
}

static void an_asker_that_leaves_while_it_connects_sends_nothing(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, GET, true, 100);
	party_leave(&f->asker, ERR_PEER_CLOSED);
	assert_words(&f->s.words, "lost(peer_closed)");
	assert_false(f->had_sent);
	settle(f);
	assert_int_equal(f->s.backs.open_n, 0);
	if (f->host.conn_n)
		assert_string_equal(node(f)->got, "");
}

/* --- connecting --- */

static void a_refused_connect_is_told_and_nothing_was_sent(void **state)
{
	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		struct fixture *f = calloc(1, sizeof *f);
		void *own = f;
		open_host(f);
		far_host_refuse(&f->host);
		begin_connect(f, NULL);
		begin_ask(f, whole ? GET : POST CHUNKED, whole, 100);
		settle(f);
		/* A request that is not whole is not wanted any more either. */
		assert_words(&f->s.words, whole ? "lost(connect_refused) reset(connect_refused)"
						: "lost(connect_refused) reset(connect_refused) "
						  "stop(connect_refused)");
		assert_false(f->had_sent);
		close_fixture(&own);
	}
}

static void a_connect_without_a_response_has_its_time(void **state)
{
	(void)state;
	struct fixture *f = calloc(1, sizeof *f);
	struct sim_faults unreachable = { .unreachable = 1000 };
	void *own = f;
	open_host(f);
	sim_set_faults(f->s.far.sim, &unreachable);
	begin_connect(f, NULL);
	begin_ask(f, GET, true, 100);
	pass_ms(f, CONNECT_MS - 1);
	assert_words(&f->s.words, "");
	pass_ms(f, 1);
	assert_words(&f->s.words, "lost(connect_timeout) reset(connect_timeout)");
	assert_false(f->had_sent);
	close_fixture(&own);
}

static void a_handshake_without_a_response_has_its_time(void **state)
{
	(void)state;
	struct fixture *f = calloc(1, sizeof *f);
	struct tls_library *library = tls_library_open();
	struct tls_client_config config = { .verify = false };
	char error[TLS_ERROR_BYTES];
	struct tls_context *tls = tls_client_open(library, &config, error);
	void *own = f;
	open_host(f);
	begin_connect(f, tls);
	begin_ask(f, GET, true, 100);
	pass_ms(f, CONNECT_MS - 1);
	assert_true(node(f)->got_n > 0);
	assert_words(&f->s.words, "");
	pass_ms(f, 1);
	assert_words(&f->s.words, "lost(handshake_timeout) reset(handshake_timeout)");
	assert_false(f->had_sent);
	close_fixture(&own);
	tls_context_drop(tls);
	tls_library_close(library);
}

/* --- time --- */

static void a_slow_response_is_in_time_while_it_moves(void **state)
{
	struct fixture *f = *state;
	static const char *const pieces[] = {
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\n",
		"Content-Length: 2\r\n",
		"\r\n",
		"a",
	};
	ask(f, GET, true);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		pass_ms(f, IDLE_MS - 1);
		far_say(node(f), pieces[i]);
	}
	assert_words(&f->s.words, "head(100) head(200) data");
	pass_ms(f, IDLE_MS - 1);
	assert_words(&f->s.words, "");
	pass_ms(f, 1);
	assert_words(&f->s.words, "lost(response_timeout) reset(response_timeout)");
	assert_int_equal(node(f)->last, 0);
}

/* From when the request has gone; the bytes of a response that has begun have the shorter time. */
static void a_response_may_take_its_own_time_to_begin(void **state)
{
	(void)state;
	for (int longer = 0; longer < 2; longer++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		uint64_t own_ms = longer ? 10 * IDLE_MS : IDLE_MS / 10;
		begin_ask(f, POST "Content-Length: 2\r\n", false, 100);
		h1_back_wait(f->back, (uint32_t)own_ms);
		settle(f);
		pass_ms(f, 3 * IDLE_MS);
		party_say(&f->asker, "{}", true);
		settle(f);
		assert_words(&f->s.words, "grant");
		pass_ms(f, own_ms - 1);
		far_say(node(f), "HTTP/1.1 102 Processing\r\n\r\n");
		assert_words(&f->s.words, "head(102)");
		pass_ms(f, own_ms - 1);
		far_say(node(f), HEAD_5 "h");
		assert_words(&f->s.words, "head(200) data");
		pass_ms(f, IDLE_MS - 1);
		assert_words(&f->s.words, "");
		pass_ms(f, 1);
		assert_words(&f->s.words, "lost(response_timeout) reset(response_timeout)");
		close_fixture(&own);
	}
}

/* It is the client that is waited for: its own end watches that. */
static void time_does_not_count_against_a_node_that_waits(void **state)
{
	struct fixture *f = *state;
	ask(f, POST "Content-Length: 5\r\n", false);
	assert_words(&f->s.words, "grant");
	pass_ms(f, 10 * IDLE_MS);
	assert_words(&f->s.words, "");
	party_say(&f->asker, "hello", true);
	pass_ms(f, IDLE_MS - 1);
	far_say(node(f), "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
	static const char body[200000];
	far_say_bytes(node(f), body, sizeof body);
	assert_words(&f->s.words, "head(200) data. idle");
	assert_int_equal(f->asker.body_n, sizeof body);

	begin_ask(f, GET, true, 5);
	settle(f);
	far_say(node(f), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
	pass_ms(f, 10 * IDLE_MS);
	assert_words(&f->s.words, "head(200) data");
	party_grants(&f->asker, 5);
	assert_words(&f->s.words, "data. idle");
}

static void a_node_that_takes_nothing_has_its_time(void **state)
{
	struct fixture *f = *state;
	f->host.deaf = true;
	ask(f, POST CHUNKED, false);
	party_say_much(&f->asker, STREAM_CREDIT_BYTES);
	pass_ms(f, IDLE_MS - 1);
	assert_words(&f->s.words, "grant");
	pass_ms(f, 1);
	assert_words(&f->s.words,
		     "lost(response_timeout) reset(response_timeout) stop(response_timeout)");
}

/* What an early response leaves unsent would otherwise keep the connection for ever. */
static void a_farewell_to_a_node_that_takes_nothing_has_an_end(void **state)
{
	struct fixture *f = *state;
	f->host.deaf = true;
	ask(f, POST CHUNKED, false);
	party_say_much(&f->asker, STREAM_CREDIT_BYTES);
	settle(f);
	far_say(node(f), "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n");
	assert_words(&f->s.words, "grant head(413). stop(none) lost(none)");
	pass_ms(f, IDLE_MS - 1);
	assert_int_equal(f->s.backs.open_n, 1);
	pass_ms(f, 1);
	assert_int_equal(f->s.backs.open_n, 0);
}

/* --- idle --- */

static void an_idle_connection_notices_that_the_node_goes(void **state)
{
	(void)state;
	static const struct {
		const char *said;
		enum then then;
		const char *heard;
	} rows[] = {
		{ "", FINISHES, "lost(none)" },
		{ "", RESETS, "lost(connection_reset)" },
		{ "HTTP/1.1 408 Request Timeout\r\n\r\n", STAYS, "lost(none)" },
		{ "HTTP/1.1 408 Request Timeout\r\n\r\n", FINISHES, "lost(none)" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		if (rows[i].said[0])
			far_say(node(f), rows[i].said);
		if (rows[i].then == FINISHES)
			far_finish(node(f));
		else if (rows[i].then == RESETS)
			far_hang_up(node(f), true);
		assert_words(&f->s.words, rows[i].heard);
		assert_int_equal(f->s.backs.open_n, 0);
		close_fixture(&own);
	}
}

static void an_idle_connection_has_its_time(void **state)
{
	struct fixture *f = *state;
	pass_ms(f, KEEP_MS / 2);
	ask(f, GET, true);
	far_say(node(f), HEAD_5 "hello");
	assert_words(&f->s.words, "head(200) data. idle");
	pass_ms(f, KEEP_MS - 1);
	assert_words(&f->s.words, "");
	pass_ms(f, 1);
	assert_words(&f->s.words, "lost(none)");
	assert_int_equal(node(f)->last, 0);
}

/* With a second to spare, and never longer than we would. */
static void a_node_that_says_how_long_it_waits_is_heeded(void **state)
{
	(void)state;
	static const struct {
		const char *field;
		uint64_t kept_ms;
	} rows[] = {
		{ "timeout=5", 4000 },
		{ "timeout=5, max=100", 4000 },
		{ "max=100,Timeout=2", 1000 },
		{ "timeout=1", 0 },
		{ "timeout=0", 0 },
		{ "timeout=3600", KEEP_MS },
		{ "timeout=99999999999999999999", KEEP_MS },
		{ "timeout=", KEEP_MS },
		{ "max=5", KEEP_MS },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		char text[160];
		snprintf(text, sizeof text,
			 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: %s\r\n\r\n",
			 rows[i].field);
		ask(f, GET, true);
		far_say(node(f), text);
		assert_words(&f->s.words,
			     rows[i].kept_ms ? "head(200). idle" : "head(200). lost(none)");
		if (rows[i].kept_ms) {
			pass_ms(f, rows[i].kept_ms - 1);
			assert_words(&f->s.words, "");
			pass_ms(f, 1);
			assert_words(&f->s.words, "lost(none)");
		}
		close_fixture(&own);
	}
}

static void an_idle_connection_is_closed_without_a_word_to_its_user(void **state)
{
	struct fixture *f = *state;
	h1_back_close(f->back);
	f->back = NULL;
	settle(f);
	assert_words(&f->s.words, "");
	assert_int_equal(node(f)->last, 0);
	assert_int_equal(f->s.backs.open_n, 0);
}

static void an_end_is_told_from_those_of_others(void **state)
{
	struct fixture *f = *state;
	assert_ptr_equal(h1_back_of(&f->back->stream), f->back);
	assert_null(h1_back_of(&f->asker.stream));
}

/* --- tunnels --- */

static void open_tunnel(struct fixture *f)
{
	ask(f, UPGRADE, false);
	far_say(node(f), SWITCHES);
	assert_words(&f->s.words, "grant head(101)");
}

static void a_tunnel_carries_both_ways_until_both_have_finished(void **state)
{
	(void)state;
	for (int node_first = 0; node_first < 2; node_first++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		open_tunnel(f);
		party_say(&f->asker, "ping", false);
		far_say(node(f), "pong");
		assert_int_equal(far_heard(node(f), "\r\n\r\nping"), 1);
		assert_words(&f->s.words, "data");
		if (node_first) {
			far_finish(node(f));
			assert_words(&f->s.words, "data.");
			party_say(&f->asker, "last", true);
			assert_words(&f->s.words, "lost(none)");
			settle(f);
		} else {
			party_say(&f->asker, "last", true);
			settle(f);
			assert_int_equal(node(f)->last, 0);
			far_say(node(f), "more");
			assert_words(&f->s.words, "data");
			far_finish(node(f));
			assert_words(&f->s.words, "data. lost(none)");
		}
		assert_int_equal(far_heard(node(f), "pinglast"), 1);
		assert_int_equal(node(f)->last, 0);
		assert_string_equal(f->asker.body, node_first ? "pong" : "pongmore");
		close_fixture(&own);
	}
}

static void a_tunnel_waits_for_credit(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, UPGRADE, false, 0);
	settle(f);
	far_say(node(f), SWITCHES "early");
	far_finish(node(f));
	assert_words(&f->s.words, "grant head(101)");
	party_grants(&f->asker, 3);
	assert_string_equal(f->asker.body, "ear");
	party_grants(&f->asker, 3);
	assert_string_equal(f->asker.body, "early");
	settle(f);
	assert_words(&f->s.words, "data.");
}

static void an_idle_tunnel_has_its_time(void **state)
{
	struct fixture *f = *state;
	open_tunnel(f);
	pass_ms(f, TUNNEL_IDLE_MS - 1);
	far_say(node(f), "pong");
	pass_ms(f, TUNNEL_IDLE_MS - 1);
	party_say(&f->asker, "ping", false);
	pass_ms(f, TUNNEL_IDLE_MS - 1);
	assert_words(&f->s.words, "data");
	pass_ms(f, 1);
	assert_words(&f->s.words, "lost(idle) reset(idle) stop(idle)");
}

/* Its own time is long, that of a farewell is not. */
static void a_tunnels_farewell_to_a_node_that_takes_nothing_has_an_end(void **state)
{
	struct fixture *f = *state;
	f->host.deaf = true;
	ask(f, UPGRADE, false);
	far_say(node(f), SWITCHES);
	party_say_much(&f->asker, STREAM_CREDIT_BYTES);
	settle(f);
	far_finish(node(f));
	party_say(&f->asker, "", true);
	assert_words(&f->s.words, "grant head(101) data. lost(none)");
	pass_ms(f, IDLE_MS - 1);
	assert_int_equal(f->s.backs.open_n, 1);
	pass_ms(f, 1);
	assert_int_equal(f->s.backs.open_n, 0);
}

static void a_declined_upgrade_is_a_response_like_any_other(void **state)
{
	struct fixture *f = *state;
	ask(f, UPGRADE, false);
	far_say(node(f), HEAD_5 "hello");
	assert_words(&f->s.words, "grant stop(none) head(200) data. idle");
	assert_int_equal(far_heard(node(f), "Upgrade: websocket\r\nConnection: upgrade\r\n"), 1);
	ask(f, GET, true);
	far_say(node(f), HEAD_5 "again");
	assert_words(&f->s.words, "head(200) data. idle");
	assert_int_equal(f->host.conn_n, 1);
}

/* --- what was sent --- */

static void what_an_earlier_exchange_sent_does_not_count(void **state)
{
	struct fixture *f = *state;
	ask(f, GET, true);
	assert_true(h1_back_has_sent(f->back));
	far_say(node(f), HEAD_5 "hello");
	begin_ask(f, GET, true, 100);
	assert_false(h1_back_has_sent(f->back));
	far_turn(&f->s.far);
	assert_true(h1_back_has_sent(f->back));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
#define TEST_UNCONNECTED(name)                                                                     \
	cmocka_unit_test_setup_teardown(name, open_unconnected, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_response_is_passed_on_and_the_connection_kept),
		cmocka_unit_test(a_response_is_passed_on_and_the_connection_not_kept),
		cmocka_unit_test(a_bad_response_breaks_off_and_says_why),
		TEST(a_response_may_come_byte_by_byte),
		TEST(a_responses_head_may_be_so_large_and_no_larger),
		TEST(there_may_be_so_many_bytes_of_interim_responses_and_no_more),
		TEST(the_response_behind_interim_ones_has_nothing_of_them),
		cmocka_unit_test(a_request_is_written_in_its_framing),
		TEST_UNCONNECTED(what_is_asked_while_it_connects_goes_when_it_has_connected),
		TEST_UNCONNECTED(a_node_that_reads_nothing_is_granted_one_credit_and_no_more),
		TEST(credit_is_not_given_for_every_packet),
		TEST(a_response_comes_as_far_as_credit_goes),
		TEST(without_credit_the_node_is_not_read),
		TEST(the_end_of_a_response_needs_no_credit),
		TEST(a_response_that_ends_early_stops_the_request_and_the_connection),
		TEST(a_response_that_begins_early_stops_nothing),
		cmocka_unit_test(a_tail_that_comes_late_ends_the_connection),
		TEST(one_that_has_rested_is_kept_no_longer_than_others),
		TEST(empty_lines_between_responses_are_dropped),
		TEST(what_comes_before_a_request_has_gone_is_no_response),
		cmocka_unit_test(a_farewell_408_is_a_connection_that_closed),
		cmocka_unit_test(an_asker_that_leaves_resets_the_node),
		TEST(an_asker_of_a_whole_request_leaves_by_fin),
		TEST_UNCONNECTED(an_asker_that_leaves_while_it_connects_sends_nothing),
		cmocka_unit_test(a_refused_connect_is_told_and_nothing_was_sent),
		cmocka_unit_test(a_connect_without_a_response_has_its_time),
		cmocka_unit_test(a_handshake_without_a_response_has_its_time),
		TEST(a_slow_response_is_in_time_while_it_moves),
		cmocka_unit_test(a_response_may_take_its_own_time_to_begin),
		TEST(time_does_not_count_against_a_node_that_waits),
		TEST_UNCONNECTED(a_node_that_takes_nothing_has_its_time),
		TEST_UNCONNECTED(a_farewell_to_a_node_that_takes_nothing_has_an_end),
		cmocka_unit_test(an_idle_connection_notices_that_the_node_goes),
		TEST(an_idle_connection_has_its_time),
		cmocka_unit_test(a_node_that_says_how_long_it_waits_is_heeded),
		TEST(an_idle_connection_is_closed_without_a_word_to_its_user),
		TEST(an_end_is_told_from_those_of_others),
		cmocka_unit_test(a_tunnel_carries_both_ways_until_both_have_finished),
		TEST(a_tunnel_waits_for_credit),
		TEST(an_idle_tunnel_has_its_time),
		TEST_UNCONNECTED(a_tunnels_farewell_to_a_node_that_takes_nothing_has_an_end),
		TEST(a_declined_upgrade_is_a_response_like_any_other),
		TEST(what_an_earlier_exchange_sent_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
