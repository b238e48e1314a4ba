#include "unit/control/http_kit.h"

#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "control/control.h"
#include "control/local_socket.h"

/*
 * A whole process without its app: two workers on threads of their own, control on another, and two
 * clusters that say who they are. Nothing is refused that is not refused in production.
 */

#define WORKERS 2

struct cluster_server {
	struct http_server http;
	const char *name;
	atomic_uint status; /* of its responses */
};

struct world {
	char directory[64], socket[96];
	struct cluster_server clusters[ARMS];
	struct config *config;
	struct board *board;
	struct control *control;
	struct addr weighted, admin;
	int admin_fd, listening[WORKERS];
	pthread_t workers[WORKERS], thread;
	atomic_uint up;
	atomic_bool stopping, retiring;
	unsigned others_looked;
};

struct worker_start {
	struct world *world;
	unsigned number;
};

/* --- clusters --- */

static void serve_name(struct call *c)
{
	struct cluster_server *s = c->service->owner;
	call_text(c, atomic_load(&s->status), SPAN("text/plain"), span_of(s->name));
}

static void gone(struct call *c)
{
	(void)c;
}

static const struct service_user cluster_user = { .serve = serve_name, .gone = gone };

/* --- threads --- */

static void *run_worker(void *arg)
{
	struct worker_start start = *(struct worker_start *)arg;
	struct world *w = start.world;
	struct bufs bufs;
	free(arg);
	tls_library_enter(w->control->workers.libraries[start.number]);
	bufs_open(&bufs);
	struct worker_config config = workers_config(&w->control->workers, start.number);
	config.io = io_epoll_open(&bufs);
	config.bufs = &bufs;
	struct worker *worker = worker_open(&config);
	worker_listen(worker, io_adopt(config.io, w->listening[start.number]), 0);
	workers_up(&w->control->workers, start.number, config.io);
	atomic_fetch_add(&w->up, 1);
	while (!worker_is_over(worker))
		worker_turn(worker, UINT64_MAX);
	worker_close(worker);
	workers_over(&w->control->workers, start.number);
	io_free(config.io);
	bufs_close(&bufs);
	return NULL;
}

static void let_others_look(void *self)
{
	struct world *w = self;
	w->others_looked++;
}

static void *run_control(void *arg)
{
	struct world *w = arg;
	char error[WEIGHTS_TEXT_BYTES];
	struct control_sockets sockets = { local_socket_listen(w->socket), { w->admin_fd }, 1 };
	const struct leader_peers peers = { .look = let_others_look, .self = w };
	assert_true(control_attach(w->control, error));
	assert_true(control_lead(w->control, &sockets, &peers, error));
	assert_true(workers_take_slots(&w->control->workers));
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker_start *start = malloc(sizeof *start);
		*start = (struct worker_start){ w, i };
		assert_int_equal(pthread_create(&w->workers[i], NULL, run_worker, start), 0);
	}
	while (atomic_load(&w->up) < WORKERS)
		sched_yield();
	atomic_fetch_add(&w->up, 1);
	while (!control_is_over(w->control)) {
		if (atomic_exchange(&w->stopping, false))
			control_stop(w->control);
		if (atomic_exchange(&w->retiring, false))
			control_retire(w->control);
		control_turn(w->control);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(w->workers[i], NULL);
	return NULL;
}

