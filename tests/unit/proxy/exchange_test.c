#include "unit/proxy/kit.h"

#include <errno.h>
#include <unistd.h>

#include "unit/capture/kit.h"

#include "proxy/deliveries.h"
#include "proxy/exchange.h"
#include "proxy/stage_check.h"

#define CLIENTS 8
#define OWN "fedcba9876543210"

/* The exchanges of a worker, with their plan, clients that are parties to streams, and nodes at the
 * far side. */
struct fixture {
	struct stage s;
	struct exchanges exchanges;
	struct live_nodes live;
	struct counters counters;
	struct sample_states states;
	struct sample sample;
	struct far_host hosts[ARMS][SAMPLE_NODES];
	struct addr client;
	struct party clients[CLIENTS];
	/* Of those that record: */
	struct kit_disk disk;
	bool disk_stands_still;
	struct journal *journal;
	struct taps taps;
	struct capture_policy capture;
};

static struct fixture *fixture_of(struct stage *s)
{
	return list_entry(s, struct fixture, s);
}

static void turn_log(struct fixture *f)
{
	uint64_t now_ns = f->s.io->now_ns;
	while (!f->disk_stands_still) {
		journal_turn(f->journal, now_ns, now_ns);
		if (!kit_run(&f->disk))
			break;
	}
	feed_look(&f->taps.feed, now_ns, now_ns);
	capture_gates_resume(&f->exchanges);
	feed_push(&f->taps.feed);
}

static void turn_over(struct stage *s)
{
	struct fixture *f = fixture_of(s);
	deliveries_expire(&f->exchanges);
	if (f->exchanges.taps)
		turn_log(f);
	deliveries_sweep(&f->exchanges);
	exchanges_sweep(&f->exchanges);
	exchanges_check(&f->exchanges);
}

/* As a worker adopts its plan. */
static void adopt(struct fixture *f)
{
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_adopt(&f->exchanges.clusters[arm], &f->live,
				   &f->sample.plan.clusters[arm], 0);
	f->exchanges.plan = &f->sample.plan;
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	stage_open(&f->s);
	f->s.turn_over = turn_over;
	live_nodes_open(&f->live, &f->s.backs, f->counters.nodes, f->s.backs.wheel);
	f->exchanges.io = f->s.io;
	f->exchanges.bufs = &f->s.bufs;
	f->exchanges.wires = &f->s.wires;
	f->exchanges.counters = &f->counters;
	f->exchanges.hop = hop_of(0xfedcba9876543210);
	f->exchanges.values = (struct board_values){ .epoch = 1, .weights = { 1, 1 } };
	f->client = address_of("192.0.2.7", 5555);
	exchanges_open(&f->exchanges);
	split_open(&f->exchanges.split, 1);
	sample_states_init(&f->states);
	sample_init(&f->sample, &f->states, 1);
	for (unsigned i = 0; i < ARMS * SAMPLE_NODES; i++) {
		unsigned arm = i / SAMPLE_NODES, node = i % SAMPLE_NODES;
		struct addr at = sample_address((enum arm)arm, node);
		far_host_open(&f->hosts[arm][node], &f->s.far, &at);
	}
	for (int i = 0; i < CLIENTS; i++)
		party_init(&f->clients[i], &f->s.words, &f->s.bufs);
	adopt(f);
	*state = f;
	return 0;
}

/* Nothing is left of any exchange: no pin, no flight, no memory. */
static int close_fixture(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < CLIENTS; i++) {
		party_leave(&f->clients[i], ERR_PEER_RESET);
		party_free(&f->clients[i]);
	}
	exchanges_abandon_orphans(&f->exchanges);
	live_nodes_close_idle(&f->live);
	far_settle(&f->s.far);
	assert_int_equal(sample_pins(&f->sample), 0);
	assert_int_equal(f->exchanges.in_flight_now + f->exchanges.in_flight_before, 0);
	for (int arm = 0; arm < ARMS; arm++)
		assert_int_equal(counter_read(&f->counters.in_flight[arm]), 0);
	live_nodes_close(&f->live);
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_close(&f->exchanges.clusters[arm]);
	exchanges_close(&f->exchanges);
	for (unsigned i = 0; i < ARMS * SAMPLE_NODES; i++)
		far_host_close(&f->hosts[i / SAMPLE_NODES][i % SAMPLE_NODES]);
	stage_close(&f->s);
	free(f);
	return 0;
}

/* --- what clients and nodes do --- */

static void settle(struct fixture *f)
{
	far_settle(&f->s.far);
}

static void begin_ask(struct fixture *f, unsigned client, unsigned listener, const char *head,
		      bool end, size_t credit)
{
	struct party *p = &f->clients[client];
	struct front_facts facts = { .peer = &f->client, .requests = 1 };
	struct arena *a = exchange_open(&f->exchanges, &f->sample.plan,
					&f->sample.listeners[listener], &facts, &p->stream);
	if (credit)
		party_grants(p, credit);
	stream_head(p->stream.peer, request_of(a, head), end);
}

static void ask_as(struct fixture *f, unsigned client, unsigned listener, const char *head,
		   bool end)
{
	begin_ask(f, client, listener, head, end, STREAM_CREDIT_BYTES);
	settle(f);
}

/* By the first client, of the source. */
static void ask(struct fixture *f, const char *head, bool end)
{
	ask_as(f, 0, SOURCE, head, end);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
/* What goes to a node of it, but for how its body is framed. */
#define HOP "x-crossfade-hop: " OWN "\r\n"
#define UPGRADE GET "Connection: upgrade\r\nUpgrade: websocket\r\n"
#define SWITCHES                                                                                   \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
#define HEAD_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

/* The newest connection to a node. */
static struct far *node(struct fixture *f, enum arm arm, unsigned i)
{
	const struct far_host *h = &f->hosts[arm][i];
	assert_true(h->conn_n > 0);
	return h->conns[h->conn_n - 1];
}

static struct far *source(struct fixture *f)
{
	return node(f, ARM_SOURCE, 0);
}

static unsigned connections(const struct fixture *f)
{
	unsigned n = 0;
	for (unsigned i = 0; i < ARMS * SAMPLE_NODES; i++)
		n += f->hosts[i / SAMPLE_NODES][i % SAMPLE_NODES].conn_n;
	return n;
}

static uint64_t requests(const struct fixture *f, unsigned listener, unsigned arm, unsigned class)
{
	return counter_read(&f->counters.requests[listener][arm][class]);
}

static void use_source_nodes(struct fixture *f, size_t n)
{
	f->sample.plan.clusters[ARM_SOURCE].node_n = n;
	adopt(f);
}

/* --- local responses --- */

enum trouble {
	REFUSES,
	IS_UNREACHABLE,
	IS_SILENT,
	FINISHES,
	RESETS,
	SAYS,
	HAS_NO_ADDRESS,
	IS_AWAITED
};

static void make_trouble(struct fixture *f, enum trouble trouble)
{
	struct sim_faults unreachable = { .unreachable = 1000 };
	if (trouble == REFUSES)
		far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	if (trouble == IS_UNREACHABLE)
		sim_set_faults(f->s.far.sim, &unreachable);
	if (trouble == HAS_NO_ADDRESS || trouble == IS_AWAITED)
		state_know(&f->states.nodes[ARM_SOURCE][0], NULL, 0);
	atomic_store(&f->states.nodes[ARM_SOURCE][0].awaited, trouble == IS_AWAITED);
	adopt(f);
}

struct trouble_row {
	enum trouble trouble;
	const char *says;
	uint64_t after_ms; /* is it answered, and not a millisecond before */
	enum err why;
	unsigned status;
	const char *retry_after;
};

static void check_trouble(const struct trouble_row *row)
{
	void *own;
	open_fixture(&own);
	struct fixture *f = own;
	make_trouble(f, row->trouble);
	ask(f, GET, true);
	if (row->trouble == FINISHES)
		far_finish(source(f));
	if (row->trouble == RESETS)
		far_hang_up(source(f), true);
	if (row->trouble == SAYS)
		far_say(source(f), row->says);
	if (row->after_ms) {
		far_pass_ms(&f->s.far, row->after_ms - 1);
		assert_words(&f->s.words, "");
		far_pass_ms(&f->s.far, 1);
	}
	char words[32];
	snprintf(words, sizeof words, "head(%u) data.", row->status);
	assert_words(&f->s.words, words);
	assert_field(&f->clients[0], "X-Crossfade-Error", err_word(row->why));
	assert_field(&f->clients[0], "Retry-After", row->retry_after);
	assert_int_equal(counter_read(&f->counters.responds_here[row->why]), 1);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, row->status / 100), 1);
	close_fixture(&own);
}

static void a_cluster_in_trouble_is_a_502_503_or_504(void **state)
{
	(void)state;
	static const struct trouble_row rows[] = {
		{ REFUSES, "", 0, ERR_BACK_REFUSED, 502, "" },
		{ FINISHES, "", 0, ERR_BACK_RESET, 502, "" },
		{ RESETS, "", 0, ERR_BACK_RESET, 502, "" },
		{ SAYS, "what?\r\n", 0, ERR_BACK_MALFORMED, 502, "" },
		{ SAYS, SWITCHES, 0, ERR_BACK_UPGRADE, 502, "" },
		{ HAS_NO_ADDRESS, "", 0, ERR_NO_ADDRESS, 503, "1" },
		{ IS_AWAITED, "", CONNECT_TIMEOUT_MS, ERR_NO_ADDRESS, 503, "1" },
		{ IS_UNREACHABLE, "", CONNECT_MS, ERR_CONNECT_TIMEOUT, 504, "" },
		{ IS_SILENT, "", IDLE_MS, ERR_RESPONSE_TIMEOUT, 504, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_trouble(&rows[i]);
}

static void an_error_for_head_has_no_body(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	ask(f, "HEAD / HTTP/1.1\r\nHost: a\r\n", true);
	assert_words(&f->s.words, "head(502).");
	assert_true(f->clients[0].length > 0);
}

/* Its client waits for credit, as any receiver may make it. */
static void an_error_goes_as_far_as_credit_does(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	begin_ask(f, 0, SOURCE, GET, true, 10);
	settle(f);
	assert_words(&f->s.words, "head(502) data");
	assert_int_equal(f->clients[0].body_n, 10);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 5), 0);
	party_grants(&f->clients[0], 1000);
	assert_words(&f->s.words, "data.");
	assert_int_equal(f->clients[0].body_n, f->clients[0].length);
	settle(f);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 5), 1);
}

