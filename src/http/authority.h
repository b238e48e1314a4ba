#ifndef HTTP_AUTHORITY_H
#define HTTP_AUTHORITY_H

/* HOST [":" PORT], as in Host fields and absolute-form targets: RFC 3986, 3.2. */

#include <stdbool.h>

#include "base/span.h"

/*
 * The host is a registered name (not empty: RFC 9110, 4.2.1), an IPv4 address or, in brackets, an
 * IPv6 address with or without a zone (RFC 6874) or an address of a later IP version. The port is
 * at most 65535, may have leading zeros, and may be empty. User information (before an '@') is
 * invalid.
 */
bool authority_valid(struct span authority);

/*
 * True when both are valid and equal without regard to case. An absent or empty port equals
 * default_port.
 */
bool authority_same(struct span a, struct span b, unsigned default_port);

#endif