/* Both workers' sockets share one port, as the keeper's do. */
static void open_listening(struct world *w)
{
	int on = 1;
	socklen_t n = sizeof w->weighted.v4;
	assert_true(addr_parse(SPAN("127.0.0.1"), 0, &w->weighted));
	for (int i = 0; i < WORKERS; i++) {
		int fd = w->listening[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
		assert_int_equal(bind(fd, &w->weighted.any, addr_bytes(&w->weighted)), 0);
		assert_int_equal(listen(fd, 128), 0);
		assert_int_equal(getsockname(fd, &w->weighted.any, &n), 0);
	}
}

static void world_open(struct world *w, const char *more)
{
	char text[2048], error[WEIGHTS_TEXT_BYTES];
	static const char *const names[ARMS] = { "source", "target" };
	*w = (struct world){ 0 };
	kit_directory(w->directory);
	snprintf(w->socket, sizeof w->socket, "%s/admin.sock", w->directory);
	for (int arm = 0; arm < ARMS; arm++) {
		w->clusters[arm].name = names[arm];
		atomic_store(&w->clusters[arm].status, 200);
		http_server_open(&w->clusters[arm].http, &cluster_user, &w->clusters[arm], 1 << 20);
	}
	snprintf(text, sizeof text,
		 "listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
		 "source: { nodes: [ http://localhost:%u ] }\n"
		 "target: { nodes: [ http://127.0.0.1:%u ], health: { interval: 100ms } }\n"
		 "workers: %d\nadmin: { socket: %s }\nstate: %s\n%s",
		 addr_port(&w->clusters[0].http.at), addr_port(&w->clusters[1].http.at), WORKERS,
		 w->socket, w->directory, more);
	w->config = kit_config(text);
	w->board = aligned_alloc(64, sizeof *w->board);
	board_format(w->board, 7);
	open_listening(w);
	w->admin_fd = http_listen(&w->admin);
	w->control = control_open(w->config, w->board, NULL, error);
	assert_non_null(w->control);
	assert_int_equal(pthread_create(&w->thread, NULL, run_control, w), 0);
	while (atomic_load(&w->up) < WORKERS + 1)
		sched_yield();
}

static void stop(struct world *w)
{
	atomic_store(&w->stopping, true);
	io_wake(w->control->loop.io);
}

static void world_close(struct world *w)
{
	stop(w);
	pthread_join(w->thread, NULL);
	control_close(w->control);
	for (int arm = 0; arm < ARMS; arm++)
		http_server_close(&w->clusters[arm].http);
	config_close(w->config);
	free(w->board);
	kit_remove(w->directory);
}

/* --- asking --- */

static const char *ask_local(struct world *w, const char *method, const char *path,
			     const char *more, const char *body)
{
	static char response[65536];
	char request[4096];
	int fd = http_connect_local(w->socket);
	snprintf(request, sizeof request,
		 "%s %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s", method, path, more,
		 strlen(body), body);
	http_ask(fd, request, response);
	close(fd);
	return response;
}

static void assert_begins(const char *text, const char *with)
{
	if (strncmp(text, with, strlen(with)))
		print_error("%s\ndoes not begin with %s\n", text, with);
	assert_int_equal(strncmp(text, with, strlen(with)), 0);
}

/* Counts who answers `n` requests on each of two connections. */
static void count_responses(struct world *w, unsigned n, unsigned counts[ARMS])
{
	char response[65536];
	int fds[2] = { http_connect(&w->weighted), http_connect(&w->weighted) };
	for (unsigned i = 0; i < 2 * n; i++) {
		http_ask(fds[i % 2], "GET / HTTP/1.1\r\nHost: h\r\n\r\n", response);
		assert_begins(response, "200 ");
		counts[ARM_SOURCE] += !strcmp(response + 4, "source");
		counts[ARM_TARGET] += !strcmp(response + 4, "target");
	}
	close(fds[0]);
	close(fds[1]);
}

/* --- claims --- */

static void weights_change_while_requests_pass(void **state)
{
	(void)state;
	struct world w;
	unsigned counts[ARMS] = { 0 };
	world_open(&w, "");
	assert_string_equal(
		ask_local(&w, "GET", "/v1/weights", "", ""),
		"200 {\"weights\":{\"source\":1,\"target\":0},\"epoch\":1,\"saved\":true}\n");
	count_responses(&w, 5, counts);
	assert_int_equal(counts[ARM_SOURCE], 10);
	assert_begins(ask_local(&w, "PUT", "/v1/weights", "",
				"{\"weights\":{\"source\":3,\"target\":1},\"reason\":\"r\"}"),
		      "200 {\"weights\":{\"source\":3,\"target\":1},\"epoch\":2,\"saved\":true,"
		      "\"acknowledged\":true,");
	memset(counts, 0, sizeof counts);
	count_responses(&w, 100, counts);
	/* Each of two workers may be one request away from the exact share. */
	assert_true(counts[ARM_TARGET] >= 48 && counts[ARM_TARGET] <= 52);
	for (int i = 0; i < 20; i++)
		assert_begins(ask_local(&w, "PUT", "/v1/weights", "",
					i % 2 ? "{\"weights\":{\"source\":0,\"target\":1}}"
					      : "{\"weights\":{\"source\":5,\"target\":5}}"),
			      "200 ");
	memset(counts, 0, sizeof counts);
	count_responses(&w, 5, counts);
	assert_int_equal(counts[ARM_TARGET], 10);
	assert_begins(ask_local(&w, "POST", "/v1/rollback", "", ""),
		      "200 {\"weights\":{\"source\":1,\"target\":0},\"epoch\":23,");
	memset(counts, 0, sizeof counts);
	count_responses(&w, 5, counts);
	assert_int_equal(counts[ARM_SOURCE], 10);
	world_close(&w);
}

/* "clusters.0.nodes.0.name": members by their names, elements by their numbers. */
static const json_t *find(const json_t *in, const char *path)
{
	while (in && *path) {
		char name[64];
		size_t n = strcspn(path, ".");
		snprintf(name, sizeof name, "%.*s", (int)n, path);
		in = json_is_array(in) ? json_array_get(in, strtoul(name, NULL, 10))
				       : json_object_get(in, name);
		path += n + (path[n] == '.');
	}
	return in;
}

static void assert_says(const json_t *status, const char *path, const char *wanted)
{
	const json_t *at = find(status, path);
	char *text = at ? json_dumps(at, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	if (!text || strcmp(text, wanted) != 0)
		print_error("%s is %s, not %s\n", path, text ? text : "not there", wanted);
	assert_true(text && strcmp(text, wanted) == 0);
	free(text);
}

static void post_to(const struct addr *at, unsigned n)
{
	char response[65536];
	int fd = http_connect(at);
	for (unsigned i = 0; i < n; i++) {
		http_ask(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345",
			 response);
		assert_begins(response, "200 target");
	}
	close(fd);
}

static void the_status_says_what_is(void **state)
{
	(void)state;
	static const struct {
		const char *path, *value;
	} rows[] = {
		{ "weights", "{\"source\":0,\"target\":1}" },
		{ "epoch", "2" },
		{ "saved", "true" },
		{ "rolled_back", "false" },
		{ "state", "\"serving\"" },
		{ "workers", "2" },
		{ "io", "\"epoll\"" },
		{ "configuration.file", "\"crossfade.yaml\"" },
		{ "configuration.plan", "1" },
		{ "configuration.reloads", "0" },
		{ "configuration.reload", "null" },
		{ "listeners.0.name", "\"weighted\"" },
		{ "listeners.0.address", "\"127.0.0.1:1\"" },
		{ "listeners.0.tls", "false" },
		{ "listeners.0.requests", "22" },
		{ "clusters.0.name", "\"source\"" },
		{ "clusters.0.weight", "0" },
		{ "clusters.0.requests.all", "20" },
		{ "clusters.0.requests.2xx", "20" },
		{ "clusters.0.requests.unanswered", "0" },
		{ "clusters.0.classes", "{\"reads\":20,\"writes\":0}" },
		{ "clusters.0.in_flight", "0" },
		{ "clusters.0.retries", "0" },
		{ "clusters.0.bytes", "{\"requests\":0,\"responses\":120}" },
		{ "clusters.0.nodes.0.state", "\"drained\"" },
		{ "clusters.0.nodes.0.healthy", "true" },
		{ "clusters.0.nodes.0.in_flight", "0" },
		{ "clusters.0.nodes.0.requests.2xx", "20" },
		{ "clusters.0.nodes.0.address_checks.0.healthy", "true" },
		{ "clusters.0.nodes.0.address_checks.0.in_newest_look_up", "true" },
		{ "clusters.0.nodes.0.ejections", "0" },
		{ "clusters.0.nodes.0.drained.by", "\"ann\"" },
		{ "clusters.0.nodes.0.drained.why", "\"CHG-7\"" },
		{ "clusters.1.name", "\"target\"" },
		{ "clusters.1.weight", "1" },
		{ "clusters.1.requests.2xx", "2" },
		{ "clusters.1.classes", "{\"reads\":0,\"writes\":2}" },
		{ "clusters.1.bytes", "{\"requests\":10,\"responses\":12}" },
		{ "clusters.1.nodes.0.state", "\"healthy\"" },
		{ "clusters.1.nodes.0.requests.all", "2" },
		{ "responds_here.all", "0" },
		{ "processes.0.state", "\"serving\"" },
		{ "processes.0.workers", "2" },
		{ "processes.0.in_flight", "0" },
		{ "log.lines_lost", "0" },
		{ "audit", "{\"lines_owed\":0,\"trouble\":null}" },
		{ "certificates", "[]" },
		{ "capture", "null" },
	};
	struct world w;
	unsigned counts[ARMS] = { 0 };
	char path[64];
	world_open(&w, "");
	count_responses(&w, 10, counts);
	assert_begins(ask_local(&w, "PUT", "/v1/weights", "",
				"{\"weights\":{\"source\":0,\"target\":1}}"),
		      "200 ");
	post_to(&w.weighted, 2);
	snprintf(path, sizeof path, "/v1/nodes/localhost:%u/state",
		 addr_port(&w.clusters[0].http.at));
	assert_begins(ask_local(&w, "PUT", path, "",
				"{\"state\":\"drain\",\"who\":\"ann\",\"reason\":\"CHG-7\"}"),
		      "200 ");
	json_t *status = json_loads(ask_local(&w, "GET", "/v1/status", "", "") + 4, 0, NULL);
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		assert_says(status, rows[i].path, rows[i].value);
	json_decref(status);
	world_close(&w);
}

static void the_api_says_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path, *more, *body, *response;
	} rows[] = {
		{ "GET", "/", "", "", "404 {\"error\":\"not_found\"," },
		{ "DELETE", "/v1/weights", "", "", "405 {\"error\":\"method_not_allowed\"," },
		{ "PUT", "/v1/weights", "", "{", "400 {\"error\":\"bad_request\"," },
		{ "PUT", "/v1/weights", "", "{\"weights\":{\"source\":0,\"target\":0}}",
		  "400 {\"error\":\"both_zero\"," },
		{ "PUT", "/v1/weights", "If-Match: \"9\"\r\n",
		  "{\"weights\":{\"source\":1,\"target\":0}}",
		  "412 {\"error\":\"epoch_differs\",\"status\":412,\"message\":\"the epoch is 1, "
		  "not 9: "
		  "another change came first\"}" },
		{ "PUT", "/v1/weights", "If-Match: W/\"1\"\r\n",
		  "{\"weights\":{\"source\":1,\"target\":0}}", "400 {\"error\":\"bad_if_match\"," },
		{ "PUT", "/v1/weights", "If-Match: \"1\"\r\n",
		  "{\"weights\":{\"source\":1,\"target\":1}}",
		  "200 {\"weights\":{\"source\":1,\"target\":1},\"epoch\":2," },
		{ "PUT", "/v1/weights", "If-Match: *\r\n",
		  "{\"weights\":{\"source\":1,\"target\":2}}",
		  "200 {\"weights\":{\"source\":1,\"target\":2},\"epoch\":3," },
		{ "POST", "/v1/rollback", "", "{\"why\":1}", "400 {\"error\":\"bad_request\"," },
		{ "GET", "/healthz", "", "", "200 ok" },
		{ "GET", "/readyz", "", "", "200 ready" },
		{ "GET", "/metrics", "", "", "200 # HELP crossfade_build_info" },
		{ "GET", "/v1/status", "", "",
		  "200 {\"weights\":{\"source\":1,\"target\":2},\"epoch\":3,\"saved\":true,"
		  "\"state\":\"serving\"," },
	};
	struct world w;
	world_open(&w, "");
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		assert_begins(
			ask_local(&w, rows[i].method, rows[i].path, rows[i].more, rows[i].body),
			rows[i].response);
	world_close(&w);
}

