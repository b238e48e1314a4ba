#include "base/span.h"

static unsigned char lower_case(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool span_is_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (a.at[i] != b.at[i] && lower_case(a.at[i]) != lower_case(b.at[i]))
			return false;
	return true;
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.n && is_ows(s.at[0]))
		s.at++, s.n--;
	while (s.n && is_ows(s.at[s.n - 1]))
		s.n--;
	return s;
}

bool span_next_member(struct span *rest, struct span *member)
{
	while (rest->n) {
		const char *comma = memchr(rest->at, ',', rest->n);
		size_t n = comma ? (size_t)(comma - rest->at) : rest->n;
		*member = span_trim((struct span){ rest->at, n });
		size_t used = comma ? n + 1 : n;
		rest->at += used;
		rest->n -= used;
		if (member->n)
			return true;
	}
	return false;
}

bool span_to_u64(struct span s, unsigned long long max, unsigned long long *value)
{
	unsigned long long v = 0;
	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(s.at[i] - '0');
		if (digit > 9 || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return v <= max;
}
