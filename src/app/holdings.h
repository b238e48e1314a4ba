#ifndef APP_HOLDINGS_H
#define APP_HOLDINGS_H

/*
 * What the keeper holds so that it outlives working processes: listening sockets, the locks of
 * directories, the board and the ticket keys.
 */

#include "io/addr.h"
#include "net/tls_context.h"
#include "proxy/board.h"

struct holdings {
	struct held_socket *sockets; /* owned */
	size_t socket_n;
	struct held_lock *locks; /* owned */
	size_t lock_n;
	int board_fd, tickets_fd;
	struct board *board;
	struct ticket_keys *tickets;
};

/* False with errno. */
bool holdings_open(struct holdings *h);
void holdings_close(struct holdings *h);

/*
 * `count` listening sockets on one address, which share its connections (SO_REUSEPORT); those that
 * are there already stay the same. Descriptors are borrowed. An errno, or 0; EADDRINUSE also when
 * another process listens there with SO_REUSEPORT.
 */
int holdings_listen(struct holdings *h, const struct addr *a, unsigned count, int *descriptors);

/* Closes the sockets on an address; a working process has its own descriptors of them. */
void holdings_forget(struct holdings *h, const struct addr *a);

/* Nobody is to connect any more: a process that drains for good has closed its own. */
void holdings_stop_listening(struct holdings *h);

/* The lock of a directory, waited for at most LOCK_WAIT_MS. An errno, or 0; EWOULDBLOCK: held. */
#define LOCK_WAIT_MS 3000
int holdings_lock(struct holdings *h, const char *directory, int *descriptor);

#endif
