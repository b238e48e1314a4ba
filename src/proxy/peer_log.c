#include "proxy/peer_log.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/limits.h"

bool peer_log_begin(struct peer_log *t, enum err why, uint64_t now_ms,
		    char more[PEER_LOG_MORE_BYTES])
{
	must(why < ERRS);
	struct peer_log_kind *k = &t->kinds[why];
	if (now_ms < k->quiet_until_ms) {
		k->unlogged++;
		return false;
	}
	more[0] = 0;
	if (k->unlogged)
		snprintf(more, PEER_LOG_MORE_BYTES, "; %llu more since the last line",
			 (unsigned long long)k->unlogged);
	k->unlogged = 0;
	k->quiet_until_ms = now_ms + TELLING_PAUSE_MS;
	return true;
}
