#include "app/certificate.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAYS 365
/*
 * The certificate is valid from an hour ago: a client whose clock is a little slow must accept it.
 */
#define BEGUN_BEFORE_S 3600

static bool certificate_add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool good = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return good;
}

/* A host name that is not plain is left out: it would break the list of names. */
static bool is_plain_name(const char *name)
{
	return *name &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
		       strlen(name);
}

static bool certificate_add_names(X509 *x)
{
	char host[256] = "", names[512];
	gethostname(host, sizeof host - 1);
	snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1,IP:::1%s%s",
		 is_plain_name(host) ? ",DNS:" : "", is_plain_name(host) ? host : "");
	return certificate_add_extension(x, NID_subject_alt_name, names);
}

static bool certificate_set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	/* RFC 5280, 4.1.2.2: the serial number is positive and has at most 20 bytes. */
	bool good = n && BN_rand(n, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return good;
}

static bool certificate_fill(X509 *x, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(x);
	return X509_set_version(x, X509_VERSION_3) && certificate_set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -BEGUN_BEFORE_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), DAYS * 86400L) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)"crossfade", -1, -1, 0) &&
	       X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
	       certificate_add_names(x) &&
	       certificate_add_extension(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       certificate_add_extension(x, NID_key_usage,
					 "critical,digitalSignature,keyCertSign") &&
	       certificate_add_extension(x, NID_ext_key_usage, "serverAuth") &&
	       certificate_add_extension(x, NID_subject_key_identifier, "hash") &&
	       X509_sign(x, key, EVP_sha256());
}

static char *certificate_take_text(BIO *from)
{
	char *bytes;
	long n = BIO_get_mem_data(from, &bytes);
	return n > 0 ? strndup(bytes, (size_t)n) : NULL;
}

bool certificate_make(struct certificate *c)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *key_text = BIO_new(BIO_s_mem()), *text = BIO_new(BIO_s_mem());
	*c = (struct certificate){ 0 };
	if (key && x && key_text && text && certificate_fill(x, key) &&
	    PEM_write_bio_PKCS8PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) &&
	    PEM_write_bio_X509(text, x)) {
		c->key = certificate_take_text(key_text);
		c->certificate = certificate_take_text(text);
	}
	BIO_free(key_text);
	BIO_free(text);
	X509_free(x);
	EVP_PKEY_free(key);
	if (c->key && c->certificate)
		return true;
	certificate_free(c);
	return false;
}

void certificate_free(struct certificate *c)
{
	free(c->certificate);
	free(c->key);
	*c = (struct certificate){ 0 };
}
