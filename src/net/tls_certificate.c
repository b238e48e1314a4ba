#include "net/tls_certificate.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "net/tls_dates.h"
#include "net/tls_pem.h"
#include "net/tls_private.h"
#include "net/tls_reason.h"

static bool read_chain(struct tls_certificate *c, const char *pem)
{
	OSSL_LIB_CTX *library = c->library->library;
	BIO *in = tls_pem_open(pem);
	c->leaf = tls_pem_certificate(in, library);
	for (X509 *more; c->leaf && (more = tls_pem_certificate(in, library));)
		must(sk_X509_push(c->chain, more) > 0);
	BIO_free(in);
	return c->leaf && tls_pem_is_over();
}

static bool certificate_read_key(struct tls_certificate *c, const char *pem)
{
	BIO *in = tls_pem_open(pem);
	c->key = tls_pem_key(in, c->library->library);
	BIO_free(in);
	return c->key != NULL;
}

/* --- names --- */

/*
 * Stores the name in lower case, for comparison. A name with a NUL byte is an attack, and is
 * ignored.
 */
static void add_name(struct tls_certificate *c, const ASN1_STRING *from)
{
	size_t n = (size_t)ASN1_STRING_length(from);
	const char *text = (const char *)ASN1_STRING_get0_data(from);
	if (!n || memchr(text, 0, n))
		return;
	char *copy = malloc(n + 1);
	c->names = realloc(c->names, (c->name_n + 1) * sizeof *c->names);
	must(copy && c->names);
	for (size_t i = 0; i < n; i++)
		copy[i] = (char)tolower((unsigned char)text[i]);
	copy[n] = 0;
	c->names[c->name_n++] = copy;
}

static void read_common_name(struct tls_certificate *c)
{
	const X509_NAME *subject = X509_get_subject_name(c->leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at >= 0)
		add_name(c, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/* RFC 6125, 6.4.4: the common name counts only when there are no DNS names. */
static void read_names(struct tls_certificate *c)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; list && i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
		if (name->type == GEN_DNS)
			add_name(c, name->d.dNSName);
	}
	GENERAL_NAMES_free(list);
	if (!c->name_n)
		read_common_name(c);
}

/* --- worth --- */

static int64_t certificate_seconds(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void read_worth(struct tls_certificate *c)
{
	int digest = NID_undef;
	X509_get_signature_info(c->leaf, &digest, NULL, NULL, NULL);
	c->kind = EVP_PKEY_get_base_id(c->key);
	c->weak = digest == NID_md5;
	c->bits = EVP_PKEY_get_bits(c->key);
	c->from_s = certificate_seconds(X509_get0_notBefore(c->leaf));
	c->until_s = certificate_seconds(X509_get0_notAfter(c->leaf));
}

/* --- copies --- */

static X509 *copy_x509(struct tls_library *l, X509 *from)
{
	unsigned char *der = NULL;
	int n = i2d_X509(from, &der);
	const unsigned char *at = der;
	X509 *to = X509_new_ex(l->library, NULL);
	must(to);
	if (n <= 0 || !d2i_X509(&to, &at, n)) {
		X509_free(to);
		to = NULL;
	}
	OPENSSL_free(der);
	return to;
}

static bool copy_chain(struct tls_certificate *to, const struct tls_certificate *from)
{
	to->leaf = copy_x509(to->library, from->leaf);
	for (int i = 0; i < sk_X509_num(from->chain); i++) {
		X509 *x = copy_x509(to->library, sk_X509_value(from->chain, i));
		if (!x)
			return false;
		must(sk_X509_push(to->chain, x) > 0);
	}
	return to->leaf != NULL;
}

static bool copy_key(struct tls_certificate *to, const struct tls_certificate *from)
{
	OSSL_PARAM *parts = NULL;
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(to->library->library,
							 EVP_PKEY_get0_type_name(from->key), NULL);
	bool good = maker && EVP_PKEY_todata(from->key, EVP_PKEY_KEYPAIR, &parts) == 1 &&
		    EVP_PKEY_fromdata_init(maker) == 1 &&
		    EVP_PKEY_fromdata(maker, &to->key, EVP_PKEY_KEYPAIR, parts) == 1;
	OSSL_PARAM_free(parts);
	EVP_PKEY_CTX_free(maker);
	return good;
}

/* --- open and close --- */

static struct tls_certificate *certificate_new(struct tls_library *l)
{
	struct tls_certificate *c = calloc(1, sizeof *c);
	must(c);
	atomic_store(&c->refs, 1);
	atomic_fetch_add(&l->users, 1);
	c->library = l;
	c->chain = sk_X509_new_null();
	must(c->chain);
	return c;
}

struct tls_certificate *tls_certificate_open(struct tls_library *l, const char *certificate,
					     const char *key, char error[TLS_ERROR_BYTES])
{
	struct tls_certificate *c = certificate_new(l);
	const char *what = "certificate";
	struct tls_dates dates;
	if (!read_chain(c, certificate))
		goto unusable;
	if (!tls_dates_read(certificate, &dates, error)) {
		tls_certificate_drop(c);
		return NULL;
	}
	what = "private key";
	if (!certificate_read_key(c, key))
		goto unusable;
	what = "certificate and key";
	if (X509_check_private_key(c->leaf, c->key) != 1)
		goto unusable;
	read_names(c);
	read_worth(c);
	return c;
unusable:
	tls_say_why(what, error);
	tls_certificate_drop(c);
	return NULL;
}

struct tls_certificate *tls_certificate_copy(struct tls_library *l,
					     const struct tls_certificate *from)
{
	struct tls_certificate *c = certificate_new(l);
	if (copy_chain(c, from) && copy_key(c, from)) {
		read_names(c);
		read_worth(c);
		return c;
	}
	ERR_clear_error();
	tls_certificate_drop(c);
	return NULL;
}

/* The name is stored in the leaf, because a session knows only the leaf. */
void tls_certificate_call(struct tls_certificate *c, const char *name)
{
	must(X509_alias_set1(c->leaf, (const unsigned char *)name, (int)strlen(name)) == 1);
}

struct tls_certificate *tls_certificate_hold(struct tls_certificate *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void tls_certificate_drop(struct tls_certificate *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (size_t i = 0; i < c->name_n; i++)
		free(c->names[i]);
	free(c->names);
	X509_free(c->leaf);
	EVP_PKEY_free(c->key);
	sk_X509_pop_free(c->chain, X509_free);
	atomic_fetch_sub(&c->library->users, 1);
	free(c);
}
