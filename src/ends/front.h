#ifndef ENDS_FRONT_H
#define ENDS_FRONT_H

/*
 * What a connection of a client is to whoever stands behind it (the proxy, the admin API), whatever
 * version of HTTP it speaks.
 */

#include "base/arena.h"
#include "http/stream.h"
#include "io/addr.h"
#include "net/preface.h"
#include "net/wire.h"

/* Two lines with a number of seconds that is a day at most. */
#define FRONT_KEPT_BYTES 64

struct front_facts {
	void *listener;		 /* the user's own, as given when the connection was opened */
	const struct addr *peer; /* the client; valid while the connection is open */
	bool unnamed; /* a PROXY header has come that names nobody: the peer is the proxy */
	bool tls;
	struct wire_tls_facts session; /* valid while the connection is open */
	uint64_t number;	       /* counts the connections of this thread, from 1 */
	uint32_t requests;	       /* that have begun on it */
};

struct front_user {
	/*
	 * A request's first byte has come. Joins `front` with an end of its own by stream_join(),
	 * and gives the arena in which the request's message will stand; NULL: the connection is
	 * closed. That end then gets a head, or a STREAM_RESET with what is wrong with the request:
	 * it is to be answered all the same while stream_sends(), and the connection is closed
	 * behind that answer.
	 */
	struct arena *(*open)(const struct front_facts *facts, struct stream *front);
	/*
	 * Of listeners that expect a PROXY header: it has come, and facts->peer is whom it names;
	 * or p->err says what is wrong with it. ERR_NONE lets the client in, unless p->err is set;
	 * else the connection is over. May be NULL where no listener expects one.
	 */
	enum err (*admit)(const struct front_facts *facts, const struct preface *p);
	/*
	 * The client has finished behind a request whose response is not over: it has gone, or it
	 * only says no more. True: the exchange at that end is given up with its client. NULL:
	 * none is.
	 */
	bool (*finished)(struct stream *end);
	/*
	 * Its TLS handshake failed; `said`: what there is to say beyond why, as wires_said(). May
	 * be NULL.
	 */
	void (*unshaken)(const struct front_facts *facts, enum err why, const char *said);
	/* The connection is over. */
	void (*gone)(const struct front_facts *facts);
};

/* Settings of a listener; borrowed, they must outlive its connections. */
struct front_policy {
	uint32_t head_ms, idle_ms, keep_alive_ms, tunnel_idle_ms;
	bool lenient; /* as struct h1_parser has it */
	uint8_t kept_n;
	char kept[FRONT_KEPT_BYTES]; /* of it: what responses say of idle_ms; front_policy_tell() */
};

/* From now on its responses say how long a connection is kept: a little less than idle_ms. */
void front_policy_tell(struct front_policy *p);

#endif
