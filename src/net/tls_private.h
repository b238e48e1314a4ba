#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

/* What tls_context.c and tls.c share of each other. */

#include <openssl/ssl.h>

#include "net/tls_context.h"

struct tls_library {
	OSSL_LIB_CTX *library;
	OSSL_LIB_CTX *before; /* what the thread that entered had; NULL: nobody has */
	/*
	 * Over the chains of the session in hand, which is its data: one for all of a thread's, as a
	 * BIO and its lock for each would be 200 bytes of an idle connection. tls.c
	 */
	BIO_METHOD *bio_method;
	BIO *bio;
	_Atomic unsigned contexts;
};

struct tls_context {
	_Atomic unsigned refs;
	struct tls_library *library; /* borrowed */
	SSL_CTX *ssl;
	EVP_CIPHER *ticket_cipher;
	const struct ticket_keys *tickets; /* borrowed */
	bool server, verify, h2;
};

BIO_METHOD *tls_bio_method(void);

#endif
