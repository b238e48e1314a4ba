#ifndef CONTROL_LOCAL_SOCKET_H
#define CONTROL_LOCAL_SOCKET_H

/*
 * A listening unix socket that its owner alone may use (mode 0600). What a dead process left at
 * that path is removed; a living one's is not. -1 with errno; EADDRINUSE: somebody answers there;
 * EPERM: what is there is somebody else's; EEXIST: it is no socket.
 */
int local_socket_listen(const char *path);
/* The same for an operator. */
const char *local_socket_trouble(int error);

#endif
