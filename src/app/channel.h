#ifndef APP_CHANNEL_H
#define APP_CHANNEL_H

/*
 * What a working process and its keeper say to each other, over a pair of sockets, in messages of
 * one size. The working process asks for what must outlive it, and gets descriptors; it tells when
 * it is ready. Each question brings a socket of its own for its answer, so that it may be asked at
 * any time: whatever comes over the pair itself is the keeper's own word.
 *
 * After an upgrade a keeper of the new version speaks with a working process of the old one: words
 * keep their numbers and messages their layout, or HANDOVER_VERSION (handover.h) is another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/addr.h"
#include "base/limits.h"

enum channel_word {
	CHANNEL_LISTEN = 0, /* ask: `count` listening sockets on `addr`, or more; see below */
	CHANNEL_LOCK = 1,   /* ask: the locks of the directory `path` */
	CHANNEL_READY = 2,  /* tell: it serves, and has looked at the newest configuration */
	CHANNEL_STOP = 3,   /* keeper: leave, drain and end; again: the next of these at once */
	CHANNEL_FORGET = 4, /* tell: the sockets on `addr` are not needed any more */
	CHANNEL_RELOAD = 5, /* keeper: read the configuration anew; CHANNEL_READY follows */
	CHANNEL_LOOK = 6,   /* tell: the board has changed. keeper: look at the board */
	CHANNEL_RETIRE = 7, /* keeper: another one serves; drain without haste, and end */
	CHANNEL_REOPEN = 8, /* keeper: open log files anew */
	CHANNEL_KEEP = 10,  /* tell: what is in force by now, in memory; see kept.h */
	CHANNEL_RENEW = 11, /* tell: a crash left me incomplete; another one could be whole */
	CHANNEL_LEFT = 12,  /* tell: nobody is accepted any more; the sockets may be closed */
	CHANNEL_UPGRADE_FAILED =
		13, /* keeper: an upgrade was refused or has failed: `path` says why */
	CHANNEL_LISTEN_LOCAL = 9, /* ask: the unix socket that listens at `path` */
};

struct channel_message {
	uint32_t word; /* enum channel_word */
	uint32_t count;
	struct addr addr;
	char path[1024];
};

struct channel_answer {
	int32_t error;	/* errno; 0: the descriptors come with it */
	uint32_t count; /* of them */
};

/* The two ends: close-on-exec, blocking. False with errno. */
bool channel_open(int ends[2]);

/* --- the working process --- */

/*
 * Gets m->count descriptors, owned by the caller; of CHANNEL_LISTEN all that listen on the address,
 * which are more when an earlier process had more workers: to close one would reset who waits in
 * its queue. *given says how many. An errno, or 0.
 */
int channel_ask(int fd, const struct channel_message *m, int descriptors[WORKERS_MAX],
		unsigned *given);

/* --- both --- */

/* Never waits. False with errno: the other has gone, or, EAGAIN, has not listened for long. */
bool channel_tell(int fd, enum channel_word word);
bool channel_say(int fd, enum channel_word word, const char *text);
bool channel_forget(int fd, const struct addr *a);
/* With a descriptor, borrowed. */
bool channel_give(int fd, enum channel_word word, int descriptor);

/* --- the keeper --- */

/*
 * False at the other side's end. *reply, owned, is where a question is to be answered, or what
 * comes with CHANNEL_KEEP; else -1.
 */
bool channel_hear(int fd, struct channel_message *m, int *reply);
/* Descriptors are borrowed. */
void channel_answer(int reply /* moved in */, int error, const int *descriptors, unsigned count);

#endif
