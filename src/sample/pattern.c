#include "sample/pattern.h"

#include <stdint.h>

/* The last '*' takes one byte more each time that what is behind it did not fit. */
bool sample_pattern_matches(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, taken = 0;
	while (t < text.n) {
		if (p < pattern.n && pattern.at[p] == '*') {
			star = p++;
			taken = t;
		} else if (p < pattern.n && pattern.at[p] == text.at[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++taken;
		} else
			return false;
	}
	while (p < pattern.n && pattern.at[p] == '*')
		p++;
	return p == pattern.n;
}

bool sample_list_names(struct span list, struct span text)
{
	struct span rest = list, member;
	bool named = false, any = false;
	while (span_next_member(&rest, &member)) {
		bool excludes = any && member.at[0] == '-';
		if (excludes)
			member = (struct span){ member.at + 1, member.n - 1 };
		if (span_is(member, SPAN("_all")) || sample_pattern_matches(member, text))
			named = !excludes;
		any = true;
	}
	return named || !any;
}

bool sample_list_next_plain(struct span *rest, struct span *name)
{
	while (span_next_member(rest, name))
		if (!memchr(name->at, '*', name->n) && name->at[0] != '-' &&
		    !span_is(*name, SPAN("_all")))
			return true;
	return false;
}
