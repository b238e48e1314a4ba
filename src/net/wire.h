#ifndef NET_WIRE_H
#define NET_WIRE_H

/*
 * Bytes to and from one peer, in the clear or inside TLS: its user cannot tell which. A wire has at
 * most one receive and one send under way. It is embedded in its user, which hears about it by the
 * verbs of a `struct wire_user` and may free it only in gone().
 *
 * Receiving is asked for each time (wire_receive); a user that does not ask is what holds a peer
 * back. Sending is put into `out` and goes at the end of the turn: all that one turn has produced
 * is sealed once and sent once.
 */

#include <stdatomic.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "io/io.h"
#include "net/preface.h"
#include "net/tls_context.h"

struct tls;
struct wire;

/*
 * TLS handshakes of the wires that are told to count here: by their thread, for any that reads. One
 * that the peer leaves without a word counts nowhere.
 */
struct handshake_counts {
	_Atomic uint64_t done, resumed, failed;
};

#define WIRES_SAID_BYTES 720
#define WIRES_ADVICE_BYTES 160

/* What all wires of one thread share. */
struct wires {
	struct io *io;
	struct bufs *bufs;
	struct list dirty;	  /* have something to send, or to say at the end of this turn */
	struct list starved;	  /* have begun to wait for memory, since wires_squeeze() */
	struct list pressed;	  /* struct budget: those in which somebody waits for memory */
	struct list queued;	  /* have a handshake to start, in a later turn */
	struct list ending;	  /* closed; gone() is due at the end of this turn */
	unsigned handshakes_left; /* of HANDSHAKES_PER_TURN */
	struct slab sends;	  /* of struct wire_send */
	enum err said_of;	  /* the reason that wires_say() was told of last, and what */
	char said[WIRES_SAID_BYTES], advice[WIRES_ADVICE_BYTES];
};

struct wire_user {
	/*
	 * Its PROXY header has come, and the socket's peer is whom it names from now on; or p->err
	 * says why it is none. Only wires that expect one. ERR_NONE, or why the wire breaks: it
	 * does so anyway when p->err is set.
	 */
	enum err (*prefaced)(struct wire *w, const struct preface *p);
	/* More bytes are in w->in; what is not taken stays there. Ask again for more. */
	void (*bytes)(struct wire *w);
	/* The peer has sent its FIN (or close_notify) behind all bytes. Sending may go on. */
	void (*finished)(struct wire *w);
	/*
	 * While it is watched: the peer has finished, but behind `unread` bytes, sealed ones in
	 * TLS, that have not been received. finished() follows when they have. May be NULL.
	 */
	void (*finishing)(struct wire *w, size_t unread);
	/* Less is unsent than before: see wire_unsent(). */
	void (*drained)(struct wire *w);
	/* Connected, and the handshake is done. May be NULL for accepted wires. */
	void (*ready)(struct wire *w);
	/*
	 * It waits for memory, until less is held of what has come over it: what is not needed of
	 * that is to be let go. May be NULL.
	 */
	void (*starved)(struct wire *w);
	/*
	 * Its TLS handshake failed, and broken() follows: why, and what wires_said() has of it. May
	 * be NULL.
	 */
	void (*unshaken)(struct wire *w, enum err why, const char *said);
	/* It broke. No more comes and nothing more goes; gone() follows by itself. */
	void (*broken)(struct wire *w, enum err why);
	/* No operation is under way any more; the memory is the user's again. */
	void (*gone)(struct wire *w);
};

enum wire_state {
	WIRE_CONNECTING,
	WIRE_PREFACE,  /* accepted; its PROXY header has not come */
	WIRE_GREETING, /* accepted, for TLS; its first bytes have not been looked at */
	WIRE_HANDSHAKE,
	WIRE_OPEN,
	WIRE_CLOSING, /* what is in `out` still goes, then it is closed */
	WIRE_CLOSED,  /* waits for its operations to end */
};

/* A send under way: an idle wire has none, and does without the memory. */
struct wire_send {
	struct io_op op;
	struct wire *wire;
	struct chain bytes; /* left alone until it is done */
	size_t clear_bytes; /* that it is the first to carry: nothing of them has gone if it fails
			     */
	struct iovec vectors[IO_VECTORS_MAX];
};

