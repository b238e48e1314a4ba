#include "http/percent.h"

static int percent_digit(char c)
{
	char lower = (char)(c | 0x20);
	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int percent_code(const char *at, const char *end)
{
	if (end - at < 2 || percent_digit(at[0]) < 0 || percent_digit(at[1]) < 0)
		return -1;
	return percent_digit(at[0]) << 4 | percent_digit(at[1]);
}

bool percent_decode(struct span s, char *to, size_t room, size_t *n)
{
	const char *end = s.at + s.n;
	*n = 0;
	for (const char *at = s.at; at < end;) {
		int code = *at == '%' ? percent_code(at + 1, end) : -1;
		if (*n == room)
			return false;
		to[(*n)++] = code < 0 ? *at : (char)code;
		at += code < 0 ? 1 : 3;
	}
	return true;
}

/* RFC 3986, 2.3: unreserved characters. */
static bool percent_is_plain(char c)
{
	char lower = (char)(c | 0x20);
	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

size_t percent_encode(struct span s, char *to)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if (percent_is_plain(s.at[i])) {
			to[n++] = s.at[i];
			continue;
		}
		to[n++] = '%';
		to[n++] = digits[c >> 4];
		to[n++] = digits[c & 15];
	}
	to[n] = 0;
	return n;
}
