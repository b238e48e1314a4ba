#ifndef NET_TLS_DATES_H
#define NET_TLS_DATES_H

/*
 * A text in PEM with any number of certificates, looked at as a whole: whether each of its parts
 * can be read, for OpenSSL passes over what it does not know, and until when they are valid.
 */

#include <stdbool.h>
#include <stdint.h>

#include "net/tls_context.h"

#define TLS_SUBJECT_BYTES 128

struct tls_dates {
	unsigned n;    /* certificates */
	unsigned part; /* the one that expires first, from 1 */
	int64_t until_s;
	int64_t from_s;			 /* when the last of them begins to be valid */
	char subject[TLS_SUBJECT_BYTES]; /* of that one, as RFC 2253 has it; cut */
};

/* False: `error` says which part is broken, and how; or that there is none. */
bool tls_dates_read(const char *pem, struct tls_dates *to, char error[TLS_ERROR_BYTES]);

#endif
