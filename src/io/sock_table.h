#ifndef IO_SOCK_TABLE_H
#define IO_SOCK_TABLE_H

/*
 * The sockets of a ring in one array: the index of a socket is its slot in the ring's table of
 * files. Entries that were never used cost nothing. The entry that was given back last is taken
 * first.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

struct uring_sock {
	union {
		struct sock sock;
		struct uring_sock *next_idle;
	};
	int fd;		      /* a slot or a descriptor */
	int descriptor;	      /* a descriptor to be installed in the slot */
	socklen_t peer_bytes; /* accept: the kernel writes the size of the address here */
	bool more;	      /* there may be bytes to receive: worth an attempt before waiting */
	bool open;	      /* owned by the io's user */
};

static_assert(sizeof(struct uring_sock) <= 96, "a balancer has two of them per connection");

struct sock_table {
	struct uring_sock *socks; /* owned */
	struct uring_sock *idle;
	uint32_t max, fresh, taken;
};

void sock_table_open(struct sock_table *t, uint32_t max);
/* All sockets must have been given back. */
void sock_table_close(struct sock_table *t);

/* Takes a socket with its slot in `fd`. NULL when all are taken. */
struct uring_sock *sock_table_take(struct sock_table *t);
void sock_table_give(struct sock_table *t, struct uring_sock *s /* moved in */);

#endif
