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

/*
 * The number of bytes of a reg-name at the front: RFC 3986, 3.2.2. 0: a '%' without two hex digits.
 */
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

/* "fe80::1%eth0" (what people write) and "fe80::1%25eth0" (RFC 6874). */
static bool is_zoned_ipv6(struct span s)
{
	const char *percent = memchr(s.at, '%', s.n);
	if (!percent)
		return is_ipv6(s);
	struct span zone = { percent + 1, (size_t)(s.at + s.n - percent) - 1 };
	return zone.n > 0 && is_ipv6((struct span){ s.at, (size_t)(percent - s.at) }) &&
	       reg_name_n(zone) == zone.n;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ): RFC 3986, 3.2.2. */
static bool is_ip_future(struct span s)
{
	size_t dot = 1;
	while (dot < s.n && is_hex(s.at[dot]))
		dot++;
	if (s.n < 4 || (s.at[0] | 0x20) != 'v' || dot < 2 || dot + 1 >= s.n || s.at[dot] != '.')
		return false;
	for (size_t i = dot + 1; i < s.n; i++)
		if (s.at[i] != ':' && !scan_count(s.at + i, 1, SCAN_HOST))
			return false;
	return true;
}

/* The number of bytes of the host at the front; 0: there is no host. */
static size_t host_n(struct span s)
{
	if (s.n && s.at[0] == '[') {
		const char *bracket = memchr(s.at, ']', s.n);
		if (!bracket)
			return 0;
		size_t n = (size_t)(bracket - s.at);
		struct span literal = { s.at + 1, n - 1 };
		return is_zoned_ipv6(literal) || is_ip_future(literal) ? n + 1 : 0;
	}
	return reg_name_n(s);
}

/*
 * Reads the port behind the host's `n` bytes. False: that is no port. A missing or empty port
 * leaves *port unchanged, at the caller's default.
 */
static bool authority_read_port(struct span s, size_t n, unsigned long long *port)
{
	if (n == s.n)
		return true;
	struct span digits = { s.at + n + 1, s.n - n - 1 };
	return s.at[n] == ':' && (digits.n == 0 || span_to_u64(digits, 65535, port));
}

bool authority_valid(struct span authority)
{
	unsigned long long port;
	size_t n = host_n(authority);
	return n > 0 && authority_read_port(authority, n, &port);
}

bool authority_same(struct span a, struct span b, unsigned default_port)
{
	unsigned long long a_port = default_port, b_port = default_port;
	size_t a_n = host_n(a), b_n = host_n(b);
	return a_n > 0 && b_n > 0 && authority_read_port(a, a_n, &a_port) &&
	       authority_read_port(b, b_n, &b_port) && a_port == b_port &&
	       span_is_nocase((struct span){ a.at, a_n }, (struct span){ b.at, b_n });
}
