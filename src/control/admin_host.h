#ifndef CONTROL_ADMIN_HOST_H
#define CONTROL_ADMIN_HOST_H

/*
 * Which Host values a request over TCP to the admin address may have. A browser sends the host of
 * the page that made the request. A page whose name was made to resolve to our address (DNS
 * rebinding) could therefore read /metrics with the rights of the person who looks at the page. No
 * page has an address or localhost as its name.
 */

#include <stdbool.h>

#include "base/span.h"
#include "control/config.h"

/*
 * `host` is the value of a Host field. True for an address, localhost, one of `names`, and an empty
 * value.
 */
bool admin_host_is_ours(struct span host, const struct config_name *names);

#endif
