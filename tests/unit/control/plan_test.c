#include "base/limits.h"
#include "unit/control/kit.h"

#include "control/compile.h"
#include "control/publish.h"
#include "net/tls_private.h"

#define WORKERS 2

struct world {
	struct config *config;
	struct nodes nodes;
	struct listeners listeners;
	struct tls_library *libraries[WORKERS + 1];
	uint64_t files; /* that may be open; 0: any number */
};

static void world_open(struct world *w, const char *text)
{
	w->config = kit_config(text);
	w->files = 0;
	bool none[LISTENERS_MAX] = { false };
	nodes_open(&w->nodes, w->config);
	listeners_open(&w->listeners);
	assert_true(listeners_add(&w->listeners, w->config, none));
	for (int i = 0; i <= WORKERS; i++)
		w->libraries[i] = tls_library_open();
}

static void world_close(struct world *w)
{
	for (int i = 0; i <= WORKERS; i++)
		tls_library_close(w->libraries[i]);
	nodes_close(&w->nodes);
	config_close(w->config);
}

static const struct plan *compile(struct world *w, const struct plan *previous)
{
	struct compile how = { .config = w->config,
			       .nodes = &w->nodes,
			       .listeners = &w->listeners,
			       .worker_n = WORKERS,
			       .accepting_n = WORKERS,
			       .files = w->files,
			       .libraries = w->libraries,
			       .previous = previous };
	return plan_compile(&how, &w->config->diagnostics);
}

static const char tls_config[] =
	"listeners:\n"
	"  weighted: { address: [ '127.0.0.1:8443', '[::1]:8444' ] }\n"
	"  target: { address: 127.0.0.1:9202, tls: off, forwarded: preserve,\n"
	"            allow: 10.0.0.0/8, health: /up, connections: 9 }\n"
	"tls: { certificate: %s/c.pem, key: %s/k.pem }\n"
	"source: { nodes: [ https://127.0.0.1:9200 ], ca: %s/c.pem, host: node }\n"
	"target: { nodes: [ http://t:9200, http://127.0.0.1 ], timeouts: { idle: 1s } }\n"
	"timeouts: { head: 5s }\n"
	"state: state\n";

static void tls_world_open(struct world *w, char directory[64], const char *key)
{
	char text[1024];
	kit_directory(directory);
	kit_write(directory, "c.pem", KIT_CERTIFICATE);
	kit_write(directory, "k.pem", key);
	snprintf(text, sizeof text, tls_config, directory, directory, directory);
	world_open(w, text);
}

static void a_plan_says_what_the_configuration_does(void **state)
{
	(void)state;
	struct world w;
	char directory[64];
	tls_world_open(&w, directory, KIT_KEY);
	const struct plan *p = compile(&w, NULL);
	assert_non_null(p);
	assert_int_equal(p->number, 1);
	assert_int_equal(p->listener_n, 3);
	assert_string_equal(p->listeners[1].name, "weighted");
	assert_int_equal(p->listeners[1].number, 1);
	assert_int_equal(p->listeners[1].port, 8444);
	assert_true(p->listeners[1].route.weighted);
	assert_non_null(p->listeners[1].tls[WORKERS - 1]);
	assert_int_equal(p->listeners[1].policy.head_ms, 5000);
	assert_false(p->listeners[2].route.weighted);
	assert_int_equal(p->listeners[2].route.arm, ARM_TARGET);
	assert_int_equal(p->listeners[2].forwarded, FORWARDED_PRESERVE);
	assert_null(p->listeners[2].tls);
	struct addr inside;
	assert_true(addr_parse(SPAN("10.1.2.3"), 0, &inside));
	assert_true(networks_have(p->listeners[2].allow, &inside));
	assert_null(p->listeners[2].trust);
	assert_true(span_is(p->listeners[2].health, SPAN("/up")));
	assert_int_equal(p->listeners[2].connections_max, 9);
	assert_null(p->listeners[1].allow);
	assert_int_equal(p->listeners[1].health.n, 0);
	assert_int_equal(p->listeners[1].section, p->listeners[0].section);
	assert_int_not_equal(p->listeners[2].section, p->listeners[0].section);
	const struct cluster *source = &p->clusters[ARM_SOURCE], *target = &p->clusters[ARM_TARGET];
	assert_int_equal(source->host, HOST_NODE);
	assert_non_null(source->tls[0]);
	assert_int_equal(source->nodes[0].state->addresses.n, 1);
	assert_null(target->tls);
	assert_int_equal(target->node_n, 2);
	assert_int_equal(target->policy.idle_ms, 1000);
	assert_true(atomic_load(&target->nodes[0].state->awaited));
	assert_int_equal(target->nodes[0].state->addresses.n, 0);
	assert_string_equal(target->nodes[0].server_name, "t");
	assert_false(atomic_load(&target->nodes[1].state->awaited));
	assert_string_equal(target->nodes[1].name, "127.0.0.1");
	plan_free(p);
	world_close(&w);
	kit_remove(directory);
}

