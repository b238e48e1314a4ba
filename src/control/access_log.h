#ifndef CONTROL_ACCESS_LOG_H
#define CONTROL_ACCESS_LOG_H

/*
 * The access log's file, and the thread that writes the lines of the workers' rings to it. A slow
 * or stalled disk holds up only that thread. Each line is written whole, and the lines of one
 * worker keep their order. While the file cannot be written, a worker's newest lines are lost once
 * its ring is full. Lost lines are counted; the log says when the loss begins, and, when it is
 * over, how many were lost.
 */

#include <pthread.h>

#include "proxy/access.h"

struct access_log {
	struct access *ends;		 /* owned: one for each worker */
	const struct counters *counters; /* borrowed, likewise */
	unsigned worker_n;
	struct waker waker;
	pthread_t thread;
	bool running;
	atomic_bool stopping;
	_Atomic int next_fd; /* the file to write to from now on; -1: no new file */
	/* Used by the thread only. */
	int fd;
	unsigned at; /* the ring to write first: the ring whose line was cut off */
	size_t torn; /* bytes of that ring's next line that are in the file */
	bool failing;
	unsigned waits; /* how often in a row a pipe was full */
	uint64_t dropped_seen, dropped_told, told_ns;
};

/* The workers may use `ends` at once. Nothing is written before access_log_use(). */
void access_log_open(struct access_log *l, unsigned worker_n, const struct counters *counters);
/*
 * Call it when no worker is left. The lines still in the rings are written first, if the file can
 * be written. If the thread is waiting for its file, this waits ACCESS_LAST_MS for it. False: the
 * thread is left behind, and all memory passed to access_log_open() must stay until the process
 * ends.
 */
bool access_log_close(struct access_log *l);

/*
 * Opens the access log's file for appending, or makes it with mode 0640. /dev/stdout and the like
 * also work where they refer to something that cannot be opened: a socket, or another user's pipe.
 * A descriptor, or -1 with errno; EPERM: the file belongs to another user; ETIMEDOUT after
 * ACCESS_OPEN_MS.
 */
int access_log_file(const char *path);
/* Lines go to `fd` from now on. An errno, or 0; with -1 nothing changes. */
int access_log_use(struct access_log *l, int fd /* moved in */);

#endif
