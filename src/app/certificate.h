#ifndef APP_CERTIFICATE_H
#define APP_CERTIFICATE_H

/* A self-signed certificate to begin with: EC P-256, valid for one year. */

#include <stdbool.h>

struct certificate {
	char *certificate, *key; /* owned: PEM, terminated */
};

/* For localhost, 127.0.0.1, ::1 and this machine's host name. False: OpenSSL failed. */
bool certificate_make(struct certificate *c);
void certificate_free(struct certificate *c);

#endif