/* The balancer of today: nothing has moved the writes. */
static void the_status_has_the_owner_of_the_writes(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, "");
	const char *status = ask_local(&w, "GET", "/v1/status", "", "");
	assert_non_null(strstr(status, "\"owner\":\"source\",\"since\":0,\"phase\":\"open\""));
	assert_non_null(strstr(status, "\"writes_in_flight\":0"));
	world_close(&w);
}

static void over_tcp_the_token_opens(void **state)
{
	(void)state;
	struct world w;
	char response[65536], request[512];
	world_open(&w, "");
	int fd = http_connect(&w.admin);
	static const char *const open[] = { "/metrics", "/healthz" };
	for (size_t i = 0; i < ARRAY_N(open); i++) {
		snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			 open[i]);
		http_ask(fd, request, response);
		assert_begins(response, "200 ");
		snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: evil.example\r\n\r\n",
			 open[i]);
		http_ask(fd, request, response);
		assert_begins(response, "421 {\"error\":\"host_not_ours\"");
	}
	static const char *const closed[] = { "/v1/status", "/v1/weights", "/readyz", "/nothing" };
	for (size_t i = 0; i < ARRAY_N(closed); i++) {
		snprintf(
			request, sizeof request,
			"GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n",
			closed[i]);
		http_ask(fd, request, response);
		assert_begins(response, "401 {\"error\":\"no_token\"");
	}
	snprintf(request, sizeof request,
		 "GET /v1/weights HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
		 strtok(kit_read(w.directory, TOKEN_FILE), "\n"));
	http_ask(fd, request, response);
	assert_begins(response, "200 {\"weights\":");
	close(fd);
	world_close(&w);
}

