#include "replay/json_write.h"

#include "base/fmt.h"

/* --- UTF-8 --- */

/* Bytes of a character that begins with `c`, and the bounds of its second byte; 0: none does. */
static size_t json_utf8_bytes(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static bool json_is_character(const unsigned char *at, size_t n, unsigned char low,
			      unsigned char high)
{
	if (n > 1 && (at[1] < low || at[1] > high))
		return false;
	for (size_t i = 2; i < n; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return false;
	return true;
}

bool json_is_utf8(struct span s)
{
	const unsigned char *at = (const unsigned char *)s.at;
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned char low, high;
		n = json_utf8_bytes(at[i], &low, &high);
		if (n == 0 || n > s.n - i || !json_is_character(at + i, n, low, high))
			return false;
	}
	return true;
}

/* --- writing --- */

static bool json_needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static void json_write_escape(struct bytes *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char code[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	char itself[] = { '\\', (char)c };
	bytes_add(to, c < 0x20 ? (struct span){ code, sizeof code }
			       : (struct span){ itself, sizeof itself });
}

void json_write_string(struct bytes *to, struct span text)
{
	size_t written = 0;
	bytes_add(to, SPAN("\""));
	for (size_t i = 0; i < text.n; i++) {
		if (!json_needs_escape((unsigned char)text.at[i]))
			continue;
		bytes_add(to, (struct span){ text.at + written, i - written });
		json_write_escape(to, (unsigned char)text.at[i]);
		written = i + 1;
	}
	bytes_add(to, (struct span){ text.at + written, text.n - written });
	bytes_add(to, SPAN("\""));
}

void json_write_number(struct bytes *to, uint64_t n)
{
	char digits[FMT_DECIMAL_BYTES];
	bytes_add(to, (struct span){ digits, fmt_decimal(digits, n) });
}
