#ifndef TESTS_SIM_PEER_H
#define TESTS_SIM_PEER_H

/*
 * A scripted connection, at either end of the world: bytes as they come, bytes to go at a pace of
 * its own, naps in which it reads nothing, and every way to leave.
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
	/* All that was said has gone. May be NULL. */
	void (*sent)(struct peer *p);
	/* It was reset, or could not connect: gone() follows by itself. */
	void (*broken)(struct peer *p);
	/* Nothing is under way: the memory is the user's again. */
	void (*gone)(struct peer *p);
};

struct pace {
	size_t piece_max;     /* bytes of one send; 0: all there is */
	unsigned rest_ms_max; /* between some of the pieces */
	uint64_t nap_after;   /* so many bytes heard; 0: never */
	unsigned nap_ms;
	unsigned naps; /* one after the other, each after so many bytes more */
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
	struct sock *sock; /* owned; NULL: not connected, or gone */
	struct io_op connect, recv, send;
	struct timer nap, rest;
	struct text out;   /* to go */
	struct text going; /* in pieces */
	size_t piece_at;
	struct iovec piece; /* under way */
	struct pace pace;
	uint64_t nap_at;
	uint64_t heard_n, said_n, sent_n; /* bytes, ever */
	bool calling;	/* inside a callback of an operation: what is closed there settles behind it
			 */
	bool at_end;	/* FIN has come */
	bool mute;	/* the connection takes no more */
	bool finishing; /* FIN follows the last byte */
	bool finished;	/* it has gone */
	bool closing, reset;
};

void peer_connect(struct peer *p, const struct peer_means *means, const struct peer_user *user,
		  const struct addr *to);
void peer_accept(struct peer *p, const struct peer_means *means, const struct peer_user *user,
		 struct sock *sock /* moved in */);

/* More to go is in p->out. */
void peer_say(struct peer *p);
/* FIN behind what was said; it still hears. */
void peer_finish(struct peer *p);
/* Leaves now, whatever has not gone. gone() follows, maybe at once. */
void peer_close(struct peer *p, bool reset);
/* Its io has crashed: nothing will ever come of its operations. gone() is not called. */
void peer_forget(struct peer *p);

/* It has neither napped nor rested for more than a moment: what it could do, it has done. */
bool peer_is_awake(const struct peer *p);

static inline bool peer_has_sent_all(const struct peer *p)
{
	return !p->out.n && !p->going.n && !io_op_busy(&p->send);
}

#endif