static void a_request_that_is_not_whole_is_stopped_by_an_error(void **state)
{
	struct fixture *f = *state;
	ask(f, POST CHUNKED, false);
	party_say(&f->clients[0], "half", false);
	settle(f);
	far_hang_up(source(f), true);
	assert_words(&f->s.words, "grant stop(none) head(502) data.");
	assert_int_equal(counter_read(&f->counters.request_body_bytes[ARM_SOURCE]), 4);
}

/* What is appended makes one field of all that stand there. */
static void a_field_that_gets_too_long_by_ours_is_a_431(void **state)
{
	struct fixture *f = *state;
	f->sample.listeners[SOURCE].forwarded = FORWARDED_APPEND;
	for (unsigned i = 0; i < 2; i++) {
		char head[FIELD_LINE_BYTES + 100];
		int n = sprintf(head, GET "X-Forwarded-For: ");
		int value_n = FIELD_LINE_BYTES - 100 + (int)i * 75;
		memset(head + n, '1', (size_t)value_n);
		memcpy(head + n + value_n, "\r\n", 3);
		ask_as(f, i, SOURCE, head, true);
		assert_int_equal(connections(f), 1);
		assert_int_equal(far_heard(source(f), "192.0.2.7"), 1);
		assert_words(&f->s.words, i ? "head(431) data." : "");
	}
	assert_field(&f->clients[1], "X-Crossfade-Error", "head_too_large");
}

/* --- health, for a load balancer in front --- */

static void the_health_path_is_answered_here(void **state)
{
	(void)state;
	static const struct {
		const char *first_line, *words;
		bool draining;
		enum err why;
	} rows[] = {
		{ "GET /healthz HTTP/1.1", "head(200) data.", false, ERR_NONE },
		{ "GET /healthz?x=1 HTTP/1.1", "head(200) data.", false, ERR_NONE },
		{ "HEAD /healthz HTTP/1.1", "head(200).", false, ERR_NONE },
		{ "GET /healthz HTTP/1.1", "head(503) data.", true, ERR_STOPPING },
		{ "HEAD /healthz HTTP/1.1", "head(503).", true, ERR_STOPPING },
		{ "POST /healthz HTTP/1.1", "head(405) data.", false, ERR_METHOD_NOT_ALLOWED },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		char head[64];
		f->sample.listeners[WEIGHTED].health = SPAN("/healthz");
		f->exchanges.draining = rows[i].draining;
		/* A cluster that is down is the balancer's business, not its client's. */
		far_host_refuse(&f->hosts[ARM_SOURCE][0]);
		snprintf(head, sizeof head, "%s\r\nHost: a\r\n", rows[i].first_line);
		ask_as(f, 0, WEIGHTED, head, true);
		assert_words(&f->s.words, rows[i].words);
		if (rows[i].why)
			assert_int_equal(counter_read(&f->counters.responds_here[rows[i].why]), 1);
		assert_int_equal(connections(f), 0);
		for (unsigned arm = 0; arm < ARMS; arm++)
			for (unsigned class = 0; class < STATUS_CLASSES; class ++)
				assert_int_equal(requests(f, WEIGHTED, arm, class), 0);
		close_fixture(&own);
	}
}

static void a_path_beside_the_health_path_goes_to_a_cluster(void **state)
{
	struct fixture *f = *state;
	static const char *const targets[] = { "/healthz/", "/health", "/", "/healthzz" };
	f->sample.listeners[SOURCE].health = SPAN("/healthz");
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		char head[64];
		snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: a\r\n", targets[i]);
		ask(f, head, true);
		far_say(source(f), NO_CONTENT);
		assert_words(&f->s.words, "head(204).");
	}
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 4);
}

/* --- requests that end here by their method --- */

static void a_trace_ends_here_and_so_does_the_last_hop_of_options(void **state)
{
	(void)state;
	static const struct {
		const char *head, *words;
		enum err why;
	} rows[] = {
		{ "TRACE / HTTP/1.1\r\n", "head(405) data.", ERR_METHOD_TRACE },
		{ "trace / HTTP/1.1\r\n", "head(405) data.", ERR_METHOD_TRACE },
		{ "TRACK / HTTP/1.1\r\n", "head(405) data.", ERR_METHOD_TRACE },
		{ "TRACE / HTTP/1.1\r\nMax-Forwards: 0\r\n", "head(405) data.", ERR_METHOD_TRACE },
		{ "OPTIONS / HTTP/1.1\r\nMax-Forwards: 0\r\n", "head(200).", ERR_NONE },
		{ "OPTIONS * HTTP/1.1\r\nmax-forwards: 000\r\n", "head(200).", ERR_NONE },
		{ "OPTIONS / HTTP/1.1\r\nMax-Forwards: x\r\n", "head(400) data.",
		  ERR_MAX_FORWARDS },
		{ "OPTIONS / HTTP/1.1\r\nMax-Forwards: -1\r\n", "head(400) data.",
		  ERR_MAX_FORWARDS },
		{ "OPTIONS / HTTP/1.1\r\nMax-Forwards:\r\n", "head(400) data.", ERR_MAX_FORWARDS },
		{ "OPTIONS / HTTP/1.1\r\nMax-Forwards: 1\r\nMax-Forwards: 0\r\n", "head(400) data.",
		  ERR_MAX_FORWARDS },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		char head[128];
		snprintf(head, sizeof head, "%sHost: a\r\n", rows[i].head);
		ask(f, head, true);
		assert_words(&f->s.words, rows[i].words);
		if (rows[i].why)
			assert_int_equal(counter_read(&f->counters.responds_here[rows[i].why]), 1);
		assert_int_equal(connections(f), 0);
		close_fixture(&own);
	}
}

/* --- requests that were here before --- */

#define TEN_HOPS "1,2,3,4,5,6,7,8,9,0"
#define THIRTY_HOPS TEN_HOPS "," TEN_HOPS "," TEN_HOPS

static void a_request_that_goes_round_is_a_508(void **state)
{
	(void)state;
	static const struct {
		const char *line, *fields;
		bool inflight_run;
	} rows[] = {
		{ "GET /", "X-Crossfade-Hop: " OWN "\r\n", true },
		{ "PUT /a", "x-crossfade-hop: a,\tFEDCBA9876543210 , b\r\n", true },
		{ "GET /", "X-Crossfade-Hop: a\r\nX-Crossfade-Hop:" OWN "\r\n", true },
		{ "OPTIONS *", "Max-Forwards: 0\r\nX-Crossfade-Hop: " OWN "\r\n", true },
		{ "GET /health", "X-Crossfade-Hop: " OWN "\r\n", true },
		{ "GET /", "X-Crossfade-Hop: " THIRTY_HOPS "\r\nX-Crossfade-Hop: a,b,c\r\n", true },
		{ "GET /", "X-Crossfade-Hop: " THIRTY_HOPS "\r\nX-Crossfade-Hop: a,b\r\n", false },
		{ "GET /", "X-Crossfade-Hop: edcba9876543210\r\n", false },
		{ "GET /", "X-Crossfade-Hop: " OWN "0, \"" OWN "\"\r\n", false },
		{ "GET /", "X-Crossfade-Hop:\r\nX_Crossfade_Hop: " OWN "\r\n", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		f->sample.listeners[SOURCE].health = SPAN("/health");
		char head[512];
		snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: a\r\n%s", rows[i].line,
			 rows[i].fields);
		ask(f, head, true);
		assert_words(&f->s.words, rows[i].inflight_run ? "head(508) data." : "");
		if (rows[i].inflight_run)
			assert_field(&f->clients[0], "X-Crossfade-Error", "loop");
		assert_int_equal(counter_read(&f->counters.responds_here[ERR_LOOP]),
				 rows[i].inflight_run);
		assert_int_equal(requests(f, SOURCE, ARM_NONE, 5), rows[i].inflight_run);
		assert_int_equal(connections(f), !rows[i].inflight_run);
		close_fixture(&own);
	}
}

/* What the log has had since it was led to that file; it is led back. */
static void read_back(FILE *log, int standard_error, char *text, size_t bytes)
{
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	rewind(log);
	text[fread(text, 1, bytes - 1, log)] = 0;
	fclose(log);
}

static void that_requests_go_round_is_said_once(void **state)
{
	struct fixture *f = *state;
	FILE *log = tmpfile();
	int standard_error = dup(STDERR_FILENO);
	char text[2 * LOG_LINE_BYTES];
	dup2(fileno(log), STDERR_FILENO);
	for (unsigned i = 0; i < 3; i++)
		ask(f, GET "X-Crossfade-Hop: " OWN "\r\n", true);
	read_back(log, standard_error, text, sizeof text);
	assert_non_null(strstr(text, err_sentence(ERR_LOOP)));
	assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text));
	assert_int_equal(counter_read(&f->counters.responds_here[ERR_LOOP]), 3);
}

/* --- responses of nodes --- */

