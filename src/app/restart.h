#ifndef APP_RESTART_H
#define APP_RESTART_H

/* When a process is started in place of one that has died, and with which configuration. */

#include "app/process.h"

struct restart {
	enum config_source source; /* of the next working process */
	uint64_t due_ms;
	uint64_t pause_ms; /* of the next restart; 0: the shortest */
};

/*
 * Sets when the next process is due after one that was started at `started_ms`. Returns the pause.
 */
uint64_t restart_after(struct restart *r, uint64_t started_ms, uint64_t now_ms);

/*
 * A crash must not change anything: the next process starts with the configuration that was in
 * force, whatever is in the file now. If a process with it fails to start, the next one reads the
 * file, and so on in turns: one of the two may work by then.
 */
void restart_choose_source(struct restart *r, enum process_state had_died);

#endif
