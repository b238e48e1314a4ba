#ifndef APP_LOGGER_H
#define APP_LOGGER_H

/*
 * All processes of a balancer write their log to a pipe in place of standard error. The pipe takes
 * a line at once or not at all. A thread of the keeper copies the pipe to the standard error that
 * the keeper was started with. Only this thread waits when that standard error is slow (a pipe that
 * nobody reads, a file on a server that is down). Lines for which the pipe has no room are counted
 * (log.h), and the thread logs their number when it can write again.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct logger {
	int from; /* owned: the pipe's reading end; -1: there is no pipe */
	int to;	  /* owned: the standard error that the keeper was started with */
	pthread_t thread;
	bool running;
	atomic_bool busy;	  /* bytes that were read are not yet written */
	_Atomic uint64_t in_hand; /* lines among those bytes */
	uint64_t told_ns;
};

/* Replaces standard error by the pipe. False with errno: standard error is unchanged. */
bool logger_open(struct logger *l);
/* The same after an upgrade, where standard error is already the pipe. */
bool logger_open_from(struct logger *l, int from, int to);

/*
 * Waits until every line is written, at most LOGGER_LAST_MS. For before an exec, which ends the
 * thread. Lines that are not written by then count as lost.
 */
void logger_flush(struct logger *l);
/* The same at the end; then restores standard error. */
void logger_close(struct logger *l);

/*
 * Opens /dev/null as each of the descriptors 0, 1 and 2 that is closed, so that no other file gets
 * its number.
 */
void logger_keep_standard_descriptors(void);

#endif
