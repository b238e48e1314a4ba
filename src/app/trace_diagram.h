#ifndef APP_TRACE_DIAGRAM_H
#define APP_TRACE_DIAGRAM_H

/*
 * Draws what streams said as a sequence diagram. Each line is one event: from which party to which,
 * what, how much, and how many ms after the request began.
 *
 *     request       ms  client           front            exchange ...    back   node
 *     0.1        0.000  |-- opens 4 ---->|                |
 *     0.1        0.041  |---------- head, end ----------->|
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define DIAGRAM_LANES 10
/* For so many requests at a time, the beginning is remembered. */
#define DIAGRAM_REQUESTS 256

struct trace_diagram {
	char lanes[DIAGRAM_LANES][12];
	int lane_n;
	struct {
		uint64_t worker, request, began_ns;
	} begun[DIAGRAM_REQUESTS];
};

void trace_diagram_open(struct trace_diagram *d);
/* `said`: one event of GET /v1/trace. */
void trace_diagram_show(struct trace_diagram *d, const json_t *said, FILE *to);

#endif