static void a_response_is_passed_on(void **state)
{
	(void)state;
	static const struct {
		const char *method, *response, *heard, *body;
		unsigned class;
	} rows[] = {
		{ "GET", HEAD_5 "hello", "head(200) data.", "hello", 2 },
		{ "GET", "HTTP/1.1 103 Early Hints\r\n\r\n" HEAD_5 "hello",
		  "head(103) head(200) data.", "hello", 2 },
		{ "HEAD", HEAD_5, "head(200).", "", 2 },
		{ "GET", NO_CONTENT, "head(204).", "", 2 },
		{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "head(304).", "",
		  3 },
		{ "GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "head(404).", "",
		  4 },
		{ "GET", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "head(503).", "", 5 },
		{ "GET", "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n", "head(600).", "", 5 },
		{ "GET", "HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n", "head(999).", "", 5 },
		{ "GET", "HTTP/1.1 200 OK\r\n" CHUNKED "\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n",
		  "head(200) data trailers(1).", "hello", 2 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		char head[64];
		snprintf(head, sizeof head, "%s / HTTP/1.1\r\nHost: a\r\n", rows[i].method);
		ask(f, head, true);
		far_say(source(f), rows[i].response);
		assert_words(&f->s.words, rows[i].heard);
		assert_string_equal(f->clients[0].body, rows[i].body);
		assert_int_equal(requests(f, SOURCE, ARM_SOURCE, rows[i].class), 1);
		assert_int_equal(counter_read(&f->counters.response_body_bytes[ARM_SOURCE]),
				 strlen(rows[i].body));
		close_fixture(&own);
	}
}

static void a_request_is_passed_on_with_its_body_and_trailers(void **state)
{
	struct fixture *f = *state;
	ask(f, POST CHUNKED, false);
	assert_words(&f->s.words, "grant");
	party_say(&f->clients[0], "hello", false);
	stream_trailers(f->clients[0].stream.peer, trailers_of(&f->s.arena, "X-Sum", "7"));
	settle(f);
	assert_string_equal(source(f)->got,
			    POST HOP CHUNKED "\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n");
	far_say(source(f), NO_CONTENT);
	assert_words(&f->s.words, "head(204).");
	assert_int_equal(counter_read(&f->counters.request_body_bytes[ARM_SOURCE]), 5);
}

static void credit_is_the_nodes_and_the_clients_own(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, 0, SOURCE, POST CHUNKED, false, 3);
	settle(f);
	struct party *c = &f->clients[0];
	assert_in_range(c->granted, STREAM_CREDIT_BYTES - 100, STREAM_CREDIT_BYTES);
	assert_int_equal(c->granted, c->stream.peer->credit);
	far_say(source(f), HEAD_5 "hello");
	assert_string_equal(c->body, "hel");
	party_grants(c, 1);
	assert_string_equal(c->body, "hell");
	party_say_much(c, STREAM_CREDIT_BYTES / 4);
	settle(f);
	assert_true(c->granted >= STREAM_CREDIT_BYTES + STREAM_CREDIT_BYTES / 4 - 100);
	party_grants(c, 5);
	assert_string_equal(c->body, "hello");
	assert_words(&f->s.words, "grant head(200) data grant data. stop(none)");
}

static void an_early_response_stops_the_request_only_when_it_has_ended(void **state)
{
	struct fixture *f = *state;
	ask(f, POST "Content-Length: 10\r\n", false);
	far_say(source(f), HEAD_5 "hel");
	party_say(&f->clients[0], "01234", false);
	settle(f);
	assert_int_equal(far_heard(source(f), "01234"), 1);
	assert_words(&f->s.words, "grant head(200) data");
	far_say(source(f), "lo");
	assert_words(&f->s.words, "data. stop(none)");
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 1);
}

static void a_response_that_is_cut_is_never_whole(void **state)
{
	struct fixture *f = *state;
	for (int whole = 0; whole < 2; whole++) {
		ask(f, whole ? GET : POST CHUNKED, whole);
		far_say(source(f), HEAD_5 "hel");
		far_finish(source(f));
		assert_words(&f->s.words,
			     whole ? "head(200) data reset(response_cut)"
				   : "grant head(200) data stop(none) reset(response_cut)");
		assert_true(stream_over(&f->clients[0].stream));
	}
	assert_int_equal(counter_read(&f->counters.aborted[ERR_BACK_CUT]), 2);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 2);
}

static void a_tunnel_is_passed_on_and_has_no_limit(void **state)
{
	struct fixture *f = *state;
	f->sample.listeners[SOURCE].body_max = 10;
	ask(f, UPGRADE, false);
	far_say(source(f), SWITCHES);
	party_say(&f->clients[0], "more than ten bytes", false);
	settle(f);
	assert_int_equal(far_heard(source(f), "\r\n\r\nmore than ten bytes"), 1);
	far_say(source(f), "pong");
	far_finish(source(f));
	assert_words(&f->s.words, "grant head(101) data.");
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 1), 0);
	party_say(&f->clients[0], "", true);
	settle(f);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 1), 1);
	assert_int_equal(source(f)->last, 0);
}

/* --- another node --- */

static void a_refused_connect_goes_to_another_node(void **state)
{
	struct fixture *f = *state;
	f->sample.plan.clusters[ARM_SOURCE].host = HOST_NODE;
	use_source_nodes(f, 3);
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	far_host_refuse(&f->hosts[ARM_SOURCE][1]);
	ask(f, POST CHUNKED, false);
	struct far *third = node(f, ARM_SOURCE, 2);
	assert_int_equal(connections(f), 1);
	party_say(&f->clients[0], "hello", true);
	settle(f);
	assert_string_equal(third->got, "POST / HTTP/1.1\r\n" HOP "host: s2:9200\r\n" CHUNKED
					"\r\n5\r\nhello\r\n0\r\n\r\n");
	far_say(third, NO_CONTENT);
	assert_words(&f->s.words, "grant head(204).");
	assert_int_equal(f->exchanges.clusters[ARM_SOURCE].counts.connects, 3);
	assert_int_equal(f->exchanges.clusters[ARM_SOURCE].counts.connects_failed, 2);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 1);
}

static void so_many_nodes_are_tried_and_no_more(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, SAMPLE_NODES);
	for (int i = 0; i < CONNECT_ATTEMPTS_MAX; i++)
		far_host_refuse(&f->hosts[ARM_SOURCE][i]);
	ask(f, GET, true);
	assert_words(&f->s.words, "head(502) data.");
	assert_int_equal(connections(f), 0);
	assert_int_equal(f->exchanges.clusters[ARM_SOURCE].counts.connects, CONNECT_ATTEMPTS_MAX);
	assert_int_equal(counter_read(&f->counters.responds_here[ERR_BACK_REFUSED]), 1);
}

static void each_node_is_tried_once(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, 2);
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	far_host_refuse(&f->hosts[ARM_SOURCE][1]);
	ask(f, GET, true);
	assert_words(&f->s.words, "head(502) data.");
	assert_int_equal(f->exchanges.clusters[ARM_SOURCE].counts.connects, 2);
}

static void a_timeout_of_connecting_goes_to_another_node_too(void **state)
{
	struct fixture *f = *state;
	struct sim_faults unreachable = { .unreachable = 1000 }, none = { 0 };
	use_source_nodes(f, 2);
	sim_set_faults(f->s.far.sim, &unreachable);
	ask(f, GET, true);
	sim_set_faults(f->s.far.sim, &none);
	far_pass_ms(&f->s.far, CONNECT_MS);
	assert_int_equal(connections(f), 1);
	far_say(node(f, ARM_SOURCE, 1), NO_CONTENT);
	assert_words(&f->s.words, "head(204).");
}

#define DELETE "DELETE / HTTP/1.1\r\nHost: a\r\n"
#define SEARCH "POST /i/_search HTTP/1.1\r\nHost: a\r\n"

/* Asks something first, so that a connection is idle afterwards. */
static void warm_up(struct fixture *f)
{
	ask(f, GET, true);
	far_say(source(f), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	f->s.words.text[0] = 0;
}

/* It may have acted on it. */
static void what_was_sent_is_never_sent_again(void **state)
{
	(void)state;
	for (int warm = 0; warm < 2; warm++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		if (warm)
			warm_up(f);
		use_source_nodes(f, 2);
		f->states.nodes[ARM_SOURCE][1].healthy = false;
		ask(f, DELETE, true);
		f->s.words.text[0] = 0;
		far_hang_up(source(f), true);
		assert_words(&f->s.words, "head(502) data.");
		assert_int_equal(connections(f), 1);
		assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 1);
		close_fixture(&own);
	}
}

static void a_read_without_a_response_goes_to_another_node(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, 2);
	ask(f, GET, true);
	far_hang_up(source(f), false);
	assert_string_equal(node(f, ARM_SOURCE, 1)->got, GET HOP "\r\n");
	far_hang_up(node(f, ARM_SOURCE, 1), true);
	assert_words(&f->s.words, "head(502) data.");
	assert_int_equal(connections(f), 2);
	assert_int_equal(counter_read(&f->counters.retries[ARM_SOURCE]), 1);
	assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 0);
}

/* Idle connections are closed in good order: the node may be asked again, on a new one. */
static void an_idle_connection_that_failed_says_nothing_of_its_node(void **state)
{
	struct fixture *f = *state;
	warm_up(f);
	ask(f, GET, true);
	far_hang_up(source(f), true);
	assert_int_equal(connections(f), 2);
	assert_string_equal(source(f)->got, GET HOP "\r\n");
	far_say(source(f), NO_CONTENT);
	assert_words(&f->s.words, "head(204).");
}

/* Of a write too: no byte of it was sent. */
static void an_idle_connection_may_be_closed_in_the_turn_in_which_it_is_taken(void **state)
{
	(void)state;
	for (int in_between = 0; in_between < 2; in_between++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		warm_up(f);
		io_shutdown(f->s.far.io, source(f)->sock);
		begin_ask(f, 0, SOURCE, POST "Content-Length: 5\r\n", false, STREAM_CREDIT_BYTES);
		party_say(&f->clients[0], in_between ? "he" : "hello", !in_between);
		settle(f);
		if (in_between)
			party_say(&f->clients[0], "llo", true);
		settle(f);
		assert_int_equal(connections(f), 2);
		assert_string_equal(source(f)->got, POST "Content-Length: 5\r\n" HOP "\r\nhello");
		far_say(source(f), NO_CONTENT);
		assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 2);
		assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 0);
		assert_true(list_empty(&f->exchanges.held));
		close_fixture(&own);
	}
}

static void begin_search(struct fixture *f, size_t nodes, const char *head)
{
	f->sample.plan.profile = PROFILE_OPENSEARCH;
	use_source_nodes(f, nodes);
	ask(f, head, false);
	f->s.words.text[0] = 0;
}