static void sniffing_is_answered_where_the_profile_says_so(void **state)
{
	(void)state;
	static const struct {
		const char *more;
		enum sniffing sniffing;
	} rows[] = {
		{ "", SNIFFING_UNKNOWN },
		{ "profile: opensearch\n", SNIFFING_RESPOND },
		{ "profile: opensearch\nsniffing: pass\n", SNIFFING_PASS },
		{ "sniffing: respond\n", SNIFFING_RESPOND },
		{ "sniffing: refuse\n", SNIFFING_REFUSE },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[1024];
		struct world w;
		snprintf(text, sizeof text, KIT_CONFIG "%s", rows[i].more);
		world_open(&w, text);
		const struct plan *p = compile(&w, NULL);
		assert_int_equal(p->sniffing, rows[i].sniffing);
		plan_free(p);
		world_close(&w);
	}
}

static void contexts_that_did_not_change_are_taken_over(void **state)
{
	(void)state;
	struct world w;
	char directory[64];
	tls_world_open(&w, directory, KIT_KEY);
	const struct plan *first = compile(&w, NULL), *second = compile(&w, first);
	assert_int_equal(second->number, 2);
	for (int i = 0; i < WORKERS; i++)
		assert_ptr_equal(first->listeners[0].tls[i], second->listeners[0].tls[i]);
	for (int i = 0; i <= WORKERS; i++)
		assert_ptr_equal(first->clusters[0].tls[i], second->clusters[0].tls[i]);
	w.config->tls.policy = TLS_POLICY_1_3;
	const struct plan *third = compile(&w, second);
	assert_ptr_not_equal(second->listeners[0].tls[0], third->listeners[0].tls[0]);
	assert_ptr_equal(second->clusters[0].tls[0], third->clusters[0].tls[0]);
	plan_free(first);
	plan_free(second);
	plan_free(third);
	world_close(&w);
	kit_remove(directory);
}

static void one_certificate_more_leaves_the_others_read(void **state)
{
	(void)state;
	struct world w;
	char directory[64], text[1024];
	tls_world_open(&w, directory, KIT_KEY);
	const struct plan *first = compile(&w, NULL);
	struct config *before = w.config;
	snprintf(text, sizeof text,
		 "listeners: { weighted: { address: 127.0.0.1:8443 } }\n"
		 "tls: { certificate: %s/c.pem, key: %s/k.pem, certificates: [ { certificate: "
		 "%s/c.pem, key: %s/k.pem }, { certificate: %s/c.pem, key: %s/bad.pem } ] }\n"
		 "source: { nodes: [ https://127.0.0.1:9200 ] }\n"
		 "target: { nodes: [ http://t:9200, http://127.0.0.1 ] }\nstate: state\n",
		 directory, directory, directory, directory, directory, directory);
	kit_write(directory, "bad.pem", "no key");
	w.config = kit_config(text);
	size_t line, column;
	assert_null(compile(&w, first));
	assert_int_equal(w.config->diagnostics.n, 1);
	diagnostic_place(&w.config->diagnostics, w.config->diagnostics.list[0].at, &line, &column);
	assert_int_equal(line, 2);
	config_close(w.config);
	/* What is there already is not read again. */
	kit_write(directory, "bad.pem", KIT_KEY "\n");
	w.config = kit_config(text);
	const struct plan *second = compile(&w, first);
	assert_non_null(second);
	assert_ptr_not_equal(first->listeners[0].tls[0], second->listeners[0].tls[0]);
	plan_free(first);
	const struct plan *third = compile(&w, second);
	assert_ptr_equal(third->listeners[0].tls[0], second->listeners[0].tls[0]);
	plan_free(second);
	plan_free(third);
	config_close(before);
	world_close(&w);
	kit_remove(directory);
}

