#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The process's own log: one line to standard error for what an operator must know. Not for
 * requests, and not on the data path. Lines are written whole, from any thread.
 *
 * No thread waits for the log: in a balancer standard error is a pipe that never blocks (logger.h).
 * A line that the pipe does not take is lost, and counted.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

/* A line is cut to this size: a pipe takes it whole or not at all (PIPE_BUF). */
#define LOG_LINE_BYTES 2048

/*
 * "2026-11-23T18:01:25.123Z warn  worker 1: ...". When journald reads standard error, a <N> prefix
 * replaces the time and the word.
 */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

/* Writes a text of several lines unchanged. Each line is written or lost by itself. */
void log_text(const char *text);

/* --- lost lines --- */

struct log_lost {
	_Atomic uint64_t lines;
	_Atomic uint64_t
		since_ns;      /* wall time of the first loss that was not reported yet; 0: none */
	_Atomic uint64_t told; /* the reported part of `lines`; set by the writer of the log */
};

/*
 * Counts lost lines in `shared` from now on: memory that all processes of a balancer share. The
 * earlier count is added to it.
 */
void log_count_lost_in(struct log_lost *shared /* borrowed; NULL: count in this process again */);
struct log_lost *log_lost(void);
void log_lose(uint64_t lines);
/* Makes a line as log_line() does, terminated. Returns its length with the newline. */
__attribute__((format(printf, 3, 4))) size_t
log_format(char line[LOG_LINE_BYTES], enum log_level level, const char *format, ...);

#endif
