#include "unit/cmocka_all.h"

#include <openssl/ssl.h>

#include "base/limits.h"
#include "net/tls.h"
#include "unit/net/kit.h"

/* Two sessions that talk to each other through their chains, in two library contexts. */
struct pair {
	struct bufs bufs;
	struct tls_library *libraries[2];
	struct identity identity;
	struct ticket_keys tickets;
	struct tls_context *server_context, *client_context;
	struct tls *server, *client;
};

static int open_pair(void **state)
{
	struct pair *p = calloc(1, sizeof *p);
	bufs_open(&p->bufs);
	p->libraries[0] = tls_library_open();
	p->libraries[1] = tls_library_open();
	make_identity(&p->identity, "DNS:node.test,IP:127.0.0.1");
	assert_true(ticket_keys_fill(&p->tickets));
	*state = p;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *p = *state;
	if (p->server)
		tls_close(p->server);
	if (p->client)
		tls_close(p->client);
	if (p->server_context)
		tls_context_drop(p->server_context);
	if (p->client_context)
		tls_context_drop(p->client_context);
	tls_library_close(p->libraries[0]);
	tls_library_close(p->libraries[1]);
	bufs_close(&p->bufs);
	free(p);
	return 0;
}

static void begin(struct pair *p, const char *name, const char *ca, bool verify)
{
	char error[TLS_ERROR_BYTES] = "";
	struct tls_client_config client = { .ca = ca, .verify = verify };
	p->server_context = server_of(p->libraries[0], &p->identity, &p->tickets);
	p->client_context = tls_client_open(p->libraries[1], &client, error);
	assert_string_equal(error, "");
	p->server = tls_open(p->server_context, &p->bufs, NULL);
	p->client = tls_open(p->client_context, &p->bufs, name);
}

static void carry(struct pair *p)
{
	chain_move(tls_encrypted_in(p->server), tls_encrypted_out(p->client));
	chain_move(tls_encrypted_in(p->client), tls_encrypted_out(p->server));
}

/* The client's last word, when both have had all that the other said. */
static enum tls_progress shake_hands(struct pair *p)
{
	enum tls_progress client = TLS_MORE, server = TLS_MORE;
	for (int i = 0; i < 10 && (client == TLS_MORE || server == TLS_MORE); i++) {
		if (client == TLS_MORE)
			client = tls_handshake(p->client);
		carry(p);
		if (server == TLS_MORE)
			server = tls_handshake(p->server);
		carry(p);
	}
	return client;
}

