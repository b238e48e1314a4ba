#ifndef CONTROL_RESOLVE_H
#define CONTROL_RESOLVE_H

/*
 * Looks names up, in a thread of its own, and again as their TTL says: managed clusters change
 * their addresses. What fails is tried again; what was known is kept meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>

#include "io/addr.h"

/* A name is looked up again after its TTL, within these; a failed one after 1 s, then twice that.
 */
#define RESOLVE_LEAST_MS 1000
#define RESOLVE_MOST_MS 60000
/* Addresses of one name that are kept. */
#define RESOLVE_ADDRESSES 64

struct resolver;

struct resolver_config {
	const char *const *names; /* borrowed for the resolver's life */
	size_t n;
	/* "127.0.0.1:5353": asked instead of those of the system; NULL: the system's. */
	const char *servers;
	/* Something is there to take. Runs on the resolver's thread. */
	void (*news)(void *hearer);
	void *hearer;
};

/* Starts the thread, and with it the first look-ups. NULL with errno. */
struct resolver *resolver_open(const struct resolver_config *c);
void resolver_close(struct resolver *r);

enum resolved {
	RESOLVED_NOTHING_NEW,
	RESOLVED,
	RESOLVE_FAILED, /* `why` says it in words, static */
};

/* What has come of names[i] since the last call, from any one thread. The port is 0. */
enum resolved resolver_take(struct resolver *r, size_t i, struct addr addresses[RESOLVE_ADDRESSES],
			    size_t *address_n, const char **why);

/*
 * RFC 6761, 6.3: localhost is these two, with port 0, whatever files and name servers there are.
 * False: it is another name.
 */
bool resolve_localhost(const char *name, struct addr to[2]);

#endif
