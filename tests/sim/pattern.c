#include "sim/pattern.h"

#include <string.h>

#include "sim/dice.h"

/* The pattern consists of words of eight bytes, at offsets that are multiples of eight. */
static uint64_t pattern_word(uint64_t key, uint64_t place)
{
	return dice_mix(key * 0x2545f4914f6cdd1d + place / 8);
}

void pattern_fill(uint64_t key, uint64_t place, void *to, size_t n)
{
	char *at = to;
	while (n > 0) {
		uint64_t w = pattern_word(key, place);
		size_t skip = place % 8, now = 8 - skip < n ? 8 - skip : n;
		memcpy(at, (char *)&w + skip, now);
		at += now;
		place += now;
		n -= now;
	}
}

bool pattern_is(uint64_t key, uint64_t place, const void *bytes, size_t n)
{
	const char *at = bytes;
	while (n > 0) {
		uint64_t w = pattern_word(key, place);
		size_t skip = place % 8, now = 8 - skip < n ? 8 - skip : n;
		if (memcmp(at, (char *)&w + skip, now) != 0)
			return false;
		at += now;
		place += now;
		n -= now;
	}
	return true;
}
