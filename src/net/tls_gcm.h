#ifndef NET_TLS_GCM_H
#define NET_TLS_GCM_H

/*
 * AES-GCM for OpenSSL's sessions, by a library that uses all that the processor has: what the
 * OpenSSL of today's distributions has is from before the instructions for several blocks at once.
 * A provider of OpenSSL's with what TLS 1.2 and 1.3 ask of a cipher, and no more: in one library
 * context, for one thread.
 */

#include <openssl/types.h>

/* The property query that prefers these ciphers where a context has them, for SSL_CTX_new_ex(). */
#define TLS_GCM_PREFERRED "?provider=crossfade"

struct tls_gcm {
	OSSL_PROVIDER *own, *usual; /* owned; NULL: OpenSSL's own ciphers are used */
};

/*
 * Does nothing where this was built without the library, or the processor has no instructions for
 * AES.
 */
void tls_gcm_load(struct tls_gcm *g, OSSL_LIB_CTX *library);
/* Before the context is freed, and when nothing uses a cipher any more. */
void tls_gcm_unload(struct tls_gcm *g);

#endif