static void a_key_that_is_no_key_is_complained_about_where_it_is_named(void **state)
{
	(void)state;
	struct world w;
	char directory[64];
	size_t line, column;
	tls_world_open(&w, directory, "this is no key\n");
	assert_null(compile(&w, NULL));
	assert_int_equal(w.config->diagnostics.n, 1);
	diagnostic_place(&w.config->diagnostics, w.config->diagnostics.list[0].at, &line, &column);
	assert_int_equal(line, 5);
	world_close(&w);
	kit_remove(directory);
}

static void each_worker_must_have_a_share_of_the_connections(void **state)
{
	(void)state;
	for (unsigned connections = WORKERS - 1; connections <= WORKERS; connections++) {
		struct world w;
		char text[512];
		snprintf(text, sizeof text,
			 "listeners: { weighted: { address: 127.0.0.1:1, tls: off, connections: %u "
			 "} }\n"
			 "source: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t ] }\nstate: "
			 "s\n",
			 connections);
		world_open(&w, text);
		const struct plan *p = compile(&w, NULL);
		assert_int_equal(p != NULL, connections == WORKERS);
		if (p)
			plan_free(p);
		else
			assert_string_equal(w.config->diagnostics.list[0].message,
					    "connections: 1 is less than the number of workers "
					    "that share it, 2");
		world_close(&w);
	}
}

/* --- publishing: the test is both workers --- */

static void adopt(struct publish_worker *w)
{
	atomic_store(&w->mailbox.adopted, atomic_load(&w->mailbox.plan));
}

static void a_plan_is_freed_when_nobody_uses_it(void **state)
{
	(void)state;
	struct world w;
	struct publisher p;
	struct publish_worker workers[WORKERS] = { 0 };
	world_open(&w, KIT_CONFIG);
	const struct plan *first = compile(&w, NULL);
	publisher_open(&p, workers, WORKERS, first);
	adopt(&workers[0]);
	adopt(&workers[1]);
	plan_pin(first, 1);
	assert_true(publish(&p, compile(&w, first)));
	assert_int_equal(p.plan_n, 2);
	adopt(&workers[0]);
	publisher_sweep(&p);
	assert_int_equal(p.plan_n, 2); /* worker 1 still uses it */
	adopt(&workers[1]);
	publisher_sweep(&p);
	assert_int_equal(p.plan_n, 2); /* an exchange still pins it */
	plan_unpin(first, 1);
	publisher_sweep(&p);
	assert_int_equal(p.plan_n, 1);
	publisher_close(&p);
	world_close(&w);
}

/* A tunnel may pin it for weeks. */
static void a_plan_that_all_have_left_holds_no_tls(void **state)
{
	(void)state;
	struct world w;
	struct publisher p;
	struct publish_worker workers[WORKERS] = { 0 };
	char directory[64];
	tls_world_open(&w, directory, KIT_KEY);
	const struct plan *first = compile(&w, NULL);
	publisher_open(&p, workers, WORKERS, first);
	adopt(&workers[0]);
	adopt(&workers[1]);
	plan_pin(first, 1);
	unsigned used = atomic_load(&w.libraries[0]->users);
	assert_true(used >= 3); /* a certificate, a context either way */
	for (int i = 0; i < 200; i++) {
		w.config->tls.policy = i % 2 ? TLS_POLICY_1_2 : TLS_POLICY_1_3;
		const struct plan *next = compile(&w, publisher_newest(&p));
		plan_pin(next, 0);
		assert_true(publish(&p, next));
		adopt(&workers[0]);
		adopt(&workers[1]);
		publisher_sweep(&p);
		assert_int_equal(atomic_load(&w.libraries[0]->users), used);
	}
	assert_int_equal(p.plan_n, 201);
	for (size_t i = 0; i < p.plan_n; i++)
		plan_unpin(p.plans[i], i ? 0 : 1);
	publisher_close(&p);
	world_close(&w);
	kit_remove(directory);
}

