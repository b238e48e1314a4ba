#include "http/secret.h"

#include "base/limits.h"
#include "http/percent.h"

/* The name that is being read, one part at a time: brackets divide it. */
struct name_read {
	char part[FIELD_NAME_BYTES];
	size_t n;
	bool too_long, secret;
};

/* Reads one character, however often it is percent-encoded. */
static const char *read_char(const char *at, const char *end, char *c)
{
	*c = *at++;
	if (*c != '%')
		return at;
	const char *digits = at;
	while (percent_code(digits, end) == '%' && percent_code(digits + 2, end) >= 0)
		digits += 2;
	int code = percent_code(digits, end);
	if (code < 0)
		return at;
	*c = (char)code;
	return digits + 2;
}

static void begin_name(struct name_read *r)
{
	r->n = 0;
	r->too_long = r->secret = false;
}

static bool is_mark(char c)
{
	return c == '_' || c == '-' || c == '.';
}

/* Words are joined by marks or by nothing (`accessToken`). */
static bool is_named(struct span part, struct span name)
{
	size_t n = 0;
	for (size_t i = 0; i < name.n; i++) {
		if (is_mark(name.at[i]))
			continue;
		if (n == part.n || !span_is_nocase((struct span){ part.at + n, 1 },
						   (struct span){ name.at + i, 1 }))
			return false;
		n++;
	}
	return n && n == part.n;
}

static void end_part(struct name_read *r, const struct secret_names *names)
{
	struct span part = { r->part, r->n };
	for (size_t i = 0; i < names->n && !r->too_long; i++)
		r->secret |= is_named(part, names->names[i]);
	r->n = 0;
	r->too_long = false;
}

/* No parameter name has a space or a control character, and some software drops them. */
static void name_add(struct name_read *r, char c)
{
	if ((unsigned char)c <= ' ' || c == '+' || is_mark(c))
		return;
	if (r->n == sizeof r->part)
		r->too_long = true;
	else
		r->part[r->n++] = c;
}

static bool is_divider(char c)
{
	return c == '&' || c == ';' || c == '?' || c == '#';
}

bool secret_next(const struct secret_names *names, struct span query, struct span *value)
{
	struct name_read r;
	const char *end = query.at + query.n;
	begin_name(&r);
	for (const char *at = query.at; names->n && at < end;) {
		char c;
		at = read_char(at, end, &c);
		if (is_divider(c)) {
			begin_name(&r);
			continue;
		}
		if (c != '=' && c != '[' && c != ']') {
			name_add(&r, c);
			continue;
		}
		end_part(&r, names);
		if (c != '=' || !r.secret)
			continue;
		const char *next = memchr(at, '&', (size_t)(end - at));
		*value = (struct span){ at, (size_t)((next ? next : end) - at) };
		return true;
	}
	return false;
}
