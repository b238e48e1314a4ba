#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The process's own log: one line to standard error for what an operator must know. Not for
 * requests, and not for the data path. Lines are written whole, from any thread.
 */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

/* "2026-11-23T18:01:25.123Z warn  worker 1: ...". Journald reads the <N> prefix where it listens.
 */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

/* The same for those that must not wait: where standard error takes no more, the line is lost. */
__attribute__((format(printf, 2, 3))) void log_line_if_taken(enum log_level level,
							     const char *format, ...);

#endif
