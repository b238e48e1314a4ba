#include "base/crc32c.h"

#include <isa-l.h>
#include <limits.h>
#include <string.h>

#include "base/bug.h"

/* The library is for long runs: it keeps several instructions under way at once. */
static uint32_t long_run(uint32_t sum, const uint8_t *at, size_t n)
{
	must(n <= INT_MAX);
	return crc32_iscsi((unsigned char *)(uintptr_t)at, (int)n, sum);
}

#ifdef __SSE4_2__

#include <nmmintrin.h>

/* Below this size one instruction after the other is as fast as the library. */
#define SHORT_BYTES 320

static uint32_t short_run(uint32_t sum, const uint8_t *at, size_t n)
{
	uint64_t wide = sum;
	for (; n >= 8; at += 8, n -= 8) {
		uint64_t eight;
		memcpy(&eight, at, 8);
		wide = _mm_crc32_u64(wide, eight);
	}
	for (; n; at++, n--)
		wide = _mm_crc32_u8((uint32_t)wide, *at);
	return (uint32_t)wide;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
	return ~(n < SHORT_BYTES ? short_run(~crc, bytes, n) : long_run(~crc, bytes, n));
}

#else

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
	return ~long_run(~crc, bytes, n);
}

#endif
