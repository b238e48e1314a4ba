#ifndef TESTS_REPLAY_SIM_WRITES_H
#define TESTS_REPLAY_SIM_WRITES_H

/* The requests of clients: writes of every kind, to few indices and ids. */

#include "sim/text.h"

struct world;

/* Adds a whole request. */
void writes_make(struct world *w, struct text *to);

#endif
