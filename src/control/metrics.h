#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

/* All that is counted, in Prometheus' text format. */

#include <stdio.h>

#include "control/nodes.h"
#include "proxy/board.h"
#include "proxy/counters.h"

struct metrics_facts {
	const struct counters *counters; /* one for each worker */
	unsigned worker_n;
	const struct plan *plan;
	const struct nodes *nodes;
	struct board_values values;
	const char *backend; /* "io_uring", "epoll" */
	uint64_t started_wall_ns;
	uint64_t log_lines_lost;
	bool unsaved;  /* the weights in force are not on the disk */
	bool in_force; /* what the configuration's file says is, as last looked at */
};

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_write(const struct metrics_facts *f, FILE *to);

/* A histogram's lines. `label` is empty, or "name=\"value\"". */
void metrics_latency(FILE *to, const char *name, const char *label, const struct latency_seen *l);

/* A member of struct counters, at that many bytes in it, summed over all workers. */
uint64_t metrics_sum(const struct counters *counters, unsigned worker_n, size_t offset);

#endif
