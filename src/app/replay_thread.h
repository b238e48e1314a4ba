#ifndef APP_REPLAY_THREAD_H
#define APP_REPLAY_THREAD_H

/* The threads of replay: the one of its worker, and one that reads the capture log. */

#include "control/workers.h"

/* On the worker's thread: replays until the worker is told to stop or to retire. */
void replay_thread_serve(struct workers *workers, struct worker *w);

#endif
