#include "proxy/telling.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/limits.h"

bool telling_begins(struct telling *t, enum err why, uint64_t now_ms, char more[TELLING_MORE_BYTES])
{
	must(why < ERRS);
	struct telling_kind *k = &t->kinds[why];
	if (now_ms < k->quiet_until_ms) {
		k->untold++;
		return false;
	}
	more[0] = 0;
	if (k->untold)
		snprintf(more, TELLING_MORE_BYTES, "; %llu more since the last line",
			 (unsigned long long)k->untold);
	k->untold = 0;
	k->quiet_until_ms = now_ms + TELLING_PAUSE_MS;
	return true;
}
