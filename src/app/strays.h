#ifndef APP_STRAYS_H
#define APP_STRAYS_H

/*
 * Signals that come to a working process. They are the keeper's to hear, and do nothing here; but
 * who sends one is told so, in the log.
 */

#include <sys/types.h>

#include "base/wheel.h"

struct strays {
	struct wheel *wheel; /* borrowed */
	struct timer look;
	pid_t keeper;
	const bool *stopping; /* borrowed: SIGTERM may have gone to all processes, and is heard */
};

/* Before any thread begins: from here on they wait until somebody looks. */
void strays_hold(void);
void strays_open(struct strays *s, struct wheel *wheel, pid_t keeper, const bool *stopping);
void strays_close(struct strays *s);

#endif
