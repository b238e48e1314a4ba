#ifndef NET_TLS_REASON_H
#define NET_TLS_REASON_H

/*
 * Explains why TLS failed: translates OpenSSL's errors for the engineer who must repair it. Private
 * to tls*.c.
 */

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/span.h"
#include "net/tls_private.h"

/* Writes "WHAT: what is wrong with it" to `error`. */
void tls_say_why(const char *what, char error[TLS_ERROR_BYTES]);

/*
 * For a client context: sets whether nodes' certificates are verified, and records what is wrong
 * with them.
 */
void tls_reason_listen(SSL_CTX *c, bool verify);

/* So many first bytes are enough to name the protocol of a peer that does not use TLS. */
#define TLS_REASON_LOOK_BYTES 16
/* False: these first bytes are no TLS, and library->said says what they are. */
bool tls_reason_begins(struct span first, const struct tls_context *c);
/* The reason of a failed handshake; library->said has the details. OpenSSL's errors are cleared. */
enum err tls_reason_of_session(const SSL *ssl, const struct tls_context *c);
/* The reason why an established session broke. */
enum err tls_reason_of_record(const SSL *ssl, const struct tls_context *c);

#endif
