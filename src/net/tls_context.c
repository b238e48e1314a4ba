#include "net/tls_context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/span.h"
#include "net/tls_choice.h"
#include "net/tls_dates.h"
#include "net/tls_pem.h"
#include "net/tls_private.h"
#include "net/tls_reason.h"

/* --- the library --- */

struct tls_library *tls_library_open(void)
{
	struct tls_library *l = calloc(1, sizeof *l);
	must(l);
	l->library = OSSL_LIB_CTX_new();
	must(l->library);
	tls_gcm_load(&l->gcm, l->library);
	l->bio_method = tls_bio_method();
	l->bio = BIO_new(l->bio_method);
	must(l->bio);
	return l;
}

void tls_library_close(struct tls_library *l)
{
	must(atomic_load(&l->users) == 0);
	BIO_free(l->bio);
	BIO_meth_free(l->bio_method);
	/* OpenSSL does not free what is the calling thread's default. */
	if (l->before && OSSL_LIB_CTX_set0_default(NULL) == l->library)
		OSSL_LIB_CTX_set0_default(l->before);
	tls_gcm_unload(&l->gcm);
	OSSL_LIB_CTX_free(l->library);
	free(l);
}

void tls_library_enter(struct tls_library *l)
{
	l->before = OSSL_LIB_CTX_set0_default(l->library);
}

/* --- ticket keys --- */

static bool fill(struct ticket_key *k)
{
	return RAND_bytes((unsigned char *)k, sizeof *k) == 1;
}

bool ticket_keys_fill(struct ticket_keys *k)
{
	k->version = TICKET_KEYS_VERSION;
	atomic_store(&k->sequence, 0);
	return fill(&k->previous) && fill(&k->current) && fill(&k->next);
}

bool ticket_keys_rotate(struct ticket_keys *k)
{
	struct ticket_key fresh;
	if (!fill(&fresh))
		return false;
	atomic_fetch_add(&k->sequence, 1);
	k->previous = k->current;
	k->current = k->next;
	k->next = fresh;
	atomic_fetch_add(&k->sequence, 1);
	return true;
}

/* Copies the keys while nobody writes them: the keeper's write takes a microsecond twice a day. */
static void read_keys(const struct ticket_keys *shared, struct ticket_key keys[3])
{
	uint32_t before, after;
	do {
		before = atomic_load_explicit(&shared->sequence, memory_order_acquire);
		keys[0] = shared->current;
		keys[1] = shared->previous;
		keys[2] = shared->next;
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&shared->sequence, memory_order_relaxed);
	} while (before != after || before & 1);
}

static bool use_key(struct tls_context *c, const struct ticket_key *k, unsigned char *iv,
		    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac,
						  sizeof k->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_CipherInit_ex2(cipher, c->ticket_cipher, k->cipher, iv, seal, NULL) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's contract: 1 sealed or opened, 2 opened and to be renewed, 0 unknown key, -1 error. */
static int ticket_key_wanted(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
			     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key keys[3];
	read_keys(c->tickets, keys);
	if (seal) {
		memcpy(name, keys[0].name, sizeof keys[0].name);
		if (RAND_bytes_ex(c->library->library, iv, 16, 0) != 1)
			return -1;
		return use_key(c, &keys[0], iv, cipher, mac, true) ? 1 : -1;
	}
	for (int i = 0; i < 3; i++) {
		if (memcmp(name, keys[i].name, sizeof keys[i].name) != 0)
			continue;
		if (!use_key(c, &keys[i], iv, cipher, mac, false))
			return -1;
		/*
		 * One of an old key is renewed; and in TLS 1.3 each, for clients use one once only
		 * (RFC 8446, C.4) and would do a full handshake every other time.
		 */
		return i == 1 || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
	}
	return 0;
}

/* --- whose a ticket is --- */

/* The name that a ClientHello asks for, in its own bytes: RFC 6066, 3. Empty: none. */
static struct span name_asked(SSL *ssl)
{
	const unsigned char *at;
	size_t n;
	struct span none = { "", 0 };
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &n) != 1 || n < 5 ||
	    at[2] != TLSEXT_NAMETYPE_host_name)
		return none;
	size_t name_n = (size_t)at[3] << 8 | at[4];
	return name_n <= n - 5 ? (struct span){ (const char *)at + 5, name_n } : none;
}

/* A ticket that is renewed in TLS 1.2 keeps what it says. */
static int ticket_is_made(SSL *ssl, void *unused)
{
	(void)unused;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (SSL_session_reused(ssl) && SSL_version(ssl) < TLS1_3_VERSION)
		return 1;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), name ? name : "",
					       name ? strlen(name) : 0);
}

/*
 * A session is resumed for the name that it was made for and for no other (RFC 6066, 3): its client
 * has verified that one's certificate only. For TLS 1.3 too: nothing is lost by it.
 */
static SSL_TICKET_RETURN ticket_is_shown(SSL *ssl, SSL_SESSION *session, const unsigned char *key,
					 size_t key_n, SSL_TICKET_STATUS status, void *unused)
{
	(void)key, (void)key_n, (void)unused;
	void *name;
	size_t n;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_ticket_appdata(session, &name, &n) != 1 ||
	    !span_is_nocase((struct span){ n ? name : "", n }, name_asked(ssl)))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* --- contexts --- */

static const struct {
	const char *name;
	int oldest;
	const char *suites_1_3, *ciphers_1_2;
} policies[TLS_POLICIES] = {
	[TLS_POLICY_1_2] = {
		"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", TLS1_2_VERSION,
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
		"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
	},
	[TLS_POLICY_1_3] = {
		"ELBSecurityPolicy-TLS13-1-3-2021-06", TLS1_3_VERSION,
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
		"ECDHE-ECDSA-AES128-GCM-SHA256",
	},
};

const char *tls_policy_name(enum tls_policy p)
{
	must(p < TLS_POLICIES);
	return policies[p].name;
}

/* All of it or nothing: who is trusted by half of a bundle is found out by connections that fail.
 */
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
	/* Who is named is trusted, be it an intermediate or a node's own certificate. */
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

static void use_tickets(struct tls_context *c, const struct ticket_keys *tickets)
{
	if (!tickets) {
		SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(c->ssl, 0);
		return;
	}
	must(tickets->version == TICKET_KEYS_VERSION);
	c->tickets = tickets;
	c->ticket_cipher = EVP_CIPHER_fetch(c->library->library, "AES-256-CBC", NULL);
	must(c->ticket_cipher);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, ticket_key_wanted);
	SSL_CTX_set_session_ticket_cb(c->ssl, ticket_is_made, ticket_is_shown, NULL);
	/* One, not two: sealing a ticket is a tenth of a handshake. */
	SSL_CTX_set_num_tickets(c->ssl, 1);
	static const unsigned char id[] = "crossfade";
	SSL_CTX_set_session_id_context(c->ssl, id, sizeof id - 1);
}

/* What OpenSSL would refuse only when a client is there: a key too small, a digest too weak. */
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
	use_tickets(c, config->tickets);
	c->choice = tls_choice_open(config->certificates, config->certificate_n);
	tls_choice_use(c->choice, c->ssl);
	return c;
}

/*
 * The level of security is the context's own: at 0 OpenSSL takes RSA with 1024 bits, SHA-1 and
 * suites without forward secrecy. Servers of that age do not know secure renegotiation either.
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
