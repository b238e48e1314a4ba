#include "net/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/bug.h"

static int no_password(char *to, int size, int writing, void *unused)
{
	(void)to, (void)size, (void)writing, (void)unused;
	return 0;
}

BIO *tls_pem_open(const char *text)
{
	BIO *b = BIO_new_mem_buf(text, -1);
	must(b);
	return b;
}

X509 *tls_pem_certificate(BIO *in, OSSL_LIB_CTX *library)
{
	X509 *x = X509_new_ex(library, NULL);
	must(x);
	if (PEM_read_bio_X509(in, &x, no_password, NULL))
		return x;
	X509_free(x);
	return NULL;
}

EVP_PKEY *tls_pem_key(BIO *in, OSSL_LIB_CTX *library)
{
	return PEM_read_bio_PrivateKey_ex(in, NULL, no_password, NULL, library, NULL);
}

bool tls_pem_is_over(void)
{
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}
