#include "unit/control/kit.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "control/drains_admin.h"

/* Two clusters, one worker who heeds when a test says so. No thread is there to be woken. */
struct fixture {
	char directory[64];
	struct config *config;
	struct nodes nodes;
	struct listeners listeners;
	struct tls_library *libraries[2];
	struct publish_worker worker;
	struct publisher publisher;
	struct audit audit;
	struct wheel wheel;
	struct disk_jobs disk; /* without a thread: it does what it has when a test looks */
	struct change_lock lock;
	struct drains drains;
	struct drain_change change;
	unsigned done_n;
};

#define CONFIG                                                                                     \
	"listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"                            \
	"source: { nodes: [ http://es-2.test.:9200, http://es-1:9200, http://es-2:9200, "          \
	"http://both:1, 'http://[::1]:7', "                                                        \
	"http://plain, https://plain ] }\n"                                                        \
	"target: { nodes: [ http://os-1:9200, http://both:1 ] }\nstate: s\n"

static void open_nodes(struct fixture *f, const char *text)
{
	f->config = kit_config(text);
	bool none[LISTENERS_MAX] = { false };
	nodes_open(&f->nodes, f->config);
	listeners_open(&f->listeners);
	assert_true(listeners_add(&f->listeners, f->config, none));
	for (int i = 0; i < 2; i++)
		f->libraries[i] = tls_library_open();
	struct compile how = { .config = f->config,
			       .nodes = &f->nodes,
			       .listeners = &f->listeners,
			       .worker_n = 1,
			       .accepting_n = 1,
			       .libraries = f->libraries };
	f->worker = (struct publish_worker){ 0 };
	publisher_open(&f->publisher, &f->worker, 1, plan_compile(&how, &f->config->diagnostics));
	assert_true(drains_open(&f->drains, &f->nodes, &f->publisher, &f->audit, f->directory));
	wheel_open(&f->wheel, 1000);
	assert_true(disk_jobs_open(&f->disk, NULL));
	change_lock_open(&f->lock, &f->wheel);
	drains_attach(&f->drains, &f->wheel, &f->disk, &f->lock);
}

static void close_nodes(struct fixture *f)
{
	assert_true(disk_jobs_close(&f->disk, 0));
	drains_close(&f->drains);
	publisher_close(&f->publisher);
	nodes_close(&f->nodes);
	for (int i = 0; i < 2; i++)
		tls_library_close(f->libraries[i]);
	config_close(f->config);
}

static int open_fixture(void **state)
{
	struct fixture *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
	memset(f, 0, sizeof *f);
	kit_directory(f->directory);
	assert_true(audit_open(&f->audit, f->directory));
	open_nodes(f, CONFIG);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	close_nodes(f);
	audit_close(&f->audit);
	kit_remove(f->directory);
	free(f);
	return 0;
}

static struct node_record *node(struct fixture *f, const char *name)
{
	struct node_search found = nodes_search(&f->nodes, name);
	assert_int_equal(found.n, 1);
	return found.node;
}

static void count_done(struct drain_change *c)
{
	struct fixture *f = c->caller;
	f->done_n++;
}

static void change(struct fixture *f, const char *name, bool drain, uint32_t delay_ms)
{
	f->change = (struct drain_change){ .node = node(f, name),
					   .drain = drain,
					   .delay_ms = delay_ms,
					   .who = "ann",
					   .why = "CHG-1",
					   .done = count_done,
					   .caller = f };
	drains_change(&f->drains, &f->change);
	disk_jobs_look(&f->disk);
}

static void pass(struct fixture *f, uint64_t ms)
{
	wheel_turn(&f->wheel, f->wheel.now_ms + ms);
	disk_jobs_look(&f->disk);
}

/* --- names --- */

