#ifndef NET_WIRE_H
#define NET_WIRE_H

/*
 * Bytes to and from one peer, in the clear or inside TLS; the user need not know which. A wire has
 * at most one receive and one send under way. It is embedded in its user's struct. The user gets
 * events by the verbs of a `struct wire_user`, and may free the wire only in gone().
 *
 * The user asks for each receive (wire_receive). A user that does not ask holds the peer back. The
 * user puts bytes to send into `out`. They leave at the end of the turn: all output of one turn is
 * encrypted once and sent once.
 */

#include <stdatomic.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "io/io.h"
#include "net/proxy_header.h"
#include "net/tls_context.h"

struct tls;
struct wire;

/*
 * TLS handshakes of the wires that count here (wire_count_handshake). Written by their thread, read
 * by any. A handshake that the peer leaves without an alert is not counted.
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
	struct list dirty;	  /* have output, or a report for the end of this turn */
	struct list starved;	  /* have begun to wait for memory since wires_squeeze() */
	struct list pressed;	  /* struct budget: budgets in which a wire waits for memory */
	struct list queued;	  /* wires whose handshake starts in a later turn */
	struct list ending;	  /* closed wires; gone() is due at the end of this turn */
	unsigned handshakes_left; /* that may still start in this turn */
	struct slab sends;	  /* of struct wire_send */
	enum err said_of;	  /* the reason of the last wires_say(); its texts follow */
	char said[WIRES_SAID_BYTES], advice[WIRES_ADVICE_BYTES];
};

struct wire_user {
	/*
	 * Only for wires that expect a PROXY header. It has come, and the socket's peer is now the
	 * client that it names; or p->err says why it is invalid. Returns ERR_NONE, or the reason
	 * why the wire breaks. With p->err set the wire breaks in any case.
	 */
	enum err (*has_proxy_header)(struct wire *w, const struct proxy_header *p);
	/*
	 * More bytes are in w->in; bytes that the user does not take stay there. Call
	 * wire_receive() for more.
	 */
	void (*bytes)(struct wire *w);
	/* The peer has sent FIN (or close_notify) after all bytes. The user may still send. */
	void (*finished)(struct wire *w);
	/*
	 * While the wire is watched: the peer has finished, but `unread` bytes (in TLS: encrypted
	 * ones) have not been received. finished() follows once they have. May be NULL.
	 */
	void (*finishing)(struct wire *w, size_t unread);
	/* Less is unsent than before: see wire_unsent(). */
	void (*drained)(struct wire *w);
	/* The wire is connected and the handshake is done. May be NULL for accepted wires. */
	void (*ready)(struct wire *w);
	/*
	 * The wire waits for memory until fewer of its received bytes are held. The user drops
	 * received bytes that it does not need. May be NULL.
	 */
	void (*starved)(struct wire *w);
	/*
	 * The TLS handshake failed for the reason `why`, with the details of wires_said(); broken()
	 * follows. May be NULL.
	 */
	void (*handshake_failed)(struct wire *w, enum err why, const char *said);
	/* The wire is broken. Nothing more is received or sent; gone() follows by itself. */
	void (*broken)(struct wire *w, enum err why);
	/* No operation is under way any more; the user may free the wire. */
	void (*gone)(struct wire *w);
};

enum wire_state {
	WIRE_CONNECTING,
	WIRE_PROXY_HEADER, /* accepted; the PROXY header has not come */
	WIRE_GREETING,	   /* accepted, for TLS; its first bytes have not been looked at */
	WIRE_HANDSHAKE,
	WIRE_OPEN,
	WIRE_CLOSING, /* `out` is still sent, then the wire closes */
	WIRE_CLOSED,  /* waits for its operations to end */
};

/* A send under way. An idle wire has none and saves the memory. */
struct wire_send {
	struct io_op op;
	struct wire *wire;
	struct chain bytes; /* unchanged until the send is done */
	size_t clear_bytes; /* the clear bytes in it; if it fails none was sent */
	struct iovec vectors[IO_VECTORS_MAX];
};

struct wire {
	struct wires *wires;
	const struct wire_user *user;
	struct sock *sock;		     /* owned; NULL while connecting and when gone */
	struct tls *tls;		     /* owned; NULL: in the clear */
	struct handshake_counts *handshakes; /* borrowed; NULL: they are not counted */
	struct account *account;	     /* owned; received blocks are charged to it */
	struct chain in;	/* clear bytes that have come and the user has not taken */
	struct chain out;	/* clear bytes to send, from the end of this turn on */
	struct wire_send *send; /* owned; NULL: none is under way */
	struct io_op receive;	/* or a watch, when no receive is under way */
	struct list dirty_link; /* in wires->dirty */
	struct list link;	/* in another list of `wires` */
	uint64_t sent_bytes;	/* clear bytes given to the kernel, except those that it refused */
	uint8_t state;		/* enum wire_state */
	uint8_t recv_class;	/* enum block_class of the next receive */
	bool wants;		/* the user has asked to receive */
	bool at_end;		/* the peer has finished */
	bool cut; /* the peer finished without close_notify of TLS: its bytes may be incomplete */
	bool finishing;	   /* FIN follows the last byte of out */
	bool notified;	   /* close_notify is encrypted */
	bool finished;	   /* FIN is sent */
	bool reset;	   /* it is closed with RST */
	bool reads_to_end; /* a dialed wire: what the peer sent before it failed is still read */
	bool send_refused; /* the peer takes no more bytes (only with reads_to_end) */
};

