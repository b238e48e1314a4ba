#ifndef CONTROL_ADMIN_HOST_H
#define CONTROL_ADMIN_HOST_H

/*
 * Whom a request over TCP to the admin address may be meant for. A browser sends the page's own
 * host: a page whose name was made to stand for our address (DNS rebinding) would read /metrics
 * with the rights of whoever looks at it. No page has an address or localhost for its name.
 */

#include <stdbool.h>

#include "base/span.h"
#include "control/config.h"

/* `host` is a Host field's value. An address, localhost, one of the names, or nothing at all. */
bool admin_host_is_ours(struct span host, const struct config_name *names);

#endif