static void a_search_is_sent_again_with_its_whole_body(void **state)
{
	(void)state;
	for (int at = 0; at < 3; at++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		begin_search(f, 3, SEARCH CHUNKED);
		party_say(&f->clients[0], "hel", false);
		settle(f);
		if (at == 0)
			far_hang_up(source(f), true);
		party_say(&f->clients[0], "lo", false);
		settle(f);
		if (at == 1)
			far_hang_up(source(f), true);
		stream_trailers(f->clients[0].stream.peer, trailers_of(&f->s.arena, "X-Sum", "7"));
		settle(f);
		if (at == 2)
			far_hang_up(source(f), true);
		struct far *second = node(f, ARM_SOURCE, 1);
		const char *body = at == 0 ? "3\r\nhel\r\n2\r\nlo\r\n" : "5\r\nhello\r\n";
		char expected[256];
		snprintf(expected, sizeof expected,
			 SEARCH HOP CHUNKED "\r\n%s0\r\nX-Sum: 7\r\n\r\n", body);
		assert_string_equal(second->got, expected);
		far_say(second, NO_CONTENT);
		assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 1);
		assert_int_equal(f->exchanges.clusters[ARM_SOURCE].budget.used, 0);
		close_fixture(&own);
	}
}

static void check_not_repeated(struct fixture *f, struct far *first, const char *words)
{
	far_hang_up(first, true);
	assert_words(&f->s.words, words);
	assert_int_equal(connections(f), 1);
	assert_int_equal(counter_read(&f->counters.retries[ARM_SOURCE]), 0);
}

static void a_scroll_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	begin_search(f, 2, "POST /_search/scroll HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n");
	party_say(&f->clients[0], "{}", true);
	settle(f);
	check_not_repeated(f, source(f), "head(502) data.");
}

/* Whatever the class, the body must still be there. */
static void a_body_that_is_not_held_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	begin_search(f, 2, SEARCH CHUNKED);
	party_say_much(&f->clients[0], RETRY_BODY_BYTES + 1);
	settle(f);
	far_hang_up(source(f), true);
	assert_int_equal(connections(f), 1);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 5), 1);
}

static void a_response_that_has_begun_is_not_repeated(void **state)
{
	(void)state;
	static const char *const begun[] = { "H", "HTTP/1.1 103 Early\r\n\r\n", HEAD_5 "hel" };
	static const char *const words[] = { "head(502) data.", "head(103) head(502) data.",
					     "head(200) data reset(response_cut)" };
	for (size_t i = 0; i < sizeof begun / sizeof *begun; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		use_source_nodes(f, 2);
		ask(f, GET, true);
		far_say(source(f), begun[i]);
		far_hang_up(source(f), true);
		assert_words(&f->s.words, words[i]);
		assert_int_equal(connections(f), 1);
		assert_int_equal(counter_read(&f->counters.retries[ARM_SOURCE]), 0);
		close_fixture(&own);
	}
}

static void an_upgrade_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, 2);
	ask(f, UPGRADE, false);
	far_hang_up(source(f), true);
	assert_int_equal(connections(f), 1);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 5), 1);
}

static void a_read_that_takes_too_long_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, 2);
	ask(f, GET, true);
	far_pass_ms(&f->s.far, IDLE_MS);
	assert_words(&f->s.words, "head(504) data.");
	assert_int_equal(connections(f), 1);
}

static void when_the_budget_is_spent_a_read_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, 2);
	while (retry_budget_take(&f->exchanges.budgets[ARM_SOURCE], f->s.io->now_ns))
		;
	ask(f, GET, true);
	check_not_repeated(f, source(f), "head(502) data.");
	assert_int_equal(counter_read(&f->counters.retries_refused[ARM_SOURCE]), 1);
}

/* Nobody had any work of it. */
static void a_connect_that_failed_costs_no_budget(void **state)
{
	struct fixture *f = *state;
	use_source_nodes(f, 2);
	while (retry_budget_take(&f->exchanges.budgets[ARM_SOURCE], f->s.io->now_ns))
		;
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	for (unsigned i = 0; i < 4; i++)
		ask_as(f, i, SOURCE, DELETE, true);
	settle(f);
	assert_int_equal(connections(f), 4);
	assert_int_equal(counter_read(&f->counters.retries[ARM_SOURCE]), 4);
	assert_int_equal(counter_read(&f->counters.retries_refused[ARM_SOURCE]), 0);
	assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 0);
}

/* Of each kind, with chance: no descriptor, no port, no memory, ... */
static void our_own_shortage_is_a_503_and_held_against_no_node(void **state)
{
	struct fixture *f = *state;
	const struct sim_faults shortage = { .shortage = 1000 };
	use_source_nodes(f, 2);
	f->sample.plan.clusters[ARM_SOURCE].eject = (struct eject_policy){ 1, 1000 };
	sim_lacks(f->s.io);
	sim_set_faults(f->s.far.sim, &shortage);
	while (retry_budget_take(&f->exchanges.budgets[ARM_SOURCE], f->s.io->now_ns))
		;
	for (unsigned i = 0; i < CLIENTS; i++) {
		ask_as(f, i, SOURCE, i % 2 ? DELETE : GET, true);
		assert_words(&f->s.words, "head(503) data.");
		assert_field(&f->clients[i], "Retry-After", "1");
	}
	assert_int_equal(counter_read(&f->counters.retries_refused[ARM_SOURCE]), 0);
	assert_int_equal(counter_read(&f->counters.oddities), 0);
	for (unsigned i = 0; i < NODES_MAX; i++)
		assert_int_equal(counter_read(&f->counters.nodes[i].ejections), 0);
}

/* Whoever's node it is at: the next attempt may have its descriptor. */
static void where_a_descriptor_lacks_an_idle_connection_goes(void **state)
{
	struct fixture *f = *state;
	const struct sim_faults shortage = { .shortage = 1000 };
	const struct pool_counts *source_has = &f->exchanges.clusters[ARM_SOURCE].counts;
	const counter *lacks = &f->counters.responds_here[ERR_OUT_OF_HANDLES];
	warm_up(f);
	assert_int_equal(source_has->open, 1);
	sim_lacks(f->s.io);
	sim_set_faults(f->s.far.sim, &shortage);
	for (unsigned i = 0; i < CLIENTS && !counter_read(lacks); i++)
		ask_as(f, i, TARGET, GET, true);
	assert_int_equal(counter_read(lacks), 1);
	assert_int_equal(source_has->open, 0);
}

static void what_is_held_of_a_write_is_let_go_when_it_is_sent(void **state)
{
	struct fixture *f = *state;
	ask(f, POST "Content-Length: 5\r\n", false);
	party_say(&f->clients[0], "hello", true);
	assert_false(list_empty(&f->exchanges.held));
	settle(f);
	assert_true(list_empty(&f->exchanges.held));
	assert_int_equal(f->exchanges.clusters[ARM_SOURCE].budget.used, 0);
	far_say(source(f), NO_CONTENT);
}

static void a_cluster_that_is_down_does_not_spill_over(void **state)
{
	struct fixture *f = *state;
	f->exchanges.values.weights[ARM_TARGET] = 0;
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	for (unsigned i = 0; i < 4; i++)
		ask_as(f, i, WEIGHTED, GET, true);
	assert_int_equal(connections(f), 0);
	assert_int_equal(requests(f, WEIGHTED, ARM_SOURCE, 5), 4);
}

static void when_no_node_is_healthy_all_are_tried_and_that_is_counted(void **state)
{
	struct fixture *f = *state;
	f->states.nodes[ARM_SOURCE][0].healthy = false;
	ask(f, GET, true);
	far_say(source(f), NO_CONTENT);
	assert_words(&f->s.words, "head(204).");
	assert_int_equal(counter_read(&f->counters.fail_open), 1);
	f->states.nodes[ARM_SOURCE][0].healthy = true;
	ask(f, GET, true);
	assert_int_equal(counter_read(&f->counters.fail_open), 1);
}

/* --- waiting for an address --- */

static void await_source(struct fixture *f, bool awaited)
{
	struct addr at = sample_address(ARM_SOURCE, 0);
	atomic_store(&f->states.nodes[ARM_SOURCE][0].awaited, awaited);
	state_know(&f->states.nodes[ARM_SOURCE][0], &at, !awaited);
	adopt(f);
	deliveries_choose(&f->exchanges);
}

static void a_request_waits_for_its_clusters_address(void **state)
{
	struct fixture *f = *state;
	await_source(f, true);
	ask(f, POST CHUNKED, false);
	far_pass_ms(&f->s.far, CONNECT_TIMEOUT_MS - 1);
	assert_words(&f->s.words, "");
	await_source(f, false);
	settle(f);
	assert_words(&f->s.words, "grant");
	assert_true(list_empty(&f->exchanges.waiting));
	party_say(&f->clients[0], "hello", true);
	settle(f);
	far_say(source(f), NO_CONTENT);
	assert_words(&f->s.words, "head(204).");
	assert_string_equal(source(f)->got, POST HOP CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n");
}

/* No byte of a body is granted meanwhile, but an end and trailers are free. */
static void what_comes_while_it_waits_is_not_lost(void **state)
{
	(void)state;
	for (int trailers = 0; trailers < 2; trailers++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		await_source(f, true);
		ask(f, POST CHUNKED, false);
		if (trailers)
			stream_trailers(f->clients[0].stream.peer,
					trailers_of(&f->s.arena, "X-Sum", "7"));
		else
			party_say(&f->clients[0], "", true);
		await_source(f, false);
		settle(f);
		assert_string_equal(source(f)->got, trailers ? POST HOP CHUNKED
							    "\r\n0\r\nX-Sum: 7\r\n\r\n"
							     : POST HOP CHUNKED "\r\n0\r\n\r\n");
		close_fixture(&own);
	}
}

static void a_client_that_leaves_while_it_waits_is_forgotten(void **state)
{
	struct fixture *f = *state;
	await_source(f, true);
	ask(f, GET, true);
	party_leave(&f->clients[0], ERR_PEER_RESET);
	assert_true(list_empty(&f->exchanges.waiting));
	await_source(f, false);
	settle(f);
	assert_int_equal(connections(f), 0);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 0), 1);
}

