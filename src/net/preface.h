#ifndef NET_PREFACE_H
#define NET_PREFACE_H

/*
 * The PROXY protocol's header, versions 1 and 2: what a proxy says before anything else, and before
 * TLS, about the connection that it passes on. A pure function over the first bytes.
 *
 * Source: "The PROXY protocol, versions 1 & 2", HAProxy's doc/proxy-protocol.txt.
 */

#include "base/err.h"
#include "base/span.h"
#include "io/addr.h"

/* What is looked at: all of version 1, and of version 2 all but what extends it. */
#define PREFACE_LOOK_BYTES 107

enum preface_progress {
	PREFACE_DONE, /* `bytes` is how long it is: that many must have come */
	PREFACE_MORE, /* more must be seen of it */
	PREFACE_BAD,  /* `err` */
};

enum preface_kind {
	PREFACE_LOCAL,	 /* the proxy's own connection: its health check */
	PREFACE_UNKNOWN, /* passed on for somebody without an address of IP */
	PREFACE_ADDRESS, /* passed on for `source` */
};

struct preface {
	enum preface_kind kind;
	struct addr source;
	size_t bytes;
	enum err err; /* ERR_NONE, or ERR_PREFACE_... */
};

/* `first`: what has come, at most PREFACE_LOOK_BYTES of it. */
enum preface_progress preface_read(struct span first, struct preface *p);

#endif
