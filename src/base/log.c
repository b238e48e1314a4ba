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

#define LINE_BYTES 2048

static size_t begin(enum log_level level, char line[LINE_BYTES])
{
	char when[CLOCK_TEXT_BYTES];
	if (getenv("JOURNAL_STREAM"))
		return (size_t)snprintf(line, LINE_BYTES, "%s", journal_prefix[level]);
	clock_text(clock_wall_ns(), when);
	return (size_t)snprintf(line, LINE_BYTES, "%s %s ", when, words[level]);
}

/* `more`: how long the text is, or would be if there were room. */
static void end(char line[LINE_BYTES], size_t n, int more)
{
	size_t room = LINE_BYTES - n - 2;
	n += more < 0 ? 0 : (size_t)more < room ? (size_t)more : room;
	line[n++] = '\n';
	/* Nothing useful can be done when standard error is gone. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_BYTES];
	size_t n = begin(level, line);
	va_list args;
	va_start(args, format);
	int more = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	end(line, n, more);
}

/* A pipe that is writable takes PIPE_BUF bytes at once, which is more than a line. */
void log_line_if_taken(enum log_level level, const char *format, ...)
{
	char line[LINE_BYTES];
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
		return;
	size_t n = begin(level, line);
	va_list args;
	va_start(args, format);
	int more = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	end(line, n, more);
}