/* Its response may last longer than the wait would have: nothing is decided for it any more. */
static void a_request_that_breaks_while_it_waits_goes_nowhere(void **state)
{
	struct fixture *f = *state;
	await_source(f, true);
	begin_ask(f, 0, SOURCE, POST CHUNKED, false, 10);
	stream_abort(f->clients[0].stream.peer, STREAM_RESET, ERR_CHUNK_SIZE);
	assert_words(&f->s.words, "head(400) data");
	await_source(f, false);
	settle(f);
	assert_int_equal(connections(f), 0);
	party_grants(&f->clients[0], 1000);
	assert_words(&f->s.words, "data.");
	settle(f);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 4), 1);
}

/* --- writes that are held --- */

/* The status that a client has heard last; 0: none. */
static int heard(const struct fixture *f, unsigned client)
{
	const char *head = f->clients[client].head;
	return head ? atoi(head + strlen("HTTP/1.1 ")) : 0;
}

static void hold_writes(struct fixture *f, bool hold)
{
	f->exchanges.values.phase = hold ? BOARD_PHASE_HOLD : BOARD_PHASE_OPEN;
	f->exchanges.values.epoch++;
	exchanges_new_epoch(&f->exchanges);
	exchanges_let_go(&f->exchanges);
	settle(f);
}

static void reads_pass_while_writes_are_held(void **state)
{
	struct fixture *f = *state;
	hold_writes(f, true);
	ask(f, GET, true);
	assert_int_equal(connections(f), 1);
	ask_as(f, 1, SOURCE, POST, true);
	assert_int_equal(connections(f), 1);
	assert_int_equal(f->exchanges.writes[ARM_SOURCE], 0);
	hold_writes(f, false);
	assert_int_equal(connections(f), 2);
	assert_int_equal(f->exchanges.writes[ARM_SOURCE], 1);
	far_say(source(f), NO_CONTENT);
	assert_int_equal(f->exchanges.writes[ARM_SOURCE], 0);
	assert_int_equal(heard(f, 1), 204);
}

/* The weights may be others by then. */
static void a_held_write_goes_where_the_weights_say_when_it_is_let_go(void **state)
{
	struct fixture *f = *state;
	hold_writes(f, true);
	ask_as(f, 0, WEIGHTED, POST, true);
	assert_int_equal(f->exchanges.in_flight_now + f->exchanges.in_flight_before, 0);
	f->exchanges.values.weights[ARM_SOURCE] = 0;
	hold_writes(f, false);
	assert_int_equal(f->hosts[ARM_TARGET][0].conn_n, 1);
	assert_int_equal(f->exchanges.in_flight_now, 1);
	far_say(node(f, ARM_TARGET, 0), NO_CONTENT);
	assert_int_equal(heard(f, 0), 204);
}

/* As much of a body is read as shows that a client goes; the rest when somebody takes it. */
static void a_held_body_is_read_so_far_and_goes_on_whole(void **state)
{
	struct fixture *f = *state;
	static char body[PARKED_BODY_BYTES];
	memset(body, 'x', sizeof body);
	hold_writes(f, true);
	ask(f, POST CHUNKED, false);
	assert_int_equal(f->clients[0].stream.peer->credit, PARKED_BODY_BYTES);
	party_say_bytes(&f->clients[0], body, sizeof body, false);
	settle(f);
	assert_int_equal(f->clients[0].stream.peer->credit, 0);
	assert_int_equal(connections(f), 0);
	hold_writes(f, false);
	assert_true(f->clients[0].stream.peer->credit > 0);
	party_say(&f->clients[0], "end", true);
	settle(f);
	assert_non_null(strstr(source(f)->got, "\r\n3\r\nend\r\n0\r\n"));
	far_say(source(f), NO_CONTENT);
	assert_int_equal(heard(f, 0), 204);
}

static void a_client_that_goes_while_its_write_is_held_was_never_sent(void **state)
{
	struct fixture *f = *state;
	hold_writes(f, true);
	ask(f, POST, true);
	ask_as(f, 1, SOURCE, POST CHUNKED, false);
	party_leave(&f->clients[0], ERR_PEER_RESET);
	party_leave(&f->clients[1], ERR_PEER_RESET);
	settle(f);
	assert_true(list_empty(&f->exchanges.parked) && list_empty(&f->exchanges.closing));
	hold_writes(f, false);
	assert_int_equal(connections(f), 0);
	assert_int_equal(requests(f, SOURCE, ARM_NONE, 0), 2);
}

/* Of what came while they were held, too. */
static void held_writes_are_let_go_in_their_order(void **state)
{
	struct fixture *f = *state;
	hold_writes(f, true);
	for (unsigned i = 0; i < 3; i++)
		ask_as(f, i, SOURCE, POST, true);
	f->exchanges.values.phase = BOARD_PHASE_OPEN;
	ask_as(f, 3, SOURCE, POST, true); /* it may not overtake them */
	assert_int_equal(connections(f), 0);
	use_source_nodes(f, 1);
	f->sample.plan.clusters[ARM_SOURCE].connections = 1;
	f->sample.plan.clusters[ARM_SOURCE].workers = 1;
	f->sample.plan.clusters[ARM_SOURCE].queue_ms = 60000;
	adopt(f);
	hold_writes(f, false);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(heard(f, i), 0);
		far_say(source(f), NO_CONTENT);
		deliveries_serve(&f->exchanges);
		settle(f);
		assert_int_equal(heard(f, i), 204);
	}
}

/* What is said of an answered one is never said twice, whatever it waited for. */
static void a_request_that_breaks_while_it_is_held_is_told_so_and_waits_for_nothing(void **state)
{
	struct fixture *f = *state;
	hold_writes(f, true);
	begin_ask(f, 0, SOURCE, POST CHUNKED, false, 10);
	stream_abort(f->clients[0].stream.peer, STREAM_RESET, ERR_CHUNK_SIZE);
	settle(f);
	hold_writes(f, false);
	assert_int_equal(connections(f), 0);
	party_grants(&f->clients[0], 1000);
	settle(f);
	assert_int_equal(heard(f, 0), 400);
	assert_int_equal(requests(f, SOURCE, ARM_NONE, 4), 1);
}

/* --- limits --- */

static void a_body_may_be_so_large_and_no_larger(void **state)
{
	(void)state;
	static const struct {
		const char *head, *body;
		const char *heard;
		bool reaches;
	} rows[] = {
		{ POST "Content-Length: 5\r\n", "hello", "grant head(204).", true },
		{ POST "Content-Length: 6\r\n", "", "stop(none) head(413) data.", false },
		{ POST CHUNKED, "hello", "grant head(204).", true },
		{ POST CHUNKED, "hello!", "grant stop(none) head(413) data.", true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		f->sample.listeners[SOURCE].body_max = 5;
		ask(f, rows[i].head, false);
		if (rows[i].body[0])
			party_say(&f->clients[0], rows[i].body, strlen(rows[i].body) == 5);
		settle(f);
		assert_int_equal(connections(f), rows[i].reaches);
		bool fits = strlen(rows[i].body) == 5;
		if (fits)
			far_say(source(f), NO_CONTENT);
		else if (rows[i].reaches)
			assert_int_equal(source(f)->last, -ECONNRESET);
		assert_words(&f->s.words, rows[i].heard);
		assert_int_equal(
			requests(f, SOURCE, rows[i].reaches ? ARM_SOURCE : ARM_NONE, fits ? 2 : 4),
			1);
		assert_int_equal(counter_read(&f->counters.responds_here[ERR_BODY_SIZE]), !fits);
		close_fixture(&own);
	}
}

static void a_body_that_grows_too_large_behind_a_response_cuts_that(void **state)
{
	struct fixture *f = *state;
	f->sample.listeners[SOURCE].body_max = 5;
	ask(f, POST CHUNKED, false);
	far_say(source(f), HEAD_5 "hel");
	party_say(&f->clients[0], "hello!", false);
	settle(f);
	assert_words(&f->s.words, "grant head(200) data stop(none) reset(body_too_large)");
	assert_int_equal(source(f)->last, -ECONNRESET);
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 1);
}

/* --- broken off by the client --- */

static void a_client_that_leaves_ends_its_request_at_the_node(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		bool whole = i & 1, begun = i & 2; /* a read that is whole, a write that is not */
		ask(f, whole ? GET : POST CHUNKED, whole);
		if (begun)
			far_say(source(f), HEAD_5 "hel");
		f->s.words.text[0] = 0;
		party_leave(&f->clients[0], ERR_PEER_RESET);
		settle(f);
		assert_words(&f->s.words, "");
		assert_int_equal(source(f)->last, whole ? 0 : -ECONNRESET);
		assert_int_equal(counter_read(&f->counters.aborted[ERR_PEER_RESET]), 1);
		assert_int_equal(requests(f, SOURCE, ARM_SOURCE, begun ? 2 : 0), 1);
		close_fixture(&own);
	}
}

static uint64_t seen_through(const struct fixture *f)
{
	return counter_read(&f->counters.writes_seen_through[ARM_SOURCE]);
}

/* A write that the node has, and whose client goes. */
static void orphan(struct fixture *f)
{
	ask(f, POST "Content-Length: 5\r\n", false);
	party_say(&f->clients[0], "hello", true);
	settle(f);
	f->s.words.text[0] = 0;
	party_leave(&f->clients[0], ERR_PEER_RESET);
	settle(f);
	assert_int_equal(seen_through(f), 1);
	assert_false(list_empty(&f->exchanges.open));
	assert_int_equal(counter_read(&f->counters.in_flight[ARM_SOURCE]), 1);
}

