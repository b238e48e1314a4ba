#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const words[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn ",
	[LOG_INFO] = "info ",
};

static const char *const journal_prefix[] = {
	[LOG_ERROR] = "<3>",
	[LOG_WARN] = "<4>",
	[LOG_INFO] = "<6>",
};

static void write_line(enum log_level level, const char *format, va_list args)
{
	char line[2048], when[CLOCK_TEXT_BYTES];
	int n;
	if (getenv("JOURNAL_STREAM")) {
		n = snprintf(line, sizeof line, "%s", journal_prefix[level]);
	} else {
		clock_text(clock_wall_ns(), when);
		n = snprintf(line, sizeof line, "%s %s ", when, words[level]);
	}
	int more = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
	int room = (int)sizeof line - n - 2;
	n += more < 0 ? 0 : more < room ? more : room;
	line[n++] = '\n';
	/* Nothing useful can be done when standard error is gone. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}

/* A pipe that is writable takes PIPE_BUF bytes at once, which is more than a line. */
void log_line_if_taken(enum log_level level, const char *format, ...)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
		return;
	va_list args;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}
