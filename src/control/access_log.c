#include "control/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/slow_file.h"

/* Lines that were lost are told of this often at most. */
#define TELL_NS (10 * 1000000000ull)

/* --- the thread --- */

/* A line that could not be finished gets an end, where there is room for that at least. */
static void end_torn(struct access_log *l)
{
	if (l->torn && write(l->fd, "\n", 1) != 1)
		log_line(LOG_WARN, "access log: the file that was in use ends with half a line");
	l->torn = 0;
}

/* What is torn in the old file is written to the new one whole. */
static void take_news(struct access_log *l)
{
	int next = atomic_exchange(&l->next_fd, -1);
	if (next < 0)
		return;
	end_torn(l);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = next;
}

static void failed(struct access_log *l, int error)
{
	if (!l->failing)
		log_line(LOG_ERROR, "access log: cannot be written: %s",
			 error == EAGAIN ? "nobody reads it" : strerror(error));
	l->failing = true;
}

/* It is a pipe, or a terminal: its reader may be slow, which is no failure, or gone to sleep. */
static bool await_room(struct access_log *l)
{
	struct pollfd room = { .fd = l->fd, .events = POLLOUT };
	if (poll(&room, 1, ACCESS_WAIT_MS) > 0)
		return true;
	if (++l->waits >= ACCESS_WAITS_QUIET)
		failed(l, EAGAIN);
	return false;
}

/* What of the runs is not in the file yet. */
static unsigned unwritten(const struct span runs[2], unsigned n, size_t skipped, struct iovec v[2])
{
	unsigned k = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t skip = skipped < runs[i].n ? skipped : runs[i].n;
		skipped -= skip;
		if (skip < runs[i].n)
			v[k++] = (struct iovec){ (char *)(uintptr_t)runs[i].at + skip,
						 runs[i].n - skip };
	}
	return k;
}

/* Bytes of whole lines among the first `n`. */
static size_t whole_lines(const struct span runs[2], size_t n)
{
	size_t first = n < runs[0].n ? n : runs[0].n, second = n - first;
	const char *end = second ? memrchr(runs[1].at, '\n', second) : NULL;
	if (end)
		return first + (size_t)(end + 1 - runs[1].at);
	end = first ? memrchr(runs[0].at, '\n', first) : NULL;
	return end ? (size_t)(end + 1 - runs[0].at) : 0;
}

/* A line is taken when all of it is in the file: until then another file may come in its place. */
static void note_written(struct access_log *l, struct ring *r, const struct span runs[2], size_t n)
{
	size_t there = l->torn + n, whole = whole_lines(runs, there);
	l->torn = there - whole;
	l->waits = 0;
	ring_take(r, whole);
}

static bool write_ring(struct access_log *l, struct ring *r)
{
	struct span runs[2];
	for (unsigned n; (n = ring_look(r, runs));) {
		struct iovec v[2];
		n = unwritten(runs, n, l->torn, v);
		ssize_t written = writev(l->fd, v, (int)n);
		if (written < 0 && errno == EAGAIN && !await_room(l))
			return false;
		if (written < 0 && errno != EINTR && errno != EAGAIN) {
			failed(l, errno);
			return false;
		}
		if (written > 0)
			note_written(l, r, runs, (size_t)written);
	}
	return true;
}

static void write_all(struct access_log *l)
{
	for (unsigned i = 0; i < l->worker_n; i++) {
		if (!write_ring(l, &l->ends[l->at].ring))
			return;
		l->at = (l->at + 1) % l->worker_n;
	}
	if (l->failing)
		log_line(LOG_INFO, "access log: can be written again");
	l->failing = false;
}

static uint64_t dropped(const struct access_log *l)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < l->worker_n; i++)
		sum += counter_read(&l->counters[i].access_dropped);
	return sum;
}

/* Once it is over: between two looks no more were lost. */
static void tell_of_dropped(struct access_log *l, bool last)
{
	uint64_t now = dropped(l), now_ns = clock_monotonic_ns();
	bool over = !l->failing && now == l->dropped_seen;
	l->dropped_seen = now;
	if (now == l->dropped_told || (!last && (!over || now_ns - l->told_ns < TELL_NS)))
		return;
	log_line(LOG_WARN,
		 "access log: %llu lines were lost, for they were not written fast enough",
		 (unsigned long long)(now - l->dropped_told));
	l->dropped_told = now;
	l->told_ns = now_ns;
}

