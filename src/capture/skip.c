#include "capture/skip.h"

#include "base/bug.h"

/* A rule behind its stem. */
struct rule {
	struct span method; /* empty: any */
	struct span rest;   /* of the path's pattern, from its first '*' on; empty: it ends here */
	struct span header, value;
	enum name name; /* the header's id */
	struct rule *next;
};

/* What stands before the first '*' of a path: of all rules that have it. */
struct stem {
	struct span text; /* at NULL: this place is free */
	uint64_t hash;
	/* Rules that ask for nothing more than a method: bit 1 << enum method. */
	uint32_t here, below; /* for this path; for all that begin so */
	struct rule *first;   /* the others */
};

struct skips {
	struct stem *stems; /* a table, half of it free */
	size_t mask;
	bool *lengths; /* whether there is a stem of that length */
	size_t longest;
	struct stem any; /* of rules without a path */
};

#define ALL_METHODS UINT32_MAX

/* FNV-1a, 64 bits: it grows byte by byte with the path. */
#define HASH_BEGIN 0xcbf29ce484222325ull

static uint64_t hash_more(uint64_t hash, char c)
{
	return (hash ^ (uint8_t)c) * 0x100000001b3ull;
}

/* --- patterns --- */

static bool begins(struct span text, struct span with)
{
	return text.n >= with.n && (!with.n || !memcmp(text.at, with.at, with.n));
}

static struct span cut(struct span s, size_t n)
{
	return (struct span){ s.at + n, s.n - n };
}

static size_t piece_bytes(struct span pattern)
{
	const char *star = pattern.n ? memchr(pattern.at, '*', pattern.n) : NULL;
	return star ? (size_t)(star - pattern.at) : pattern.n;
}

/* Each piece between two '*' is taken where it comes first: that leaves most to the others. */
bool skip_fits(struct span pattern, struct span text)
{
	size_t n = piece_bytes(pattern);
	if (n == pattern.n)
		return span_is(pattern, text);
	if (!begins(text, (struct span){ pattern.at, n }))
		return false;
	text = cut(text, n);
	for (;;) {
		pattern = cut(pattern, n + 1);
		n = piece_bytes(pattern);
		if (n == pattern.n)
			break;
		const char *at = n ? memmem(text.at, text.n, pattern.at, n) : text.at;
		if (!at)
			return false;
		text = cut(text, (size_t)(at - text.at) + n);
	}
	return text.n >= n && span_is(pattern, cut(text, text.n - n));
}

/* --- matching --- */

static bool has_field(const struct rule *r, const struct msg *m)
{
	if (!r->header.n)
		return true;
	for (unsigned i = 0; i < m->field_n; i++) {
		const struct field *f = &m->fields[i];
		if (f->name == r->name && !f->dropped &&
		    (f->name != NAME_OTHER || span_is_nocase(field_name(m, f), r->header)) &&
		    skip_fits(r->value, field_value(m, f)))
			return true;
	}
	return false;
}

static bool has_method(const struct rule *r, const struct msg *m)
{
	return !r->method.n || span_is(r->method, msg_method(m));
}

/* `rest` is what of the path is behind the stem. */
static bool stem_has(const struct stem *s, const struct msg *m, struct span rest)
{
	uint32_t methods = s->below | (rest.n ? 0 : s->here);
	if (methods >> m->method & 1)
		return true;
	for (const struct rule *r = s->first; r; r = r->next)
		if (has_method(r, m) && skip_fits(r->rest, rest) && has_field(r, m))
			return true;
	return false;
}

static struct stem *place_of(const struct skips *s, struct span text, uint64_t hash)
{
	size_t at = hash & s->mask;
	while (s->stems[at].text.at &&
	       (s->stems[at].hash != hash || !span_is(s->stems[at].text, text)))
		at = (at + 1) & s->mask;
	return &s->stems[at];
}

static bool is_dots(const char *at, size_t n)
{
	return n <= 2 && !memcmp(at, "..", n);
}

