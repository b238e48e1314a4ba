#include "unit/control/kit.h"

#include "control/compile.h"
#include "control/metrics.h"

struct world {
	struct config *config;
	struct nodes nodes;
	struct listeners listeners;
	struct tls_library *libraries[3];
	const struct plan *plan;
	struct counters *counters; /* of two workers */
	char *text;
};

static void world_open(struct world *w)
{
	*w = (struct world){ 0 };
	w->config =
		kit_config("listeners:\n"
			   "  weighted: { address: [ '127.0.0.1:1', '127.0.0.1:2' ], tls: off }\n"
			   "  target: { address: 127.0.0.1:3, tls: off }\n"
			   "source: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t:1 ] }\n"
			   "state: state\n");
	bool none[LISTENERS_MAX] = { false };
	nodes_open(&w->nodes, w->config);
	listeners_open(&w->listeners);
	assert_true(listeners_add(&w->listeners, w->config, none));
	for (int i = 0; i < 3; i++)
		w->libraries[i] = tls_library_open();
	w->plan = plan_compile(&(struct compile){ .config = w->config,
						  .nodes = &w->nodes,
						  .listeners = &w->listeners,
						  .worker_n = 2,
						  .accepting_n = 2,
						  .libraries = w->libraries },
			       &w->config->diagnostics);
	assert_non_null(w->plan);
	w->counters = calloc(2, sizeof *w->counters);
}

static void world_close(struct world *w)
{
	free(w->text);
	free(w->counters);
	plan_free(w->plan);
	for (int i = 0; i < 3; i++)
		tls_library_close(w->libraries[i]);
	nodes_close(&w->nodes);
	config_close(w->config);
}

static void write_metrics(struct world *w)
{
	size_t n;
	FILE *to = open_memstream(&w->text, &n);
	metrics_write(&(struct metrics_facts){ .counters = w->counters,
					       .worker_n = 2,
					       .plan = w->plan,
					       .nodes = &w->nodes,
					       .values = { .epoch = 7,
							   .weights = { 9, 1 },
							   .owner = ARM_TARGET,
							   .since = 6,
							   .phase = BOARD_PHASE_HOLD },
					       .writes = { 11, 12 },
					       .backend = "epoll",
					       .started_wall_ns = 1500000000 },
		      to);
	fclose(to);
}

static void assert_line(const struct world *w, const char *line)
{
	char whole[512];
	snprintf(whole, sizeof whole, "\n%s\n", line);
	if (!strstr(w->text, whole))
		print_error("there is no line %s\n", line);
	assert_non_null(strstr(w->text, whole));
}

