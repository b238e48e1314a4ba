#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

/*
 * Copying and checking in one pass. Each scan_*() copies bytes while they belong to its class, at
 * most `n`, and returns how many it copied. It handles 16 at a time where the CPU can.
 *
 * Nothing is read behind `from + n`, but up to SCAN_SLACK bytes may be written behind the copy:
 * `to` must have room for n + SCAN_SLACK.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCAN_SLACK 16

enum scan_class {
	SCAN_TOKEN = 1,	 /* tchar: RFC 9110, 5.6.2 */
	SCAN_TARGET = 2, /* 0x21 to 0x7e without '#' */
	SCAN_VALUE = 4,	 /* HTAB, SP, VCHAR and obs-text: RFC 9110, 5.5 */
	SCAN_HOST = 8,	 /* unreserved and sub-delims: RFC 3986, 2.2 and 2.3 */
	SCAN_PLAIN = 16, /* 0x20 to 0x7e without '"' and '\\': needs no escape in a quoted string */
};

/* The classes of each byte. */
extern const uint8_t scan_classes[256];

/* The number of bytes at the front that belong to the class. */
static inline size_t scan_count(const char *from, size_t n, enum scan_class class)
{
	size_t i = 0;
	while (i < n && scan_classes[(unsigned char)from[i]] & class)
		i++;
	return i;
}

#ifdef __SSSE3__

#include <tmmintrin.h>

/*
 * Each of these returns a vector with a non-zero byte where the class ends. NUL ends every class,
 * so a short rest can be padded with it.
 */
static inline __m128i scan_token_ends(__m128i v)
{
	/*
	 * For each low nibble: one bit for each high nibble, from 2 to 7, that makes a tchar with
	 * it.
	 */
	const __m128i of_low = _mm_setr_epi8(0x3a, 0x3f, 0x3e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3e,
					     0x3e, 0x3d, 0x15, 0x34, 0x15, 0x3d, 0x1c);
	const __m128i of_high = _mm_setr_epi8(0, 0, 1, 2, 4, 8, 16, 32, 0, 0, 0, 0, 0, 0, 0, 0);
	__m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(0x0f));
	__m128i both = _mm_and_si128(_mm_shuffle_epi8(of_low, v), _mm_shuffle_epi8(of_high, high));
	return _mm_cmpeq_epi8(both, _mm_setzero_si128());
}

static inline __m128i scan_target_ends(__m128i v)
{
	/* The comparison is signed: bytes from 0x80 are below '!'. */
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8('!'));
	__m128i hash = _mm_cmpeq_epi8(v, _mm_set1_epi8('#'));
	return _mm_or_si128(_mm_or_si128(low, hash), _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
}

static inline __m128i scan_value_ends(__m128i v)
{
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
	return _mm_or_si128(_mm_andnot_si128(tab, control), _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
}

static inline __m128i scan_plain_ends(__m128i v)
{
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));
	__m128i quote = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
				     _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	return _mm_or_si128(_mm_or_si128(low, quote), _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
}

static inline __attribute__((always_inline)) size_t scan_copy(char *to, const char *from, size_t n,
							      __m128i (*ends)(__m128i))
{
	size_t i = 0;
	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const void *)(from + i));
		_mm_storeu_si128((void *)(to + i), v);
		unsigned end = (unsigned)_mm_movemask_epi8(ends(v));
		if (end)
			return i + (unsigned)__builtin_ctz(end);
	}
	char rest[16] = { 0 };
	memcpy(rest, from + i, n - i);
	__m128i v = _mm_loadu_si128((const void *)rest);
	_mm_storeu_si128((void *)(to + i), v);
	return i + (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(ends(v)));
}

#define SCAN(name, class)                                                                          \
	static inline size_t scan_##name(char *to, const char *from, size_t n)                     \
	{                                                                                          \
		return scan_copy(to, from, n, scan_##name##_ends);                                 \
	}

#else

#define SCAN(name, class)                                                                          \
	static inline size_t scan_##name(char *to, const char *from, size_t n)                     \
	{                                                                                          \
		size_t copied = scan_count(from, n, class);                                        \
		memcpy(to, from, copied);                                                          \
		return copied;                                                                     \
	}

#endif

SCAN(token, SCAN_TOKEN)
SCAN(target, SCAN_TARGET)
SCAN(value, SCAN_VALUE)
SCAN(plain, SCAN_PLAIN)
#undef SCAN

#endif