static void a_write_is_seen_through_when_its_client_leaves(void **state)
{
	struct fixture *f = *state;
	orphan(f);
	far_say(source(f), "HTTP/1.1 103 Early\r\n\r\n" HEAD_5 "hel");
	assert_int_equal(counter_read(&f->counters.in_flight[ARM_SOURCE]), 1);
	far_say(source(f), "lo");
	assert_true(list_empty(&f->exchanges.open));
	assert_words(&f->s.words, "");
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 0), 1);
	assert_int_equal(counter_read(&f->counters.nodes[0].attempts[2]), 1);
	assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 0);
	/* Its connection serves the next. */
	ask_as(f, 1, SOURCE, GET, true);
	assert_int_equal(connections(f), 1);
	far_say(source(f), NO_CONTENT);
}

/* The node takes the rest of it as it can. */
static void a_write_that_has_come_whole_is_sent_to_its_end(void **state)
{
	struct fixture *f = *state;
	ask(f, POST CHUNKED, false);
	party_say(&f->clients[0], "hello", false);
	settle(f);
	stream_trailers(f->clients[0].stream.peer, trailers_of(&f->s.arena, "X-Sum", "7"));
	party_leave(&f->clients[0], ERR_PEER_RESET);
	settle(f);
	assert_string_equal(source(f)->got,
			    POST HOP CHUNKED "\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n");
	far_say(source(f), NO_CONTENT);
	assert_int_equal(counter_read(&f->counters.nodes[0].attempts[2]), 1);
}

static void a_write_that_no_node_has_got_is_not_seen_through(void **state)
{
	struct fixture *f = *state;
	begin_ask(f, 0, SOURCE, DELETE, true, STREAM_CREDIT_BYTES);
	party_leave(&f->clients[0], ERR_PEER_RESET);
	settle(f);
	assert_int_equal(seen_through(f), 0);
	assert_true(list_empty(&f->exchanges.open));
	assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 0);
}

static void a_write_that_is_not_answered_is_waited_for_as_long_as_for_others(void **state)
{
	struct fixture *f = *state;
	orphan(f);
	far_pass_ms(&f->s.far, IDLE_MS - 10);
	assert_false(list_empty(&f->exchanges.open));
	far_pass_ms(&f->s.far, 20);
	assert_true(list_empty(&f->exchanges.open));
	assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 1);
	assert_int_equal(counter_read(&f->counters.retries[ARM_SOURCE]), 0);
}

/* Its status is known; of a body without end nobody waits for the rest. */
static void a_response_that_nobody_waits_for_is_read_in_bounds(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		orphan(f);
		far_say(source(f), "HTTP/1.1 200 OK\r\n\r\n");
		static char piece[STREAM_CREDIT_BYTES / 4 + 1];
		memset(piece, 'x', sizeof piece - 1);
		for (int i = 0; i < 4; i++) {
			assert_false(list_empty(&f->exchanges.open));
			if (slow)
				far_pass_ms(&f->s.far, IDLE_MS / 4 + 1);
			far_say(source(f), slow ? "x" : piece);
			settle(f);
		}
		assert_true(list_empty(&f->exchanges.open));
		assert_int_equal(source(f)->last, 0);
		assert_int_equal(counter_read(&f->counters.nodes[0].attempts[2]), 1);
		assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 0);
		close_fixture(&own);
	}
}

static void a_write_left_behind_is_abandoned_when_all_is_broken_off(void **state)
{
	struct fixture *f = *state;
	orphan(f);
	exchanges_abandon_orphans(&f->exchanges);
	settle(f);
	assert_true(list_empty(&f->exchanges.open));
	assert_int_equal(counter_read(&f->counters.writes_unknown[ARM_SOURCE]), 1);
}

static void a_request_that_breaks_is_answered_while_the_client_is_there(void **state)
{
	(void)state;
	static const struct {
		enum err why;
		const char *heard, *word;
	} rows[] = {
		{ ERR_CHUNK_SIZE, "grant head(400) data.", "bad_chunk_size" },
		{ ERR_BODY_TIMEOUT, "grant head(408) data.", "body_timeout" },
		{ ERR_CUT_REQUEST, "grant head(400) data.", "request_cut" },
		/* Nothing that a response could tell. */
		{ ERR_PEER_RESET, "grant head(400) data.", "request_cut" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		ask(f, POST CHUNKED, false);
		party_say(&f->clients[0], "half", false);
		settle(f);
		stream_abort(f->clients[0].stream.peer, STREAM_RESET, rows[i].why);
		settle(f);
		assert_words(&f->s.words, rows[i].heard);
		assert_field(&f->clients[0], "X-Crossfade-Error", rows[i].word);
		assert_int_equal(source(f)->last, -ECONNRESET);
		assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 4), 1);
		close_fixture(&own);
	}
}

static void a_request_without_a_head_is_nobodys(void **state)
{
	struct fixture *f = *state;
	struct front_facts facts = { .peer = &f->client };
	exchange_open(&f->exchanges, &f->sample.plan, &f->sample.listeners[WEIGHTED], &facts,
		      &f->clients[0].stream);
	party_grants(&f->clients[0], 1000);
	stream_abort(f->clients[0].stream.peer, STREAM_RESET, ERR_BARE_LF);
	settle(f);
	assert_words(&f->s.words, "head(400) data.");
	assert_int_equal(requests(f, WEIGHTED, ARM_NONE, 4), 1);
	assert_int_equal(connections(f), 0);
}

static void a_request_that_breaks_behind_its_responses_head_cuts_the_response(void **state)
{
	struct fixture *f = *state;
	ask(f, POST CHUNKED, false);
	far_say(source(f), HEAD_5 "hel");
	stream_abort(f->clients[0].stream.peer, STREAM_RESET, ERR_CHUNK_SIZE);
	settle(f);
	assert_words(&f->s.words, "grant head(200) data reset(bad_chunk_size)");
	assert_int_equal(source(f)->last, -ECONNRESET);
}

/* --- the arm, the epoch, the plan --- */

static void the_listener_or_the_weights_choose_the_arm(void **state)
{
	struct fixture *f = *state;
	f->exchanges.values.weights[ARM_SOURCE] = 0;
	static const unsigned listeners[] = { SOURCE, TARGET, WEIGHTED, WEIGHTED };
	static const enum arm arms[] = { ARM_SOURCE, ARM_TARGET, ARM_TARGET, ARM_TARGET };
	for (unsigned i = 0; i < 4; i++) {
		ask_as(f, i, listeners[i], GET, true);
		far_say(node(f, arms[i], 0), NO_CONTENT);
		assert_words(&f->s.words, "head(204).");
	}
	assert_int_equal(requests(f, SOURCE, ARM_SOURCE, 2), 1);
	assert_int_equal(requests(f, TARGET, ARM_TARGET, 2), 1);
	assert_int_equal(requests(f, WEIGHTED, ARM_TARGET, 2), 2);
}

/* Those that no weight decided are not waited for when weights change. */
/* The weights are the source's alone; the client is 192.0.2.7. */
static void a_header_may_choose_the_arm_and_ends_here(void **state)
{
	struct fixture *f = *state;
	struct range room[NETWORK_RANGES];
	struct networks allow = { .ranges = room };
	networks_add(&allow, SPAN("192.0.2.0/24"));
	f->exchanges.values = (struct board_values){ .epoch = 1, .weights = { 1, 0 } };
	f->sample.plan.override_allow = &allow;
	struct split before = f->exchanges.split;
	ask_as(f, 0, WEIGHTED, GET "X-Crossfade-Cluster: target\r\n", true);
	assert_int_equal(far_heard(node(f, ARM_TARGET, 0), "rossfade-Cluster"), 0);
	assert_int_equal(f->exchanges.in_flight_now, 1);
	far_say(node(f, ARM_TARGET, 0), NO_CONTENT);
	assert_int_equal(counter_read(&f->counters.overridden), 1);
	assert_memory_equal(&f->exchanges.split, &before, sizeof before);
	ask_as(f, 1, WEIGHTED, GET "X-Crossfade-Cluster: targe\r\n", true);
	assert_words(&f->s.words, "head(204). head(400) data.");
	assert_field(&f->clients[1], "X-Crossfade-Error", "bad_override");
	assert_int_equal(requests(f, WEIGHTED, ARM_NONE, 4), 1);
	/* Nobody else is heard, and no node hears of it: not of a listener with one arm either. */
	f->sample.plan.override_allow = NULL;
	for (unsigned i = 2; i < 4; i++) {
		ask_as(f, i, i == 2 ? WEIGHTED : SOURCE, GET "X-Crossfade-Cluster: target\r\n",
		       true);
		assert_int_equal(far_heard(source(f), "rossfade-Cluster"), 0);
		far_say(source(f), NO_CONTENT);
	}
	assert_words(&f->s.words, "head(204). head(204).");
	assert_int_equal(counter_read(&f->counters.overridden), 1);
}

/* Sticky ones move no debt: those that have no key are split exactly. */
static void a_sticky_client_stays_and_the_others_are_split(void **state)
{
	struct fixture *f = *state;
	f->sample.plan.sticky =
		(struct sticky){ .by = STICKY_COOKIE, .field = NAME_COOKIE, .name = SPAN("a") };
	unsigned on_target = 0;
	for (unsigned i = 0; i < 20; i++) {
		const char *head = i % 2 ? GET : GET "Cookie: a=alice\r\n";
		uint64_t before = requests(f, WEIGHTED, ARM_TARGET, 2);
		ask_as(f, 0, WEIGHTED, head, true);
		for (unsigned arm = 0; arm < ARMS; arm++)
			if (counter_read(&f->counters.in_flight[arm]))
				far_say(node(f, (enum arm)arm, 0), NO_CONTENT);
		on_target += i % 2 && requests(f, WEIGHTED, ARM_TARGET, 2) > before;
		assert_words(&f->s.words, "head(204).");
	}
	assert_int_equal(on_target, 5);
	assert_int_equal(counter_read(&f->counters.sticky), 10);
	uint64_t all = requests(f, WEIGHTED, ARM_TARGET, 2);
	assert_true(all == 5 || all == 15);
}

