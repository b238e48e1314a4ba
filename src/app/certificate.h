#ifndef APP_CERTIFICATE_H
#define APP_CERTIFICATE_H

/* A certificate that signs itself, to begin with: EC P-256, one year, for this machine's names. */

#include <stdbool.h>

struct certificate {
	char *certificate, *key; /* owned: PEM, terminated */
};

/* Good for localhost, 127.0.0.1, ::1 and the machine's own name. */
bool certificate_make(struct certificate *c);
void certificate_free(struct certificate *c);

#endif
