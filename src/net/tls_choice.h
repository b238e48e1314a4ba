#ifndef NET_TLS_CHOICE_H
#define NET_TLS_CHOICE_H

/*
 * Chooses the certificate for a client, by the rules of AWS ALB. Candidates are for the name that
 * the client asks for (SNI), and the client can verify them. ECDSA comes before RSA, SHA before
 * MD5, the larger key first, then the longer validity. A certificate that is valid now comes before
 * one that is not. An exact name and a wildcard are equal. A client that sends no name, or an
 * unknown one, gets the default: the first certificate.
 */

#include "net/tls_private.h"

struct tls_choice;

/* There must be at least one certificate. They are held. */
struct tls_choice *tls_choice_open(struct tls_certificate *const *list, size_t n);
void tls_choice_close(struct tls_choice *c);

/*
 * Installs the choice in a context: its sessions get the default, and, where there are several
 * certificates, one chosen by name.
 */
void tls_choice_use(struct tls_choice *c, SSL_CTX *context);

/*
 * Writes the certificates for a name to `found`, best first, at most `most`. Returns their number.
 */
size_t tls_choice_find(const struct tls_choice *c, const char *name, struct tls_certificate **found,
		       size_t most);

#endif
