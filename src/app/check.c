#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/check.h"
#include "app/command.h"
#include "app/terminal.h"
#include "base/clock.h"
#include "control/admin_tls.h"
#include "control/compile.h"
#include "control/config_kafka.h"
#include "control/config_read.h"
#include "control/workers.h"
#include "control/evidence.h"
#include "control/ownership.h"
#include "control/path_access.h"
#include "control/certificate_dates.h"

/*
 * Compiles the configuration as a run does, and frees the result: mistakes in certificates, and in
 * what is divided among the workers, show only there.
 */
static void try_to_compile(struct config *config)
{
	struct tls_library *libraries[WORKERS_MAX + 1];
	unsigned worker_n = workers_count(config, NULL);
	bool none[LISTENERS_MAX] = { false };
	struct nodes nodes;
	struct listeners listeners;
	for (unsigned i = 0; i <= worker_n; i++)
		libraries[i] = tls_library_open();
	nodes_open(&nodes, config);
	listeners_open(&listeners);
	listeners_add(&listeners, config, none);
	const struct plan *plan =
		plan_compile(&(struct compile){ .config = config,
						.nodes = &nodes,
						.listeners = &listeners,
						.worker_n = worker_n,
						.accepting_n = worker_n,
						.files = file_limits_when_started(),
						.libraries = libraries },
			     &config->diagnostics);
	if (plan)
		plan_free(plan);
	admin_tls_close(admin_tls_open(config, libraries[worker_n], NULL, &config->diagnostics));
	nodes_close(&nodes);
	for (unsigned i = 0; i <= worker_n; i++)
		tls_library_close(libraries[i]);
}

static void look_at_certificate_dates(struct config *config)
{
	struct certificate_dates v;
	certificate_dates_open(&v, config, &config->diagnostics);
	certificate_dates_warning(&v, clock_wall_s(), &config->diagnostics);
	certificate_dates_close(&v);
}

static struct config *check_config(const char *path)
{
	struct config *config = config_open(path);
	if (config->diagnostics.n == 0)
		try_to_compile(config);
	if (config->diagnostics.n == 0)
		look_at_certificate_dates(config);
	if (config->diagnostics.n == 0)
		kafka_try(config);
	if (config->state)
		ownership_check(config, false);
	return config;
}

bool check_file(const char *path)
{
	struct config *config = check_config(path);
	bool good = config->diagnostics.n == 0;
	diagnostics_print(&config->diagnostics, stderr);
	config_close(config);
	return good;
}

static json_t *list_json(const struct diagnostics *c, const struct diagnostic *list, size_t n)
{
	json_t *j = json_array();
	for (size_t i = 0; i < n; i++) {
		size_t line, column;
		diagnostic_place(c, list[i].at, &line, &column);
		json_array_append_new(j, json_pack("{s:s,s:I,s:I,s:s}", "file", c->file, "line",
						   (json_int_t)line, "column", (json_int_t)column,
						   "message", list[i].message));
	}
	return j;
}

static void check_print_json(const struct diagnostics *c)
{
	json_t *all =
		json_pack("{s:b,s:o,s:o}", "ok", c->n == 0, "errors", list_json(c, c->list, c->n),
			  "warnings", list_json(c, c->warnings, c->warning_n));
	terminal_put_json(all, stdout);
	putchar('\n');
	json_decref(all);
}

/* The numbers hold for a balancer that is started in the same environment as this command. */
static void check_print_good(const struct config *config, const char *path)
{
	struct cores cores;
	unsigned worker_n = workers_count(config, &cores);
	struct file_limits room;
	printf("%s is good.\n", path);
	printf("Workers: %u: %s.\n", worker_n, cores.from);
	if (compile_room(config, worker_n, file_limits_when_started(), &room) && room.files)
		printf("At most %llu open files: room for %llu clients.\n",
		       (unsigned long long)room.files, (unsigned long long)room.clients * worker_n);
}

static void check_print_text(struct config *config, const char *path)
{
	size_t n = config->diagnostics.n + config->diagnostics.more;
	diagnostics_print(&config->diagnostics, stderr);
	if (n)
		fprintf(stderr, "\n%zu error%s.\n", n, n == 1 ? "" : "s");
	else
		check_print_good(config, path);
}

int command_check(const struct command *c, int argc, char **argv)
{
	const char *path = NULL, *output = NULL;
	bool json;
	const struct command_option options[] = { { 'c', "config", &path, NULL },
						  { 'o', "output", &output, NULL } };
	int code, operands = command_options(c, argc, argv, options, 2, &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!path)
		return command_misused(c, "-c FILE is missing: the path of the configuration");
	if (!command_wants_json(c, output, &json))
		return EXIT_USAGE;
	struct config *config = check_config(path);
	if (config->state && config->admin.socket)
		path_access_check(config);
	bool good = config->diagnostics.n == 0;
	if (good)
		evidence_warning(config);
	if (json)
		check_print_json(&config->diagnostics);
	else
		check_print_text(config, path);
	config_close(config);
	return good ? EXIT_OK : EXIT_NO;
}
