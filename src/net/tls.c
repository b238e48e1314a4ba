#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "io/addr.h"
#include "base/limits.h"
#include "net/tls_private.h"
#include "net/tls_reason.h"

/* The largest plaintext of one record: RFC 8446, 5.1. */
#define RECORD_BYTES 16384

struct tls {
	SSL *ssl;
	struct tls_context *context; /* one reference */
	struct bufs *bufs;	     /* borrowed */
	struct chain encrypted_in, encrypted_out;
	struct account *payer; /* the account charged while encrypting; borrowed; NULL: none */
	enum err why;
	bool heard; /* the peer's first bytes have been looked at */
};

/* --- the BIO: OpenSSL reads from encrypted_in and writes to encrypted_out --- */

static int bio_read(BIO *bio, char *to, size_t n, size_t *got)
{
	struct tls *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*got = n < t->encrypted_in.bytes ? n : t->encrypted_in.bytes;
	if (!*got) {
		BIO_set_retry_read(bio);
		return 0;
	}
	chain_peek(&t->encrypted_in, to, *got);
	chain_skip(&t->encrypted_in, *got);
	return 1;
}

static int bio_write(BIO *bio, const char *from, size_t n, size_t *put)
{
	struct tls *t = BIO_get_data(bio);
	size_t room;
	uint8_t *to = chain_room(&t->encrypted_out, t->bufs, n, &room);
	memcpy(to, from, n);
	chain_extend(&t->encrypted_out, n);
	if (t->payer && !t->encrypted_out.last->block->account)
		block_charge(t->encrypted_out.last->block, t->payer);
	*put = n;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "crossfade chain");
	must(m);
	BIO_meth_set_read_ex(m, bio_read);
	BIO_meth_set_write_ex(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	BIO_meth_set_create(m, bio_create);
	return m;
}

/* --- a session --- */

/* Makes `t` the session that OpenSSL's next call reads and writes for. */
static SSL *tls_select(struct tls *t)
{
	BIO_set_data(t->context->library->bio, t);
	return t->ssl;
}

/* A DNS name may end with a dot. In SNI (RFC 6066, 3) and in certificates it must not. */
static void expect_name(struct tls *t, const char *dns_name)
{
	struct addr literal;
	char name[TLS_NAME_BYTES];
	must(dns_name);
	size_t n = strlen(dns_name);
	n -= n > 1 && dns_name[n - 1] == '.';
	must(n < sizeof name);
	memcpy(name, dns_name, n);
	name[n] = 0;
	bool is_address = addr_parse((struct span){ name, n }, 0, &literal);
	if (!is_address)
		must(SSL_set_tlsext_host_name(t->ssl, name) == 1);
	if (!t->context->verify)
		return;
	/*
	 * The name is checked against subjectAltName, never against the subject: RFC 9110, 4.3.4;
	 * RFC 9525, 2.
	 */
	SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
					  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address)
		must(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name) == 1);
	else
		must(SSL_set1_host(t->ssl, name) == 1);
}

struct tls *tls_open(struct tls_context *c, struct bufs *bufs, const char *name)
{
	struct tls *t = calloc(1, sizeof *t);
	must(t);
	t->bufs = bufs;
	t->context = c;
	tls_context_hold(c);
	t->ssl = SSL_new(c->ssl);
	must(t->ssl && BIO_up_ref(c->library->bio) == 1);
	SSL_set_bio(t->ssl, c->library->bio, c->library->bio);
	if (c->server) {
		SSL_set_accept_state(t->ssl);
	} else {
		SSL_set_connect_state(t->ssl);
		expect_name(t, name);
	}
	return t;
}

void tls_close(struct tls *t)
{
	SSL_free(t->ssl);
	tls_context_drop(t->context);
	chain_drop(&t->encrypted_in);
	chain_drop(&t->encrypted_out);
	free(t);
}

struct chain *tls_encrypted_in(struct tls *t)
{
	return &t->encrypted_in;
}

struct chain *tls_encrypted_out(struct tls *t)
{
	return &t->encrypted_out;
}

static enum tls_progress tls_bad(struct tls *t, enum err why)
{
	t->why = why;
	ERR_clear_error();
	return TLS_BAD;
}

/*
 * OpenSSL waits for a whole record header. A peer with another protocol may already have sent all
 * that it will send.
 */
static bool is_tls(struct tls *t)
{
	char first[TLS_REASON_LOOK_BYTES];
	size_t n = t->encrypted_in.bytes < sizeof first ? t->encrypted_in.bytes : sizeof first;
	if (t->heard || !n)
		return true;
	t->heard = true;
	chain_peek(&t->encrypted_in, first, n);
	return tls_reason_begins((struct span){ first, n }, t->context);
}

