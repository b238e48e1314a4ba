#include "http/authority.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "http/scan.h"

static bool is_ipv6(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	if (s.n >= sizeof text)
		return false;
	memcpy(text, s.at, s.n);
	text[s.n] = 0;
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_hex(char c)
{
	return isxdigit((unsigned char)c);
}

/* Bytes of a reg-name at the front: RFC 3986, 3.2.2. 0: a '%' has no two digits behind it. */
static size_t reg_name_n(struct span s)
{
	size_t n = scan_count(s.at, s.n, SCAN_HOST);
	while (n < s.n && s.at[n] == '%') {
		if (s.n - n < 3 || !is_hex(s.at[n + 1]) || !is_hex(s.at[n + 2]))
			return 0;
		n += 3;
		n += scan_count(s.at + n, s.n - n, SCAN_HOST);
	}
	return n;
}

/* Bytes of the host at the front; 0: there is none. */
static size_t host_n(struct span s)
{
	if (s.n && s.at[0] == '[') {
		const char *bracket = memchr(s.at, ']', s.n);
		if (!bracket)
			return 0;
		size_t n = (size_t)(bracket - s.at);
		return is_ipv6((struct span){ s.at + 1, n - 1 }) ? n + 1 : 0;
	}
	return reg_name_n(s);
}

bool authority_valid(struct span authority)
{
	size_t n = host_n(authority);
	if (n == 0)
		return false;
	if (n == authority.n)
		return true;
	struct span port = { authority.at + n + 1, authority.n - n - 1 };
	unsigned long long number;
	return authority.at[n] == ':' &&
	       (port.n == 0 || (port.n <= 5 && span_to_u64(port, 65535, &number)));
}
