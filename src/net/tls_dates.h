#ifndef NET_TLS_DATES_H
#define NET_TLS_DATES_H

/*
 * Checks a whole PEM text with any number of certificates: that each of its parts can be read
 * (OpenSSL skips parts that it does not know), and until when the certificates are valid.
 */

#include <stdbool.h>
#include <stdint.h>

#include "net/tls_context.h"

#define TLS_SUBJECT_BYTES 128

struct tls_dates {
	unsigned n;    /* number of certificates */
	unsigned part; /* number of the certificate that expires first, from 1 */
	int64_t until_s;
	int64_t from_s; /* the latest time at which one of them begins to be valid */
	char subject[TLS_SUBJECT_BYTES]; /* of certificate `part`, as in RFC 2253; may be cut off */
};

/* False: `error` says which part is broken and how, or that there is no certificate. */
bool tls_dates_read(const char *pem, struct tls_dates *to, char error[TLS_ERROR_BYTES]);

#endif
