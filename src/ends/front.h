#ifndef ENDS_FRONT_H
#define ENDS_FRONT_H

/*
 * What the user of client connections (the proxy, the admin API) sees of a connection, for any
 * version of HTTP.
 */

#include "base/arena.h"
#include "http/stream.h"
#include "io/addr.h"
#include "net/proxy_header.h"
#include "net/wire.h"

/* Two lines, each with a number of seconds of at most one day. */
#define FRONT_KEPT_BYTES 64

struct front_facts {
	void *listener;		 /* the user's own, as given when the connection was opened */
	const struct addr *peer; /* the client; valid while the connection is open */
	bool unnamed; /* a PROXY header has come that names no client: `peer` is the proxy */
	bool tls;
	struct wire_tls_facts session; /* valid while the connection is open */
	uint64_t number;	       /* counts the connections of this thread, from 1 */
	uint32_t requests;	       /* requests that have begun on this connection */
};

struct front_user {
	/*
	 * The first byte of a request has come. The user joins `front` to an end of its own with
	 * stream_join(), and returns the arena for the request's message; NULL closes the
	 * connection. The user's end then gets a head, or a STREAM_RESET that says what is wrong
	 * with the request. After that reset the user still sends a response while stream_sends();
	 * the connection closes after that response.
	 */
	struct arena *(*open)(const struct front_facts *facts, struct stream *front);
	/*
	 * Only for a listener that expects a PROXY header. The header has come and facts->peer is
	 * the address in it, or p->err says what is wrong with the header. ERR_NONE admits the
	 * client, unless p->err is set; any other value closes the connection. May be NULL where no
	 * listener expects a PROXY header.
	 */
	enum err (*admit)(const struct front_facts *facts, const struct proxy_header *p);
	/*
	 * The client has sent FIN while a response is not finished. The client has gone, or it only
	 * sends no more. The user returns true to give up the exchange at `end` together with the
	 * client. NULL: no exchange is given up.
	 */
	bool (*finished)(struct stream *end);
	/*
	 * The TLS handshake failed. `said` has the details beyond `why`, as wires_said(). May be
	 * NULL.
	 */
	void (*handshake_failed)(const struct front_facts *facts, enum err why, const char *said);
	/* The connection is over. */
	void (*gone)(const struct front_facts *facts);
};

/* Settings of a listener; borrowed, they must outlive its connections. */
struct front_policy {
	uint32_t head_ms, idle_ms, keep_alive_ms, tunnel_idle_ms;
	bool lenient; /* as in struct h1_parser */
	uint8_t kept_n;
	char kept[FRONT_KEPT_BYTES]; /* header lines about idle_ms; set by front_policy_tell() */
};

/*
 * Responses from now on tell the client how long an idle connection is kept: a little less than
 * idle_ms.
 */
void front_policy_tell(struct front_policy *p);

#endif
