#ifndef CONTROL_CONTEXTS_H
#define CONTROL_CONTEXTS_H

/*
 * The TLS contexts of a plan, for each worker in its own library. A context made from the same
 * texts as in the previous plan is taken over from that plan: reading a certificate takes half a
 * millisecond for each worker.
 */

#include <xxhash.h>

#include "control/config.h"
#include "net/tls_certificate.h"

/* The contexts of one kind, one for each worker. */
struct contexts {
	XXH128_hash_t made_of;	   /* hash of all that they depend on */
	struct tls_context **list; /* held; in the arena */
	unsigned n;
};

/* The certificates that clients get, in the order of the configuration. */
struct certificates {
	struct certificates_one {
		XXH128_hash_t made_of;
		struct tls_certificate **of; /* held, one for each worker; in the arena */
	} * list;
	size_t n;
	unsigned worker_n;
};

struct front_contexts {
	const struct config_tls *tls;
	struct tls_library *const *libraries;
	unsigned worker_n;
	const struct ticket_keys *tickets;
};

struct back_contexts {
	const struct config_cluster *cluster;
	const char *name; /* of the cluster */
	struct tls_library *const *libraries;
	unsigned n;
};

/*
 * `before` may be NULL or empty. False after a diagnostic; certificates_close() must be called in
 * both cases.
 */
bool certificates_open(struct certificates *s, const struct front_contexts *how,
		       const struct certificates *before, struct arena *arena,
		       struct diagnostics *to);
void certificates_close(struct certificates *s);

bool contexts_open_front(struct contexts *s, const struct front_contexts *how,
			 const struct certificates *certificates, const struct contexts *before,
			 struct arena *arena, struct diagnostics *to);
bool contexts_open_back(struct contexts *s, const struct back_contexts *how,
			const struct contexts *before, struct arena *arena, struct diagnostics *to);
void contexts_close(struct contexts *s);

#endif
