#ifndef APP_UNREACHABLE_H
#define APP_UNREACHABLE_H

/* Says why nobody responds at a unix socket, and what to do. */

#define UNREACHABLE_BYTES 256

/* Writes "" when the socket accepts connections. */
void unreachable_why(const char *path, char text[UNREACHABLE_BYTES]);

#endif
