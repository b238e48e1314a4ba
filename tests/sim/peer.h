#ifndef TESTS_SIM_PEER_H
#define TESTS_SIM_PEER_H

/*
 * A scripted connection of a client or a node: it receives bytes, sends at a pace of its own, has
 * pauses in which it reads nothing, and can close in every way.
 */

#include "base/wheel.h"
#include "io/io.h"
#include "sim/dice.h"
#include "sim/text.h"

struct peer;

struct peer_user {
	void (*heard)(struct peer *p, const uint8_t *bytes, size_t n);
	/* FIN has come. */
	void (*finished)(struct peer *p);
	/* All bytes were sent. May be NULL. */
	void (*sent)(struct peer *p);
	/* The connection was reset, or could not be made. gone() follows without a call. */
	void (*broken)(struct peer *p);
	/* No operation is in flight: the memory is the user's again. */
	void (*gone)(struct peer *p);
};

struct pace {
	size_t piece_max;     /* most bytes of one send; 0: no limit */
	unsigned rest_ms_max; /* longest pause between some of the pieces */
	uint64_t nap_after;   /* bytes received before a pause in reading; 0: no pause */
	unsigned nap_ms;
	unsigned naps; /* number of such pauses, each after `nap_after` further bytes */
};

/* What peers work with; borrowed. */
struct peer_means {
	struct io *io;
	struct wheel *wheel;
	struct dice *dice;
};

struct peer {
	struct peer_means means;
	const struct peer_user *user;
	struct sock *sock; /* owned; NULL: not connected, or closed */
	struct io_op connect, recv, send;
	struct timer nap, rest;
	struct text out;   /* to be sent */
	struct text going; /* being sent, in pieces */
	size_t piece_at;
	struct iovec piece; /* of the send operation in flight */
	struct pace pace;
	uint64_t nap_at;
	uint64_t heard_n, said_n, sent_n; /* bytes in total */
	bool calling;	/* inside a callback of an operation: the peer closes after it */
	bool at_end;	/* FIN has come */
	bool mute;	/* the connection accepts no more bytes */
	bool finishing; /* FIN follows the last byte */
	bool finished;	/* FIN was sent */
	bool closing, reset;
};

void peer_connect(struct peer *p, const struct peer_means *means, const struct peer_user *user,
		  const struct addr *to);
void peer_accept(struct peer *p, const struct peer_means *means, const struct peer_user *user,
		 struct sock *sock /* moved in */);

/* Sends the bytes in p->out. */
void peer_say(struct peer *p);
/* Sends FIN after all bytes; the peer still receives. */
void peer_finish(struct peer *p);
/* Closes now; unsent bytes are lost. gone() follows, maybe inside this call. */
void peer_close(struct peer *p, bool reset);
/* The peer's io has crashed, and its operations never end. gone() is not called. */
void peer_forget(struct peer *p);

/* The peer has been without a pause for more than a moment: it has done all that it could. */
bool peer_is_awake(const struct peer *p);

static inline bool peer_has_sent_all(const struct peer *p)
{
	return !p->out.n && !p->going.n && !io_op_busy(&p->send);
}

#endif