static bool target_is_healthy(struct world *w)
{
	const char *status = ask_local(w, "GET", "/v1/status", "", "");
	const char *target = strstr(status, "\"name\":\"target\"");
	assert_non_null(target);
	return strstr(target, "\"healthy\":true") != NULL;
}

static void await_health(struct world *w, bool healthy)
{
	for (int i = 0; i < 1000 && target_is_healthy(w) != healthy; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_int_equal(target_is_healthy(w), healthy);
}

static void a_node_that_fails_its_checks_is_taken_out_and_back(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, "");
	assert_true(target_is_healthy(&w));
	atomic_store(&w.clusters[ARM_TARGET].status, 503);
	await_health(&w, false);
	/* 401 is a cluster that does not know us: it is well. */
	atomic_store(&w.clusters[ARM_TARGET].status, 401);
	await_health(&w, true);
	world_close(&w);
}

static const char *target_status(int admin)
{
	static char response[65536];
	http_ask(admin, "GET /v1/status HTTP/1.1\r\nHost: h\r\n\r\n", response);
	const char *target = strstr(response, "\"name\":\"target\"");
	assert_non_null(target);
	return target;
}

/* The node would fail them, if it were asked. A new descriptor would have a number above the limit.
 */
static void checks_that_cannot_be_made_say_nothing_of_a_node(void **state)
{
	(void)state;
	struct world w;
	struct rlimit before, none;
	world_open(&w, "");
	assert_true(target_is_healthy(&w));
	int admin = http_connect_local(w.socket);
	target_status(admin);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	atomic_store(&w.clusters[ARM_TARGET].status, 503);
	for (int i = 0; i < 1000 && !strstr(target_status(admin), "\"not_made\":3"); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	const char *status = target_status(admin);
	close(admin);
	assert_non_null(strstr(status, "could not be made: out_of_handles"));
	assert_non_null(strstr(status, "\"healthy\":true"));
	await_health(&w, false);
	world_close(&w);
}

static void stopping_lets_connections_end_and_then_cuts_them(void **state)
{
	(void)state;
	struct world w;
	char response[65536];
	world_open(&w, "timeouts: { drain: 200ms }\n");
	int busy = http_connect(&w.weighted);
	http_say(busy, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
	unsigned counts[ARMS] = { 0 };
	count_responses(&w, 2, counts);
	stop(&w);
	/* It never sends the rest: the drain time is over, and it is cut. */
	assert_false(http_hear(busy, response));
	close(busy);
	world_close(&w);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_change_while_requests_pass),
		cmocka_unit_test(the_status_says_what_is),
		cmocka_unit_test(the_api_says_what_is_wrong),
		cmocka_unit_test(the_status_has_the_owner_of_the_writes),
		cmocka_unit_test(over_tcp_the_token_opens),
		cmocka_unit_test(a_node_that_fails_its_checks_is_taken_out_and_back),
		cmocka_unit_test(checks_that_cannot_be_made_say_nothing_of_a_node),
		cmocka_unit_test(stopping_lets_connections_end_and_then_cuts_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
