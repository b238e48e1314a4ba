#include "replay/index_filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

/* --- a pattern --- */

bool index_pattern_fits(struct span pattern, struct span name)
{
	size_t p = 0, n = 0, star = pattern.n, again = 0;
	while (n < name.n) {
		if (p < pattern.n && pattern.at[p] == '*') {
			star = p++;
			again = n;
		} else if (p < pattern.n && pattern.at[p] == name.at[n]) {
			p++;
			n++;
		} else if (star < pattern.n) {
			/* The last '*' stands for one more. */
			p = star + 1;
			n = ++again;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.at[p] == '*')
		p++;
	return p == pattern.n;
}

/* --- streams --- */

static size_t digits_before(struct span s, size_t end)
{
	size_t n = 0;
	while (n < end && s.at[end - n - 1] >= '0' && s.at[end - n - 1] <= '9')
		n++;
	return n;
}

/* "-2026.11.24" at the end: before it. Streams of Elasticsearch 7.9 and 7.10 have no date there. */
static size_t before_date(struct span s, size_t end)
{
	static const char form[] = "-dddd.dd.dd";
	size_t n = sizeof form - 1;
	if (end <= n)
		return end;
	for (size_t i = 0; i < n; i++) {
		char c = s.at[end - n + i];
		if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i])
			return end;
	}
	return end - n;
}

struct span index_filter_stream(struct span index)
{
	static const char before[] = ".ds-";
	size_t before_n = sizeof before - 1, digits = digits_before(index, index.n);
	struct span none = { "", 0 };
	if (index.n <= before_n || memcmp(index.at, before, before_n) != 0 || digits < 6)
		return none;
	size_t end = index.n - digits;
	if (end <= before_n + 1 || index.at[end - 1] != '-')
		return none;
	size_t undated = before_date(index, end - 1);
	end = undated > before_n ? undated : end - 1;
	return (struct span){ index.at + before_n, end - before_n };
}

/* --- the list --- */

struct index_filter index_filter_copy(const struct index_filter *f)
{
	char **patterns = calloc(f->n + 1, sizeof *patterns);
	must(patterns);
	for (size_t i = 0; i < f->n; i++) {
		patterns[i] = strdup(f->patterns[i]);
		must(patterns[i]);
	}
	return (struct index_filter){ (const char *const *)patterns, f->n };
}

void index_filter_free(struct index_filter *f)
{
	for (size_t i = 0; i < f->n; i++)
		free((void *)(uintptr_t)f->patterns[i]);
	free((void *)(uintptr_t)f->patterns);
	*f = (struct index_filter){ 0 };
}

bool index_filter_has(const struct index_filter *f, struct span index)
{
	struct span stream = index_filter_stream(index), name = stream.n ? stream : index;
	for (size_t i = f->n; i-- > 0;) {
		bool out = f->patterns[i][0] == '-';
		if (index_pattern_fits(span_of(f->patterns[i] + out), name))
			return !out;
	}
	return false;
}

bool index_filter_has_dots(const struct index_filter *f)
{
	for (size_t i = f->n; i-- > 0;) {
		bool out = f->patterns[i][0] == '-';
		const char *pattern = f->patterns[i] + out;
		if (out && (!strcmp(pattern, ".*") || !strcmp(pattern, "*")))
			return false;
		if (!out && (*pattern == '.' || *pattern == '*'))
			return true;
	}
	return false;
}
