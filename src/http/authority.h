#ifndef HTTP_AUTHORITY_H
#define HTTP_AUTHORITY_H

/* HOST [":" PORT], as Host fields and absolute-form targets have it: RFC 3986, 3.2. */

#include <stdbool.h>

#include "base/span.h"

/*
 * The host is a registered name (never empty: RFC 9110, 4.2.1), an IPv4 address or, in brackets, an
 * IPv6 address with or without a zone (RFC 6874) or an address of a later version. The port is at
 * most 65535, with any zeros before it, and may be empty. There is no user before an '@'.
 */
bool authority_valid(struct span authority);

/* Both are valid, and are the same but for case and for how the scheme's own port is said. */
bool authority_same(struct span a, struct span b, unsigned default_port);

#endif
