#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

/* All metrics, in Prometheus' text format. */

#include <stdio.h>

#include "control/nodes.h"
#include "proxy/board.h"
#include "proxy/counters.h"

struct recorder_numbers;

struct metrics_facts {
	const struct counters *counters; /* one for each worker */
	unsigned worker_n;
	const struct plan *plan;
	const struct nodes *nodes;
	struct board_values values;
	uint64_t writes[ARMS]; /* writes on their way to nodes, of all processes */
	const char *backend;   /* "io_uring", "epoll" */
	uint64_t started_wall_ns;
	uint64_t log_lines_lost;
	bool unsaved;				/* the weights in force are not saved */
	const struct recorder_numbers *capture; /* NULL: nothing is recorded */
	bool in_force; /* the configuration's file is in force, as last checked */
};

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_write(const struct metrics_facts *f, FILE *to);

/* The rows of the capture log: a part of metrics_write(). */
void metrics_capture(const struct recorder_numbers *n, FILE *to);

/* Writes the HELP and TYPE lines of a metric; `name` is without "crossfade_". */
void metrics_family(FILE *to, const char *name, const char *type, const char *help);
/* Writes the lines of a histogram. `label` is empty, or "name=\"value\"". */
void metrics_latency(FILE *to, const char *name, const char *label, const struct latency_seen *l);

/* The sum over all workers of the member of struct counters at `offset`. */
uint64_t metrics_sum(const struct counters *counters, unsigned worker_n, size_t offset);

#endif
