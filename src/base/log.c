#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/plain.h"

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

/*
 * The only global state. It belongs to standard error, which belongs to the whole process and is no
 * function's argument either. Until log_count_lost_in() a process counts in `own`.
 */
static struct log_lost own;
static struct log_lost *_Atomic counted_in = &own;

/* --- lost lines --- */

struct log_lost *log_lost(void)
{
	return atomic_load(&counted_in);
}

static void lost_add(struct log_lost *l, uint64_t lines, uint64_t since_ns)
{
	uint64_t none = 0;
	atomic_fetch_add(&l->lines, lines);
	atomic_compare_exchange_strong(&l->since_ns, &none, since_ns);
}

void log_lose(uint64_t lines)
{
	lost_add(log_lost(), lines, clock_wall_ns());
}

void log_count_lost_in(struct log_lost *shared)
{
	struct log_lost *before = atomic_exchange(&counted_in, shared ? shared : &own);
	uint64_t lines = before == &own && shared ? atomic_exchange(&own.lines, 0) : 0;
	if (lines)
		lost_add(shared, lines, atomic_exchange(&before->since_ns, 0));
}

/* --- lines --- */

static size_t log_line_begin(enum log_level level, char line[LOG_LINE_BYTES])
{
	char when[CLOCK_TEXT_BYTES];
	if (getenv("JOURNAL_STREAM"))
		return (size_t)snprintf(line, LOG_LINE_BYTES, "%s", journal_prefix[level]);
	clock_text(clock_wall_ns(), when);
	return (size_t)snprintf(line, LOG_LINE_BYTES, "%s %s ", when, words[level]);
}

/* The text is escaped: names and reasons come from outside. */
static size_t log_line_make(char line[LOG_LINE_BYTES], enum log_level level, const char *text)
{
	size_t n = log_line_begin(level, line);
	n += plain_copy(line + n, LOG_LINE_BYTES - n - 1, text);
	line[n++] = '\n';
	line[n] = 0;
	return n;
}

size_t log_format(char line[LOG_LINE_BYTES], enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_BYTES] = "";
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return log_line_make(line, level, text);
}

/*
 * poll() comes first because standard error may block: other commands do not replace it with a pipe
 * of our own.
 */
static void log_line_put(const char *line, size_t n)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ||
	    write(STDERR_FILENO, line, n) != (ssize_t)n)
		log_lose(1);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_BYTES], text[LOG_LINE_BYTES] = "";
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_line_put(line, log_line_make(line, level, text));
}

void log_text(const char *text)
{
	for (const char *end; *text; text = end) {
		end = strchr(text, '\n');
		end = end ? end + 1 : text + strlen(text);
		for (size_t n; text < end; text += n) {
			n = (size_t)(end - text);
			n = n < LOG_LINE_BYTES ? n : LOG_LINE_BYTES;
			log_line_put(text, n);
		}
	}
}
