#ifndef APP_SMOKE_SUITE_H
#define APP_SMOKE_SUITE_H

/* The requests of a smoke test: read-only ones, whatever a suite's file says. */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "control/complaints.h"

struct smoke_request {
	const char *method, *path, *body; /* body: NULL for none */
	struct smoke_request *next;
};

struct smoke_suite {
	struct smoke_request *first, **end;
	struct slab chunks;
	struct arena arena;
	struct complaints complaints;
};

void smoke_suite_open(struct smoke_suite *s);
void smoke_suite_close(struct smoke_suite *s);

/* Copied. */
void smoke_suite_add(struct smoke_suite *s, const char *method, const char *path, const char *body);

/*
 * Reads a file of lines: METHOD PATH [BODY]; # begins a comment. Taken are GET, HEAD, OPTIONS, and
 * POST where it only reads (_search, _count, _msearch, _mget, _field_caps, _analyze, _validate).
 * False, with complaints.
 */
bool smoke_suite_read(struct smoke_suite *s, const char *path);

#endif
