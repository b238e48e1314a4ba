#ifndef CONTROL_ACCESS_LOG_H
#define CONTROL_ACCESS_LOG_H

/*
 * The access log's file, and the thread that writes what the workers have put into their rings: a
 * disk that stalls holds nobody up but that thread. Lines stand whole in the file, each worker's in
 * their order. While the file cannot be written, a worker's newest lines are lost once its ring is
 * full; that is counted, said when it begins, and said again with their number when it is over.
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
	_Atomic int next_fd; /* what is to be written to from now on; -1: no news */
	/* The thread's own. */
	int fd;
	unsigned at; /* the ring that goes first: one whose line was cut off is finished */
	size_t torn; /* so much of that ring's next line is in the file */
	bool failing;
	unsigned waits; /* in a row, for a pipe to take something */
	uint64_t dropped_seen, dropped_told, told_ns;
};

/* The workers' ends may be used at once. Nothing is written before access_log_use(). */
void access_log_open(struct access_log *l, unsigned worker_n, const struct counters *counters);
/*
 * When no worker is left. What they have put there is written first, if it can be. A thread that
 * waits for its file is waited for ACCESS_LAST_MS. False: it is left behind, and needs all that
 * this log was opened with until the process ends.
 */
bool access_log_close(struct access_log *l);

/* A file for it: appended to, made with mode 0640. /dev/stdout and its kin may be what cannot be
 * opened: a socket, another's pipe. A descriptor, or -1 with errno; EPERM: it is
 * somebody else's; ETIMEDOUT after ACCESS_OPEN_MS. */
int access_log_file(const char *path);
/* Lines go there from now on. An errno, or 0; -1 is no file and no change. */
int access_log_use(struct access_log *l, int fd /* moved in */);

#endif
