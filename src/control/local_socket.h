#ifndef CONTROL_LOCAL_SOCKET_H
#define CONTROL_LOCAL_SOCKET_H

/*
 * A listening unix socket that its owner alone may use (mode 0600). What a dead process left at
 * that path is removed; a living one's is not. -1 with errno; EADDRINUSE: somebody answers there.
 */
int local_socket_listen(const char *path);

#endif