static void a_node_has_the_names_that_people_give_it(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		unsigned n;
		const char *full;
	} rows[] = {
		{ "es-1:9200", 1, "source/es-1:9200" },
		{ "ES-1:9200", 1, "source/es-1:9200" },
		{ "source/es-1:9200", 1, "source/es-1:9200" },
		{ "target/os-1:9200", 1, "target/os-1:9200" },
		{ "target/es-1:9200", 0, NULL },
		{ "es-1", 0, NULL },
		{ "es-1:9201", 0, NULL },
		{ "", 0, NULL },
		{ "source/", 0, NULL },
		{ "both:1", 2, "source/both:1" },
		{ "target/both:1", 1, "target/both:1" },
		{ "[::1]:7", 1, "source/[::1]:7" },
		{ "source/[::1]:7", 1, "source/[::1]:7" },
		/* The port that the scheme implies is not part of the name, but may be said. */
		{ "plain", 2, "source/plain:80" },
		{ "es-2.test:9200", 1, "source/es-2.test.:9200" },
		{ "es-2.test.:9200", 1, "source/es-2.test.:9200" },
		{ "plain:443", 1, "source/plain:443" },
		{ "source/plain:80", 1, "source/plain:80" },
		/* As the configuration has it. */
		{ "http://es-1:9200", 1, "source/es-1:9200" },
		{ "HTTP://ES-1:9200/", 1, "source/es-1:9200" },
		{ "https://es-1:9200", 0, NULL },
		{ "target/http://both:1", 1, "target/both:1" },
		{ "http://plain", 1, "source/plain:80" },
		{ "https://plain", 1, "source/plain:443" },
		{ "https://plain:443/", 1, "source/plain:443" },
		{ "http://plain:443", 0, NULL },
		{ "http://es-2.test.:9200", 1, "source/es-2.test.:9200" },
		{ "http://[::1]:7", 1, "source/[::1]:7" },
		{ "http://", 0, NULL },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char full[NODE_NAME_BYTES];
		struct node_search found = nodes_search(&f->nodes, rows[i].name);
		if (found.n != rows[i].n)
			print_error("%s\n", rows[i].name);
		assert_int_equal(found.n, rows[i].n);
		if (found.n)
			assert_string_equal(node_full_name(found.node, full), rows[i].full);
	}
}

static void an_unknown_node_is_said_with_what_is_near(void **state)
{
	struct fixture *f = *state;
	char error[2 * DRAINS_TEXT_BYTES];
	assert_null(drains_find(&f->nodes, "es1:9200", error));
	assert_string_equal(error, "there is no node 'es1:9200'; did you mean 'es-1:9200'?");
	assert_null(drains_find(&f->nodes, "https://es-1:9200", error));
	assert_string_equal(error,
			    "there is no node 'https://es-1:9200'; did you mean 'es-1:9200'?");
	assert_null(drains_find(&f->nodes, "something.else.entirely", error));
	assert_string_equal(error, "there is no node 'something.else.entirely'; "
				   "`crossfade status` shows their names");
	assert_null(drains_find(&f->nodes, "both:1", error));
	assert_string_equal(error,
			    "2 nodes are called both:1; use a full name, such as source/both:1");
	assert_non_null(drains_find(&f->nodes, "target/both:1", error));
}

/* --- the API --- */

static void a_path_names_a_node(void **state)
{
	(void)state;
	static const struct {
		const char *path, *name; /* NULL: it does not */
	} rows[] = {
		{ "/v1/nodes/es-1:9200/state", "es-1:9200" },
		{ "/v1/nodes/source/es-1:9200/state", "source/es-1:9200" },
		{ "/v1/nodes/source%2fes-1%3A9200/state", "source/es-1:9200" },
		{ "/v1/nodes/%5B::1%5D:7/state", "[::1]:7" },
		{ "/v1/nodes/%5b::1%5d:7/state", "[::1]:7" },
		{ "/v1/nodes//state", NULL },
		{ "/v1/nodes/state", NULL },
		{ "/v1/nodes/a%2/state", NULL },
		{ "/v1/nodes/a%/state", NULL },
		{ "/v1/nodes/a%zz/state", NULL },
		{ "/v1/nodes/a%00b/state", NULL },
		{ "/v1/nodes/a%\x16\x11/state", NULL },
		{ "/v1/nodes/a%0ab/state", NULL },
		{ "/v1/nodes/a/health", NULL },
		{ "/v1/weights", NULL },
	};
	char name[NODE_NAME_BYTES], text[2 * NODE_NAME_BYTES];
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		assert_int_equal(drains_read_path(span_of(rows[i].path), name),
				 rows[i].name != NULL);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
	}
	for (int more = 0; more < 2; more++) {
		int n = NODE_NAME_BYTES - 1 + more;
		snprintf(text, sizeof text, "/v1/nodes/%0*d/state", n, 0);
		assert_int_equal(drains_read_path(span_of(text), name), !more);
	}
}

