#include "net/tls_context.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"
#include "net/tls_choice.h"
#include "net/tls_dates.h"
#include "net/tls_pem.h"
#include "net/tls_private.h"
#include "net/tls_reason.h"

static const struct {
	int oldest;
	const char *suites_1_3, *ciphers_1_2;
} policies[TLS_POLICIES] = {
	[TLS_POLICY_1_2] = {
		TLS1_2_VERSION,
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
		"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
	},
	[TLS_POLICY_1_3] = {
		TLS1_3_VERSION,
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
		"ECDHE-ECDSA-AES128-GCM-SHA256",
	},
};

/* All certificates are trusted or none: half a bundle would show only when connections fail. */
static bool trust_pem(struct tls_context *c, const char *pem, char error[TLS_ERROR_BYTES])
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
	struct tls_dates dates;
	if (!tls_dates_read(pem, &dates, error))
		return false;
	BIO *in = tls_pem_open(pem);
	for (X509 *ca; (ca = tls_pem_certificate(in, c->library->library));) {
		X509_STORE_add_cert(store, ca);
		X509_free(ca);
	}
	/* Each certificate in the text is trusted, also an intermediate CA's or a node's own. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	BIO_free(in);
	ERR_clear_error();
	return true;
}

static bool trust_system(struct tls_context *c, char error[TLS_ERROR_BYTES])
{
	if (SSL_CTX_set_default_verify_paths(c->ssl) == 1)
		return true;
	tls_say_why("the system's trust store", error);
	return false;
}

static const unsigned char alpn_h1[] = "\x08http/1.1\x08http/1.0";
static const unsigned char alpn_h2_h1[] = "\x02h2\x08http/1.1\x08http/1.0";

static int alpn_offered(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_n,
			const unsigned char *offered, unsigned offered_n, void *context)
{
	(void)ssl;
	const struct tls_context *c = context;
	const unsigned char *ours = c->h2 ? alpn_h2_h1 : alpn_h1;
	unsigned ours_n = c->h2 ? sizeof alpn_h2_h1 - 1 : sizeof alpn_h1 - 1;
	unsigned char *at;
	int got = SSL_select_next_proto(&at, chosen_n, ours, ours_n, offered, offered_n);
	*chosen = at;
	return got == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct tls_context *context_new(struct tls_library *l, const SSL_METHOD *method)
{
	struct tls_context *c = calloc(1, sizeof *c);
	must(c);
	atomic_store(&c->refs, 1);
	c->library = l;
	c->ssl = SSL_CTX_new_ex(l->library, TLS_GCM_PREFERRED, method);
	must(c->ssl);
	atomic_fetch_add(&l->users, 1);
	SSL_CTX_set_app_data(c->ssl, c);
	/* An idle session keeps no record buffers: they are half of its memory. */
	SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	return c;
}

static void use_policy(struct tls_context *c, enum tls_policy p)
{
	must(SSL_CTX_set_min_proto_version(c->ssl, policies[p].oldest) == 1);
	must(SSL_CTX_set_ciphersuites(c->ssl, policies[p].suites_1_3) == 1);
	must(SSL_CTX_set_cipher_list(c->ssl, policies[p].ciphers_1_2) == 1);
	must(SSL_CTX_set1_groups_list(c->ssl, "X25519:P-256:P-384") == 1);
}

/*
 * Finds errors that OpenSSL would report only when a client connects: a key too small, a digest too
 * weak.
 */
static bool are_usable(struct tls_library *l, const struct tls_server_config *config,
		       char error[TLS_ERROR_BYTES], size_t *wrong)
{
	SSL_CTX *trial = SSL_CTX_new_ex(l->library, NULL, TLS_server_method());
	must(trial);
	size_t i = 0;
	for (; i < config->certificate_n; i++) {
		const struct tls_certificate *c = config->certificates[i];
		if (SSL_CTX_use_cert_and_key(trial, c->leaf, c->key, c->chain, 1) != 1)
			break;
	}
	SSL_CTX_free(trial);
	if (i == config->certificate_n)
		return true;
	tls_say_why("certificate", error);
	*wrong = i;
	return false;
}

struct tls_context *tls_server_open(struct tls_library *l, const struct tls_server_config *config,
				    char error[TLS_ERROR_BYTES], size_t *wrong)
{
	if (!are_usable(l, config, error, wrong))
		return NULL;
	struct tls_context *c = context_new(l, TLS_server_method());
	c->server = true;
	c->h2 = config->h2;
	use_policy(c, config->policy);
	SSL_CTX_set_options(c->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_alpn_select_cb(c->ssl, alpn_offered, c);
	tls_ticket_use(c, config->tickets);
	c->choice = tls_choice_open(config->certificates, config->certificate_n);
	tls_choice_use(c->choice, c->ssl);
	return c;
}

/*
 * The security level belongs to the context. At level 0 OpenSSL accepts RSA with 1024 bits, SHA-1,
 * and suites without forward secrecy. Servers of that age do not know secure renegotiation either.
 */
static void use_age(struct tls_context *c, bool legacy)
{
	c->legacy = legacy;
	must(SSL_CTX_set_min_proto_version(c->ssl, legacy ? TLS1_VERSION : TLS1_2_VERSION) == 1);
	if (!legacy)
		return;
	SSL_CTX_set_security_level(c->ssl, 0);
	must(SSL_CTX_set_cipher_list(c->ssl, "DEFAULT:@SECLEVEL=0") == 1);
	SSL_CTX_set_options(c->ssl, SSL_OP_LEGACY_SERVER_CONNECT);
}

struct tls_context *tls_client_open(struct tls_library *l, const struct tls_client_config *config,
				    char error[TLS_ERROR_BYTES])
{
	struct tls_context *c = context_new(l, TLS_client_method());
	c->verify = config->verify;
	use_age(c, config->legacy);
	SSL_CTX_set_alpn_protos(c->ssl, alpn_h1, sizeof "\x08http/1.1" - 1);
	c->own_ca = config->ca != NULL;
	tls_reason_listen(c->ssl, config->verify);
	if (config->ca ? trust_pem(c, config->ca, error) : trust_system(c, error))
		return c;
	tls_context_drop(c);
	return NULL;
}

void tls_context_hold(struct tls_context *c)
{
	atomic_fetch_add(&c->refs, 1);
}

void tls_context_drop(struct tls_context *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	SSL_CTX_free(c->ssl);
	if (c->choice)
		tls_choice_close(c->choice);
	EVP_CIPHER_free(c->ticket_cipher);
	atomic_fetch_sub(&c->library->users, 1);
	free(c);
}
