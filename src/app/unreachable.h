#ifndef APP_UNREACHABLE_H
#define APP_UNREACHABLE_H

/* Why nobody answers at a unix socket, and what to do. */

#define UNREACHABLE_BYTES 256

/* "": a connection is taken there. */
void unreachable_why(const char *path, char text[UNREACHABLE_BYTES]);

#endif