/* While the file cannot be written it is not the workers' lines that bring another try. */
static void rest(struct access_log *l)
{
	static const struct timespec pause = { .tv_nsec = ACCESS_WAIT_MS * 1000000 };
	if (l->failing)
		nanosleep(&pause, NULL);
	else
		waker_sleep(&l->waker, ACCESS_WAIT_MS);
}

static void *run(void *argument)
{
	struct access_log *l = argument;
	pthread_setname_np(pthread_self(), "access log");
	for (bool stopping = false; !stopping;) {
		rest(l);
		stopping = atomic_load_explicit(&l->stopping, memory_order_acquire);
		take_news(l);
		write_all(l);
		tell_of_dropped(l, stopping);
	}
	end_torn(l);
	return NULL;
}

/* --- control --- */

/* Standard output or standard error, by any of their names; -1: another file. */
static int standard_descriptor(const char *path)
{
	static const char *const names[][3] = {
		{ "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1" },
		{ "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2" },
	};
	for (int d = 0; d < 2; d++)
		for (int i = 0; i < 3; i++)
			if (!strcmp(path, names[d][i]))
				return STDOUT_FILENO + d;
	return -1;
}

/* A process that was killed, or a disk that was full, may have left half of one. */
static void end_line(int fd)
{
	struct stat s;
	char name[32], last;
	if (fstat(fd, &s) || !S_ISREG(s.st_mode) || !s.st_size)
		return;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	int in = open(name, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return;
	bool torn = pread(in, &last, 1, s.st_size - 1) == 1 && last != '\n';
	close(in);
	if (torn && write(fd, "\n", 1) < 0)
		log_line(LOG_WARN, "access log: its last line has no end, and cannot get one: %s",
			 strerror(errno));
}

int access_log_file(const char *path)
{
	/* A pipe is neither waited for when it is opened nor when it is written: O_NONBLOCK stays.
	 */
	int fd = slow_file_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640,
				ACCESS_OPEN_MS);
	int error = errno, standard = fd < 0 ? standard_descriptor(path) : -1;
	/* A socket cannot be opened, nor the pipe of who started us: what we have of it can be
	   written to. */
	if (standard >= 0)
		fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		errno = error;
	if (fd >= 0)
		end_line(fd);
	return fd;
}

int access_log_use(struct access_log *l, int fd)
{
	if (fd < 0)
		return 0;
	int unseen = atomic_exchange(&l->next_fd, fd);
	if (unseen >= 0)
		close(unseen);
	waker_wake(&l->waker);
	if (l->running)
		return 0;
	int error = pthread_create(&l->thread, NULL, run, l);
	l->running = error == 0;
	return error;
}

void access_log_open(struct access_log *l, unsigned worker_n, const struct counters *counters)
{
	*l = (struct access_log){ .worker_n = worker_n, .counters = counters, .fd = -1 };
	atomic_init(&l->next_fd, -1);
	must(waker_open(&l->waker));
	l->ends = aligned_alloc(64, worker_n * sizeof *l->ends);
	must(l->ends);
	uint64_t seed = clock_wall_ns() ^ (uint64_t)getpid() << 40;
	for (unsigned i = 0; i < worker_n; i++)
		access_open(&l->ends[i], &l->waker, seed ^ (uint64_t)i << 56);
}

/* False: it still waits for its file, and with it all that it uses is left to the process's end. */
static bool end_thread(struct access_log *l)
{
	struct timespec until;
	if (!l->running)
		return true;
	atomic_store_explicit(&l->stopping, true, memory_order_release);
	waker_wake(&l->waker);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ACCESS_LAST_MS / 1000;
	if (pthread_timedjoin_np(l->thread, NULL, &until) == 0)
		return true;
	log_line(LOG_ERROR, "access log: its file takes nothing; its last lines are lost");
	return false;
}

bool access_log_close(struct access_log *l)
{
	if (!end_thread(l))
		return false;
	take_news(l);
	if (l->fd >= 0)
		close(l->fd);
	for (unsigned i = 0; i < l->worker_n; i++)
		access_close(&l->ends[i]);
	free(l->ends);
	waker_close(&l->waker);
	return true;
}
