#include "base/fmt.h"

#include <string.h>

size_t fmt_decimal(char to[FMT_DECIMAL_BYTES], uint64_t n)
{
	char digits[FMT_DECIMAL_BYTES];
	size_t first = sizeof digits;
	do {
		digits[--first] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(to, digits + first, sizeof digits - first);
	return sizeof digits - first;
}

size_t fmt_hex(char to[FMT_HEX_BYTES], uint64_t n)
{
	unsigned digits = n ? (67 - (unsigned)__builtin_clzll(n)) / 4 : 1;
	fmt_hex_wide(to, n, digits);
	return digits;
}

char *fmt_hex_wide(char *to, uint64_t n, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; n >>= 4)
		to[i] = "0123456789abcdef"[n & 15];
	return to + digits;
}
