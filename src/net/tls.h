#ifndef NET_TLS_H
#define NET_TLS_H

/*
 * One TLS session, without I/O: sealed bytes in and out are chains. Its wire moves what came from
 * the peer into `sealed_in`, and sends what stands in `sealed_out`.
 */

#include "base/buf.h"
#include "base/err.h"
#include "net/tls_context.h"

struct tls;

enum tls_progress {
	TLS_DONE, /* what was asked for is done */
	TLS_MORE, /* more from the peer is needed; all of sealed_in is used up */
	TLS_END,  /* the peer has sent close_notify */
	TLS_BAD,  /* tls_why() says what; an alert may stand in sealed_out */
};

/* `name`: client sessions, for SNI and verification. */
struct tls *tls_open(struct tls_context *c, struct bufs *bufs, const char *name);
void tls_close(struct tls *t);

struct chain *tls_sealed_in(struct tls *t);
struct chain *tls_sealed_out(struct tls *t);

enum tls_progress tls_handshake(struct tls *t);
/* Opens all that stands in sealed_in and appends it to `clear`, in blocks charged to `account`. */
enum tls_progress tls_unseal(struct tls *t, struct chain *clear, struct account *account);
/*
 * Seals at most `max` bytes from the front of `clear` into sealed_out, charged to whom the last of
 * `clear` is. False: it broke.
 */
bool tls_seal(struct tls *t, struct chain *clear, size_t max);
/* Appends close_notify to sealed_out. */
void tls_finish(struct tls *t);

/* After TLS_BAD. */
enum err tls_why(const struct tls *t);
/*
 * After TLS_BAD of a handshake: what there is to say beyond tls_why(), in words for an operator,
 * such as whom the certificate is for; "" when there is nothing. Valid until the next one breaks.
 */
const char *tls_said(const struct tls *t);
/* Whether a byte of the peer's has been looked at. */
bool tls_has_heard(const struct tls *t);
bool tls_is_resumed(const struct tls *t);
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
/* What the client asked for by SNI; NULL when it did not. */
const char *tls_server_name(const struct tls *t);
/* A server's: what the certificate that it has shown is called; NULL when it has no name. */
const char *tls_certificate_shown(const struct tls *t);
/* The protocol agreed on by ALPN, NULL when none was; points to a literal. */
const char *tls_alpn(const struct tls *t);

#endif
