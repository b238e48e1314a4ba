#include "net/proxy_header.h"

#include "base/limits.h"

static enum proxy_header_progress header_bad(struct proxy_header *p, enum err why)
{
	p->err = why;
	return PROXY_HEADER_BAD;
}

/* --- version 1: a line of text --- */

static const char word[] = "PROXY ";

/* Cuts off the word up to the next space. The space must be there, unless it is the last word. */
static bool header_take_word(struct span *line, struct span *to, bool last)
{
	const char *space = memchr(line->at, ' ', line->n);
	if (last != !space)
		return false;
	to->at = line->at;
	to->n = space ? (size_t)(space - line->at) : line->n;
	size_t skip = to->n + !!space;
	*line = (struct span){ line->at + skip, line->n - skip };
	return true;
}

static bool header_read_port(struct span s, uint16_t *port)
{
	unsigned long long n;
	if (!span_to_u64(s, 65535, &n) || (s.n > 1 && s.at[0] == '0'))
		return false;
	*port = (uint16_t)n;
	return true;
}

/*
 * "192.0.2.1 198.51.100.1 56324 443": source address, destination address, source port, destination
 * port. A proxy that translates between IPv4 and IPv6 sends two different families: the source
 * counts.
 */
static bool read_addresses(struct span line, struct addr *source)
{
	struct span from, to, from_port, to_port;
	struct addr destination;
	uint16_t port, other;
	return header_take_word(&line, &from, false) && header_take_word(&line, &to, false) &&
	       header_take_word(&line, &from_port, false) &&
	       header_take_word(&line, &to_port, true) && header_read_port(from_port, &port) &&
	       header_read_port(to_port, &other) && addr_parse(from, port, source) &&
	       addr_parse(to, other, &destination);
}

/* `line`: the text after "PROXY ", without its CR LF. */
static enum proxy_header_progress header_read_line(struct span line, struct proxy_header *p)
{
	struct span protocol, rest = line;
	if (line.n >= 7 && !memcmp(line.at, "UNKNOWN", 7) && (line.n == 7 || line.at[7] == ' ')) {
		p->kind = PROXY_HEADER_UNKNOWN;
		return PROXY_HEADER_DONE;
	}
	p->kind = PROXY_HEADER_ADDRESS;
	if (!header_take_word(&rest, &protocol, false))
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	if (!span_is(protocol, SPAN("TCP4")) && !span_is(protocol, SPAN("TCP6")))
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	if (!read_addresses(rest, &p->source))
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	return PROXY_HEADER_DONE;
}

static enum proxy_header_progress read_text(struct span first, struct proxy_header *p)
{
	const char *cr = memchr(first.at, '\r', first.n);
	if (!cr && first.n == PROXY_HEADER_LOOK_BYTES)
		return header_bad(p, ERR_PROXY_HEADER_SIZE);
	size_t n = cr ? (size_t)(cr - first.at) : first.n;
	if (memchr(first.at, '\n', n) || memchr(first.at, 0, n))
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	if (!cr)
		return PROXY_HEADER_MORE;
	if (n + 2 > PROXY_HEADER_LOOK_BYTES)
		return header_bad(p, ERR_PROXY_HEADER_SIZE);
	if (n + 2 > first.n)
		return PROXY_HEADER_MORE;
	if (cr[1] != '\n')
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	p->bytes = n + 2;
	return header_read_line((struct span){ first.at + sizeof word - 1, n - (sizeof word - 1) },
				p);
}

/* --- version 2: bytes --- */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* The signature, then version and command, family and protocol, and the length of the rest. */
#define FIXED_BYTES 16
#define VERSION_LOCAL 0x20
#define VERSION_PROXY 0x21

/*
 * The upper four bits are the family. The lower four bits are 0 (unspecified), 1 (stream) or 2
 * (datagram).
 */
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21
#define FAMILIES 4
#define TRANSPORTS 3

/*
 * Bytes of both addresses and ports, by family: unspecified, IPv4, IPv6, unix. Further bytes extend
 * the header and are skipped.
 */
static const uint8_t family_bytes[FAMILIES] = { 0, 12, 36, 216 };

static void take_tcp4(const unsigned char *at, struct addr *to)
{
	to->v4.sin_family = AF_INET;
	memcpy(&to->v4.sin_addr, at, 4);
	memcpy(&to->v4.sin_port, at + 8, 2);
}

static void take_tcp6(const unsigned char *at, struct addr *to)
{
	to->v6.sin6_family = AF_INET6;
	memcpy(&to->v6.sin6_addr, at, 16);
	memcpy(&to->v6.sin6_port, at + 32, 2);
}

static enum proxy_header_progress read_family(struct span first, unsigned family, size_t n,
					      struct proxy_header *p)
{
	const unsigned char *at = (const unsigned char *)first.at + FIXED_BYTES;
	unsigned transport = family & 0x0f;
	if (family >> 4 >= FAMILIES || transport >= TRANSPORTS)
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	size_t needed = transport ? family_bytes[family >> 4] : 0;
	if (n < needed)
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	p->kind = PROXY_HEADER_UNKNOWN;
	/* A datagram, or an unknown transport, names no connecting client: 2.2. */
	if (family != FAMILY_TCP4 && family != FAMILY_TCP6)
		return PROXY_HEADER_DONE;
	if (first.n < FIXED_BYTES + needed)
		return PROXY_HEADER_MORE;
	p->kind = PROXY_HEADER_ADDRESS;
	if (family == FAMILY_TCP4)
		take_tcp4(at, &p->source);
	else
		take_tcp6(at, &p->source);
	return PROXY_HEADER_DONE;
}

static enum proxy_header_progress read_bytes(struct span first, struct proxy_header *p)
{
	const unsigned char *at = (const unsigned char *)first.at;
	if (first.n < FIXED_BYTES)
		return PROXY_HEADER_MORE;
	size_t n = (size_t)at[14] << 8 | at[15];
	p->bytes = FIXED_BYTES + n;
	if (at[12] != VERSION_LOCAL && at[12] != VERSION_PROXY)
		return header_bad(p, ERR_PROXY_HEADER_SYNTAX);
	if (p->bytes > PROXY_HEADER_BYTES_MAX)
		return header_bad(p, ERR_PROXY_HEADER_SIZE);
	if (at[12] == VERSION_PROXY)
		return read_family(first, at[13], n, p);
	p->kind = PROXY_HEADER_LOCAL;
	return PROXY_HEADER_DONE;
}

/* --- both versions --- */

static bool begins_as(struct span first, const char *with, size_t n)
{
	return !memcmp(first.at, with, first.n < n ? first.n : n);
}

enum proxy_header_progress proxy_header_read(struct span first, struct proxy_header *p)
{
	*p = (struct proxy_header){ .err = ERR_NONE };
	if (!first.n)
		return PROXY_HEADER_MORE;
	if (begins_as(first, signature, sizeof signature))
		return read_bytes(first, p);
	if (!begins_as(first, word, sizeof word - 1))
		return header_bad(p, ERR_PROXY_HEADER_MISSING);
	return first.n < sizeof word - 1 ? PROXY_HEADER_MORE : read_text(first, p);
}