static void weighted_requests_are_counted_by_their_epoch(void **state)
{
	struct fixture *f = *state;
	f->exchanges.values = (struct board_values){ .epoch = 1, .weights = { 1, 0 } };
	begin_ask(f, 0, SOURCE, GET, true, 0);
	begin_ask(f, 1, WEIGHTED, GET, true, 0);
	begin_ask(f, 2, WEIGHTED, GET, true, 0);
	settle(f);
	assert_int_equal(f->exchanges.in_flight_now, 2);
	f->exchanges.values = (struct board_values){ .epoch = 2, .weights = { 0, 1 } };
	exchanges_new_epoch(&f->exchanges);
	assert_int_equal(f->exchanges.in_flight_now, 0);
	assert_int_equal(f->exchanges.in_flight_before, 2);
	begin_ask(f, 3, WEIGHTED, GET, true, 0);
	settle(f);
	assert_int_equal(f->exchanges.in_flight_now, 1);
	for (int i = 0; i < 3; i++)
		far_say(f->hosts[ARM_SOURCE][0].conns[i], NO_CONTENT);
	assert_int_equal(f->exchanges.in_flight_now, 1);
	assert_int_equal(f->exchanges.in_flight_before, 0);
	far_say(node(f, ARM_TARGET, 0), NO_CONTENT);
	assert_int_equal(f->exchanges.in_flight_now, 0);
}

static void the_plan_is_pinned_while_an_exchange_uses_it(void **state)
{
	struct fixture *f = *state;
	ask_as(f, 0, SOURCE, GET, true);
	ask_as(f, 1, TARGET, GET, true);
	assert_int_equal(sample_pins(&f->sample), 2);
	assert_int_equal(counter_read(&f->counters.in_flight[ARM_SOURCE]), 1);
	assert_int_equal(f->live.by_number[0]->outstanding, 1);
	far_say(source(f), NO_CONTENT);
	assert_int_equal(sample_pins(&f->sample), 1);
	assert_int_equal(counter_read(&f->counters.in_flight[ARM_SOURCE]), 0);
	assert_int_equal(counter_read(&f->counters.in_flight[ARM_TARGET]), 1);
	assert_int_equal(f->live.by_number[0]->outstanding, 0);
}

static void time_is_measured_from_the_head_to_the_end_of_the_response(void **state)
{
	struct fixture *f = *state;
	ask(f, GET, true);
	far_pass_ms(&f->s.far, 700);
	far_say(source(f), HEAD_5 "hel");
	far_pass_ms(&f->s.far, 300);
	const struct latency *l = &f->counters.latency[ARM_SOURCE];
	assert_int_equal(counter_read(&l->sum_us), 0);
	far_say(source(f), "lo");
	assert_int_equal(counter_read(&l->sum_us), 1000000);
	assert_int_equal(counter_read(&l->buckets[latency_bucket(1000000)]), 1);
}

static void connecting_is_none_of_a_nodes_time(void **state)
{
	struct fixture *f = *state;
	struct sim_faults late = { .delay = 1000, .delay_ms_max = 100 }, none = { 0 };
	sim_set_faults(f->s.far.sim, &late);
	ask(f, GET, true);
	sim_set_faults(f->s.far.sim, &none);
	far_pass_ms(&f->s.far, 1000);
	far_say(source(f), NO_CONTENT);
	const struct counters *c = &f->counters;
	assert_int_equal(counter_read(&c->latency[ARM_SOURCE].sum_us), 1000000);
	assert_in_range(counter_read(&c->responding[ARM_SOURCE].sum_us), 900000, 999999);
}

/* --- the log has no room --- */

#define QUEUE_BYTES 4096

static uint64_t log_now_ns(void *fixture)
{
	const struct fixture *f = fixture;
	return f->s.io->now_ns;
}

static uint64_t log_rng(void *fixture)
{
	const struct fixture *f = fixture;
	return 0x9e3779b97f4a7c15u * (f->disk.file_n + 1);
}

static void log_woken(void *fixture)
{
	(void)fixture;
}

static void feed_woken(struct feed *feed)
{
	(void)feed;
}

static int open_recording(void **state)
{
	open_fixture(state);
	struct fixture *f = *state;
	kit_disk_open(&f->disk);
	taps_open(&f->taps, 0);
	f->journal = journal_open(&(struct journal_config){ .disk = &f->disk.disk,
							    .generation = 1,
							    .node = "a",
							    .now_ns = log_now_ns,
							    .rng = log_rng,
							    .wake = log_woken,
							    .world = f,
							    .segment_bytes = SEGMENT_BYTES_MIN,
							    .queue_bytes = QUEUE_BYTES });
	feed_attach(&f->taps.feed, f->journal);
	feed_own(&f->taps.feed, &f->s.bufs, feed_woken, f);
	f->exchanges.taps = &f->taps;
	f->sample.plan.capture = &f->capture;
	settle(f);
	return 0;
}

static int close_recording(void **state)
{
	struct fixture *f = *state;
	f->disk_stands_still = f->disk.always = false;
	f->disk.error = 0;
	for (int i = 0; i < CLIENTS; i++)
		party_leave(&f->clients[i], ERR_PEER_RESET);
	exchanges_abandon_orphans(&f->exchanges);
	far_pass_ms(&f->s.far, LOG_LAZY_MS);
	assert_true(list_empty(&f->exchanges.stalled));
	assert_int_equal(journal_queued(f->journal), 0);
	journal_stop(f->journal);
	settle(f);
	f->exchanges.taps = NULL;
	journal_close(f->journal);
	taps_close(&f->taps);
	disk_free(&f->disk.disk);
	return close_fixture(state);
}

/* How many frames of a kind are durable in the log's one file. */
static unsigned recorded(const struct fixture *f, enum frame_type type)
{
	const uint8_t *at = f->disk.files[0].synced + sizeof(struct segment_head);
	unsigned n = 0;
	struct frame head;
	for (memcpy(&head, at, sizeof head); head.type; memcpy(&head, at, sizeof head)) {
		n += head.type == type;
		at += sizeof head + frame_padded(head.payload_n);
	}
	return n;
}

/* Memory is short while its response comes. */
static void a_read_that_is_squeezed_waits_for_no_log(void **state)
{
	struct fixture *f = *state;
	ask(f, GET, true);
	f->disk_stands_still = true;
	far_say(source(f), HEAD_5 "he");
	struct exchange *ex = list_entry(f->exchanges.open.next, struct exchange, link);
	stream_squeeze(&ex->gate->back);
	far_say(source(f), "llo");
	assert_words(&f->s.words, "head(200) data.");
}

/* Whether anybody waits for its outcome to be durable or not. */
static void an_outcome_is_recorded_once(void **state)
{
	struct fixture *f = *state;
	static const char *const heads[] = { GET, POST };
	for (unsigned i = 0; i < 2; i++) {
		ask_as(f, i, SOURCE, heads[i], true);
		far_say(source(f), NO_CONTENT);
		far_pass_ms(&f->s.far, LOG_LAZY_MS);
		assert_int_equal(heard(f, i), 204);
		assert_int_equal(recorded(f, FRAME_REQUEST_HEAD), i + 1);
		assert_int_equal(recorded(f, FRAME_OUTCOME), i + 1);
	}
}

static void an_error_that_nobody_takes_keeps_no_record_open(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[ARM_SOURCE][0]);
	begin_ask(f, 0, SOURCE, POST, true, 0);
	far_pass_ms(&f->s.far, LOG_LAZY_MS);
	assert_int_equal(heard(f, 0), 502);
	assert_int_equal(f->clients[0].body_n, 0);
	far_pass_ms(&f->s.far, LOG_LAZY_MS);
	assert_int_equal(recorded(f, FRAME_OUTCOME), 1);
	party_grants(&f->clients[0], 1000);
	far_pass_ms(&f->s.far, LOG_LAZY_MS);
	assert_int_equal(recorded(f, FRAME_OUTCOME), 1);
}

/* The first client's write takes all the room that there is, and the disk stands still. */
static void fill_log(struct fixture *f)
{
	static char body[QUEUE_BYTES + 1];
	memset(body, 'x', QUEUE_BYTES);
	f->disk_stands_still = true;
	ask(f, POST CHUNKED, false);
	party_say(&f->clients[0], body, true);
	settle(f);
	assert_int_equal(journal_room(f->journal), 0);
	assert_words(&f->s.words, "grant");
	assert_int_equal(connections(f), 0);
}

static void a_write_waits_for_room_in_the_log(void **state)
{
	struct fixture *f = *state;
	fill_log(f);
	ask_as(f, 1, SOURCE, POST CHUNKED, false);
	far_pass_ms(&f->s.far, LOG_FULL_MS - 1);
	assert_words(&f->s.words, "");
	assert_int_equal(connections(f), 0);
	f->disk_stands_still = false;
	settle(f);
	assert_words(&f->s.words, "grant");
	party_say(&f->clients[1], "hello", true);
	settle(f);
	assert_int_equal(connections(f), 2);
	assert_int_equal(far_heard(source(f), "hello"), 1);
	assert_int_equal(counter_read(&f->taps.refused_writes), 0);
}

/* No byte of a body is granted meanwhile, but an end and trailers are free. */
static void what_comes_while_there_is_no_room_is_recorded(void **state)
{
	(void)state;
	for (int trailers = 0; trailers < 2; trailers++) {
		void *own;
		open_recording(&own);
		struct fixture *f = own;
		fill_log(f);
		ask_as(f, 1, SOURCE, POST CHUNKED, false);
		if (trailers)
			stream_trailers(f->clients[1].stream.peer,
					trailers_of(&f->s.arena, "X-Sum", "7"));
		else
			party_say(&f->clients[1], "", true);
		f->disk_stands_still = false;
		settle(f);
		assert_string_equal(source(f)->got, trailers ? POST HOP CHUNKED
							    "\r\n0\r\nX-Sum: 7\r\n\r\n"
							     : POST HOP CHUNKED "\r\n0\r\n\r\n");
		assert_int_equal(memmem(f->disk.files[0].synced, KIT_FILE_BYTES, "X-Sum: 7", 8) !=
					 NULL,
				 trailers);
		close_recording(&own);
	}
}

