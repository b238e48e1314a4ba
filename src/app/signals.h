#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

/* The signals that the keeper hears, as a descriptor that is readable when one has come. */

/* Blocks them; SIGPIPE is ignored. -1 with errno. */
int signals_open(void);
/* The number of one that has come, or 0. Several of a kind may be heard as one. */
int signals_hear(int fd);

#endif
