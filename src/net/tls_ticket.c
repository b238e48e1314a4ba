#include "net/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <string.h>

#include "base/bug.h"
#include "base/span.h"
#include "net/tls_private.h"

/* --- the keys --- */

static bool ticket_key_fill(struct ticket_key *k)
{
	return RAND_bytes((unsigned char *)k, sizeof *k) == 1;
}

bool ticket_keys_fill(struct ticket_keys *k)
{
	k->version = TICKET_KEYS_VERSION;
	atomic_store(&k->sequence, 0);
	return ticket_key_fill(&k->previous) && ticket_key_fill(&k->current) &&
	       ticket_key_fill(&k->next);
}

bool ticket_keys_rotate(struct ticket_keys *k)
{
	struct ticket_key fresh;
	if (!ticket_key_fill(&fresh))
		return false;
	atomic_fetch_add(&k->sequence, 1);
	k->previous = k->current;
	k->current = k->next;
	k->next = fresh;
	atomic_fetch_add(&k->sequence, 1);
	return true;
}

/* Copies the keys while nobody writes them. The keeper's write takes a microsecond, twice a day. */
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

/*
 * OpenSSL's contract: 1 encrypted or decrypted, 2 decrypted and to be renewed, 0 unknown key, -1
 * error.
 */
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
		 * A ticket of an old key is renewed. In TLS 1.3 every ticket is: clients use a
		 * ticket only once (RFC 8446, C.4), and would otherwise do a full handshake every
		 * other time.
		 */
		return i == 1 || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
	}
	return 0;
}

/* --- the name that a ticket is for --- */

/* The server name in the ClientHello, as it stands there: RFC 6066, 3. Empty: none. */
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

/* A ticket that is renewed in TLS 1.2 keeps its name. */
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
 * A session is resumed only for the name that it was made for (RFC 6066, 3): its client has
 * verified only the certificate of that name. Also for TLS 1.3, where this loses nothing.
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

/* --- a context that issues and accepts tickets --- */

void tls_ticket_use(struct tls_context *c, const struct ticket_keys *keys)
{
	if (!keys) {
		SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(c->ssl, 0);
		return;
	}
	must(keys->version == TICKET_KEYS_VERSION);
	c->tickets = keys;
	c->ticket_cipher = EVP_CIPHER_fetch(c->library->library, "AES-256-CBC", NULL);
	must(c->ticket_cipher);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, ticket_key_wanted);
	SSL_CTX_set_session_ticket_cb(c->ssl, ticket_is_made, ticket_is_shown, NULL);
	/* One ticket, not two: encrypting a ticket costs a tenth of a handshake. */
	SSL_CTX_set_num_tickets(c->ssl, 1);
	static const unsigned char id[] = "crossfade";
	SSL_CTX_set_session_id_context(c->ssl, id, sizeof id - 1);
}
