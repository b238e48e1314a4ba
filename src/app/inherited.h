#ifndef APP_INHERITED_H
#define APP_INHERITED_H

/*
 * What the keeper holds so that it outlives working processes: listening sockets, the locks of
 * directories, the board, the ticket keys, and the configuration in force (saved_config.h).
 */

#include "app/channel.h"
#include "base/limits.h"
#include "io/addr.h"
#include "net/tls_context.h"
#include "proxy/board.h"

enum held_state {
	HELD_ASKED, /* the newest working process has asked for it */
	HELD_FRESH, /* the same, and it was opened for that process */
	HELD_OLD,   /* so far only an earlier process has asked for it */
};

struct held_socket {
	enum held_state state;
	struct addr addr;
	char path[108]; /* of a unix socket; "": the socket listens on `addr` */
	int fd;		/* owned */
};

struct held_lock {
	char path[1024];
	int fd; /* owned */
};

struct inherited {
	struct held_socket *sockets; /* owned */
	size_t socket_n;
	struct held_lock *locks; /* owned */
	size_t lock_n;
	int board_fd, tickets_fd;
	int saved_config_fd; /* -1: no configuration is in force yet */
	struct span kept;    /* mapped from saved_config_fd, so that it can be locked into memory */
	struct board *board;
	struct ticket_keys *tickets;
};

/* False with errno. */
bool inherited_open(struct inherited *h);
/*
 * The same, from the shared memory that an earlier execution handed over. Its size must be right.
 */
bool inherited_open_from(struct inherited *h, int board_fd, int tickets_fd, int saved_config_fd);
/*
 * Replaces the saved configuration by `fd`, moved in. False with errno: `fd` is kept, but could not
 * be locked into memory.
 */
bool inherited_keep(struct inherited *h, int fd);
void inherited_close(struct inherited *h);
/* Frees the memory of this process only: descriptors stay open, and paths of sockets stay. */
void inherited_disown(struct inherited *h);

/* Adds a socket. Its descriptor is moved in; so is that of a lock. */
void inherited_add_socket(struct inherited *h, const struct held_socket *s);
void inherited_add_lock(struct inherited *h, const struct held_lock *l);

/* --- a working process asks --- */

/*
 * Gets `count` sockets that listen on one address and share its connections (SO_REUSEPORT).
 * Existing sockets are reused; if there are more than `count`, all are given. Descriptors are
 * borrowed. Returns 0 and *given, or an errno; EADDRINUSE also when another process listens there
 * with SO_REUSEPORT.
 */
int inherited_listen(struct inherited *h, const struct addr *a, unsigned count,
		     int descriptors[WORKERS_MAX], unsigned *given);

/* Closes the sockets on an address. A working process has its own descriptors of them. */
void inherited_forget(struct inherited *h, const struct addr *a);

/* Gets the unix socket that listens at `path`, mode 0600. Returns 0 or an errno. */
int inherited_listen_local(struct inherited *h, const char *path, int *descriptor);

/*
 * Locks a directory and the file `lock` in it. Waits at most LOCK_WAIT_MS for each. The file
 * contains the holder's process id, and locks out other machines when the directory is on a file
 * server. The directory's lock holds even when somebody removes the file. Descriptors are borrowed.
 * Returns 0 and *count, or an errno; EWOULDBLOCK: another process holds it.
 */
#define LOCK_DESCRIPTORS 2
int inherited_lock(struct inherited *h, const char *directory, int descriptors[LOCK_DESCRIPTORS],
		   unsigned *count);

/* Replies to any of these questions at `reply`, moved in. */
void inherited_reply(struct inherited *h, const struct channel_message *m, int reply);

/* --- its life --- */

/* Before a working process is started and asks for what it needs. */
void inherited_begin(struct inherited *h);
/*
 * The new process serves: closes the sockets that it has not asked for. Other processes that have
 * them may still serve their queues.
 */
void inherited_close_old(struct inherited *h);
/* The new process died before it served: closes the sockets that were opened for it. */
void inherited_close_fresh(struct inherited *h);

/*
 * Closes the TCP sockets: nobody may connect any more, because the process that drains for good has
 * closed its own. Unix sockets stay, so that the admin API is still served.
 */
void inherited_stop_listening(struct inherited *h);

#endif
