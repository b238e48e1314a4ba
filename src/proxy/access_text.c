#include "proxy/access_text.h"

#include <time.h>

#include "base/bug.h"
#include "base/fmt.h"
#include "http/scan.h"

void access_put_raw(struct access_line *l, const char *from, size_t n)
{
	size_t room = (size_t)(l->end - l->at);
	n = n < room ? n : room;
	memcpy(l->at, from, n);
	l->at += n;
}

/* False when there is no room: an escape is written whole or not at all. */
static bool access_put_escape(struct access_line *l, unsigned char byte)
{
	static const char digits[] = "0123456789ABCDEF";
	char hex[6] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };
	size_t n = 4;
	if (l->format == ACCESS_JSON) {
		memcpy(hex, "\\u00", 4);
		hex[4] = digits[byte >> 4];
		hex[5] = digits[byte & 15];
		n = 6;
	}
	if ((size_t)(l->end - l->at) < n)
		return false;
	access_put_raw(l, hex, n);
	return true;
}

void access_put(struct access_line *l, struct span s)
{
	while (s.n && l->at < l->end) {
		size_t room = (size_t)(l->end - l->at);
		size_t plain = scan_plain(l->at, s.at, s.n < room ? s.n : room);
		l->at += plain;
		if (plain == s.n || !access_put_escape(l, (unsigned char)s.at[plain]))
			return;
		s = (struct span){ s.at + plain + 1, s.n - plain - 1 };
	}
}

void access_put_text(struct access_line *l, const char *text)
{
	access_put(l, span_of(text));
}

void access_put_number(struct access_line *l, uint64_t n)
{
	char digits[FMT_DECIMAL_BYTES];
	size_t digit_n = fmt_decimal(digits, n);
	access_put_raw(l, digits, digit_n);
}

static void access_put_digits(struct access_line *l, uint64_t n, unsigned width)
{
	char digits[20];
	for (unsigned i = width; i-- > 0; n /= 10)
		digits[i] = (char)('0' + n % 10);
	access_put_raw(l, digits, width);
}

void access_put_seconds(struct access_line *l, uint64_t ns)
{
	uint64_t ms = (ns + 500000) / 1000000;
	access_put_number(l, ms / 1000);
	access_put_raw(l, ".", 1);
	access_put_digits(l, ms % 1000, 3);
}

/* Most lines of one second come together: the text of the second is kept. */
void access_put_wall(struct access_line *l, uint64_t wall_ns)
{
	struct access *a = l->access;
	uint64_t second = wall_ns / 1000000000u;
	if (second != a->second) {
		time_t s = (time_t)second;
		struct tm t;
		a->second = second;
		gmtime_r(&s, &t);
		must(strftime(a->second_text, sizeof a->second_text, "%Y-%m-%dT%H:%M:%S", &t));
	}
	access_put_text(l, a->second_text);
	access_put_raw(l, ".", 1);
	access_put_digits(l, wall_ns / 1000u % 1000000u, 6);
	access_put_raw(l, "Z", 1);
}

void access_put_address(struct access_line *l, const struct addr *a)
{
	char text[ADDR_TEXT_BYTES];
	addr_text(a, text);
	if (text[0] != '-')
		access_put_text(l, text);
}
