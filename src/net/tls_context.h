#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

/*
 * What TLS sessions of one kind share: certificates, policy, ticket keys, trust. Built by control
 * for one worker, inside that worker's OpenSSL library context, so that two workers share no lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_ERROR_BYTES 256
/* What is said of a session that broke, terminated. */
#define TLS_SAID_BYTES 224

/* One worker's share of OpenSSL. */
struct tls_library;
struct tls_library *tls_library_open(void);
/* After the last context and certificate of it are closed. */
void tls_library_close(struct tls_library *l);
/* Makes it the calling thread's default: a worker does so once, before its first turn. */
void tls_library_enter(struct tls_library *l);

/*
 * Session ticket keys: shared memory that the keeper owns and every process and worker reads, so
 * that a ticket of one is good at all others. `sequence` is odd while the keeper writes.
 */
struct ticket_key {
	uint8_t name[16], cipher[32], mac[32];
};
struct ticket_keys {
	_Atomic uint32_t sequence;
	uint32_t version; /* of this layout: TICKET_KEYS_VERSION */
	struct ticket_key previous, current, next;
};
#define TICKET_KEYS_VERSION 1
/* Fills all three with random bytes: the keeper, once. */
bool ticket_keys_fill(struct ticket_keys *k);
/* next becomes current, current previous; a new next is made. One writer. */
bool ticket_keys_rotate(struct ticket_keys *k);

enum tls_policy {
	TLS_POLICY_1_2, /* ELBSecurityPolicy-TLS13-1-2-Res-2021-06: TLS 1.2 and 1.3, ECDHE and GCM
			 */
	TLS_POLICY_1_3, /* ELBSecurityPolicy-TLS13-1-3-2021-06 */
	TLS_POLICIES,
};
const char *tls_policy_name(enum tls_policy p);

struct tls_certificate; /* see tls_certificate.h */
struct tls_context;	/* counted; a session holds one reference */

struct tls_server_config {
	/* Of the same library, held by the context: the default, then those that are chosen by
	 * name: see tls_choice.h. */
	struct tls_certificate *const *certificates;
	size_t certificate_n;
	enum tls_policy policy;
	const struct ticket_keys *tickets; /* borrowed for the context's life; NULL: no tickets */
	bool h2;			   /* offer "h2" before "http/1.1" in ALPN */
};

struct tls_client_config {
	const char *ca; /* PEM text; NULL: the system's trust store */
	bool verify;	/* off: whatever the node presents is taken */
	bool legacy; /* TLS 1.0 and 1.1, and keys, digests and suites of their time, are taken too
		      */
};

/*
 * NULL: `error` says in words what is wrong, for a person; *wrong is the number of the certificate
 * that cannot be used.
 */
struct tls_context *tls_server_open(struct tls_library *l, const struct tls_server_config *c,
				    char error[TLS_ERROR_BYTES], size_t *wrong);
struct tls_context *tls_client_open(struct tls_library *l, const struct tls_client_config *c,
				    char error[TLS_ERROR_BYTES]);
void tls_context_hold(struct tls_context *c);
void tls_context_drop(struct tls_context *c);

#endif
