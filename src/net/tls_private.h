#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

/* What the files tls*.c share of each other. */

#include <openssl/ssl.h>

#include "net/tls_certificate.h"
#include "net/tls_context.h"
#include "net/tls_gcm.h"

struct tls_library {
	OSSL_LIB_CTX *library;
	struct tls_gcm gcm;
	OSSL_LIB_CTX *before; /* what the thread that entered had; NULL: nobody has */
	/*
	 * Over the chains of the session in hand, which is its data: one for all of a thread's, as
	 * a BIO and its lock for each would be 200 bytes of an idle connection. tls.c
	 */
	BIO_METHOD *bio_method;
	BIO *bio;
	char said[TLS_SAID_BYTES]; /* of the session that broke last: tls_said() */
	_Atomic unsigned users;	   /* contexts and certificates */
};

struct tls_certificate {
	_Atomic unsigned refs;
	struct tls_library *library; /* borrowed */
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* without the leaf */
	char **names;		/* in lower case; "*.b.c" too */
	size_t name_n;
	/* What it is worth: see tls_choice.h. */
	int kind; /* EVP_PKEY_EC, EVP_PKEY_RSA, ... */
	bool weak;
	int bits;
	int64_t from_s, until_s; /* valid, since 1970 */
};

struct tls_choice;

struct tls_context {
	_Atomic unsigned refs;
	struct tls_library *library; /* borrowed */
	SSL_CTX *ssl;
	EVP_CIPHER *ticket_cipher;
	struct tls_choice *choice;	   /* owned; of a server */
	const struct ticket_keys *tickets; /* borrowed */
	bool server, verify, h2;
	bool legacy; /* of a client */
	bool own_ca; /* whom it trusts is what the configuration names, not the system's store */
};

BIO_METHOD *tls_bio_method(void);

#endif
