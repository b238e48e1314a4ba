#include "replay/compare_repair.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

struct repair_key {
	struct repair_key *next;
	struct judge_key key; /* its texts stand behind it */
	char text[];
};

static struct span repair_text(char **at, struct span s)
{
	struct span copy = { *at, s.n };
	if (s.n)
		memcpy(*at, s.at, s.n);
	*at += s.n;
	return copy;
}

bool repair_add(struct repair *r, const struct judge_key *k)
{
	if (r->n == COMPARE_REPAIR_MAX)
		return false;
	struct repair_key *one = malloc(sizeof *one + k->index.n + k->id.n + k->routing.n);
	must(one);
	char *at = one->text;
	one->next = NULL;
	one->key = *k;
	one->key.index = repair_text(&at, k->index);
	one->key.id = repair_text(&at, k->id);
	one->key.routing = repair_text(&at, k->routing);
	*r->end = one;
	r->end = &one->next;
	if (!r->n++)
		r->copied = one;
	return true;
}

bool repair_copy(struct repair *r, uint64_t wall_ns)
{
	for (; r->copied; r->copied = r->copied->next) {
		const struct judge_key *k = &r->copied->key;
		const struct keys_write w = { .index = k->index,
					      .id = k->id,
					      .routing = k->routing,
					      .tag = COMPARE_TAG,
					      .time_ns = wall_ns };
		r->out++;
		enum keys_added added = keys_add(r->keys, &w);
		if (added == KEYS_ADDED || added == KEYS_REPLACED)
			continue;
		r->out--;
		if (added == KEYS_FULL)
			return false;
	}
	return !r->out;
}

bool repair_judge(struct repair *r, struct judge *j)
{
	for (struct repair_key *one; (one = r->first);) {
		if (!judge_add(j, &one->key))
			return false;
		r->first = one->next;
		r->n--;
		free(one);
	}
	r->end = &r->first;
	return true;
}

void repair_open(struct repair *r, struct keys *keys)
{
	*r = (struct repair){ .keys = keys, .end = &r->first };
}

void repair_clear(struct repair *r)
{
	for (struct repair_key *one; (one = r->first);) {
		r->first = one->next;
		free(one);
	}
	r->end = &r->first;
	r->copied = NULL;
	r->n = 0;
}
