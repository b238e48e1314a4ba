#ifndef PROXY_PEER_LOG_H
#define PROXY_PEER_LOG_H

/*
 * Each worker logs errors of peers at most once a second for each kind of error; the errors between
 * are counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct peer_log {
	struct peer_log_kind {
		uint64_t quiet_until_ms, unlogged;
	} kinds[ERRS];
};

#define PEER_LOG_MORE_BYTES 64
/*
 * Reports one more error. True: the caller logs it now, and `more` has the number of errors that
 * were not logged: "; N more since the last line", or "".
 */
bool peer_log_begin(struct peer_log *t, enum err why, uint64_t now_ms,
		    char more[PEER_LOG_MORE_BYTES]);

#endif
