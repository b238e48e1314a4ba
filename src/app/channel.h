#ifndef APP_CHANNEL_H
#define APP_CHANNEL_H

/*
 * The messages between a working process and its keeper, over a pair of sockets. All have the same
 * size. The working process asks for what must outlive it, and gets descriptors; it also tells the
 * keeper when it is ready. Each question carries a socket of its own for the reply, so that a
 * question may be asked at any time: every message that a working process receives on
 * the pair itself was sent by the keeper unasked.
 *
 * After an upgrade, a keeper of the new version talks to a working process of the old version.
 * Therefore words keep their numbers and messages keep their layout, or HANDOVER_MAJOR (handover.h)
 * changes. A receiver ignores a word that it does not know, and replies EINVAL to a question that
 * it does not know: a newer minor version may have more words.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/addr.h"
#include "base/limits.h"

enum channel_word {
	CHANNEL_LISTEN = 0, /* ask: `count` or more sockets that listen on `addr`; see below */
	CHANNEL_LOCK = 1,   /* ask: the locks of the directory `path` */
	CHANNEL_READY = 2,  /* tell: it serves, and has read the newest configuration */
	CHANNEL_STOP = 3,   /* keeper: leave, drain and end; repeated: go to the next step */
	CHANNEL_FORGET = 4, /* tell: the sockets on `addr` are no longer needed */
	CHANNEL_RELOAD = 5, /* keeper: read the configuration again; CHANNEL_READY follows */
	CHANNEL_LOOK = 6,   /* tell: the board has changed. keeper: look at the board */
	CHANNEL_RETIRE = 7, /* keeper: another process serves; drain without haste, and end */
	CHANNEL_REOPEN = 8, /* keeper: open log files anew */
	CHANNEL_KEEP = 10,  /* tell: the configuration in force, in memory; see saved_config.h */
	CHANNEL_RENEW = 11, /* tell: a crash left this process incomplete; replace it */
	CHANNEL_LEFT = 12,  /* tell: it accepts no more; the keeper may close the sockets */
	CHANNEL_UPGRADE_FAILED =
		13, /* keeper: an upgrade was refused or has failed: `path` says why */
	CHANNEL_LISTEN_LOCAL = 9, /* ask: the unix socket that listens at `path` */
};

struct channel_message {
	uint32_t word; /* enum channel_word */
	uint32_t count;
	struct addr addr;
	char path[1024];
	uint64_t room[8]; /* zero */
};

struct channel_reply {
	int32_t error;	  /* an errno; 0: the descriptors come with this reply */
	uint32_t count;	  /* of the descriptors */
	uint64_t room[2]; /* zero */
};

/* Opens both ends: close-on-exec, blocking. False with errno. */
bool channel_open(int ends[2]);

/* --- the working process --- */

/*
 * Gets m->count descriptors, owned by the caller. For CHANNEL_LISTEN, the caller gets all sockets
 * that listen on the address. There are more of them when an earlier process had more workers: to
 * close one would reset the connections in its queue. *given says how many came. Returns 0 or an
 * errno.
 */
int channel_ask(int fd, const struct channel_message *m, int descriptors[WORKERS_MAX],
		unsigned *given);

/* --- both --- */

/*
 * Never waits. False with errno: the other side has ended, or (EAGAIN) has not read for a long
 * time.
 */
bool channel_tell(int fd, enum channel_word word);
bool channel_say(int fd, enum channel_word word, const char *text);
bool channel_forget(int fd, const struct addr *a);
/* Sends a descriptor along, borrowed. */
bool channel_give(int fd, enum channel_word word, int descriptor);

/* --- the keeper --- */

/*
 * False when the other side has closed its end. *reply, owned: the socket for the reply to a
 * question, or the descriptor that came with CHANNEL_KEEP; otherwise -1.
 */
bool channel_hear(int fd, struct channel_message *m, int *reply);
/* The descriptors are borrowed. */
void channel_reply(int reply /* moved in */, int error, const int *descriptors, unsigned count);

#endif