static void a_body_says_what_is_wanted(void **state)
{
	(void)state;
	static const struct {
		const char *body, *error; /* NULL: it is good */
		bool drain;
		uint32_t delay_ms;
	} rows[] = {
		{ "{\"state\":\"drain\"}", NULL, true, DRAIN_DELAY_MS },
		{ "{\"state\":\"drain\",\"delay\":\"0s\",\"who\":\"a\",\"reason\":\"b\"}", NULL,
		  true, 0 },
		{ "{\"state\":\"drain\",\"delay\":\"1d\"}", NULL, true, DRAIN_DELAY_MAX_MS },
		{ "{\"state\":\"ready\"}", NULL, false, 0 },
		{ "{\"state\":\"drain\",\"delay\":\"86400001ms\"}",
		  "delay must be a duration from 0s to 1d, such as 300s, not '86400001ms'", false,
		  0 },
		{ "{\"state\":\"drain\",\"delay\":\"300\"}",
		  "delay must be a duration from 0s to 1d, such as 300s, not '300'", false, 0 },
		{ "{\"state\":\"ready\",\"delay\":\"1s\"}", "a delay is only possible with a drain",
		  false, 0 },
		{ "{\"state\":\"drained\"}", "state must be drain or ready, not 'drained'", false,
		  0 },
		{ "{\"state\":\"drain\",\"dely\":\"1s\"}", "there is no such member: dely", false,
		  0 },
		{ "{\"state\":\"drain\",\"reason\":\"a\\u001b[0m\"}",
		  "reason contains a control character", false, 0 },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct drain_change c = { 0 };
		char error[DRAINS_TEXT_BYTES] = "";
		bool good = drains_read_body(span_of(rows[i].body), &c, error);
		assert_string_equal(error, rows[i].error ? rows[i].error : "");
		assert_int_equal(good, !rows[i].error);
		if (!good)
			continue;
		assert_int_equal(c.drain, rows[i].drain);
		assert_int_equal(c.delay_ms, rows[i].delay_ms);
	}
}

/* --- a change --- */

static void a_change_is_over_when_every_worker_heeds_it(void **state)
{
	struct fixture *f = *state;
	struct io *somebody = (struct io *)f; /* never woken here: it only says that one serves */
	change(f, "es-1:9200", true, 5000);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_DRAINED);
	f->worker.io = somebody;
	pass(f, 20);
	assert_int_equal(f->done_n, 0);
	atomic_store(&f->worker.mailbox.node_admin_acknowledged,
		     atomic_load(&f->worker.mailbox.node_admin));
	pass(f, 100);
	assert_int_equal(f->done_n, 1);
	assert_int_equal(f->change.late_n, 0);
	assert_false(f->change.was_drained || f->change.all_drained || f->change.error);
	f->worker.io = NULL;
}

static void who_hangs_up_is_told_of_nothing_and_the_change_stands(void **state)
{
	struct fixture *f = *state;
	change(f, "es-1:9200", true, 5000);
	f->worker.io = (struct io *)f; /* never woken here: it only says that one serves */
	assert_false(list_empty(&f->drains.open));
	drains_forget(&f->change);
	assert_true(list_empty(&f->drains.open));
	drains_forget(&f->change);		    /* nothing waits any more */
	memset(&f->change, 0xee, sizeof f->change); /* its memory is somebody else's */
	atomic_store(&f->worker.mailbox.node_admin_acknowledged,
		     atomic_load(&f->worker.mailbox.node_admin));
	pass(f, 100);
	assert_int_equal(f->done_n, 0);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_DRAINED);
	f->worker.io = NULL;
	pass(f, 4900);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_CUT);
}

static void the_delay_ends_in_a_cut(void **state)
{
	struct fixture *f = *state;
	change(f, "es-1:9200", true, 5000);
	uint32_t node_admin = atomic_load(&f->worker.mailbox.node_admin);
	pass(f, 4999);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_DRAINED);
	pass(f, 1);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_CUT);
	assert_true(atomic_load(&f->worker.mailbox.node_admin) > node_admin);
}

static void each_node_has_its_own_delay_and_ready_ends_it(void **state)
{
	struct fixture *f = *state;
	change(f, "es-1:9200", true, 3000);
	pass(f, 50);
	change(f, "es-2:9200", true, 1000);
	pass(f, 50);
	change(f, "os-1:9200", true, 2000);
	pass(f, 50);
	change(f, "os-1:9200", false, 0);
	assert_true(f->change.was_drained);
	pass(f, 1000);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_DRAINED);
	assert_int_equal(node_duty(node(f, "es-2:9200")), DUTY_CUT);
	pass(f, 2000);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_CUT);
	assert_int_equal(node_duty(node(f, "os-1:9200")), DUTY_READY);
	assert_int_equal(f->done_n, 4);
}

