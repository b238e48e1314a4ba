#include "control/admin_host.h"

#include <string.h>

#include "io/addr.h"

/* The host without its port; for an IPv6 address also without brackets and zone. */
static struct span host_alone(struct span host)
{
	if (host.at[0] == '[') {
		const char *close = memchr(host.at, ']', host.n);
		const char *zone = close ? memchr(host.at, '%', (size_t)(close - host.at)) : NULL;
		close = zone ? zone : close;
		return close ? (struct span){ host.at + 1, (size_t)(close - host.at) - 1 } : host;
	}
	const char *colon = memchr(host.at, ':', host.n);
	return colon ? (struct span){ host.at, (size_t)(colon - host.at) } : host;
}

static struct span host_without_last_dot(struct span name)
{
	name.n -= name.n && name.at[name.n - 1] == '.';
	return name;
}

bool admin_host_is_ours(struct span host, const struct config_name *names)
{
	struct addr literal;
	if (!host.n)
		return true;
	struct span name = host_alone(host);
	if (addr_parse(name, 0, &literal))
		return true;
	name = host_without_last_dot(name);
	bool ours = span_is_nocase(name, SPAN("localhost"));
	for (; names && !ours; names = names->next)
		ours = span_is_nocase(name, host_without_last_dot(span_of(names->text)));
	return ours;
}
