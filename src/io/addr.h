#ifndef IO_ADDR_H
#define IO_ADDR_H

/* An IPv4 or IPv6 address with its port, or no address (a peer on a unix socket). */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/span.h"

struct addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/* "127.0.0.1:80", "[::1]:80", "-" for no address; always terminated. */
#define ADDR_TEXT_BYTES 56
void addr_text(const struct addr *a, char text[ADDR_TEXT_BYTES]);
/*
 * As addr_text(), without port and brackets. An IPv4 address mapped into IPv6 is written as IPv4.
 */
void addr_host_text(const struct addr *a, char text[ADDR_TEXT_BYTES]);
/* Parses a literal IPv4 or IPv6 address without brackets. False for a name or an empty text. */
bool addr_parse(struct span host, uint16_t port, struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
socklen_t addr_bytes(const struct addr *a);
/* The address alone in 16 bytes, IPv4 mapped into IPv6. False: there is no address. */
bool addr_canonical(const struct addr *a, unsigned char bytes[16]);
bool addr_is(const struct addr *a, const struct addr *b);
/*
 * Converts an IPv4 address mapped into IPv6, such as ::ffff:127.0.0.1, to 127.0.0.1, because it is
 * reached by IPv4. Other addresses stay as they are.
 */
struct addr addr_unmapped(const struct addr *a);
/* True for 0.0.0.0 or ::, with any port. */
bool addr_is_any(const struct addr *a);
/* True for 127.0.0.0/8 or ::1: only this machine can connect to it. */
bool addr_is_loopback(const struct addr *a);
/*
 * True when listening sockets on both addresses would share connections. Our IPv6 sockets accept no
 * IPv4 connections.
 */
bool addr_overlaps(const struct addr *a, const struct addr *b);

#endif
