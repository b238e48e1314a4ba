#ifndef CONTROL_RESOLVE_H
#define CONTROL_RESOLVE_H

/*
 * Looks names up on a thread of its own, and again when their TTL is over: managed clusters change
 * their addresses. A failed look-up is repeated; the addresses known before are kept meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>

#include "io/addr.h"

/* The most addresses that are kept for one name. */
#define RESOLVE_ADDRESSES 64

struct resolver;

struct resolver_config {
	const char *const *names; /* borrowed for the resolver's life */
	size_t n;
	/* "127.0.0.1:5353": name servers to ask instead of the system's. NULL: the system's. */
	const char *servers;
	/* A result can be taken. Runs on the resolver's thread. */
	void (*news)(void *observer);
	void *observer;
};

/* Starts the thread and the first look-ups. NULL with errno. */
struct resolver *resolver_open(const struct resolver_config *c);
void resolver_close(struct resolver *r);

enum resolved {
	RESOLVED_NOTHING_NEW,
	RESOLVED,
	RESOLVE_FAILED, /* `why` gives the reason in words; a static text */
};

/*
 * The result for names[i] since the last call. Only one thread may call it. The port of the
 * addresses is 0.
 */
enum resolved resolver_take(struct resolver *r, size_t i, struct addr addresses[RESOLVE_ADDRESSES],
			    size_t *address_n, const char **why);

/*
 * RFC 6761, 6.3: localhost has exactly these two addresses, with port 0, whatever files and name
 * servers say. False: it is another name.
 */
bool resolve_localhost(const char *name, struct addr to[2]);

#endif
