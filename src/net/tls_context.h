#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

/*
 * What TLS sessions of one kind share: certificates, policy, ticket keys, trust. Control builds it
 * for one worker, inside that worker's OpenSSL library context, so that two workers share no lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/tls_library.h"
#include "net/tls_ticket.h"

#define TLS_ERROR_BYTES 256
/* The size of the details of a broken session, with the terminating NUL. */
#define TLS_SAID_BYTES 224

enum tls_policy {
	TLS_POLICY_1_2, /* ELBSecurityPolicy-TLS13-1-2-Res-2021-06: TLS 1.2 and 1.3, ECDHE and GCM
			 */
	TLS_POLICY_1_3, /* ELBSecurityPolicy-TLS13-1-3-2021-06 */
	TLS_POLICIES,
};

struct tls_certificate; /* see tls_certificate.h */
struct tls_context;	/* reference-counted; each session holds one reference */

struct tls_server_config {
	/*
	 * Certificates of the same library, held by the context: the default first, then the
	 * others, which are chosen by name (tls_choice.h).
	 */
	struct tls_certificate *const *certificates;
	size_t certificate_n;
	enum tls_policy policy;
	const struct ticket_keys *tickets; /* borrowed for the context's life; NULL: no tickets */
	bool h2;			   /* offer "h2" before "http/1.1" in ALPN */
};

struct tls_client_config {
	const char *ca; /* PEM text; NULL: the system's trust store */
	bool verify;	/* false: any certificate of the node is accepted */
	bool legacy;	/* accepts TLS 1.0 and 1.1, and the keys and suites of that time */
};

/*
 * NULL: `error` says in plain words what is wrong; *wrong is the index of the certificate that
 * cannot be used.
 */
struct tls_context *tls_server_open(struct tls_library *l, const struct tls_server_config *c,
				    char error[TLS_ERROR_BYTES], size_t *wrong);
struct tls_context *tls_client_open(struct tls_library *l, const struct tls_client_config *c,
				    char error[TLS_ERROR_BYTES]);
void tls_context_hold(struct tls_context *c);
void tls_context_drop(struct tls_context *c);

#endif
