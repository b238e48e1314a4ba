#ifndef PROXY_TELLING_H
#define PROXY_TELLING_H

/*
 * What goes wrong with peers is told in the process's log once a second at most for each kind of
 * it, by each worker; those between are counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct telling {
	struct telling_kind {
		uint64_t quiet_until_ms, untold;
	} kinds[ERRS];
};

#define TELLING_MORE_BYTES 64
/*
 * One more. True: it is to be told now, and `more` says how many were not: "; N more since the last
 * line", or "".
 */
bool telling_begins(struct telling *t, enum err why, uint64_t now_ms,
		    char more[TELLING_MORE_BYTES]);

#endif
