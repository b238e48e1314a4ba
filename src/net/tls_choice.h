#ifndef NET_TLS_CHOICE_H
#define NET_TLS_CHOICE_H

/*
 * Which of several certificates a client gets, as AWS ALB chooses: of those that are for the name
 * that it asks for (SNI) and that it can verify, ECDSA before RSA, SHA before MD5, the larger key,
 * the longer validity; and one that is valid now before one that is not. An exact name and a
 * wildcard count alike. A client without a name, or with another, gets the default: the first.
 */

#include "net/tls_private.h"

struct tls_choice;

/* Certificates, at least one, are held. */
struct tls_choice *tls_choice_open(struct tls_certificate *const *list, size_t n);
void tls_choice_close(struct tls_choice *c);

/* On a context: its sessions get the default, and where there are several, one by their name. */
void tls_choice_use(struct tls_choice *c, SSL_CTX *context);

/* The certificates for a name, best first, at most `most`; how many. */
size_t tls_choice_find(const struct tls_choice *c, const char *name, struct tls_certificate **found,
		       size_t most);

#endif
