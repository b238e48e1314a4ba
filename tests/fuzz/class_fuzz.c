/*
 * The walk over a path. Whoever decodes a path before he looks at it, or merges its slashes, must
 * not find a write where we have found a read; nor does it become one when letters that mean
 * nothing by their codes are sent as codes. The first byte chooses the method, the second what is
 * encoded.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "proxy/class.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 'a' - 'A' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* What a proxy makes of a path before it looks at it; the query stays. */
static size_t decode(char *to, const char *from, size_t n)
{
	size_t out = 0;
	for (size_t i = 0; i < n; i++) {
		if (from[i] == '?') {
			memcpy(to + out, from + i, n - i);
			return out + n - i;
		}
		int high = from[i] == '%' && n - i > 2 ? hex(from[i + 1]) : -1;
		int low = high >= 0 ? hex(from[i + 2]) : -1;
		to[out++] = low >= 0 ? (char)(high << 4 | low) : from[i];
		i += low >= 0 ? 2 : 0;
	}
	return out;
}

static size_t path_bytes(const char *at, size_t n)
{
	const char *query = memchr(at, '?', n);
	return query ? (size_t)(query - at) : n;
}

/* What a proxy that merges slashes makes of it. */
static size_t squeeze(char *to, const char *from, size_t n)
{
	size_t out = 0;
	for (size_t i = 0; i < n; i++)
		if (!i || from[i] != '/' || from[i - 1] != '/')
			to[out++] = from[i];
	return out;
}

static bool is_unreserved(char c)
{
	return c && (strchr("-._~", c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		     (c >= 'A' && c <= 'Z'));
}

/* Codes in place of unreserved bytes, as the bits say, over and over. */
static size_t encode(char *to, const char *from, size_t n, uint8_t bits)
{
	static const char digits[] = "0123456789aBcDeF";
	size_t out = 0;
	for (size_t i = 0; i < n; i++) {
		bool in_code = (i > 0 && from[i - 1] == '%') || (i > 1 && from[i - 2] == '%');
		if (in_code || !is_unreserved(from[i]) || !(bits >> i % 8 & 1)) {
			to[out++] = from[i];
			continue;
		}
		to[out++] = '%';
		to[out++] = digits[(uint8_t)from[i] >> 4];
		to[out++] = digits[(uint8_t)from[i] & 15];
	}
	return out;
}

static unsigned count(const char *at, size_t n, const char *of)
{
	unsigned found = 0;
	for (size_t i = 0; i < n; i++)
		found += at[i] && strchr(of, at[i]);
	return found;
}

/* Nothing in it is to be decoded any more, and a request can have it. */
static bool is_plain(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)at[i] <= ' ' || at[i] == 0x7f || at[i] == '%')
			return false;
	return n && at[0] == '/';
}

static uint8_t class(enum method method, const char *target, size_t n)
{
	return class_of(PROFILE_OPENSEARCH, method, (struct span){ target, n }).class;
}

/* It is a write because of what it names, not because of how that is written. */
static bool is_told(enum method method, const char *target, size_t n)
{
	char text[CLASS_RULE_BYTES];
	struct classed c = class_of(PROFILE_OPENSEARCH, method, (struct span){ target, n });
	return strncmp(class_rule_text(c, text), "nobody", 6) != 0;
}

static void check_others(enum method method, const char *target, size_t n, uint8_t bits)
{
	size_t path_n = path_bytes(target, n);
	char *other = malloc(3 * n);
	must(other);
	bool reads = class(method, target, n) == CLASS_READ;
	size_t other_n = encode(other, target, path_n, bits);
	if (!reads && is_told(method, target, n))
		must(class(method, other, other_n) == CLASS_WRITE);
	other_n = squeeze(other, target, path_n);
	if (reads && is_plain(other, other_n))
		must(class(method, other, other_n) == CLASS_READ);
	other_n = decode(other, target, path_n);
	/* With more slashes it is no path that a cluster knows, unless a GET's. */
	bool comparable = is_plain(other, other_n) &&
			  (method == METHOD_GET ||
			   count(target, path_n, "/\\") == count(other, other_n, "/\\"));
	if (reads && comparable)
		must(class(method, other, other_n) == CLASS_READ);
	free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum method methods[] = { METHOD_GET,  METHOD_POST,    METHOD_DELETE,
					       METHOD_HEAD, METHOD_OPTIONS, METHOD_PUT };
	if (n < 3)
		return 0;
	enum method method = methods[data[0] % 6];
	size_t target_n = n - 2;
	/* Of just its size, so that a byte too far is seen. */
	char *target = malloc(target_n);
	must(target);
	memcpy(target, data + 2, target_n);
	struct classed c = class_of(PROFILE_OPENSEARCH, method, (struct span){ target, target_n });
	char text[CLASS_RULE_BYTES];
	const char *rule = class_rule_text(c, text);
	must(c.class == CLASS_READ || !c.repeatable);
	must(c.class == CLASS_WRITE || !c.in_parts);
	must(!strncmp(rule, "the meaning of the path", 23) || target[0] == '/' || target[0] == '*');
	if (target[0] == '/')
		check_others(method, target, target_n, data[1]);
	free(target);
	return 0;
}