static void who_leaves_while_there_is_no_room_is_forgotten(void **state)
{
	struct fixture *f = *state;
	fill_log(f);
	ask_as(f, 1, SOURCE, POST CHUNKED, false);
	party_leave(&f->clients[1], ERR_PEER_RESET);
	f->disk_stands_still = false;
	settle(f);
	assert_int_equal(connections(f), 1);
}

static void a_log_that_is_full_for_a_second_refuses_writes(void **state)
{
	struct fixture *f = *state;
	fill_log(f);
	ask_as(f, 1, SOURCE, POST CHUNKED, false);
	far_pass_ms(&f->s.far, LOG_FULL_MS);
	assert_words(&f->s.words, "stop(none) head(503) data.");
	assert_field(&f->clients[1], "X-Crossfade-Error", "capture_unavailable");
	ask_as(f, 2, SOURCE, POST, true);
	assert_words(&f->s.words, "head(503) data.");
	assert_int_equal(counter_read(&f->taps.refused_writes), 2);
	/* A read passes, and is missing in the log. */
	ask_as(f, 3, SOURCE, GET, true);
	assert_int_equal(connections(f), 1);
	assert_int_equal(f->taps.feed.lost[GAP_UNAVAILABLE].reads, 1);
	/* Who came before is not refused: its record is on its way. */
	f->disk_stands_still = false;
	settle(f);
	assert_int_equal(connections(f), 2);
	ask_as(f, 4, SOURCE, POST, true);
	assert_int_equal(connections(f), 3);
}

static void a_log_that_is_full_for_a_second_lets_them_pass_where_that_is_said(void **state)
{
	struct fixture *f = *state;
	f->capture.unavailable = UNAVAILABLE_FORWARD;
	fill_log(f);
	ask_as(f, 1, SOURCE, POST, true);
	far_pass_ms(&f->s.far, LOG_FULL_MS - 1);
	assert_int_equal(connections(f), 0);
	far_pass_ms(&f->s.far, 1);
	assert_int_equal(connections(f), 1);
	assert_int_equal(f->taps.feed.lost[GAP_UNAVAILABLE].writes, 1);
}

static void a_log_that_fails_while_it_is_full_answers_all(void **state)
{
	struct fixture *f = *state;
	fill_log(f);
	ask_as(f, 1, SOURCE, POST, true);
	assert_words(&f->s.words, "");
	f->disk.fail = DISK_SYNC;
	f->disk.error = -EIO;
	f->disk_stands_still = false;
	settle(f);
	assert_words(&f->s.words, "head(503) data. head(503) data.");
	assert_int_equal(connections(f), 0);
}

/* The request is in the log: only what became of it is missing there. */
static void an_outcome_that_is_lost_is_no_lost_write(void **state)
{
	struct fixture *f = *state;
	ask(f, POST, true);
	f->disk.fail = DISK_SYNC;
	f->disk.error = -EIO;
	far_say(source(f), NO_CONTENT);
	far_pass_ms(&f->s.far, LOG_LAZY_MS);
	assert_words(&f->s.words, "head(204).");
	assert_int_equal(f->taps.feed.lost[GAP_UNAVAILABLE].outcomes, 1);
	assert_int_equal(f->taps.feed.lost[GAP_UNAVAILABLE].writes, 0);
	/* The log is back. */
	far_pass_ms(&f->s.far, LOG_PROBE_MS);
}

/* It is begun at a node, and comes as fast as the log takes it. */
static void a_full_log_gives_no_credit(void **state)
{
	static char piece[STREAM_CREDIT_BYTES / 2 + 1];
	struct fixture *f = *state;
	memset(piece, 'x', sizeof piece - 1);
	ask(f, POST "Content-Length: 1000000\r\n", false);
	assert_words(&f->s.words, "grant");
	const struct stream *to = f->clients[0].stream.peer;
	uint32_t credit = to->credit;
	f->disk_stands_still = true;
	party_say(&f->clients[0], piece, false);
	settle(f);
	assert_int_equal(far_heard(source(f), piece), 1);
	far_pass_ms(&f->s.far, 2 * LOG_FULL_MS);
	assert_words(&f->s.words, "");
	assert_int_equal(to->credit, credit - STREAM_CREDIT_BYTES / 2);
	f->disk_stands_still = false;
	settle(f);
	assert_words(&f->s.words, "grant");
	assert_true(to->credit > credit - STREAM_CREDIT_BYTES / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

#define RECORDING(name) cmocka_unit_test_setup_teardown(name, open_recording, close_recording)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RECORDING(a_write_waits_for_room_in_the_log),
		cmocka_unit_test(what_comes_while_there_is_no_room_is_recorded),
		RECORDING(who_leaves_while_there_is_no_room_is_forgotten),
		RECORDING(a_log_that_is_full_for_a_second_refuses_writes),
		RECORDING(a_log_that_is_full_for_a_second_lets_them_pass_where_that_is_said),
		RECORDING(a_log_that_fails_while_it_is_full_answers_all),
		RECORDING(an_outcome_that_is_lost_is_no_lost_write),
		RECORDING(a_full_log_gives_no_credit),
		RECORDING(an_outcome_is_recorded_once),
		RECORDING(an_error_that_nobody_takes_keeps_no_record_open),
		RECORDING(a_read_that_is_squeezed_waits_for_no_log),
		cmocka_unit_test(a_cluster_in_trouble_is_a_502_503_or_504),
		TEST(an_error_for_head_has_no_body),
		TEST(an_error_goes_as_far_as_credit_does),
		TEST(a_request_that_is_not_whole_is_stopped_by_an_error),
		TEST(a_field_that_gets_too_long_by_ours_is_a_431),
		cmocka_unit_test(a_response_is_passed_on),
		cmocka_unit_test(the_health_path_is_answered_here),
		cmocka_unit_test(a_request_that_goes_round_is_a_508),
		TEST(that_requests_go_round_is_said_once),
		cmocka_unit_test(a_trace_ends_here_and_so_does_the_last_hop_of_options),
		TEST(a_path_beside_the_health_path_goes_to_a_cluster),
		TEST(a_request_is_passed_on_with_its_body_and_trailers),
		TEST(credit_is_the_nodes_and_the_clients_own),
		TEST(an_early_response_stops_the_request_only_when_it_has_ended),
		TEST(a_response_that_is_cut_is_never_whole),
		TEST(a_tunnel_is_passed_on_and_has_no_limit),
		TEST(a_refused_connect_goes_to_another_node),
		TEST(so_many_nodes_are_tried_and_no_more),
		TEST(each_node_is_tried_once),
		TEST(a_timeout_of_connecting_goes_to_another_node_too),
		cmocka_unit_test(what_was_sent_is_never_sent_again),
		TEST(a_read_without_a_response_goes_to_another_node),
		TEST(an_idle_connection_that_failed_says_nothing_of_its_node),
		cmocka_unit_test(an_idle_connection_may_be_closed_in_the_turn_in_which_it_is_taken),
		cmocka_unit_test(a_search_is_sent_again_with_its_whole_body),
		TEST(a_scroll_is_not_repeated),
		TEST(a_body_that_is_not_held_is_not_repeated),
		cmocka_unit_test(a_response_that_has_begun_is_not_repeated),
		TEST(an_upgrade_is_not_repeated),
		TEST(a_read_that_takes_too_long_is_not_repeated),
		TEST(when_the_budget_is_spent_a_read_is_not_repeated),
		TEST(a_connect_that_failed_costs_no_budget),
		TEST(our_own_shortage_is_a_503_and_held_against_no_node),
		TEST(where_a_descriptor_lacks_an_idle_connection_goes),
		TEST(what_is_held_of_a_write_is_let_go_when_it_is_sent),
		TEST(a_cluster_that_is_down_does_not_spill_over),
		TEST(when_no_node_is_healthy_all_are_tried_and_that_is_counted),
		TEST(a_request_waits_for_its_clusters_address),
		cmocka_unit_test(what_comes_while_it_waits_is_not_lost),
		TEST(a_client_that_leaves_while_it_waits_is_forgotten),
		TEST(a_request_that_breaks_while_it_waits_goes_nowhere),
		TEST(reads_pass_while_writes_are_held),
		TEST(a_held_write_goes_where_the_weights_say_when_it_is_let_go),
		TEST(a_held_body_is_read_so_far_and_goes_on_whole),
		TEST(a_client_that_goes_while_its_write_is_held_was_never_sent),
		TEST(held_writes_are_let_go_in_their_order),
		TEST(a_request_that_breaks_while_it_is_held_is_told_so_and_waits_for_nothing),
		cmocka_unit_test(a_body_may_be_so_large_and_no_larger),
		TEST(a_body_that_grows_too_large_behind_a_response_cuts_that),
		cmocka_unit_test(a_client_that_leaves_ends_its_request_at_the_node),
		TEST(a_write_is_seen_through_when_its_client_leaves),
		TEST(a_write_that_has_come_whole_is_sent_to_its_end),
		TEST(a_write_that_no_node_has_got_is_not_seen_through),
		TEST(a_write_that_is_not_answered_is_waited_for_as_long_as_for_others),
		cmocka_unit_test(a_response_that_nobody_waits_for_is_read_in_bounds),
		TEST(a_write_left_behind_is_abandoned_when_all_is_broken_off),
		cmocka_unit_test(a_request_that_breaks_is_answered_while_the_client_is_there),
		TEST(a_request_without_a_head_is_nobodys),
		TEST(a_request_that_breaks_behind_its_responses_head_cuts_the_response),
		TEST(the_listener_or_the_weights_choose_the_arm),
		TEST(a_header_may_choose_the_arm_and_ends_here),
		TEST(a_sticky_client_stays_and_the_others_are_split),
		TEST(weighted_requests_are_counted_by_their_epoch),
		TEST(the_plan_is_pinned_while_an_exchange_uses_it),
		TEST(time_is_measured_from_the_head_to_the_end_of_the_response),
		TEST(connecting_is_none_of_a_nodes_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
