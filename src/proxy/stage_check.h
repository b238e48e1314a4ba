#ifndef PROXY_STAGE_CHECK_H
#define PROXY_STAGE_CHECK_H

/*
 * Checks the relations between the members of a worker's exchanges and of all their stages at the
 * end of a turn, when no stage is inside a verb (base/checks.h). Each stage's own header declares a
 * check for the end of each of its verbs, where another verb of the same stage may still be
 * running: exchange_check() and so on.
 */

#include "proxy/exchanges.h"

void exchanges_check(const struct exchanges *d);

#endif
