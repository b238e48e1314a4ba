#ifndef TESTS_UNIT_NET_KIT_H
#define TESTS_UNIT_NET_KIT_H

/* Certificates made for one test run: no file, no clock of long ago. */

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "net/tls_certificate.h"

struct identity {
	char certificate[4096], key[4096];
};

static inline void bio_text(BIO *bio, char *to, size_t room)
{
	char *at;
	long n = BIO_get_mem_data(bio, &at);
	assert_true(n > 0 && (size_t)n < room);
	memcpy(to, at, (size_t)n);
	to[n] = 0;
	BIO_free(bio);
}

/* What a certificate is to be like. */
struct identity_terms {
	const char *names; /* DNS:..., IP:...; NULL: none, and `common` alone */
	const char *common;
	unsigned rsa_bits; /* 0: EC */
	const char *curve;
	const EVP_MD *digest;
	long from_s, until_s;	       /* from now on */
	const struct identity *issuer; /* NULL: itself */
	bool authority;		       /* it may sign others */
};

static inline void add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX v;
	X509V3_set_ctx_nodb(&v);
	X509V3_set_ctx(&v, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &v, nid, value);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static inline void sign_by(X509 *x, const struct identity *issuer, const EVP_MD *digest)
{
	BIO *in = BIO_new_mem_buf(issuer->certificate, -1);
	X509 *by = PEM_read_bio_X509(in, NULL, NULL, NULL);
	BIO_free(in);
	in = BIO_new_mem_buf(issuer->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	BIO_free(in);
	assert_true(by && key);
	X509_set_issuer_name(x, X509_get_subject_name(by));
	assert_true(X509_sign(x, key, digest) > 0);
	X509_free(by);
	EVP_PKEY_free(key);
}

static inline void make_identity_as(struct identity *to, const struct identity_terms *t)
{
	EVP_PKEY *key =
		t->rsa_bits ? EVP_RSA_gen(t->rsa_bits) : EVP_EC_gen(t->curve ? t->curve : "P-256");
	X509 *x = X509_new();
	const char *common = t->common ? t->common : "test";
	assert_true(key && x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), t->from_s ? t->from_s : -60);
	X509_gmtime_adj(X509_getm_notAfter(x), t->until_s ? t->until_s : 3600);
	X509_set_pubkey(x, key);
	X509_NAME *name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1,
				   0);
	X509_set_issuer_name(x, name);
	const EVP_MD *digest = t->digest ? t->digest : EVP_sha256();
	if (t->names)
		add_extension(x, NID_subject_alt_name, t->names);
	if (t->authority)
		add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	if (t->issuer)
		sign_by(x, t->issuer, digest);
	else
		assert_true(X509_sign(x, key, digest) > 0);
	BIO *out = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(out, x);
	bio_text(out, to->certificate, sizeof to->certificate);
	out = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	bio_text(out, to->key, sizeof to->key);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Self-signed, EC P-256, for the names (DNS:..., IP:...). */
static inline void make_identity(struct identity *to, const char *names)
{
	make_identity_as(to, &(struct identity_terms){ .names = names });
}

/* A context that has this certificate alone. */
static inline struct tls_context *server_of(struct tls_library *l, const struct identity *who,
					    const struct ticket_keys *tickets)
{
	char error[TLS_ERROR_BYTES];
	size_t wrong;
	struct tls_certificate *c = tls_certificate_open(l, who->certificate, who->key, error);
	assert_non_null(c);
	tls_certificate_call(c, "its name");
	struct tls_server_config config = { .certificates = &c,
					    .certificate_n = 1,
					    .tickets = tickets };
	struct tls_context *made = tls_server_open(l, &config, error, &wrong);
	tls_certificate_drop(c);
	return made;
}

#endif
