#ifndef ENDS_H1_BACK_H
#define ENDS_H1_BACK_H

/*
 * An HTTP/1 connection to a cluster's node: one exchange after the other. Its user keeps it in a
 * pool between exchanges; a receive stays armed there, which is how it notices that the node went
 * away.
 */

#include "base/wheel.h"
#include "http/h1_body.h"
#include "http/stream.h"
#include "net/dial.h"
#include "net/wire.h"

struct h1_back;

struct h1_back_user {
	/*
	 * The exchange on it is over and it may carry another. While it `rests` it should not: it
	 * is said again when it does no more.
	 */
	void (*idle)(struct h1_back *b);
	/* It will carry no further exchange: take it out of the pool. It is freed later by itself.
	 */
	void (*lost)(struct h1_back *b, enum err why);
	/* Of dials (net/dial.h), before it is connected. Both may be NULL. */
	bool (*next)(struct h1_back *b, struct addr *to);
	void (*missed)(struct h1_back *b, const struct addr *at, enum err why);
};

/*
 * connect_ms covers the TLS handshake too; keep_alive_ms: between two exchanges. limits.fields 0:
 * the usual ones.
 */
struct back_policy {
	uint32_t connect_ms, idle_ms, tunnel_idle_ms, keep_alive_ms;
	struct h1_limits limits;
};

/* What the backs of one thread share. */
struct h1_backs {
	struct wires *wires;
	struct wheel *wheel;
	struct slab slab;
	struct dials dials;
	struct list closing;	 /* over, but for what the node has not taken yet */
	size_t open_n, open_max; /* 0: any number; who begins one looks at h1_backs_full() */
};

enum h1_back_state {
	BACK_CONNECTING,
	BACK_IDLE,
	BACK_ANSWER_HEAD,
	BACK_ANSWER_BODY,
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
	struct addr address; /* what it is connected to; until then, where it tried first */
	struct dial dial;
	uint64_t tried;	  /* the user's own, as the next: places of addresses that were tried */
	uint8_t place;	  /* where its address was last known to stand */
	bool connected;	  /* its socket has come; the TLS handshake may still be due */
	struct list link; /* the user's own: in the pool; then in backs->closing */
	struct timer timer;
	uint64_t deadline_ms;
	uint64_t kept_until_ms; /* when idle */
	uint64_t taken_ns;	/* when the exchange began */
	struct arena *arena;	/* of the exchange; NULL when idle */
	struct msg *answer;
	struct h1_parser parser;
	struct h1_body body;
	uint64_t sent_before;	/* wire.sent_bytes when the exchange began */
	uint64_t ready_ns;	/* when it was connected; 0: it is not yet */
	uint32_t response_ms;	/* how long it may take until its answer begins */
	uint32_t interim_bytes; /* of 1xx answers of this exchange */
	uint8_t state;		/* enum h1_back_state */
	bool stepping;
	uint8_t method; /* of the request */
	uint8_t strays; /* empty lines that came between two answers, in bytes */
	bool reused;	/* it was idle before this exchange */
	bool rests;	/* idle, and bytes may yet come behind its last answer */
	bool heard;	/* a byte of an answer has come in this exchange */
	bool upgrade_asked;
	bool request_chunked;
	bool request_over;
	bool closes; /* no further exchange after this one */
	bool gone;   /* its wire is */
};

void h1_backs_open(struct h1_backs *s, struct wires *wires, struct wheel *wheel);
void h1_backs_close(struct h1_backs *s);
/* Those that only wait for their node to take what is left are cut. */
void h1_backs_abort(struct h1_backs *s);

static inline bool h1_backs_full(const struct h1_backs *s)
{
	return s->open_max && s->open_n >= s->open_max;
}

/*
 * Connects, to `to` or to where its user says next. An exchange may be taken at once: what it sends
 * waits. When the connection cannot be made its stream gets STREAM_RESET with why; nothing of it
 * was sent then.
 */
struct h1_back *h1_back_connect(struct h1_backs *s, const struct h1_back_user *user,
				const struct back_policy *policy, void *owner,
				const struct addr *to, struct tls_context *tls, const char *name,
				struct budget *budget);

/* Right after h1_back_connect(): its handshake is counted there. */
void h1_back_count_handshake(struct h1_back *b, struct handshake_counts *counts /* borrowed */);

/* Begins an exchange on an idle or still connecting one, with `peer` as the other end. */
void h1_back_take(struct h1_back *b, struct stream *peer, struct arena *arena);

/* Right after it: how long its answer's head may take, else policy->idle_ms. */
void h1_back_wait(struct h1_back *b, uint32_t response_ms);

/* True when a byte of this exchange may have reached the node. */
bool h1_back_has_sent(const struct h1_back *b);
/* The same, and the send that carried it has succeeded: that will not become false any more. */
bool h1_back_has_surely_sent(const struct h1_back *b);

/* Whether this end is one of ours, and its connection. */
struct h1_back *h1_back_of(struct stream *s);

/* Its user waits no longer: what for. */
enum err h1_back_is_late(struct h1_back *b);

/* Closes an idle one. lost() is not called. */
void h1_back_close(struct h1_back *b);

#endif
