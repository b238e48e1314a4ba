#include "net/preface.h"

#include "base/limits.h"

static enum preface_progress bad(struct preface *p, enum err why)
{
	p->err = why;
	return PREFACE_BAD;
}

/* --- version 1: a line of text --- */

static const char word[] = "PROXY ";

/* Cuts up to the next space, which must be there unless it is the last word. */
static bool take_word(struct span *line, struct span *to, bool last)
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

static bool read_port(struct span s, uint16_t *port)
{
	unsigned long long n;
	if (!span_to_u64(s, 65535, &n) || (s.n > 1 && s.at[0] == '0'))
		return false;
	*port = (uint16_t)n;
	return true;
}

/*
 * "192.0.2.1 198.51.100.1 56324 443": who connected, to whom, from which port, to which. Where a
 * proxy translates between IPv4 and IPv6 the two are of different families: the source counts.
 */
static bool read_addresses(struct span line, struct addr *source)
{
	struct span from, to, from_port, to_port;
	struct addr destination;
	uint16_t port, other;
	return take_word(&line, &from, false) && take_word(&line, &to, false) &&
	       take_word(&line, &from_port, false) && take_word(&line, &to_port, true) &&
	       read_port(from_port, &port) && read_port(to_port, &other) &&
	       addr_parse(from, port, source) && addr_parse(to, other, &destination);
}

/* `line`: behind "PROXY ", without its CR LF. */
static enum preface_progress read_line(struct span line, struct preface *p)
{
	struct span protocol, rest = line;
	if (line.n >= 7 && !memcmp(line.at, "UNKNOWN", 7) && (line.n == 7 || line.at[7] == ' ')) {
		p->kind = PREFACE_UNKNOWN;
		return PREFACE_DONE;
	}
	p->kind = PREFACE_ADDRESS;
	if (!take_word(&rest, &protocol, false))
		return bad(p, ERR_PREFACE_SYNTAX);
	if (!span_is(protocol, SPAN("TCP4")) && !span_is(protocol, SPAN("TCP6")))
		return bad(p, ERR_PREFACE_SYNTAX);
	if (!read_addresses(rest, &p->source))
		return bad(p, ERR_PREFACE_SYNTAX);
	return PREFACE_DONE;
}

static enum preface_progress read_text(struct span first, struct preface *p)
{
	const char *cr = memchr(first.at, '\r', first.n);
	if (!cr && first.n == PREFACE_LOOK_BYTES)
		return bad(p, ERR_PREFACE_SIZE);
	size_t n = cr ? (size_t)(cr - first.at) : first.n;
	if (memchr(first.at, '\n', n) || memchr(first.at, 0, n))
		return bad(p, ERR_PREFACE_SYNTAX);
	if (!cr)
		return PREFACE_MORE;
	if (n + 2 > PREFACE_LOOK_BYTES)
		return bad(p, ERR_PREFACE_SIZE);
	if (n + 2 > first.n)
		return PREFACE_MORE;
	if (cr[1] != '\n')
		return bad(p, ERR_PREFACE_SYNTAX);
	p->bytes = n + 2;
	return read_line((struct span){ first.at + sizeof word - 1, n - (sizeof word - 1) }, p);
}

/* --- version 2: bytes --- */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Behind the signature: version and command, family and protocol, length of what follows. */
#define FIXED_BYTES 16
#define VERSION_LOCAL 0x20
#define VERSION_PROXY 0x21

/* The family is in the upper four bits, in the lower ones 0 (unspecified), 1 (stream) or 2
 * (datagram). */
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21
#define FAMILIES 4
#define TRANSPORTS 3

/*
 * Bytes of both addresses and ports, by family: unspecified, IPv4, IPv6, unix. Whatever is more
 * extends the header, and is skipped.
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

static enum preface_progress read_family(struct span first, unsigned family, size_t n,
					 struct preface *p)
{
	const unsigned char *at = (const unsigned char *)first.at + FIXED_BYTES;
	unsigned transport = family & 0x0f;
	if (family >> 4 >= FAMILIES || transport >= TRANSPORTS)
		return bad(p, ERR_PREFACE_SYNTAX);
	size_t needed = transport ? family_bytes[family >> 4] : 0;
	if (n < needed)
		return bad(p, ERR_PREFACE_SYNTAX);
	p->kind = PREFACE_UNKNOWN;
	/* A datagram's sender, and one of no known transport, is nobody who connected: 2.2. */
	if (family != FAMILY_TCP4 && family != FAMILY_TCP6)
		return PREFACE_DONE;
	if (first.n < FIXED_BYTES + needed)
		return PREFACE_MORE;
	p->kind = PREFACE_ADDRESS;
	if (family == FAMILY_TCP4)
		take_tcp4(at, &p->source);
	else
		take_tcp6(at, &p->source);
	return PREFACE_DONE;
}

static enum preface_progress read_bytes(struct span first, struct preface *p)
{
	const unsigned char *at = (const unsigned char *)first.at;
	if (first.n < FIXED_BYTES)
		return PREFACE_MORE;
	size_t n = (size_t)at[14] << 8 | at[15];
	p->bytes = FIXED_BYTES + n;
	if (at[12] != VERSION_LOCAL && at[12] != VERSION_PROXY)
		return bad(p, ERR_PREFACE_SYNTAX);
	if (p->bytes > PREFACE_BYTES_MAX)
		return bad(p, ERR_PREFACE_SIZE);
	if (at[12] == VERSION_PROXY)
		return read_family(first, at[13], n, p);
	p->kind = PREFACE_LOCAL;
	return PREFACE_DONE;
}

/* --- either --- */

static bool begins_as(struct span first, const char *with, size_t n)
{
	return !memcmp(first.at, with, first.n < n ? first.n : n);
}

enum preface_progress preface_read(struct span first, struct preface *p)
{
	*p = (struct preface){ .err = ERR_NONE };
	if (!first.n)
		return PREFACE_MORE;
	if (begins_as(first, signature, sizeof signature))
		return read_bytes(first, p);
	if (!begins_as(first, word, sizeof word - 1))
		return bad(p, ERR_PREFACE_MISSING);
	return first.n < sizeof word - 1 ? PREFACE_MORE : read_text(first, p);
}
