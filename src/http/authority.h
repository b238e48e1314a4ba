#ifndef HTTP_AUTHORITY_H
#define HTTP_AUTHORITY_H

/* HOST [":" PORT], as Host fields and absolute-form targets have it: RFC 3986, 3.2. */

#include <stdbool.h>

#include "base/span.h"

/*
 * The host is a registered name (never empty: RFC 9110, 4.2.1), an IPv4 address or an IPv6 address
 * in brackets. The port has at most five digits, is at most 65535, and may be empty. There is no
 * user before an '@', no zone in an address, and no "IPvFuture".
 */
bool authority_valid(struct span authority);

#endif
