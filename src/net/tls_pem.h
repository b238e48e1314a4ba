#ifndef NET_TLS_PEM_H
#define NET_TLS_PEM_H

/* Reads PEM texts, and never asks for a password. */

#include <openssl/ssl.h>
#include <stdbool.h>

/* Owned by the caller, who calls BIO_free(). The text is borrowed. */
BIO *tls_pem_open(const char *text);
/*
 * The next object, owned by the caller. NULL: there is none, or it is damaged: see OpenSSL's error
 * queue.
 */
X509 *tls_pem_certificate(BIO *in, OSSL_LIB_CTX *library);
EVP_PKEY *tls_pem_key(BIO *in, OSSL_LIB_CTX *library);
/* Call it after a NULL. True: there was no further object; OpenSSL's errors are cleared then. */
bool tls_pem_is_over(void);

#endif
