#ifndef APP_RESTART_H
#define APP_RESTART_H

/* When a working process that has died is followed by the next one, and what that begins with. */

#include "app/process.h"

/* 100 ms after it has died, then twice that, up to 5 s. */
#define RESTART_PAUSE_MS 100
#define RESTART_PAUSE_MAX_MS 5000
/* One that was up for so long had a reason of its own to die: the pause begins anew. */
#define UP_LONG_ENOUGH_MS 10000

struct restart {
	enum config_source source; /* of the next working process */
	uint64_t due_ms;
	uint64_t pause_ms; /* the next one; 0: the shortest */
};

/* Sets when the next one is due, after one that was started at `started_ms`. Returns the pause. */
uint64_t restart_after(struct restart *r, uint64_t started_ms, uint64_t now_ms);

/*
 * A crash changes nothing: what was in force goes on, whatever the file says by now. Where that
 * does not come up, the file is tried, and so on in turns: one of them may have been mended.
 */
void restart_choose_source(struct restart *r, enum process_state had_died);

#endif
