#ifndef NET_TLS_REASON_H
#define NET_TLS_REASON_H

/*
 * Why TLS failed, in words for who has to mend it: what OpenSSL says is translated. Private to
 * tls*.c.
 */

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/span.h"
#include "net/tls_private.h"

/* Puts "WHAT: what is wrong with it" into the text. */
void tls_say_why(const char *what, char error[TLS_ERROR_BYTES]);

/* A client's: whether nodes' certificates are verified; what is wrong with them is noted. */
void tls_reason_listen(SSL_CTX *c, bool verify);

/* The most that tells what somebody speaks who speaks no TLS. */
#define TLS_REASON_LOOK_BYTES 16
/* False: these first bytes are no TLS, and library->said says what they are. */
bool tls_reason_begins(struct span first, const struct tls_context *c);
/* Of a handshake that broke; library->said says more. OpenSSL's errors are used up. */
enum err tls_reason_of_session(const SSL *ssl, const struct tls_context *c);
/* Of a session that broke when it was up. */
enum err tls_reason_of_record(const SSL *ssl, const struct tls_context *c);

#endif
