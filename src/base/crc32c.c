#include "base/crc32c.h"

#include <string.h>

#ifdef __SSE4_2__

#include <nmmintrin.h>

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t sum = ~crc;
	for (; n >= 8; at += 8, n -= 8) {
		uint64_t eight;
		memcpy(&eight, at, 8);
		sum = _mm_crc32_u64(sum, eight);
	}
	for (; n; at++, n--)
		sum = _mm_crc32_u8((uint32_t)sum, *at);
	return ~(uint32_t)sum;
}

#else

/* Four bits at a time: what a nibble at the end of the register does to the rest. */
static const uint32_t nibbles[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint32_t sum = ~crc;
	for (; n; at++, n--) {
		sum ^= *at;
		sum = sum >> 4 ^ nibbles[sum & 15];
		sum = sum >> 4 ^ nibbles[sum & 15];
	}
	return ~sum;
}

#endif
