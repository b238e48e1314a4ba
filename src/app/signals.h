#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

/* The keeper's signals, as a descriptor that is readable when a signal has come. */

/* Blocks the signals, and ignores SIGPIPE. -1 with errno. */
int signals_open(void);
/*
 * Returns the number of a signal that has come, or 0. Several signals of a kind may count as one.
 */
int signals_hear(int fd);

#endif
