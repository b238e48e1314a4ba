#include "sample/json.h"

const char *sample_json_skip(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Behind the closing quote. */
static const char *json_string_end(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

/* Behind the bracket that closes the one at `at`. */
static const char *json_nest_end(const char *at, const char *end)
{
	size_t depth = 0;
	while (at < end) {
		if (*at == '"') {
			at = json_string_end(at, end);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return end;
}

const char *sample_json_end(const char *at, const char *end)
{
	if (at < end && *at == '"')
		return json_string_end(at, end);
	if (at < end && (*at == '{' || *at == '['))
		return json_nest_end(at, end);
	while (at < end && !strchr(",]} \t\r\n", *at))
		at++;
	return at;
}

void sample_json_compact(struct sample_text *to, struct span value)
{
	const char *at = value.at, *end = at + value.n, *from;
	while ((at = sample_json_skip(at, end)) < end) {
		from = at;
		while (at < end && !strchr(" \t\r\n", *at))
			at = *at == '"' ? json_string_end(at, end) : at + 1;
		sample_text_add(to, (struct span){ from, (size_t)(at - from) });
	}
}