struct wire {
	struct wires *wires;
	const struct wire_user *user;
	struct sock *sock;		     /* owned; NULL while connecting and when gone */
	struct tls *tls;		     /* owned; NULL: in the clear */
	struct handshake_counts *handshakes; /* borrowed; NULL: they are not counted */
	struct account *account;	     /* owned; blocks of what comes are charged to it */
	struct chain in;		     /* clear bytes that have come and are not taken */
	struct chain out;		     /* clear bytes to go, from the end of this turn on */
	struct wire_send *send;		     /* owned; NULL: none is under way */
	struct io_op receive;		     /* or a watch, for want of one */
	struct list dirty_link;		     /* in wires->dirty */
	struct list link;		     /* in another list of `wires` */
	uint64_t
		sent_bytes; /* clear bytes handed on to the kernel, but for those that it refused */
	uint8_t state;	    /* enum wire_state */
	uint8_t appetite; /* enum block_class of the next receive: large in the midst of a transfer
			   */
	bool wants;	  /* the user has asked to receive */
	bool at_end;	  /* the peer has finished */
	bool cut;	  /* it did so without TLS' close_notify: what it sent may not be whole */
	bool finishing;	  /* FIN follows the last byte of out */
	bool notified;	  /* close_notify is sealed */
	bool finished;	  /* FIN is sent */
	bool reset;	  /* it is closed with RST */
	bool hears_out;	  /* connected: what the peer said before it failed is still read */
	bool unheard;	  /* that peer takes nothing more */
};

void wires_open(struct wires *s, struct io *io, struct bufs *bufs);
/* All wires must be gone. */
void wires_close(struct wires *s);
/*
 * Before the end of a turn: starved() of those that have begun to wait for memory; false: none has.
 * Each thread that has wires calls it each turn.
 */
bool wires_squeeze(struct wires *s);
/*
 * The end of a turn: one seal and one send for each wire that has something to go; receives that
 * waited for memory, and for which there is some now; gone() of those that are.
 */
void wires_flush(struct wires *s);
/* As bufs_trim(). */
bool wires_trim(struct wires *s);
/*
 * Before somebody is told that something broke for this reason: what there is to say beyond that to
 * an operator, and, where it may be told to the peer, what to do. wires_said() and wires_advice()
 * give it while he is told; "" when there is nothing.
 */
void wires_say(struct wires *s, enum err why, const char *said, const char *advice);
const char *wires_said(const struct wires *s, enum err why);
const char *wires_advice(const struct wires *s, enum err why);
/* True while wires_flush() left something for the next turn: the worker must not sleep. */
bool wires_restless(const struct wires *s);

/* An accepted socket. `tls` NULL: in the clear. The user asks for the first bytes. */
void wire_accept(struct wire *w, struct wires *s, const struct wire_user *user,
		 struct sock *sock /* moved in */, struct tls_context *tls,
		 struct budget *budget /* borrowed */);
/* Right after wire_accept() or wire_dial(): its handshake is counted there. */
void wire_count_handshake(struct wire *w, struct handshake_counts *counts /* borrowed */);
/* Right after wire_accept(): a PROXY header comes first, and is received unasked. */
void wire_expect_preface(struct wire *w);
/*
 * One whose socket is still to come (net/dial.h): until wire_connected() or wire_unconnected() it
 * may be written to, closed and aborted. `name`: for SNI and verification, NULL without TLS.
 */
void wire_dial(struct wire *w, struct wires *s, const struct wire_user *user,
	       struct tls_context *tls, const char *name, struct budget *budget /* borrowed */);
/* It has come; ready() or broken() follows, maybe inside this call. */
void wire_connected(struct wire *w, struct sock *sock /* moved in */);
/* It has not: broken() follows inside this call. */
void wire_unconnected(struct wire *w, enum err why);
/* Its time is up before it is open: why. */
enum err wire_is_late(struct wire *w);
/* What a failed operation says of its peer, or of us. */
enum err wire_err_of_connect(int32_t result);

/*
 * bytes(), finished() or broken() follows, once; never inside this call. Not after finished().
 * Nothing is received while more is held of what has come over it than its account may have.
 */
void wire_receive(struct wire *w);
/*
 * While nothing is received, because nobody asks or for want of memory: the peer's end is heard of
 * all the same, by finishing(), finished() or broken(). A no-op where a receive is under way.
 */
void wire_watch(struct wire *w);
/*
 * What has come so far is its user's no more: others may hold it for long, and what comes from here
 * on is not to wait for them.
 */
void wire_begin_anew(struct wire *w);
/* w->out has grown. */
void wire_touch(struct wire *w);
/* Bytes in `out` and under way. */
static inline size_t wire_unsent(const struct wire *w)
{
	return w->out.bytes + (w->send ? w->send->bytes.bytes : 0);
}

static inline bool wire_usable(const struct wire *w)
{
	return w->state < WIRE_CLOSING;
}

/* FIN (in TLS close_notify before it) behind `out`; receiving goes on. */
void wire_finish(struct wire *w);
/* Closes when `out` has gone; nothing is received any more. gone() follows. */
void wire_close(struct wire *w);
/* Closes now, with RST, and drops what has not gone: the peer cannot take it for a whole. */
void wire_abort(struct wire *w);

/* What the TLS handshake agreed on; all NULL in the clear. Valid while the wire is open. */
struct wire_tls_facts {
	const char *version, *cipher, *server_name, *alpn;
	bool resumed;
	const char *certificate; /* what the one that an accepted wire has shown is called */
};
struct wire_tls_facts wire_tls(const struct wire *w);

#endif
