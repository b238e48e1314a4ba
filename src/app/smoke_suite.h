#ifndef APP_SMOKE_SUITE_H
#define APP_SMOKE_SUITE_H

/*
 * The requests of a smoke test. Only requests that read are taken, whatever the suite's file says.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "control/diagnostics.h"

struct smoke_request {
	const char *method, *path, *body; /* body: NULL for none */
	struct smoke_request *next;
};

struct smoke_suite {
	struct smoke_request *first, **end;
	struct slab chunks;
	struct arena arena;
	struct diagnostics diagnostics;
};

void smoke_suite_open(struct smoke_suite *s);
void smoke_suite_close(struct smoke_suite *s);

/* Copies its arguments. */
void smoke_suite_add(struct smoke_suite *s, const char *method, const char *path, const char *body);

/*
 * Reads a file of lines: METHOD PATH [BODY]; # begins a comment. Takes GET, HEAD, OPTIONS, and POST
 * to paths that only read (_search, _count, _msearch, _mget, _field_caps, _analyze, _validate).
 * False, with diagnostics.
 */
bool smoke_suite_read(struct smoke_suite *s, const char *path);

#endif
