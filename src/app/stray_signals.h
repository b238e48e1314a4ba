#ifndef APP_STRAY_SIGNALS_H
#define APP_STRAY_SIGNALS_H

/*
 * Signals that are sent to a working process. Only the keeper handles signals, so they do nothing
 * here; but each is logged, with its sender.
 */

#include <sys/types.h>

#include "base/wheel.h"

struct stray_signals {
	struct wheel *wheel; /* borrowed */
	struct timer look;
	pid_t keeper;
	const bool *stopping; /* borrowed: SIGTERM and SIGINT are not logged then */
};

/* Must be called before any other thread starts. From then on signals wait until they are read. */
void stray_signals_hold(void);
void stray_signals_open(struct stray_signals *s, struct wheel *wheel, pid_t keeper,
			const bool *stopping);
void stray_signals_close(struct stray_signals *s);

#endif
