#include "app/restart.h"

#include "base/limits.h"

uint64_t restart_after(struct restart *r, uint64_t started_ms, uint64_t now_ms)
{
	if (!r->pause_ms || now_ms - started_ms >= RESTART_UP_LONG_MS)
		r->pause_ms = RESTART_PAUSE_MS;
	uint64_t pause_ms = r->pause_ms;
	r->due_ms = now_ms + pause_ms;
	r->pause_ms = pause_ms * 2 < RESTART_PAUSE_MAX_MS ? pause_ms * 2 : RESTART_PAUSE_MAX_MS;
	return pause_ms;
}

void restart_choose_source(struct restart *r, enum process_state had_died)
{
	bool failed = had_died == PROCESS_STARTING && r->source == CONFIG_SAVED;
	r->source = failed ? CONFIG_FROM_FILE : CONFIG_SAVED;
}