/* Whether the segment that ends before `end` is one. An empty one may be the last. */
static bool is_segment(struct span path, size_t begin, size_t end, bool last)
{
	size_t n = end - begin;
	return n ? !is_dots(path.at + begin, n) : last;
}

/* The path: the target without its query. Empty: others may read it otherwise. */
static struct span plain_path(const struct msg *m)
{
	struct span t = msg_target(m);
	for (size_t i = 1, begin = 1; i <= t.n; i++) {
		char c = i < t.n ? t.at[i] : '?';
		if (c == '%' || c == '\\')
			break;
		if ((c == '/' || c == '?') && !is_segment(t, begin, i, c == '?'))
			break;
		if (c == '?')
			return (struct span){ t.at, i };
		begin = c == '/' ? i + 1 : begin;
	}
	return (struct span){ t.at, 0 };
}

bool skips_have(const struct skips *s, const struct msg *m)
{
	uint64_t hash = HASH_BEGIN;
	must(m->kind == MSG_REQUEST && m->text);
	if (stem_has(&s->any, m, (struct span){ "", 0 }))
		return true;
	struct span path = plain_path(m);
	for (size_t i = 0; path.n && i <= path.n && i <= s->longest; i++) {
		if (s->lengths[i]) {
			const struct stem *stem = place_of(s, (struct span){ path.at, i }, hash);
			if (stem->text.at && stem_has(stem, m, cut(path, i)))
				return true;
		}
		if (i < path.n)
			hash = hash_more(hash, path.at[i]);
	}
	return false;
}

/* --- making --- */

static uint32_t methods_of(struct span method)
{
	return method.n ? 1u << method_find(method) : ALL_METHODS;
}

static bool is_known(struct span method)
{
	return !method.n || method_find(method) != METHOD_OTHER;
}

static void add(struct arena *a, struct stem *s, const struct skip_rule *from, struct span rest)
{
	if (!from->header.n && is_known(from->method) && (!rest.n || span_is(rest, SPAN("*")))) {
		*(rest.n ? &s->below : &s->here) |= methods_of(from->method);
		return;
	}
	struct rule *r = arena_take(a, sizeof *r);
	*r = (struct rule){ .method = from->method,
			    .rest = rest,
			    .header = from->header,
			    .value = from->value.n ? from->value : SPAN("*"),
			    .name = name_find(from->header),
			    .next = s->first };
	s->first = r;
}

static struct stem *take_stem(struct skips *s, struct span text)
{
	uint64_t hash = HASH_BEGIN;
	for (size_t i = 0; i < text.n; i++)
		hash = hash_more(hash, text.at[i]);
	struct stem *stem = place_of(s, text, hash);
	stem->text = text;
	stem->hash = hash;
	s->lengths[text.n] = true;
	return stem;
}

static void *take_zeroed(struct arena *a, size_t bytes)
{
	return memset(arena_take(a, bytes), 0, bytes);
}

static size_t longest(const struct skip_rule *rules, size_t n)
{
	size_t most = 0;
	for (size_t i = 0; i < n; i++)
		if (piece_bytes(rules[i].path) > most)
			most = piece_bytes(rules[i].path);
	return most;
}

struct skips *skips_make(struct arena *a, const struct skip_rule *rules, size_t n)
{
	struct skips *s = take_zeroed(a, sizeof *s);
	size_t room = 4;
	while (room < 2 * n)
		room *= 2;
	s->stems = take_zeroed(a, room * sizeof *s->stems);
	s->mask = room - 1;
	s->longest = longest(rules, n);
	s->lengths = take_zeroed(a, (s->longest + 1) * sizeof *s->lengths);
	for (size_t i = 0; i < n; i++) {
		const struct skip_rule *r = &rules[i];
		size_t stem_n = piece_bytes(r->path);
		if (r->path.n)
			add(a, take_stem(s, (struct span){ r->path.at, stem_n }), r,
			    cut(r->path, stem_n));
		else
			add(a, &s->any, r, (struct span){ "", 0 });
	}
	return s;
}
