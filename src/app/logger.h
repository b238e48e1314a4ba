#ifndef APP_LOGGER_H
#define APP_LOGGER_H

/*
 * Where all processes of a balancer write their log: a pipe in the place of standard error, which
 * takes a line at once or not at all, and a thread of the keeper that brings what comes out of it
 * to the standard error that we were started with. However long that one makes us wait (a pipe that
 * nobody reads, a file on a server that is gone), it is this thread that waits. Lines that the pipe
 * has no room for are counted (log.h), and the thread says how many they were when it goes on.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct logger {
	int from; /* owned: the pipe's end that is read; -1: there is none, and the log is direct */
	int to;	  /* owned: the standard error that we were started with */
	pthread_t thread;
	bool running;
	atomic_bool busy;	  /* what was read is not written yet */
	_Atomic uint64_t in_hand; /* lines of it */
	uint64_t told_ns;
};

/* From now on standard error is the pipe. False with errno: it stays what it is. */
bool logger_open(struct logger *l);
/* The same after an upgrade, where standard error is the pipe already. */
bool logger_open_from(struct logger *l, int from, int to);

/*
 * Waits until all that was said is written, at most LOGGER_LAST_MS: before another program takes
 * this one's place, in which this thread ends. What is not written then counts as lost.
 */
void logger_rest(struct logger *l);
/* The same at the end; then standard error is what it was. */
void logger_close(struct logger *l);

/* Descriptors 0, 1 and 2 are there, so that nothing else can become one of them. */
void logger_keep_standard_descriptors(void);

#endif
