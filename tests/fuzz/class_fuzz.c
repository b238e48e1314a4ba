/*
 * The walk over a path. A read by a rule of the table stays what it is however its path is read:
 * decoded once or twice, as proxies do, it is the same rule's; and what decoding, dots or doubled
 * slashes could change is no read by a rule. The first byte chooses the method.
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

/* Segments, an empty last one not counted; and none is empty or dots. */
static size_t segments_of(const char *at, size_t n)
{
	size_t count = 0;
	for (size_t begin = 1; begin < n;) {
		const char *slash = memchr(at + begin, '/', n - begin);
		size_t end = slash ? (size_t)(slash - at) : n;
		must(end > begin);
		must(!(end - begin == 1 && at[begin] == '.'));
		must(!(end - begin == 2 && at[begin] == '.' && at[begin + 1] == '.'));
		count++;
		begin = end + 1;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum method methods[] = { METHOD_GET,  METHOD_POST,    METHOD_DELETE,
					       METHOD_HEAD, METHOD_OPTIONS, METHOD_PUT };
	if (n < 2)
		return 0;
	enum method method = methods[data[0] % 6];
	size_t target_n = n - 1;
	/* Of just its size, so that a byte too far is seen. */
	char *target = malloc(target_n), *once = malloc(target_n);
	must(target && once);
	memcpy(target, data + 1, target_n);
	struct classed c = class_of(PROFILE_OPENSEARCH, method, (struct span){ target, target_n });
	char text[CLASS_RULE_BYTES];
	const char *rule = class_rule_text(c, text);
	must(c.class == CLASS_READ || !c.repeatable);
	must(c.class == CLASS_WRITE || !c.in_parts);
	must(!strncmp(rule, "the path", 8) || target[0] == '/');
	if (rule == text || c.repeatable) {
		size_t path_n = path_bytes(target, target_n);
		size_t decoded_n = decode(once, target, path_n);
		must(segments_of(target, path_n) == segments_of(once, decoded_n));
		for (size_t i = 0; i < decoded_n; i++)
			must(once[i] > ' ' && once[i] < 0x7f && !strchr("\\%;?#", once[i]));
	}
	free(target);
	free(once);
	return 0;
}