static void a_plan_that_was_never_adopted_is_freed_too(void **state)
{
	(void)state;
	struct world w;
	struct publisher p;
	struct publish_worker workers[WORKERS] = { 0 };
	world_open(&w, KIT_CONFIG);
	publisher_open(&p, workers, WORKERS, compile(&w, NULL));
	for (int i = 0; i < 5; i++)
		assert_true(publish(&p, compile(&w, publisher_newest(&p))));
	assert_int_equal(p.plan_n, 6);
	adopt(&workers[0]);
	adopt(&workers[1]);
	publisher_sweep(&p);
	assert_int_equal(p.plan_n, 1);
	assert_int_equal(publisher_newest(&p)->number, 6);
	publisher_close(&p);
	world_close(&w);
}

static void too_many_plans_in_use_make_a_change_wait(void **state)
{
	(void)state;
	struct world w;
	struct publisher p;
	struct publish_worker workers[WORKERS] = { 0 };
	world_open(&w, KIT_CONFIG);
	publisher_open(&p, workers, WORKERS, compile(&w, NULL));
	while (p.plan_n < PLANS_MAX)
		assert_true(publish(&p, compile(&w, publisher_newest(&p))));
	const struct plan *more = compile(&w, publisher_newest(&p));
	assert_false(publish(&p, more));
	adopt(&workers[0]);
	adopt(&workers[1]);
	assert_true(publish(&p, more));
	publisher_close(&p);
	world_close(&w);
}

/* Two sections share the room, and the one with a number of its own has that. */
static void listeners_without_a_number_share_what_open_files_allow(void **state)
{
	(void)state;
	struct world w;
	struct file_limits room;
	world_open(&w, "listeners:\n"
		       "  weighted: { address: [ '127.0.0.1:1', '127.0.0.1:2' ], tls: off }\n"
		       "  source: { address: 127.0.0.1:3, tls: off }\n"
		       "  target: { address: 127.0.0.1:4, tls: off, connections: 60 }\n"
		       "source: { nodes: [ http://127.0.0.1:9200 ] }\n"
		       "target: { nodes: [ http://127.0.0.1 ] }\n"
		       "state: state\n");
	w.files = 1000;
	const struct plan *p = compile(&w, NULL);
	assert_non_null(p);
	assert_true(compile_room(w.config, WORKERS, w.files, &room));
	assert_int_equal(p->clients_max, room.clients);
	assert_int_equal(p->node_sockets_max, room.nodes);
	assert_int_equal(p->listeners[0].room, (room.clients * WORKERS - 60) / 2);
	assert_int_equal(p->listeners[1].room, p->listeners[0].room);
	assert_int_equal(p->listeners[2].room, p->listeners[0].room);
	assert_int_equal(p->listeners[3].room, 0);
	assert_int_equal(p->listeners[3].connections_max, 60);
	assert_int_equal(w.config->diagnostics.warning_n, 0);
	plan_free(p);
	w.files = 60 + FILES_OF_OURS;
	p = compile(&w, NULL);
	assert_non_null(p);
	assert_int_equal(w.config->diagnostics.warning_n, 1);
	plan_free(p);
	w.files = 30;
	assert_null(compile(&w, NULL));
	assert_int_equal(w.config->diagnostics.n, 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_without_a_number_share_what_open_files_allow),
		cmocka_unit_test(a_plan_says_what_the_configuration_does),
		cmocka_unit_test(sniffing_is_answered_where_the_profile_says_so),
		cmocka_unit_test(contexts_that_did_not_change_are_taken_over),
		cmocka_unit_test(one_certificate_more_leaves_the_others_read),
		cmocka_unit_test(a_key_that_is_no_key_is_complained_about_where_it_is_named),
		cmocka_unit_test(each_worker_must_have_a_share_of_the_connections),
		cmocka_unit_test(a_plan_is_freed_when_nobody_uses_it),
		cmocka_unit_test(a_plan_that_all_have_left_holds_no_tls),
		cmocka_unit_test(a_plan_that_was_never_adopted_is_freed_too),
		cmocka_unit_test(too_many_plans_in_use_make_a_change_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
