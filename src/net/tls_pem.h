#ifndef NET_TLS_PEM_H
#define NET_TLS_PEM_H

/* Reads texts in PEM, without ever asking anybody for a password. */

#include <openssl/ssl.h>
#include <stdbool.h>

/* Owned by the caller: BIO_free(). The text is borrowed. */
BIO *tls_pem_open(const char *text);
/* The next one, owned by the caller. NULL: there is none, or it is damaged: OpenSSL's errors say.
 */
X509 *tls_pem_certificate(BIO *in, OSSL_LIB_CTX *library);
EVP_PKEY *tls_pem_key(BIO *in, OSSL_LIB_CTX *library);
/* After a NULL: there was no more. Clears the errors then. */
bool tls_pem_is_over(void);

#endif
