#ifndef NET_TLS_H
#define NET_TLS_H

/*
 * One TLS session, without I/O: encrypted bytes in and out are chains. The wire moves bytes from
 * the peer into tls_encrypted_in(), and sends the bytes in tls_encrypted_out().
 */

#include "base/buf.h"
#include "base/err.h"
#include "net/tls_context.h"

struct tls;

enum tls_progress {
	TLS_DONE, /* the requested step is done */
	TLS_MORE, /* more bytes from the peer are needed; all of tls_encrypted_in() is used up */
	TLS_END,  /* the peer has sent close_notify */
	TLS_BAD,  /* tls_why() has the reason; tls_encrypted_out() may hold an alert */
};

/* `name`: only for a client session, for SNI and verification. */
struct tls *tls_open(struct tls_context *c, struct bufs *bufs, const char *name);
void tls_close(struct tls *t);

struct chain *tls_encrypted_in(struct tls *t);
struct chain *tls_encrypted_out(struct tls *t);

enum tls_progress tls_handshake(struct tls *t);
/* Decrypts all of tls_encrypted_in() and appends it to `clear`, in blocks charged to `account`. */
enum tls_progress tls_decrypt(struct tls *t, struct chain *clear, struct account *account);
/*
 * Encrypts at most `max` bytes from the front of `clear` into tls_encrypted_out(). The result is
 * charged to the account of the last block of `clear`. False: the session broke.
 */
bool tls_encrypt(struct tls *t, struct chain *clear, size_t max);
/* Appends close_notify to tls_encrypted_out(). */
void tls_finish(struct tls *t);

/* After TLS_BAD. */
enum err tls_why(const struct tls *t);
/*
 * After TLS_BAD of a handshake: details beyond tls_why() for an operator, such as the name that the
 * certificate is for; "" when there are none. Valid until the next session breaks.
 */
const char *tls_said(const struct tls *t);
/* True when bytes of the peer have been looked at. */
bool tls_has_heard(const struct tls *t);
bool tls_is_resumed(const struct tls *t);
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
/* The server name that the client sent by SNI; NULL when it sent none. */
const char *tls_server_name(const struct tls *t);
/* For a server: the name of the certificate that it has shown; NULL when it has no name. */
const char *tls_certificate_shown(const struct tls *t);
/* The protocol chosen by ALPN, NULL when there is none; points to a literal. */
const char *tls_alpn(const struct tls *t);

#endif
