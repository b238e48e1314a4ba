#include "http/percent.h"

static int hex(char c)
{
	char lower = (char)(c | 0x20);
	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int percent_code(const char *at, const char *end)
{
	if (end - at < 2 || hex(at[0]) < 0 || hex(at[1]) < 0)
		return -1;
	return hex(at[0]) << 4 | hex(at[1]);
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
