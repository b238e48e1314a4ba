#ifndef NET_TLS_CERTIFICATE_H
#define NET_TLS_CERTIFICATE_H

/*
 * A certificate, its chain and its private key, in one library. Reading one takes half a
 * millisecond. Therefore it is reference-counted, and successive contexts of one library share it.
 */

#include "net/tls_context.h"

/* `certificate`: PEM, the leaf first; `key`: PEM. NULL: `error` says in words what is wrong. */
struct tls_certificate *tls_certificate_open(struct tls_library *l, const char *certificate,
					     const char *key, char error[TLS_ERROR_BYTES]);
/*
 * A copy for another library; four times as fast as tls_certificate_open(). NULL: it cannot be
 * copied, only opened from its texts.
 */
struct tls_certificate *tls_certificate_copy(struct tls_library *l,
					     const struct tls_certificate *from);
/* Sets its name in logs. Call it before contexts hold it. A copy has a name of its own. */
void tls_certificate_call(struct tls_certificate *c, const char *name);
struct tls_certificate *tls_certificate_hold(struct tls_certificate *c);
void tls_certificate_drop(struct tls_certificate *c);

#endif
