/* Fences, and which indices they mean. */

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "replay/keys_private.h"

static_assert(REPLAY_FENCES_MAX < 256, "generations are counted in a byte");

/* Pairs of patterns that are compared when two fences may mean one index: some microseconds. */
#define PAIRS_LOOKED_AT 1024

/* --- expressions --- */

/* '*' stands for any bytes. No text is looked at again from before the last '*'. */
static bool keys_pattern_fits(struct span pattern, struct span name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, resume = 0;
	while (n < name.n) {
		if (p < pattern.n && pattern.at[p] == '*') {
			star = p++;
			resume = n;
		} else if (p < pattern.n && pattern.at[p] == name.at[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.at[p] == '*')
		p++;
	return p == pattern.n;
}

/* The next pattern of a list. What cannot be resolved here stands for all. */
static bool keys_pattern_next(struct span *rest, struct span *pattern)
{
	while (span_next_member(rest, pattern)) {
		if (pattern->at[0] == '-')
			continue;
		if (pattern->at[0] == '<' || span_is(*pattern, SPAN("_all")))
			*pattern = SPAN("*");
		return true;
	}
	return false;
}

static struct span keys_fence_patterns(const struct keys_fence *f)
{
	return (struct span){ f->pattern, f->pattern_n };
}

static bool keys_fence_means(const struct keys_fence *f, struct span name)
{
	struct span rest = keys_fence_patterns(f), pattern;
	while (keys_pattern_next(&rest, &pattern))
		if (keys_pattern_fits(pattern, name))
			return true;
	return false;
}

/* Whether both may fit one name: as far as their first '*' tells. */
static bool keys_patterns_may_meet(struct span a, struct span b)
{
	const char *star_a = memchr(a.at, '*', a.n), *star_b = memchr(b.at, '*', b.n);
	size_t a_n = star_a ? (size_t)(star_a - a.at) : a.n;
	size_t b_n = star_b ? (size_t)(star_b - b.at) : b.n;
	if (!star_a)
		return keys_pattern_fits(b, a);
	if (!star_b)
		return keys_pattern_fits(a, b);
	return memcmp(a.at, b.at, a_n < b_n ? a_n : b_n) == 0;
}

static size_t keys_fence_commas(const struct keys_fence *f)
{
	size_t n = 0;
	for (size_t i = 0; i < f->pattern_n; i++)
		n += f->pattern[i] == ',';
	return n;
}

/* Of long lists it is not looked for. */
static bool keys_fences_may_meet(const struct keys_fence *f, const struct keys_fence *g)
{
	struct span of_f = keys_fence_patterns(f), a, b;
	if (keys_fence_commas(f) * keys_fence_commas(g) > PAIRS_LOOKED_AT)
		return true;
	while (keys_pattern_next(&of_f, &a)) {
		struct span of_g = keys_fence_patterns(g);
		while (keys_pattern_next(&of_g, &b))
			if (keys_patterns_may_meet(a, b))
				return true;
	}
	return false;
}

/* --- generations --- */

uint8_t keys_fences_of(const struct keys *k, struct span name)
{
	uint8_t n = 0;
	list_each(at, &k->fences)
		n += keys_fence_means(list_entry(at, struct keys_fence, link), name);
	return n;
}

/* The fence that is the i-th of the index, from 1, has nothing before it when the index' oldest key
 * is of the i-th generation or a later one. */
void keys_fences_passed(struct keys *k, const struct keys_index *x, uint8_t before)
{
	uint8_t first = before - x->open, i = 0;
	uint8_t now = x->oldest ? keys_entry(k, x->oldest)->generation : x->newest;
	uint8_t last = now - x->open;
	if (first == last)
		return;
	list_each(at, &k->fences) {
		struct keys_fence *f = list_entry(at, struct keys_fence, link);
		if (!keys_fence_means(f, keys_index_name(x)) || ++i <= first)
			continue;
		if (i > last)
			return;
		must(f->blocking_n > 0);
		f->blocking_n--;
	}
}

/* --- a life --- */

struct keys_fence *keys_fence(struct keys *k, struct span indices)
{
	if (k->fence_n == REPLAY_FENCES_MAX)
		return NULL;
	if (!indices.n || indices.n > REPLAY_FENCE_BYTES)
		indices = SPAN("*");
	struct keys_fence *f = malloc(sizeof *f);
	must(f);
	*f = (struct keys_fence){ .pattern = malloc(indices.n), .pattern_n = indices.n };
	must(f->pattern);
	memcpy(f->pattern, indices.at, indices.n);
	list_add_tail(&k->fences, &f->link);
	k->fence_n++;
	for (uint32_t i = 1; i < k->index_n; i++) {
		struct keys_index *x = &k->indices[i];
		if (!x->name || !keys_fence_means(f, keys_index_name(x)))
			continue;
		x->newest++;
		f->blocking_n += x->n > 0;
	}
	checks(keys_check(k, KEYS_CHECKED));
	return f;
}

bool keys_fence_is_clear(const struct keys *k, const struct keys_fence *f)
{
	if (f->blocking_n)
		return false;
	list_each(at, &k->fences) {
		const struct keys_fence *before = list_entry(at, struct keys_fence, link);
		if (before == f)
			break;
		if (keys_fences_may_meet(before, f))
			return false;
	}
	return true;
}

void keys_fence_drop_parked(struct keys *k, const struct keys_fence *f)
{
	char name[INDEX_NAME_BYTES_MAX];
	for (uint32_t i = 1; k->parked_n && i < k->index_n; i++) {
		const struct keys_index *x = &k->indices[i];
		if (!x->name || !x->parked || !keys_fence_means(f, keys_index_name(x)))
			continue;
		/* The index goes with its last key. */
		struct span index = { name, x->name_n };
		memcpy(name, x->name, x->name_n);
		keys_drop(k, index);
		keys_resume(k, index);
	}
}

void keys_fence_lift(struct keys *k, struct keys_fence *f)
{
	must(keys_fence_is_clear(k, f));
	for (uint32_t i = 1; i < k->index_n; i++)
		if (k->indices[i].name && keys_fence_means(f, keys_index_name(&k->indices[i])))
			k->indices[i].open++;
	list_remove(&f->link);
	k->fence_n--;
	free(f->pattern);
	free(f);
	checks(keys_check(k, KEYS_CHECKED));
}
