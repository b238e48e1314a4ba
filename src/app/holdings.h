#ifndef APP_HOLDINGS_H
#define APP_HOLDINGS_H

/*
 * What the keeper holds so that it outlives working processes: listening sockets, the locks of
 * directories, the board, the ticket keys and the configuration that is in force (kept.h).
 */

#include "app/channel.h"
#include "io/addr.h"
#include "net/tls_context.h"
#include "proxy/board.h"

enum held_state {
	HELD_ASKED, /* by the newest working process */
	HELD_FRESH, /* the same, and it was opened for that one */
	HELD_OLD,   /* by an earlier one only, so far */
};

struct held_socket {
	enum held_state state;
	struct addr addr;
	char path[108]; /* of a unix socket; "": it is one of `addr` */
	int fd;		/* owned */
};

struct held_lock {
	char path[1024];
	int fd; /* owned */
};

struct holdings {
	struct held_socket *sockets; /* owned */
	size_t socket_n;
	struct held_lock *locks; /* owned */
	size_t lock_n;
	int board_fd, tickets_fd;
	int kept_fd;	  /* -1: nothing is in force yet */
	struct span kept; /* mapped from there, so that it stays in memory */
	struct board *board;
	struct ticket_keys *tickets;
};

/* False with errno. */
bool holdings_open(struct holdings *h);
/* The same from what an earlier execution handed over: the shared memory, of the right size. */
bool holdings_open_from(struct holdings *h, int board_fd, int tickets_fd, int kept_fd);
/* What is in force by now, moved in, in place of what was before. False with errno: it is kept, but
 * could not be locked into memory. */
bool holdings_keep(struct holdings *h, int fd);
void holdings_close(struct holdings *h);
/* Frees what is ours alone: the descriptors, and the paths that sockets listen at, stay. */
void holdings_disown(struct holdings *h);

/* Moves a descriptor in. */
void holdings_add_socket(struct holdings *h, const struct held_socket *s);
void holdings_add_lock(struct holdings *h, const struct held_lock *l);

/* --- a working process asks --- */

/*
 * `count` listening sockets on one address, which share its connections (SO_REUSEPORT); those that
 * are there already stay the same, and are given all when they are more. Descriptors are borrowed.
 * An errno, or 0 and *given; EADDRINUSE also when another process listens there with SO_REUSEPORT.
 */
int holdings_listen(struct holdings *h, const struct addr *a, unsigned count,
		    int descriptors[WORKERS_MAX], unsigned *given);

/* Closes the sockets on an address; a working process has its own descriptors of them. */
void holdings_forget(struct holdings *h, const struct addr *a);

/* The unix socket that listens at `path`, mode 0600. An errno, or 0. */
int holdings_listen_local(struct holdings *h, const char *path, int *descriptor);

/*
 * Locks a directory and the file `lock` in it, waiting at most LOCK_WAIT_MS for each. The file says
 * who, and is a lock for other machines where the directory is on a server; the directory stays
 * locked when somebody takes the file away. Descriptors are borrowed. An errno, or 0 and *count;
 * EWOULDBLOCK: held.
 */
#define LOCK_WAIT_MS 3000
#define LOCK_DESCRIPTORS 2
int holdings_lock(struct holdings *h, const char *directory, int descriptors[LOCK_DESCRIPTORS],
		  unsigned *count);

/* Answers whichever of these a message asks for, at `reply`, moved in. */
void holdings_answer(struct holdings *h, const struct channel_message *m, int reply);

/* --- its life --- */

/* A working process is about to be started, and to ask for what it needs. */
void holdings_begin(struct holdings *h);
/* It serves: sockets that it has not asked for are closed here. Who has them may still serve their
 * queues. */
void holdings_settle(struct holdings *h);
/* It has died before: sockets that only it asked for are closed. */
void holdings_take_back(struct holdings *h);

/* Nobody is to connect any more: a process that drains for good has closed its own. Whoever asks
 * over a unix socket is still answered. */
void holdings_stop_listening(struct holdings *h);

#endif
