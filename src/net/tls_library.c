#include "net/tls_library.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"
#include "net/tls_private.h"

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
	/* OpenSSL does not free a context that is the calling thread's default. */
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
