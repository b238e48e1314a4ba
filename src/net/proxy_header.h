#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

/*
 * The PROXY protocol's header, versions 1 and 2: what a proxy sends before all other bytes, also
 * before TLS, about the connection that it forwards. A pure function over the first bytes.
 *
 * Source: "The PROXY protocol, versions 1 & 2", HAProxy's doc/proxy-protocol.txt.
 */

#include "base/err.h"
#include "base/span.h"
#include "io/addr.h"

/* The bytes that are examined: all of version 1; of version 2 all but the extensions (TLVs). */
#define PROXY_HEADER_LOOK_BYTES 107

enum proxy_header_progress {
	PROXY_HEADER_DONE, /* `bytes` is the length of the header: so many bytes must have come */
	PROXY_HEADER_MORE, /* more bytes are needed */
	PROXY_HEADER_BAD,  /* see `err` */
};

enum proxy_header_kind {
	PROXY_HEADER_LOCAL,   /* the proxy's own connection: its health check */
	PROXY_HEADER_UNKNOWN, /* forwarded for a client without an IP address */
	PROXY_HEADER_ADDRESS, /* forwarded for the client at `source` */
};

struct proxy_header {
	enum proxy_header_kind kind;
	struct addr source;
	size_t bytes;
	enum err err; /* ERR_NONE, or ERR_PROXY_HEADER_... */
};

/* `first`: the bytes that have come, at most the first PROXY_HEADER_LOOK_BYTES. */
enum proxy_header_progress proxy_header_read(struct span first, struct proxy_header *p);

#endif
