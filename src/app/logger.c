#include "app/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

/* --- the thread --- */

static uint64_t count_lines(const char *text, size_t n)
{
	uint64_t lines = 0;
	for (const char *end = text + n; (text = memchr(text, '\n', (size_t)(end - text))); text++)
		lines++;
	return lines;
}

/* Another program that has this file open may have made it non-blocking. */
static void logger_await_room(int fd)
{
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
}

static void logger_write_out(struct logger *l, const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(l->to, text, n);
		if (done < 0 && errno == EAGAIN)
			logger_await_room(l->to);
		else if (done < 0 && errno != EINTR)
			break;
		text += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	if (n)
		log_lose(count_lines(text, n));
}

static bool logger_is_empty(const struct logger *l)
{
	int n = 0;
	return ioctl(l->from, FIONREAD, &n) < 0 || n == 0;
}

/* Logs how many lines were lost: when the pipe is empty; if it never is, every LOGGER_TELL_MS. */
static void logger_tell_of_lost(struct logger *l)
{
	struct log_lost *lost = log_lost();
	uint64_t lines = atomic_load(&lost->lines), now_ns = clock_monotonic_ns();
	char line[LOG_LINE_BYTES], since[CLOCK_TEXT_BYTES];
	if (lines == lost->told ||
	    (!logger_is_empty(l) && now_ns - l->told_ns < LOGGER_TELL_MS * 1000000ull))
		return;
	uint64_t since_ns = atomic_exchange(&lost->since_ns, 0);
	clock_text(since_ns ? since_ns : clock_wall_ns(), since);
	size_t n = log_format(line, LOG_WARN,
			      "log: %llu lines were lost since %s: standard error took no more",
			      (unsigned long long)(lines - lost->told), since);
	lost->told = lines;
	l->told_ns = now_ns;
	logger_write_out(l, line, n);
}

static void *logger_run(void *argument)
{
	struct logger *l = argument;
	char text[LOGGER_CHUNK_BYTES];
	pthread_setname_np(pthread_self(), "log");
	for (ssize_t n = 1; n != 0;) {
		(void)poll(&(struct pollfd){ .fd = l->from, .events = POLLIN }, 1, -1);
		atomic_store(&l->busy, true);
		n = read(l->from, text, sizeof text);
		if (n > 0) {
			atomic_store(&l->in_hand, count_lines(text, (size_t)n));
			logger_write_out(l, text, (size_t)n);
			atomic_store(&l->in_hand, 0);
			if (text[n - 1] == '\n')
				logger_tell_of_lost(l);
		}
		atomic_store(&l->busy, false);
	}
	return NULL;
}

/* --- its life --- */

void logger_keep_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

bool logger_open_from(struct logger *l, int from, int to)
{
	*l = (struct logger){ .from = from, .to = to };
	int error = pthread_create(&l->thread, NULL, logger_run, l);
	l->running = !error;
	errno = error;
	return l->running;
}

static void logger_close_descriptors(struct logger *l)
{
	close(l->from);
	close(l->to);
	l->from = l->to = -1;
}

bool logger_open(struct logger *l)
{
	int ends[2], to = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	*l = (struct logger){ .from = -1, .to = -1 };
	if (to < 0)
		return false;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		close(to);
		return false;
	}
	/* If the pipe cannot be made larger, it keeps the system's default size. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, LOGGER_PIPE_BYTES);
	if (!logger_open_from(l, ends[0], to)) {
		logger_close_descriptors(l);
		close(ends[1]);
		return false;
	}
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return true;
}

static bool logger_is_flushed(const struct logger *l)
{
	return logger_is_empty(l) && !atomic_load(&l->busy);
}

static bool logger_await_flushed(const struct logger *l)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t until_ns = clock_monotonic_ns() + LOGGER_LAST_MS * 1000000ull;
	while (!logger_is_flushed(l)) {
		if (clock_monotonic_ns() >= until_ns)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void logger_flush(struct logger *l)
{
	if (l->running && !logger_await_flushed(l))
		log_lose(atomic_load(&l->in_hand));
}

/* A thread that still waits for standard error runs until the process ends. */
void logger_close(struct logger *l)
{
	if (!l->running)
		return;
	bool flushed = logger_await_flushed(l);
	dup2(l->to, STDERR_FILENO);
	/* Other processes may still have the pipe open: then the thread never reads its end. */
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += flushed ? 100000000 : 0;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (pthread_timedjoin_np(l->thread, NULL, &until) == 0)
		logger_close_descriptors(l);
	else
		pthread_detach(l->thread);
	l->running = false;
}
