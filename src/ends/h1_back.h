#ifndef ENDS_H1_BACK_H
#define ENDS_H1_BACK_H

/*
 * An HTTP/1 connection to a node of a cluster. It carries one exchange after the other. Between
 * exchanges its user keeps it in a pool. A receive stays armed there, so that the connection
 * notices when the node closes it.
 */

#include "base/wheel.h"
#include "http/h1_body.h"
#include "http/stream.h"
#include "net/dial.h"
#include "net/wire.h"

struct h1_back;

struct h1_back_user {
	/*
	 * The exchange is over and the connection may carry another one. While `rests` is set the
	 * connection should not be used: idle() is called again when `rests` is cleared.
	 */
	void (*idle)(struct h1_back *b);
	/*
	 * The connection will carry no further exchange. The user takes it out of the pool; the
	 * connection frees itself later.
	 */
	void (*lost)(struct h1_back *b, enum err why);
	/* Of dials (net/dial.h), before the connection is made. Both may be NULL. */
	bool (*next)(struct h1_back *b, struct addr *to);
	void (*missed)(struct h1_back *b, const struct addr *at, enum err why);
};

/*
 * connect_ms includes the TLS handshake. keep_alive_ms is the longest time between two exchanges.
 * limits.fields 0: the default limits.
 */
struct back_policy {
	uint32_t connect_ms, idle_ms, tunnel_idle_ms, keep_alive_ms;
	struct h1_limits limits;
};

/* What the node connections of one thread share. */
struct h1_backs {
	struct wires *wires;
	struct wheel *wheel;
	struct slab slab;
	struct dials dials;
	struct list closing;	 /* over, but still sending their last bytes */
	size_t open_n, open_max; /* 0: no limit; see h1_backs_full() */
};

enum h1_back_state {
	BACK_CONNECTING,
	BACK_IDLE,
	BACK_RESPONSE_HEAD,
	BACK_RESPONSE_BODY,
	BACK_TUNNEL,
	BACK_OVER,
};

struct h1_back {
	struct wire wire;
	struct stream stream;
	struct h1_backs *backs;
	const struct h1_back_user *user;
	const struct back_policy *policy;
	void *owner;	     /* the user's own: the node's pool */
	struct addr address; /* connected to it; before that, the first one tried */
	struct dial dial;
	uint64_t tried;	  /* the user's own, like `place`: bits of places that were tried */
	uint8_t place;	  /* the place where its address was last found */
	bool connected;	  /* the socket is connected; the TLS handshake may still be under way */
	struct list link; /* the user's own: in the pool; later in backs->closing */
	struct timer timer;
	uint64_t deadline_ms;
	uint64_t kept_until_ms; /* when BACK_IDLE: the connection closes then */
	uint64_t taken_ns;	/* when the exchange began */
	struct arena *arena;	/* of the exchange; NULL when idle */
	struct msg *response;
	struct h1_parser parser;
	struct h1_body body;
	uint64_t sent_before;	/* wire.sent_bytes when the exchange began */
	uint64_t ready_ns;	/* when the connection was ready, TLS included; 0: not yet */
	uint32_t response_ms;	/* the timeout until the response begins */
	uint32_t interim_bytes; /* size of all 1xx responses of this exchange */
	uint8_t state;		/* enum h1_back_state */
	bool stepping;
	uint8_t method;	     /* of the request, enum method */
	uint8_t stray_bytes; /* bytes of empty lines that came between two responses */
	bool reused;	     /* the connection was idle before this exchange */
	bool rests;	     /* idle, and bytes may still come after the last response */
	bool heard;	     /* a byte of this exchange's response has come */
	bool upgrade_asked;
	bool request_chunked;
	bool request_over;
	bool closes; /* no further exchange after this one */
	bool gone;   /* the gone() of its wire has come */
};

void h1_backs_open(struct h1_backs *s, struct wires *wires, struct wheel *wheel);
void h1_backs_close(struct h1_backs *s);
/* Aborts the connections in `closing`, which only wait for their node to take the last bytes. */
void h1_backs_abort(struct h1_backs *s);

static inline bool h1_backs_full(const struct h1_backs *s)
{
	return s->open_max && s->open_n >= s->open_max;
}

/*
 * Connects to `to`; if that fails, to the addresses that the user's next() returns. An exchange may
 * begin at once: what it sends waits. If no connection can be made, the connection's stream gets
 * STREAM_RESET with the reason, and no byte of the exchange was sent.
 */
struct h1_back *h1_back_connect(struct h1_backs *s, const struct h1_back_user *user,
				const struct back_policy *policy, void *owner,
				const struct addr *to, struct tls_context *tls, const char *name,
				struct budget *budget);

/* Counts the TLS handshake in `counts`. Call it right after h1_back_connect(). */
void h1_back_count_handshake(struct h1_back *b, struct handshake_counts *counts /* borrowed */);

/* Begins an exchange, with `peer` as the other end. The connection is idle or still connecting. */
void h1_back_take(struct h1_back *b, struct stream *peer, struct arena *arena);

/*
 * Sets the timeout of the response's head; the default is policy->idle_ms. Call it right after
 * h1_back_take().
 */
void h1_back_wait(struct h1_back *b, uint32_t response_ms);

/* True when a byte of this exchange may have reached the node. */
bool h1_back_has_sent(const struct h1_back *b);
/*
 * As h1_back_has_sent(), and the send of that byte has succeeded: the result stays true for the
 * rest of the exchange.
 */
bool h1_back_has_surely_sent(const struct h1_back *b);

/* The node connection that this end belongs to; NULL when it belongs to none. */
struct h1_back *h1_back_of(struct stream *s);

/* The user gives up waiting. Returns the error that says what the exchange was waiting for. */
enum err h1_back_is_late(struct h1_back *b);

void h1_back_check(const struct h1_back *b);

/* Closes an idle connection. lost() is not called. */
void h1_back_close(struct h1_back *b);

#endif
