#ifndef NET_DIAL_H
#define NET_DIAL_H

/*
 * A connection to somebody who may have several addresses: where one fails, the next is tried at
 * once, and where one says nothing for a moment, the next is tried beside it. Who is first has it;
 * the others are given up (as RFC 8305, 5 has it for two families).
 */

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "io/io.h"

struct dial;

/* Its owner is the struct that it is embedded in. None of them runs inside a call of dial_*(). */
struct dial_user {
	/* Where else? False: nowhere. NULL: there is one address only. */
	bool (*next)(struct dial *d, struct addr *to);
	/* This address has failed, or has let the moment pass and may still answer. May be NULL. */
	void (*missed)(struct dial *d, const struct addr *at, enum err why);
	void (*connected)(struct dial *d, struct sock *sock /* moved in */, const struct addr *at);
	/* None is left; why the last one failed. */
	void (*failed)(struct dial *d, enum err why);
	/* Behind connected(), failed() or dial_stop(): no operation is under way any more, and the
	 * memory is the owner's again. */
	void (*ended)(struct dial *d);
};

/* What the dials of one thread share. */
struct dials {
	struct io *io;	     /* borrowed */
	struct wheel *wheel; /* borrowed */
	struct slab tries;   /* of struct dial_try: but for the first of each */
};

/* One address. */
struct dial_try {
	struct io_op op;
	struct dial *dial;
	struct addr to;
	struct list link; /* in dial->tries */
	bool late;	  /* it was told of as missed already */
};

struct dial {
	struct dials *all;
	const struct dial_user *user;
	struct list tries; /* those under way */
	struct timer moment;
	struct dial_try first;
	unsigned tried_n; /* DIAL_TRIES_MAX at most */
	bool over;	  /* it is decided, or not wanted any more */
};

void dials_open(struct dials *s, struct io *io, struct wheel *wheel);
/* All must have ended. */
void dials_close(struct dials *s);

void dial_begin(struct dial *d, struct dials *s, const struct dial_user *user,
		const struct addr *to);
/* It is not wanted any more. Addresses that have not answered by now count as missed for `why`,
 * unless that is ERR_NONE. */
void dial_stop(struct dial *d, enum err why);
/* No operation is under way. */
static inline bool dial_has_ended(const struct dial *d)
{
	return list_empty(&d->tries);
}

#endif