enum tls_progress tls_handshake(struct tls *t)
{
	t->context->library->said[0] = 0;
	if (!is_tls(t))
		return tls_bad(t, t->context->server ? ERR_TLS_NOT_SPOKEN : ERR_BACK_NOT_TLS);
	int got = SSL_do_handshake(tls_select(t));
	if (got == 1)
		return TLS_DONE;
	if (SSL_get_error(t->ssl, got) == SSL_ERROR_WANT_READ)
		return TLS_MORE;
	return tls_bad(t, tls_reason_of_session(t->ssl, t->context));
}

static enum tls_progress decrypt_end(struct tls *t, int got)
{
	switch (SSL_get_error(t->ssl, got)) {
	case SSL_ERROR_WANT_READ:
		return TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_END;
	default:
		/*
		 * With TLS 1.3 a server may reject its client's certificate only after the
		 * handshake.
		 */
		return tls_bad(t, tls_reason_of_record(t->ssl, t->context));
	}
}

/*
 * Fills block after block, so that several records of a transfer share one. Blocks are small unless
 * more than a small block's worth has come.
 */
enum tls_progress tls_decrypt(struct tls *t, struct chain *clear, struct account *account)
{
	for (;;) {
		bool large = t->encrypted_in.bytes > BLOCK_SMALL_BYTES;
		struct block *k = block_take(t->bufs, large ? BLOCK_LARGE : BLOCK_SMALL, account);
		size_t filled = 0;
		int got = 1;
		while (filled < k->size) {
			got = SSL_read(tls_select(t), k->data + filled, (int)(k->size - filled));
			if (got <= 0)
				break;
			filled += (size_t)got;
			if (!t->encrypted_in.bytes && !SSL_has_pending(t->ssl))
				break;
		}
		chain_add(clear, k, k->data, filled);
		if (got <= 0)
			return decrypt_end(t, got);
		if (!t->encrypted_in.bytes && !SSL_has_pending(t->ssl))
			return TLS_MORE;
	}
}

/* A slice that is shorter than a record is joined with the next ones, up to so many bytes. */
#define JOINED_BYTES RECORD_BYTES

static bool encrypt_bytes(struct tls *t, const void *from, size_t n, size_t *encrypted)
{
	if (SSL_write_ex(tls_select(t), from, n, encrypted) == 1)
		return true;
	tls_bad(t, ERR_TLS_RECORD);
	return false;
}

/* A head and a small body go into one record: one cipher operation and one tag instead of two. */
static bool encrypt_joined(struct tls *t, struct chain *clear, size_t max, size_t *encrypted)
{
	char joined[JOINED_BYTES];
	size_t n = clear->bytes < sizeof joined ? clear->bytes : sizeof joined;
	n = n < max ? n : max;
	chain_peek(clear, joined, n);
	return encrypt_bytes(t, joined, n, encrypted);
}

static bool encrypt_some(struct tls *t, struct chain *clear, size_t max)
{
	while (clear->bytes && max) {
		struct slice *first = clear->first;
		size_t n = first->n < max ? first->n : max;
		size_t encrypted;
		bool ok = first->next && n < RECORD_BYTES
				  ? encrypt_joined(t, clear, max, &encrypted)
				  : encrypt_bytes(t, first->at, n < RECORD_BYTES ? n : RECORD_BYTES,
						  &encrypted);
		if (!ok)
			return false;
		chain_skip(clear, encrypted);
		max -= encrypted;
	}
	return true;
}

/*
 * A head belongs to no account and comes before its body. The body's bytes are the ones that wait
 * for a slow peer, so the body's account pays.
 */
bool tls_encrypt(struct tls *t, struct chain *clear, size_t max)
{
	t->payer = clear->last ? clear->last->block->account : NULL;
	bool ok = encrypt_some(t, clear, max);
	t->payer = NULL;
	return ok;
}

void tls_finish(struct tls *t)
{
	if (SSL_is_init_finished(t->ssl) && SSL_shutdown(tls_select(t)) < 0)
		ERR_clear_error();
}

enum err tls_why(const struct tls *t)
{
	return t->why;
}

const char *tls_said(const struct tls *t)
{
	return t->context->library->said;
}

bool tls_has_heard(const struct tls *t)
{
	return t->heard;
}

bool tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl) == 1;
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_get_cipher_name(t->ssl);
}

const char *tls_server_name(const struct tls *t)
{
	return SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
}

const char *tls_certificate_shown(const struct tls *t)
{
	X509 *leaf = SSL_get_certificate(t->ssl);
	int n;
	return leaf ? (const char *)X509_alias_get0(leaf, &n) : NULL;
}

const char *tls_alpn(const struct tls *t)
{
	const unsigned char *name;
	unsigned n;
	SSL_get0_alpn_selected(t->ssl, &name, &n);
	if (n == 2 && !memcmp(name, "h2", 2))
		return "h2";
	return n == 8 && !memcmp(name, "http/1.1", 8) ? "http/1.1" : NULL;
}