static void bytes_come_out_as_they_went_in(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	static const size_t sizes[] = { 1, 100, 4063, 4064, 4065, 16384, 16385, 200000, 300000 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct chain clear = { 0 }, got = { 0 };
		uint8_t *text = malloc(sizes[i]), *back = malloc(sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			text[k] = (uint8_t)(k * 31 + i);
		chain_copy_in(&clear, &p->bufs, text, sizes[i]);
		assert_true(tls_encrypt(p->client, &clear, SIZE_MAX));
		assert_int_equal(clear.bytes, 0);
		carry(p);
		assert_int_equal(tls_decrypt(p->server, &got, NULL), TLS_MORE);
		assert_int_equal(got.bytes, sizes[i]);
		chain_peek(&got, back, sizes[i]);
		assert_memory_equal(back, text, sizes[i]);
		chain_drop(&got);
		free(text);
		free(back);
	}
}

/* However the peer's bytes are cut, all of them come, and a record's part waits for its rest. */
static void records_may_arrive_byte_by_byte(void **state)
{
	struct pair *p = *state;
	begin(p, "127.0.0.1", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	struct chain clear = { 0 }, sealed = { 0 }, got = { 0 };
	chain_copy_in(&clear, &p->bufs, "hello world", 11);
	assert_true(tls_encrypt(p->client, &clear, SIZE_MAX));
	chain_move(&sealed, tls_encrypted_out(p->client));
	while (sealed.bytes) {
		assert_int_equal(got.bytes, 0);
		chain_move_some(tls_encrypted_in(p->server), &sealed, 1);
		assert_int_equal(tls_decrypt(p->server, &got, NULL), TLS_MORE);
	}
	assert_int_equal(got.bytes, 11);
	chain_drop(&got);
}

static void a_seal_takes_no_more_than_it_may(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	struct chain clear = { 0 };
	static uint8_t text[100000];
	chain_copy_in(&clear, &p->bufs, text, sizeof text);
	assert_true(tls_encrypt(p->client, &clear, 40000));
	assert_int_equal(clear.bytes, sizeof text - 40000);
	chain_drop(&clear);
}

static void assert_fails(struct pair *p, enum err why, const char *said)
{
	assert_int_equal(shake_hands(p), TLS_BAD);
	assert_int_equal(tls_why(p->client), why);
	assert_string_equal(tls_said(p->client), said);
}

static void a_certificate_of_nobody_known_is_refused(void **state)
{
	struct pair *p = *state;
	struct identity other;
	make_identity(&other, "DNS:node.test");
	begin(p, "node.test", other.certificate, true);
	assert_fails(p, ERR_BACK_ISSUER, "it is self-signed by 'test', and not in `ca`");
}

static void a_certificate_for_another_name_is_refused(void **state)
{
	struct pair *p = *state;
	begin(p, "other.test", p->identity.certificate, true);
	assert_fails(p, ERR_BACK_NAME, "it is for node.test, 127.0.0.1, not for other.test");
}

static void a_certificate_that_has_its_name_as_a_subject_alone_is_refused(void **state)
{
	struct pair *p = *state;
	make_identity_as(&p->identity, &(struct identity_terms){ .common = "node.test" });
	begin(p, "node.test", p->identity.certificate, true);
	assert_fails(
		p, ERR_BACK_NAME,
		"it is for no name or address (its subjectAltName has none), not for node.test");
}

static void a_wildcard_stands_for_a_whole_label(void **state)
{
	struct pair *p = *state;
	make_identity(&p->identity, "DNS:no*.test");
	begin(p, "node.test", p->identity.certificate, true);
	assert_fails(p, ERR_BACK_NAME, "it is for no*.test, not for node.test");
}

static void a_certificate_that_is_not_valid_now_is_refused_with_its_date(void **state)
{
	struct pair *p = *state;
	struct identity_terms old = { .names = "DNS:node.test", .from_s = -7200, .until_s = -3600 };
	make_identity_as(&p->identity, &old);
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_BAD);
	assert_int_equal(tls_why(p->client), ERR_BACK_EXPIRED);
	assert_true(!strncmp(tls_said(p->client), "it expired on 20", 16));
}

static void a_certificate_of_tomorrow_is_refused_with_its_date(void **state)
{
	struct pair *p = *state;
	struct identity_terms young = { .names = "DNS:node.test", .from_s = 3600, .until_s = 7200 };
	make_identity_as(&p->identity, &young);
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_BAD);
	assert_int_equal(tls_why(p->client), ERR_BACK_NOT_YET);
	assert_true(!strncmp(tls_said(p->client), "it is valid from 20", 19));
}

/* What stands in a certificate is somebody else's text. */
static void a_name_in_a_certificate_ends_no_line(void **state)
{
	struct pair *p = *state;
	struct identity other;
	make_identity(&other, "DNS:node.test");
	make_identity_as(&p->identity,
			 &(struct identity_terms){ .names = "DNS:node.test", .common = "a\nb\"c" });
	begin(p, "node.test", other.certificate, true);
	assert_fails(p, ERR_BACK_ISSUER, "it is self-signed by 'a?b?c', and not in `ca`");
}

