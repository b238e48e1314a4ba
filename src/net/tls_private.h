#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

/* What the files tls*.c share with each other. */

#include <openssl/ssl.h>

#include "net/tls_certificate.h"
#include "net/tls_context.h"
#include "net/tls_gcm.h"

struct tls_library {
	OSSL_LIB_CTX *library;
	struct tls_gcm gcm;
	OSSL_LIB_CTX
	*before; /* the thread's default before tls_library_enter(); NULL: not entered */
	/*
	 * The BIO reads and writes the chains of the current session, which is the BIO's data. All
	 * sessions of a thread share it: a BIO and its lock for each would be 200 bytes of an idle
	 * connection. See tls.c.
	 */
	BIO_METHOD *bio_method;
	BIO *bio;
	char said[TLS_SAID_BYTES]; /* details of the session that broke last: tls_said() */
	_Atomic unsigned users;	   /* number of contexts and certificates */
};

struct tls_certificate {
	_Atomic unsigned refs;
	struct tls_library *library; /* borrowed */
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* without the leaf */
	char **names;		/* in lower case; "*.b.c" too */
	size_t name_n;
	/* The worth of the certificate, for the order in tls_choice.h. */
	int kind; /* EVP_PKEY_EC, EVP_PKEY_RSA, ... */
	bool weak;
	int bits;
	int64_t from_s, until_s; /* period of validity, in seconds since 1970 */
};

struct tls_choice;

struct tls_context {
	_Atomic unsigned refs;
	struct tls_library *library; /* borrowed */
	SSL_CTX *ssl;
	EVP_CIPHER *ticket_cipher;
	struct tls_choice *choice;	   /* owned; only for a server */
	const struct ticket_keys *tickets; /* borrowed */
	bool server, verify, h2;
	bool legacy; /* only for a client */
	bool own_ca; /* the trusted CAs are from the configuration, not from the system's store */
};

BIO_METHOD *tls_bio_method(void);

/*
 * Makes the server context accept and issue tickets under these keys, which it borrows. NULL: no
 * tickets.
 */
void tls_ticket_use(struct tls_context *c, const struct ticket_keys *keys);

#endif