void wires_open(struct wires *s, struct io *io, struct bufs *bufs);
/* All wires must be gone. */
void wires_close(struct wires *s);
/*
 * Call it before the end of each turn, on each thread that has wires. Calls starved() of the wires
 * that have begun to wait for memory. False: there were none.
 */
bool wires_squeeze(struct wires *s);
/*
 * The end of a turn. Encrypts and sends once for each wire that has output. Starts receives that
 * waited for memory, as far as there is some now. Calls gone() of wires that have ended.
 */
void wires_flush(struct wires *s);
/* As bufs_trim(). */
bool wires_trim(struct wires *s);
/*
 * Stores texts for a failure with the reason `why`, before the failure is reported: `said` has
 * details for the operator; `advice` says what to do, and may be shown to the peer. While the
 * failure is reported, wires_said() and wires_advice() return the texts; "" when there is none.
 */
void wires_say(struct wires *s, enum err why, const char *said, const char *advice);
const char *wires_said(const struct wires *s, enum err why);
const char *wires_advice(const struct wires *s, enum err why);
/* True while wires_flush() left work for the next turn: the worker must not sleep. */
bool wires_have_pending(const struct wires *s);

/*
 * Opens a wire on an accepted socket. `tls` NULL: in the clear. The user must ask for the first
 * bytes.
 */
void wire_accept(struct wire *w, struct wires *s, const struct wire_user *user,
		 struct sock *sock /* moved in */, struct tls_context *tls,
		 struct budget *budget /* borrowed */);
/* Counts the TLS handshake in `counts`. Call it right after wire_accept() or wire_dial(). */
void wire_count_handshake(struct wire *w, struct handshake_counts *counts /* borrowed */);
/*
 * Call it right after wire_accept(): a PROXY header comes first. It is received without
 * wire_receive().
 */
void wire_expect_proxy_header(struct wire *w);
/*
 * Opens a wire whose socket comes later (net/dial.h). Until wire_connected() or wire_unconnected()
 * the user may write to it, close it and abort it. `name`: for SNI and verification, NULL without
 * TLS.
 */
void wire_dial(struct wire *w, struct wires *s, const struct wire_user *user,
	       struct tls_context *tls, const char *name, struct budget *budget /* borrowed */);
/* The socket is connected. ready() or broken() follows, possibly inside this call. */
void wire_connected(struct wire *w, struct sock *sock /* moved in */);
/* No connection could be made. broken() follows inside this call. */
void wire_unconnected(struct wire *w, enum err why);
/* The wire has not opened in time. Returns the error that says what it was waiting for. */
enum err wire_is_late(struct wire *w);
/* The error for the result of a failed connect: the peer's or our own. */
enum err wire_err_of_connect(int32_t result);

/*
 * Asks for bytes. bytes(), finished() or broken() follows, once, never inside this call. Not after
 * finished(). Nothing is received while the account of the wire holds more than it may.
 */
void wire_receive(struct wire *w);
/*
 * While nothing is received, because the user does not ask or memory is short: the end of the peer
 * is reported all the same, by finishing(), finished() or broken(). Does nothing while a receive is
 * under way.
 */
void wire_watch(struct wire *w);
/*
 * Detaches the bytes that have come so far: other parties may hold them for long, and the bytes
 * that come from now on must not wait for them.
 */
void wire_detach_received(struct wire *w);
/* Call it when w->out has grown. */
void wire_touch(struct wire *w);
/* The bytes in `out` and in the send under way. */
static inline size_t wire_unsent(const struct wire *w)
{
	return w->out.bytes + (w->send ? w->send->bytes.bytes : 0);
}

/* True when the wire wants to receive and waits for memory. */
static inline bool wire_is_starved(const struct wire *w)
{
	return w->account->waits;
}

static inline bool wire_usable(const struct wire *w)
{
	return w->state < WIRE_CLOSING;
}

/* Sends FIN (in TLS close_notify before it) after `out`; receiving goes on. */
void wire_finish(struct wire *w);
void wire_check(const struct wire *w);
/* Closes the wire when `out` has been sent. Nothing is received any more. gone() follows. */
void wire_close(struct wire *w);
/*
 * Closes now, with RST, and drops unsent bytes. The RST tells the peer that the data is incomplete.
 * gone() follows.
 */
void wire_abort(struct wire *w);

/* The result of the TLS handshake; all NULL in the clear. Valid while the wire is open. */
struct wire_tls_facts {
	const char *version, *cipher, *server_name, *alpn;
	bool resumed;
	const char *certificate; /* name of the certificate that an accepted wire has shown */
};
struct wire_tls_facts wire_tls(const struct wire *w);

#endif
