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
#include "base/limits.h"
#include "base/log.h"
#include "control/slow_file.h"

/* --- the thread --- */

/* Ends a line that was cut off, if the file has room for at least a newline. */
static void end_torn(struct access_log *l)
{
	if (l->torn && write(l->fd, "\n", 1) != 1)
		log_line(LOG_WARN, "access log: the file used until now ends with half a line");
	l->torn = 0;
}

/*
 * Changes to the next file. A line that was cut off in the old file is written whole to the new
 * one.
 */
static void log_take_next_file(struct access_log *l)
{
	int next = atomic_exchange(&l->next_fd, -1);
	if (next < 0)
		return;
	end_torn(l);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = next;
}

static void log_failed(struct access_log *l, int error)
{
	if (!l->failing)
		log_line(LOG_ERROR, "access log: cannot be written: %s",
			 error == EAGAIN ? "nobody reads it" : strerror(error));
	l->failing = true;
}

/*
 * The file is a pipe or a terminal. A slow reader is no failure. A reader that takes nothing for
 * ACCESS_WAITS_QUIET waits in a row is.
 */
static bool log_await_room(struct access_log *l)
{
	struct pollfd room = { .fd = l->fd, .events = POLLOUT };
	if (poll(&room, 1, ACCESS_WAIT_MS) > 0)
		return true;
	if (++l->waits >= ACCESS_WAITS_QUIET)
		log_failed(l, EAGAIN);
	return false;
}

/* The parts of the runs that are not in the file yet. */
static unsigned unwritten_parts(const struct span runs[2], unsigned n, size_t skipped,
				struct iovec v[2])
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

/* The number of bytes in whole lines, among the first `n`. */
static size_t whole_lines(const struct span runs[2], size_t n)
{
	size_t first = n < runs[0].n ? n : runs[0].n, second = n - first;
	const char *end = second ? memrchr(runs[1].at, '\n', second) : NULL;
	if (end)
		return first + (size_t)(end + 1 - runs[1].at);
	end = first ? memrchr(runs[0].at, '\n', first) : NULL;
	return end ? (size_t)(end + 1 - runs[0].at) : 0;
}

/*
 * A line is taken from the ring only when all of it is in the file: until then the file may be
 * replaced by another one.
 */
static void log_note_written(struct access_log *l, struct ring *r, const struct span runs[2],
			     size_t n)
{
	size_t there = l->torn + n, whole = whole_lines(runs, there);
	l->torn = there - whole;
	l->waits = 0;
	ring_take(r, whole);
}

static bool log_write_ring(struct access_log *l, struct ring *r)
{
	struct span runs[2];
	for (unsigned n; (n = ring_look(r, runs));) {
		struct iovec v[2];
		n = unwritten_parts(runs, n, l->torn, v);
		ssize_t written = writev(l->fd, v, (int)n);
		if (written < 0 && errno == EAGAIN && !log_await_room(l))
			return false;
		if (written < 0 && errno != EINTR && errno != EAGAIN) {
			log_failed(l, errno);
			return false;
		}
		if (written > 0)
			log_note_written(l, r, runs, (size_t)written);
	}
	return true;
}

static void log_write_all(struct access_log *l)
{
	for (unsigned i = 0; i < l->worker_n; i++) {
		if (!log_write_ring(l, &l->ends[l->at].ring))
			return;
		l->at = (l->at + 1) % l->worker_n;
	}
	if (l->failing)
		log_line(LOG_INFO, "access log: can be written again");
	l->failing = false;
}

static uint64_t log_dropped(const struct access_log *l)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < l->worker_n; i++)
		sum += counter_read(&l->counters[i].access_dropped);
	return sum;
}

/* The loss is logged when it is over: no line was lost since the last look. */
static void log_report_dropped(struct access_log *l, bool last)
{
	uint64_t now = log_dropped(l), now_ns = clock_monotonic_ns();
	bool over = !l->failing && now == l->dropped_seen;
	l->dropped_seen = now;
	if (now == l->dropped_told ||
	    (!last && (!over || now_ns - l->told_ns < ACCESS_TELL_MS * 1000000ull)))
		return;
	log_line(LOG_WARN,
		 "access log: %llu lines were lost, because they could not be written fast enough",
		 (unsigned long long)(now - l->dropped_told));
	l->dropped_told = now;
	l->told_ns = now_ns;
}

/*
 * While the file cannot be written, new lines of the workers do not trigger another try; time does.
 */
static void log_pause(struct access_log *l)
{
	static const struct timespec pause = { .tv_nsec = ACCESS_WAIT_MS * 1000000 };
	if (l->failing)
		nanosleep(&pause, NULL);
	else
		waker_sleep(&l->waker, ACCESS_WAIT_MS);
}

static void *log_run(void *argument)
{
	struct access_log *l = argument;
	pthread_setname_np(pthread_self(), "access log");
	for (bool stopping = false; !stopping;) {
		log_pause(l);
		stopping = atomic_load_explicit(&l->stopping, memory_order_acquire);
		log_take_next_file(l);
		log_write_all(l);
		log_report_dropped(l, stopping);
	}
	end_torn(l);
	return NULL;
}

/* --- for the control thread --- */

/*
 * The descriptor of standard output or standard error, if `path` is one of their names; -1: another
 * file.
 */
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

/* A killed process or a full disk may have left half a line at the end of the file. */
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
		log_line(LOG_WARN,
			 "access log: the file's last line is incomplete, and cannot be ended: %s",
			 strerror(errno));
}

int access_log_file(const char *path)
{
	/* O_NONBLOCK stays set: neither opening a pipe nor writing to it waits. */
	int fd = slow_file_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640,
				ACCESS_OPEN_MS);
	int error = errno, standard = fd < 0 ? standard_descriptor(path) : -1;
	/*
	 * A socket cannot be opened by its name, nor can a pipe of the user that started this
	 * process. The descriptor that this process has can be duplicated and written to.
	 */
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
	int error = pthread_create(&l->thread, NULL, log_run, l);
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

/*
 * False: the thread still waits for its file, and all that it uses must stay until the process
 * ends.
 */
static bool log_end_thread(struct access_log *l)
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
	log_line(LOG_ERROR, "access log: the file cannot be written; the last lines are lost");
	return false;
}

bool access_log_close(struct access_log *l)
{
	if (!log_end_thread(l))
		return false;
	log_take_next_file(l);
	if (l->fd >= 0)
		close(l->fd);
	for (unsigned i = 0; i < l->worker_n; i++)
		access_close(&l->ends[i]);
	free(l->ends);
	waker_close(&l->waker);
	return true;
}