static void what_the_workers_count_is_summed(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	for (int i = 0; i < 2; i++) {
		/* Listeners 0 and 1 are two addresses of `weighted`. */
		counter_add(&w.counters[i].requests[0][ARM_SOURCE][2], 10);
		counter_add(&w.counters[i].requests[1][ARM_SOURCE][2], 5);
		/* An address of it that is gone counts too. */
		counter_add(&w.counters[i].requests[5][ARM_SOURCE][2], 1);
		counter_add(&w.counters[i].requests[2 * LISTENER_NUMBERS_MAX][ARM_NONE][4], 1);
		counter_add(&w.counters[i].classes[1][ARM_TARGET][CLASS_WRITE], 3);
		counter_add(&w.counters[i].connections_open[1], 3);
		counter_add(&w.counters[i].responds_here[ERR_BACK_REFUSED], 2);
		for (int n = 0; n < 4; n++)
			latency_add(&w.counters[i].latency[ARM_SOURCE], 1000);
		latency_add(&w.counters[i].turns, 30);
		counter_add(&w.counters[i].back_handshakes[ARM_TARGET].done, 3);
		counter_add(&w.counters[i].handshakes[2 * LISTENER_NUMBERS_MAX].failed, 5);
		/* The nodes are numbered in the order of the configuration. */
		counter_add(&w.counters[i].nodes[1].attempts[0], 2);
		counter_add(&w.counters[i].nodes[0].in_flight, 1);
	}
	write_metrics(&w);
	static const char *const lines[] = {
		"crossfade_requests_total{listener=\"weighted\",cluster=\"source\",status=\"2xx\"} "
		"32",
		"crossfade_requests_total{listener=\"weighted\",cluster=\"target\",status=\"5xx\"} "
		"0",
		"crossfade_requests_total{listener=\"target\",cluster=\"none\",status=\"4xx\"} 2",
		"crossfade_requests_by_kind_total{listener=\"weighted\",cluster=\"target\",kind="
		"\"write\"} 6",
		"crossfade_requests_by_kind_total{listener=\"weighted\",cluster=\"target\",kind="
		"\"read\"} 0",
		"crossfade_connections_open{listener=\"weighted\"} 6",
		"crossfade_local_responses_total{reason=\"connect_refused\"} 4",
		"crossfade_request_duration_seconds_sum{cluster=\"source\"} 0.008000",
		"crossfade_request_duration_seconds_count{cluster=\"source\"} 8",
		"crossfade_request_duration_seconds_bucket{cluster=\"source\",le=\"+Inf\"} 8",
		"crossfade_request_duration_seconds_bucket{cluster=\"source\",le=\"0.000724\"} 0",
		"crossfade_request_duration_seconds_bucket{cluster=\"source\",le=\"0.001024\"} 8",
		"crossfade_loop_turn_seconds_bucket{le=\"6.4e-05\"} 2",
		"crossfade_loop_turn_seconds_sum 0.000060",
		"crossfade_loop_turn_seconds_count 2",
		"crossfade_tls_handshakes_total{listener=\"weighted\"} 0",
		"crossfade_tls_handshakes_failed_total{listener=\"target\"} 10",
		"crossfade_cluster_tls_handshakes_total{cluster=\"source\"} 0",
		"crossfade_cluster_tls_handshakes_total{cluster=\"target\"} 6",
		"crossfade_node_requests_total{cluster=\"source\",node=\"s\",status=\"2xx\"} 0",
		"crossfade_node_requests_total{cluster=\"target\",node=\"t:1\",status=\"none\"} 4",
		"crossfade_node_requests_in_flight{cluster=\"source\",node=\"s\"} 2",
		"crossfade_weight{cluster=\"target\"} 1",
		"crossfade_weights_epoch 7",
		"crossfade_owner{cluster=\"source\"} 0",
		"crossfade_owner{cluster=\"target\"} 1",
		"crossfade_owner_since_epoch 6",
		"crossfade_writes_held 1",
		"crossfade_writes_in_flight{cluster=\"source\"} 11",
		"crossfade_writes_in_flight{cluster=\"target\"} 12",
		"crossfade_rolled_back 0",
		"crossfade_weights_unsaved 0",
		"crossfade_io_info{backend=\"epoll\"} 1",
		"crossfade_node_healthy{cluster=\"target\",node=\"t:1\"} 1",
		"crossfade_start_time_seconds 1.500",
	};
	for (size_t i = 0; i < ARRAY_N(lines); i++)
		assert_line(&w, lines[i]);
	/* A route that leads to the target alone has nothing to say of the source. */
	assert_null(strstr(w.text, "listener=\"target\",cluster=\"source\""));
	world_close(&w);
}

/* A family that is announced and then left out tells nobody anything. */
static void each_family_has_a_sample(void **state)
{
	(void)state;
	static const char type[] = "\n# TYPE ";
	struct world w;
	world_open(&w);
	counter_add(&w.counters[0].rejected[ERR_NOT_ALLOWED], 1);
	counter_add(&w.counters[0].responds_here[ERR_BACK_REFUSED], 1);
	counter_add(&w.counters[0].aborted[ERR_BACK_CUT], 1);
	write_metrics(&w);
	unsigned families = 0;
	for (const char *at = w.text; (at = strstr(at, type)); at++, families++) {
		char sample[128];
		const char *name = at + sizeof type - 1;
		snprintf(sample, sizeof sample, "\n%.*s", (int)strcspn(name, " "), name);
		/* No name has been looked up here. */
		if (!strcmp(sample + 1, "crossfade_node_address_healthy"))
			continue;
		const char *line = strstr(at + 1, sample);
		if (!line)
			print_error("%s has no sample\n", sample + 1);
		assert_non_null(line);
	}
	assert_true(families > 20);
	world_close(&w);
}

static void prometheus_takes_it(void **state)
{
	(void)state;
	struct world w;
	if (system("command -v promtool >/dev/null 2>&1"))
		skip();
	world_open(&w);
	write_metrics(&w);
	FILE *promtool = popen("promtool check metrics 2>&1", "w");
	assert_non_null(promtool);
	fputs(w.text, promtool);
	assert_int_equal(pclose(promtool), 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_workers_count_is_summed),
		cmocka_unit_test(each_family_has_a_sample),
		cmocka_unit_test(prometheus_takes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
