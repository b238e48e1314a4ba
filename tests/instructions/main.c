/*
 * instructions ROW REQUESTS: under callgrind, what REQUESTS requests cost the worker and the log's
 * thread. `instructions` alone lists the rows.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "instructions/world.h"

/* More than any cluster has nodes: each has its connections by then. */
#define REQUESTS_BEFORE 2048

static const struct row rows[] = {
	{ .name = "get", .nodes = 1 },
	{ .name = "post", .nodes = 1, .post = true },
	{ .name = "get-logged", .nodes = 1, .log = true },
	{ .name = "post-captured", .nodes = 1, .post = true, .capture = true },
	{ .name = "post-captured-1-rule", .nodes = 1, .post = true, .capture = true, .rules = 1 },
	{ .name = "post-captured-1000-rules",
	  .nodes = 1,
	  .post = true,
	  .capture = true,
	  .rules = SKIP_RULES_MAX },
	{ .name = "get-1024-nodes", .nodes = NODES_PER_CLUSTER_MAX },
	{ .name = "get-20000-idle", .nodes = 1, .idle = 20000 },
};

static void list(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		printf("%s\n", rows[i].name);
}

static const struct row *find(const char *name)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* What the process has goes with it. */
static void measure(const struct row *row, unsigned requests)
{
	struct world *w = world_open(row);
	world_ask(w, REQUESTS_BEFORE);
	CALLGRIND_START_INSTRUMENTATION;
	w->counted = true;
	world_ask(w, requests);
	CALLGRIND_STOP_INSTRUMENTATION;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		list();
		return 0;
	}
	const struct row *row = find(argv[1]);
	if (!row || argc != 3) {
		fprintf(stderr, "usage: instructions [ROW REQUESTS]\n");
		return 2;
	}
	measure(row, (unsigned)strtoul(argv[2], NULL, 10));
}
