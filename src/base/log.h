#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The process's own log: one line to standard error for what an operator must know. Not for
 * requests, and not for the data path. Lines are written whole, from any thread.
 *
 * Nobody waits for the log: in a balancer standard error is a pipe that never blocks (logger.h). A
 * line that it does not take is lost, and counted.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

/* A line is cut to that: a pipe takes it whole or not at all (PIPE_BUF). */
#define LOG_LINE_BYTES 2048

/* "2026-11-23T18:01:25.123Z warn  worker 1: ...". Journald reads the <N> prefix where it listens.
 */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

/* Text of several lines, as it is; each line is written or lost by itself. */
void log_text(const char *text);

/* --- lines that are lost --- */

struct log_lost {
	_Atomic uint64_t lines;
	_Atomic uint64_t since_ns; /* wall time of the first that was not told of yet; 0: none */
	_Atomic uint64_t told;	   /* of `lines`, by whoever writes the log out */
};

/*
 * They are counted there from now on: memory that all processes of a balancer share. What was
 * counted before is added to it.
 */
void log_count_lost_in(struct log_lost *shared /* borrowed; NULL: again for ourselves */);
struct log_lost *log_lost(void);
void log_lose(uint64_t lines);
/* Makes a line as log_line() does, terminated; returns its length with the end of line. */
__attribute__((format(printf, 3, 4))) size_t
log_format(char line[LOG_LINE_BYTES], enum log_level level, const char *format, ...);

#endif
