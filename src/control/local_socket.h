#ifndef CONTROL_LOCAL_SOCKET_H
#define CONTROL_LOCAL_SOCKET_H

/*
 * Listens on a unix socket that only its owner may use (mode 0600). A socket that a dead process
 * has left at that path is removed; the socket of a living one is not. -1 with errno; EADDRINUSE: a
 * process answers there; EPERM: the file there belongs to another user; EEXIST: the file there is
 * not a socket.
 */
int local_socket_listen(const char *path);
/* The meaning of that errno, for an operator. */
const char *local_socket_trouble(int error);

#endif
