#ifndef IO_ADDR_H
#define IO_ADDR_H

/* An address and port of IPv4 or IPv6, or none (a peer on a unix socket). */

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

/* "127.0.0.1:80", "[::1]:80", "-" for none; always terminated. */
#define ADDR_TEXT_BYTES 56
void addr_text(const struct addr *a, char text[ADDR_TEXT_BYTES]);
/* The same without the port and without brackets; an IPv4 address mapped into IPv6 as IPv4. */
void addr_host_text(const struct addr *a, char text[ADDR_TEXT_BYTES]);
/* A literal IPv4 or IPv6 address, without brackets. False when it is a name or nothing. */
bool addr_parse(struct span host, uint16_t port, struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
socklen_t addr_bytes(const struct addr *a);
/* The address alone in 16 bytes, IPv4 as it is mapped into IPv6. False: there is none. */
bool addr_canonical(const struct addr *a, unsigned char bytes[16]);
bool addr_is(const struct addr *a, const struct addr *b);
/* ::ffff:127.0.0.1 is reached by IPv4, and is told as 127.0.0.1; others stay as they are. */
struct addr addr_unmapped(const struct addr *a);
/* 0.0.0.0 or ::, whatever its port. */
bool addr_is_any(const struct addr *a);
/* 127.0.0.0/8 or ::1: this machine alone gets there. */
bool addr_is_loopback(const struct addr *a);
/* Sockets that listen at both would share connections: ours of IPv6 take none of IPv4. */
bool addr_overlaps(const struct addr *a, const struct addr *b);

#endif
