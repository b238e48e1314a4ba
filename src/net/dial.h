#ifndef NET_DIAL_H
#define NET_DIAL_H

/*
 * Makes a connection to a peer that may have several addresses. If an address fails, the next one
 * is tried at once. If an address does not respond for DIAL_MOMENT_MS, the next one is tried beside
 * it. The first address that connects wins; the other tries are canceled (as in RFC 8305, 5, for
 * two address families).
 */

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "io/io.h"

struct dial;

/*
 * The owner is the struct that embeds the dial. None of these functions runs inside a call of
 * dial_*().
 */
struct dial_user {
	/*
	 * Sets *to to the next address. False: there are no more. NULL: there is one address only.
	 */
	bool (*next)(struct dial *d, struct addr *to);
	/*
	 * This address has failed, or has not responded in time and may still respond. May be NULL.
	 */
	void (*missed)(struct dial *d, const struct addr *at, enum err why);
	void (*connected)(struct dial *d, struct sock *sock /* moved in */, const struct addr *at);
	/* No address is left; `why` is the error of the last one. */
	void (*failed)(struct dial *d, enum err why);
	/*
	 * Follows connected(), failed() or dial_stop(): no operation is under way, and the owner
	 * may free the dial.
	 */
	void (*ended)(struct dial *d);
};

/* What the dials of one thread share. */
struct dials {
	struct io *io;	     /* borrowed */
	struct wheel *wheel; /* borrowed */
	struct slab tries;   /* of struct dial_try, except the first one of each dial */
};

/* The try of one address. */
struct dial_try {
	struct io_op op;
	struct dial *dial;
	struct addr to;
	struct list link; /* in dial->tries */
	bool late;	  /* missed() was already called for it */
};

struct dial {
	struct dials *all;
	const struct dial_user *user;
	struct list tries; /* the tries under way */
	struct timer moment;
	struct dial_try first;
	unsigned tried_n; /* at most DIAL_TRIES_MAX */
	bool over;	  /* decided, or stopped by the owner */
};

void dials_open(struct dials *s, struct io *io, struct wheel *wheel);
/* All dials must have ended. */
void dials_close(struct dials *s);

void dial_begin(struct dial *d, struct dials *s, const struct dial_user *user,
		const struct addr *to);
/*
 * Stops the dial. For addresses that have not responded, missed() is called with `why`, unless that
 * is ERR_NONE.
 */
void dial_stop(struct dial *d, enum err why);
/* True when no operation is under way. */
static inline bool dial_has_ended(const struct dial *d)
{
	return list_empty(&d->tries);
}

#endif
