#ifndef APP_CHANNEL_H
#define APP_CHANNEL_H

/*
 * What the working process and its keeper say to each other, over a pair of sockets, in
 * messages of one size. The working process asks for what must outlive it, and gets descriptors; it
 * tells when it is ready. Each question brings a socket of its own for its answer, so that it may
 * be asked at any time: whatever comes over the pair itself is the keeper's own word.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/addr.h"
#include "base/limits.h"

enum channel_word {
	CHANNEL_LISTEN, /* ask: `count` listening sockets on `addr` */
	CHANNEL_LOCK,	/* ask: the lock of the directory `path` */
	CHANNEL_READY,	/* tell: it serves, and has looked at the newest configuration */
	CHANNEL_STOP,	/* keeper: drain and end; a second time: end now */
	CHANNEL_FORGET, /* tell: the sockets on `addr` are not needed any more */
	CHANNEL_RELOAD, /* keeper: read the configuration anew; CHANNEL_READY follows */
};

struct channel_message {
	uint32_t word; /* enum channel_word */
	uint32_t count;
	struct addr addr;
	char path[1024];
};

struct channel_answer {
	int32_t error; /* errno; 0: the descriptors come with it */
};

/* The two ends: close-on-exec, blocking. False with errno. */
bool channel_open(int ends[2]);

/* --- the working process --- */

/* Gets `count` descriptors, at most WORKERS_MAX, owned by the caller. An errno, or 0. */
int channel_ask(int fd, const struct channel_message *m, int *descriptors, unsigned count);
/* False when the keeper has gone. */
bool channel_tell(int fd, enum channel_word word);
bool channel_forget(int fd, const struct addr *a);

/* --- the keeper --- */

/* False at the other side's end. *reply, owned, is where a question is to be answered; else -1. */
bool channel_hear(int fd, struct channel_message *m, int *reply);
/* Descriptors are borrowed. */
void channel_answer(int reply /* moved in */, int error, const int *descriptors, unsigned count);

#endif
