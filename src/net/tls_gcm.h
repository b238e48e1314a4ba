#ifndef NET_TLS_GCM_H
#define NET_TLS_GCM_H

/*
 * AES-GCM for OpenSSL's sessions, from a library that uses all instructions of the processor. The
 * OpenSSL of today's distributions is older than the instructions that encrypt several blocks at
 * once. It is an OpenSSL provider with only the functions that TLS 1.2 and 1.3 need, in one library
 * context, for one thread.
 */

#include <openssl/types.h>

/* The property query that prefers these ciphers where a context has them, for SSL_CTX_new_ex(). */
#define TLS_GCM_PREFERRED "?provider=crossfade"

struct tls_gcm {
	OSSL_PROVIDER *own, *usual; /* owned; NULL: OpenSSL's own ciphers are used */
};

/*
 * Does nothing if the program was built without that library, or the processor has no AES
 * instructions.
 */
void tls_gcm_load(struct tls_gcm *g, OSSL_LIB_CTX *library);
/* Call it before the context is freed, when no cipher is in use any more. */
void tls_gcm_unload(struct tls_gcm *g);

#endif
