#include "io/addr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/fmt.h"

static bool is_mapped(const struct addr *a)
{
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
}

/* As inet_ntop() does it, but faster: every request needs its client's address as text. */
static void v4_text(const void *four, char text[ADDR_TEXT_BYTES])
{
	const uint8_t *bytes = four;
	size_t n = 0;
	for (int i = 0; i < 4; i++) {
		n += fmt_decimal(text + n, bytes[i]);
		text[n++] = i < 3 ? '.' : 0;
	}
}

void addr_host_text(const struct addr *a, char text[ADDR_TEXT_BYTES])
{
	if (a->any.sa_family == AF_INET)
		v4_text(&a->v4.sin_addr, text);
	else if (is_mapped(a))
		v4_text(&a->v6.sin6_addr.s6_addr[12], text);
	else if (a->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->v6.sin6_addr, text, ADDR_TEXT_BYTES);
	else
		memcpy(text, "-", 2);
}

void addr_text(const struct addr *a, char text[ADDR_TEXT_BYTES])
{
	char host[ADDR_TEXT_BYTES];
	addr_host_text(a, host);
	bool has_port = a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6;
	bool is_bracketed = strchr(host, ':');
	size_t n = strlen(host);
	if (is_bracketed)
		*text++ = '[';
	memcpy(text, host, n);
	text += n;
	if (is_bracketed)
		*text++ = ']';
	if (has_port) {
		*text++ = ':';
		text += fmt_decimal(text, addr_port(a));
	}
	*text = 0;
}

bool addr_parse(struct span host, uint16_t port, struct addr *a)
{
	char text[INET6_ADDRSTRLEN];
	if (!host.n || host.n >= sizeof text)
		return false;
	memcpy(text, host.at, host.n);
	text[host.n] = 0;
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return true;
	}
	return false;
}

uint16_t addr_port(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohs(a->v4.sin_port);
	return a->any.sa_family == AF_INET6 ? ntohs(a->v6.sin6_port) : 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

socklen_t addr_bytes(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return sizeof a->v4;
	return a->any.sa_family == AF_INET6 ? sizeof a->v6 : 0;
}

bool addr_canonical(const struct addr *a, unsigned char bytes[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	if (a->any.sa_family == AF_INET6) {
		memcpy(bytes, &a->v6.sin6_addr, 16);
		return true;
	}
	memcpy(bytes, mapped, sizeof mapped);
	memcpy(bytes + sizeof mapped, &a->v4.sin_addr, 4);
	return a->any.sa_family == AF_INET;
}

bool addr_is(const struct addr *a, const struct addr *b)
{
	if (a->any.sa_family != b->any.sa_family || addr_port(a) != addr_port(b))
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->any.sa_family != AF_INET6 ||
	       IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

struct addr addr_unmapped(const struct addr *a)
{
	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return *a;
	struct addr plain = { .v4 = { .sin_family = AF_INET, .sin_port = a->v6.sin6_port } };
	memcpy(&plain.v4.sin_addr, &a->v6.sin6_addr.s6_addr[12], 4);
	return plain;
}

bool addr_is_any(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

bool addr_is_loopback(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

bool addr_overlaps(const struct addr *a, const struct addr *b)
{
	return a->any.sa_family == b->any.sa_family && addr_port(a) == addr_port(b) &&
	       (addr_is(a, b) || addr_is_any(a) || addr_is_any(b));
}