static void what_speaks_no_tls_is_known_by_its_first_byte(void **state)
{
	static const struct {
		const char *first, *said;
	} rows[] = {
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", "its first bytes are HTTP" },
		{ "HTT", "its first bytes are HTTP" },
		{ "2", "its first bytes are '2'" },
		{ "220 mail.test ESMTP\r\n", "its first bytes are '220 mail.test ES'" },
		{ "SSH-\x01\n", "its first bytes are 'SSH-\?\?'" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		void *own;
		open_pair(&own);
		struct pair *p = own;
		begin(p, "node.test", p->identity.certificate, true);
		assert_int_equal(tls_handshake(p->client), TLS_MORE);
		chain_copy_in(tls_encrypted_in(p->client), &p->bufs, rows[i].first,
			      strlen(rows[i].first));
		assert_int_equal(tls_handshake(p->client), TLS_BAD);
		assert_int_equal(tls_why(p->client), ERR_BACK_NOT_TLS);
		assert_string_equal(tls_said(p->client), rows[i].said);
		close_pair(&own);
	}
	(void)state;
}

/* An alert in the clear, as a peer sends it that does not like our greeting. */
static void hear_alert(struct pair *p, struct tls *by, uint8_t alert)
{
	const uint8_t record[] = { 21, 3, 3, 0, 2, 2, alert };
	chain_copy_in(tls_encrypted_in(by), &p->bufs, record, sizeof record);
	assert_int_equal(tls_handshake(by), TLS_BAD);
}

static void an_alert_says_what_the_peer_does_not_like(void **state)
{
	static const struct {
		uint8_t alert;
		enum err of_node, of_client;
		const char *said;
	} rows[] = {
		{ SSL_AD_HANDSHAKE_FAILURE, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
		  "it says so itself (alert handshake_failure)" },
		{ SSL_AD_INSUFFICIENT_SECURITY, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
		  "it says so itself (alert insufficient_security)" },
		{ SSL_AD_BAD_CERTIFICATE, ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert bad_certificate" },
		{ SSL_AD_UNSUPPORTED_CERTIFICATE, ERR_BACK_TLS, ERR_TLS_DISTRUST,
		  "alert unsupported_certificate" },
		{ SSL_AD_CERTIFICATE_REVOKED, ERR_BACK_TLS, ERR_TLS_DISTRUST,
		  "alert certificate_revoked" },
		{ SSL_AD_CERTIFICATE_EXPIRED, ERR_BACK_TLS, ERR_TLS_DISTRUST,
		  "alert certificate_expired" },
		{ SSL_AD_CERTIFICATE_UNKNOWN, ERR_BACK_TLS, ERR_TLS_DISTRUST,
		  "alert certificate_unknown" },
		{ SSL_AD_UNKNOWN_CA, ERR_BACK_TLS, ERR_TLS_DISTRUST,
		  "it does not know the issuer (alert unknown_ca)" },
		{ SSL_AD_ACCESS_DENIED, ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert access_denied" },
		{ SSL_AD_UNRECOGNIZED_NAME, ERR_BACK_TLS, ERR_TLS_HANDSHAKE,
		  "it does not know the server name in the request (alert unrecognized_name)" },
		{ SSL_AD_NO_APPLICATION_PROTOCOL, ERR_BACK_TLS, ERR_TLS_HANDSHAKE,
		  "it does not accept HTTP/1.1 (alert no_application_protocol)" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		void *own;
		open_pair(&own);
		struct pair *p = own;
		begin(p, "node.test", p->identity.certificate, true);
		assert_int_equal(tls_handshake(p->client), TLS_MORE);
		carry(p);
		assert_int_equal(tls_handshake(p->server), TLS_MORE);
		hear_alert(p, p->client, rows[i].alert);
		assert_int_equal(tls_why(p->client), rows[i].of_node);
		assert_string_equal(tls_said(p->client), rows[i].said);
		hear_alert(p, p->server, rows[i].alert);
		assert_int_equal(tls_why(p->server), rows[i].of_client);
		assert_string_equal(tls_said(p->server), rows[i].said);
		close_pair(&own);
	}
	(void)state;
}

/* The server knows it too: its client says why it goes. */
static void a_client_that_does_not_believe_says_so(void **state)
{
	struct pair *p = *state;
	struct identity other;
	make_identity(&other, "DNS:node.test");
	begin(p, "node.test", other.certificate, true);
	tls_handshake(p->client);
	carry(p);
	tls_handshake(p->server);
	carry(p);
	assert_int_equal(tls_handshake(p->client), TLS_BAD);
	carry(p);
	assert_int_equal(tls_handshake(p->server), TLS_BAD);
	assert_int_equal(tls_why(p->server), ERR_TLS_DISTRUST);
	assert_string_equal(tls_said(p->server), "it does not know the issuer (alert unknown_ca)");
}

/* DNS knows a name that ends with a dot; SNI and certificates do not. */
static void a_name_with_a_final_dot_is_verified_without(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test.", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	assert_string_equal(tls_server_name(p->server), "node.test");
}

/* Root, intermediate, node: each is trusted where `ca` names it, and the node sends its own alone.
 */
struct chain_of_trust {
	struct identity root, intermediate;
};

static void make_chain(struct pair *p, struct chain_of_trust *c)
{
	make_identity_as(&c->root, &(struct identity_terms){ .common = "root", .authority = true });
	make_identity_as(&c->intermediate, &(struct identity_terms){ .common = "intermediate",
								     .authority = true,
								     .issuer = &c->root });
	make_identity_as(&p->identity, &(struct identity_terms){ .common = "leaf",
								 .names = "DNS:node.test",
								 .issuer = &c->intermediate });
}

static void an_intermediate_may_be_who_is_trusted(void **state)
{
	struct pair *p = *state;
	struct chain_of_trust c;
	make_chain(p, &c);
	begin(p, "node.test", c.intermediate.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
}

static void a_nodes_own_certificate_may_be_what_is_trusted(void **state)
{
	struct pair *p = *state;
	struct chain_of_trust c;
	make_chain(p, &c);
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
}

static void a_pinned_certificate_has_its_names_all_the_same(void **state)
{
	struct pair *p = *state;
	struct chain_of_trust c;
	make_chain(p, &c);
	begin(p, "other.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_BAD);
	assert_int_equal(tls_why(p->client), ERR_BACK_NAME);
}

static void a_root_without_what_leads_to_it_is_not_enough(void **state)
{
	struct pair *p = *state;
	struct chain_of_trust c;
	make_chain(p, &c);
	begin(p, "node.test", c.root.certificate, true);
	assert_int_equal(shake_hands(p), TLS_BAD);
	assert_int_equal(tls_why(p->client), ERR_BACK_ISSUER);
}

static void verification_can_be_switched_off(void **state)
{
	struct pair *p = *state;
	begin(p, "other.test", NULL, false);
	assert_int_equal(shake_hands(p), TLS_DONE);
	assert_string_equal(tls_server_name(p->server), "other.test");
	assert_string_equal(tls_alpn(p->server), "http/1.1");
	assert_string_equal(tls_version(p->server), "TLSv1.3");
	assert_string_equal(tls_certificate_shown(p->server), "its name");
	assert_null(tls_certificate_shown(p->client));
	assert_false(tls_is_resumed(p->server));
}

static void a_close_notify_is_an_end(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	struct chain clear = { 0 }, got = { 0 };
	chain_copy_in(&clear, &p->bufs, "bye", 3);
	assert_true(tls_encrypt(p->client, &clear, SIZE_MAX));
	tls_finish(p->client);
	carry(p);
	assert_int_equal(tls_decrypt(p->server, &got, NULL), TLS_END);
	assert_int_equal(got.bytes, 3);
	chain_drop(&got);
}

static void a_flipped_bit_breaks_the_session(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	struct chain clear = { 0 }, got = { 0 };
	chain_copy_in(&clear, &p->bufs, "hello", 5);
	assert_true(tls_encrypt(p->client, &clear, SIZE_MAX));
	struct chain *sealed = tls_encrypted_out(p->client);
	sealed->first->at[sealed->first->n - 1] ^= 1;
	carry(p);
	assert_int_equal(tls_decrypt(p->server, &got, NULL), TLS_BAD);
	assert_int_equal(tls_why(p->server), ERR_TLS_RECORD);
	assert_int_equal(got.bytes, 0);
}

static void clear_text_on_a_tls_listener_is_refused(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	chain_copy_in(tls_encrypted_in(p->server), &p->bufs, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_int_equal(tls_handshake(p->server), TLS_BAD);
	assert_int_equal(tls_why(p->server), ERR_TLS_NOT_SPOKEN);
	assert_string_equal(tls_said(p->server), "its first bytes are HTTP");
}

static void a_received_block_is_charged_to_its_account(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	struct budget budget;
	budget_open(&budget, SIZE_MAX);
	struct account *account = account_open(&p->bufs.accounts, &budget, p);
	struct chain clear = { 0 }, got = { 0 };
	static uint8_t text[50000];
	chain_copy_in(&clear, &p->bufs, text, sizeof text);
	assert_true(tls_encrypt(p->client, &clear, SIZE_MAX));
	carry(p);
	tls_decrypt(p->server, &got, account);
	assert_true(budget.used >= sizeof text);
	chain_drop(&got);
	assert_int_equal(budget.used, 0);
	account_close(account);
}

/* A head is nobody's, and stands before it. */
static void what_is_sealed_is_charged_to_whom_the_clear_was(void **state)
{
	struct pair *p = *state;
	begin(p, "node.test", p->identity.certificate, true);
	assert_int_equal(shake_hands(p), TLS_DONE);
	struct budget budget;
	budget_open(&budget, SIZE_MAX);
	struct account *account = account_open(&p->bufs.accounts, &budget, p);
	struct chain clear = { 0 };
	chain_copy_in(&clear, &p->bufs, "head", 4);
	struct block *k = block_take(&p->bufs, BLOCK_LARGE, account);
	memset(k->data, 'x', k->size);
	chain_add(&clear, k, k->data, k->size);
	assert_true(tls_encrypt(p->client, &clear, SIZE_MAX));
	assert_true(chain_empty(&clear));
	assert_true(budget.used >= BLOCK_LARGE_BYTES);
	account_close(account);
	chain_drop(tls_encrypted_out(p->client));
	assert_int_equal(budget.used, 0);
	budget_close(&budget);
}

/* The same key behind a passphrase, in one of the two forms that there are. */
static void lock_key(const char *key, char to[4096], bool old)
{
	BIO *in = BIO_new_mem_buf(key, -1), *out = BIO_new(BIO_s_mem());
	EVP_PKEY *k = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	unsigned char word[] = "secret";
	assert_non_null(k);
	if (old)
		PEM_write_bio_PrivateKey_traditional(out, k, EVP_aes_128_cbc(), word, 6, NULL,
						     NULL);
	else
		PEM_write_bio_PrivateKey(out, k, EVP_aes_128_cbc(), word, 6, NULL, NULL);
	bio_text(out, to, 4096);
	BIO_free(in);
	EVP_PKEY_free(k);
}

static void bad_files_are_told_apart(void **state)
{
	struct pair *p = *state;
	struct identity other;
	char error[TLS_ERROR_BYTES];
	make_identity(&other, "DNS:other.test");
	char cut[4096], damaged[4096], locked[4096], old_locked[4096];
	snprintf(cut, sizeof cut, "%.200s", p->identity.certificate);
	snprintf(damaged, sizeof damaged, "%s", p->identity.certificate);
	memset(damaged + 100, '!', 8);
	lock_key(p->identity.key, locked, false);
	lock_key(p->identity.key, old_locked, true);
	struct {
		const char *certificate, *key, *said;
	} table[] = {
		{ "", p->identity.key, "certificate: it has no PEM block" },
		{ "nonsense", p->identity.key, "certificate: it has no PEM block" },
		{ p->identity.key, p->identity.key, "certificate: it has no PEM block" },
		{ p->identity.certificate, "", "private key: it has no key of a known kind" },
		{ p->identity.certificate, p->identity.certificate,
		  "private key: it has no key of a known kind" },
		{ p->identity.certificate, other.key,
		  "certificate and key: the key does not belong to this certificate" },
		{ cut, p->identity.key, "certificate: its PEM block has no end line" },
		{ damaged, p->identity.key, "certificate: its PEM block is damaged" },
		{ p->identity.certificate, locked, "private key: it has a passphrase" },
		{ p->identity.certificate, old_locked, "private key: it has a passphrase" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_null(tls_certificate_open(p->libraries[0], table[i].certificate,
						 table[i].key, error));
		assert_non_null(strstr(error, table[i].said));
	}
	struct tls_client_config c = { .ca = "nonsense", .verify = true };
	assert_null(tls_client_open(p->libraries[0], &c, error));
	assert_non_null(strstr(error, "ca"));
}

static void rotation_keeps_the_previous_key(void **state)
{
	struct pair *p = *state;
	struct ticket_keys before = p->tickets;
	assert_true(ticket_keys_rotate(&p->tickets));
	assert_memory_equal(&p->tickets.previous, &before.current, sizeof before.current);
	assert_memory_equal(&p->tickets.current, &before.next, sizeof before.next);
	assert_memory_not_equal(&p->tickets.next, &before.next, sizeof before.next);
	assert_int_equal(p->tickets.sequence % 2, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(bytes_come_out_as_they_went_in),
		TEST(records_may_arrive_byte_by_byte),
		TEST(a_seal_takes_no_more_than_it_may),
		TEST(a_certificate_of_nobody_known_is_refused),
		TEST(a_certificate_for_another_name_is_refused),
		TEST(a_certificate_that_has_its_name_as_a_subject_alone_is_refused),
		TEST(a_wildcard_stands_for_a_whole_label),
		TEST(a_name_with_a_final_dot_is_verified_without),
		TEST(an_intermediate_may_be_who_is_trusted),
		TEST(a_nodes_own_certificate_may_be_what_is_trusted),
		TEST(a_pinned_certificate_has_its_names_all_the_same),
		TEST(a_root_without_what_leads_to_it_is_not_enough),
		TEST(a_certificate_that_is_not_valid_now_is_refused_with_its_date),
		TEST(a_certificate_of_tomorrow_is_refused_with_its_date),
		TEST(a_name_in_a_certificate_ends_no_line),
		TEST(what_speaks_no_tls_is_known_by_its_first_byte),
		cmocka_unit_test(an_alert_says_what_the_peer_does_not_like),
		TEST(a_client_that_does_not_believe_says_so),
		TEST(verification_can_be_switched_off),
		TEST(a_close_notify_is_an_end),
		TEST(a_flipped_bit_breaks_the_session),
		TEST(clear_text_on_a_tls_listener_is_refused),
		TEST(a_received_block_is_charged_to_its_account),
		TEST(what_is_sealed_is_charged_to_whom_the_clear_was),
		TEST(bad_files_are_told_apart),
		TEST(rotation_keeps_the_previous_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
