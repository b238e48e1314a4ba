#ifndef NET_TLS_CERTIFICATE_H
#define NET_TLS_CERTIFICATE_H

/*
 * A certificate, its chain and its private key, in one library. To read one takes half a
 * millisecond, so it is counted, and shared by the contexts of one library that follow each other.
 */

#include "net/tls_context.h"

/* `certificate`: PEM, the leaf first; `key`: PEM. NULL: `error` says in words what is wrong. */
struct tls_certificate *tls_certificate_open(struct tls_library *l, const char *certificate,
					     const char *key, char error[TLS_ERROR_BYTES]);
/* The same for another library, four times as fast. NULL: it can only be had from its texts. */
struct tls_certificate *tls_certificate_copy(struct tls_library *l,
					     const struct tls_certificate *from);
/* What it is called in logs; before contexts have it. A copy has its own. */
void tls_certificate_call(struct tls_certificate *c, const char *name);
struct tls_certificate *tls_certificate_hold(struct tls_certificate *c);
void tls_certificate_drop(struct tls_certificate *c);

#endif