static void the_last_node_of_a_cluster_is_said(void **state)
{
	struct fixture *f = *state;
	change(f, "os-1:9200", true, 0);
	assert_false(f->change.all_drained);
	pass(f, 50);
	change(f, "target/both:1", true, 0);
	assert_true(f->change.all_drained);
	pass(f, 50);
}

static void a_drain_is_a_line_of_the_audit(void **state)
{
	struct fixture *f = *state;
	change(f, "es-1:9200", true, 5000);
	pass(f, 50);
	change(f, "es-1:9200", false, 0);
	pass(f, 50);
	const char *text = kit_read(f->directory, "audit.jsonl");
	assert_non_null(strstr(text, "\"who\":\"ann\",\"node\":\"source/es-1:9200\",\"from\":"
				     "\"ready\",\"to\":\"drain\",\"delay_ms\":5000,\"why\":"
				     "\"CHG-1\",\"saved\":true}\n{"));
	assert_non_null(strstr(text, "\"from\":\"drain\",\"to\":\"ready\",\"why\":\"CHG-1\","
				     "\"saved\":true}\n"));
}

/* --- what is kept --- */

static void a_restart_keeps_what_is_drained(void **state)
{
	struct fixture *f = *state;
	change(f, "[::1]:7", true, 5000);
	pass(f, 50);
	change(f, "plain:443", true, 5000);
	pass(f, 50);
	close_nodes(f);
	open_nodes(f, CONFIG);
	/* Nothing can be under way there, in a process that has just begun. */
	assert_int_equal(node_duty(node(f, "[::1]:7")), DUTY_CUT);
	assert_int_equal(node_duty(node(f, "plain:443")), DUTY_CUT);
	assert_int_equal(node_duty(node(f, "plain:80")), DUTY_READY);
	assert_string_equal(node(f, "[::1]:7")->drained_by, "ann");
	assert_string_equal(node(f, "[::1]:7")->drained_why, "CHG-1");
	uint64_t now_ns = clock_wall_ns(), since_ns = node(f, "[::1]:7")->drained_wall_ns;
	assert_true(since_ns <= now_ns && since_ns + 60000000000 > now_ns);
}

static void a_node_that_is_not_configured_any_more_is_forgotten(void **state)
{
	struct fixture *f = *state;
	change(f, "es-1:9200", true, 0);
	pass(f, 50);
	close_nodes(f);
	open_nodes(f, KIT_CONFIG);
	drains_renew(&f->drains);
	close_nodes(f);
	open_nodes(f, CONFIG);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_READY);
}

static void what_cannot_be_saved_stands_and_is_tried_again(void **state)
{
	struct fixture *f = *state;
	char path[128];
	snprintf(path, sizeof path, "%s/drained.json.new", f->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	change(f, "es-1:9200", true, 60000);
	assert_int_equal(f->change.error, EISDIR);
	assert_int_equal(node_duty(node(f, "es-1:9200")), DUTY_DRAINED);
	assert_int_equal(rmdir(path), 0);
	pass(f, 2000);
	assert_int_equal(f->drains.unsaved, 0);
	assert_non_null(strstr(kit_read(f->directory, "drained.json"), "source/es-1:9200"));
}

static void a_file_that_is_no_good_is_no_start(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {
		"", "{", "[]", "{}", "{\"drained\":1}", "{\"drained\":[1]}"
	};
	for (size_t i = 0; i < ARRAY_N(texts); i++) {
		struct drains other;
		kit_write(f->directory, "drained.json", texts[i]);
		assert_false(
			drains_open(&other, &f->nodes, &f->publisher, &f->audit, f->directory));
		assert_int_equal(errno, EINVAL);
		drains_close(&other);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_node_has_the_names_that_people_give_it),
		TEST(an_unknown_node_is_said_with_what_is_near),
		cmocka_unit_test(a_path_names_a_node),
		cmocka_unit_test(a_body_says_what_is_wanted),
		TEST(a_change_is_over_when_every_worker_heeds_it),
		TEST(who_hangs_up_is_told_of_nothing_and_the_change_stands),
		TEST(the_delay_ends_in_a_cut),
		TEST(each_node_has_its_own_delay_and_ready_ends_it),
		TEST(the_last_node_of_a_cluster_is_said),
		TEST(a_drain_is_a_line_of_the_audit),
		TEST(a_restart_keeps_what_is_drained),
		TEST(a_node_that_is_not_configured_any_more_is_forgotten),
		TEST(what_cannot_be_saved_stands_and_is_tried_again),
		TEST(a_file_that_is_no_good_is_no_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
