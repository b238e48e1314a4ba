#include "capture/skip.h"

#include "base/bug.h"

/* What a rule asks for besides its stem. */
struct rule {
	struct span method; /* empty: any */
	struct span rest; /* of the path's pattern without the stem; empty: the stem is all of it */
	struct span header, value;
	enum name name; /* the header's id */
	struct rule *next;
};

/*
 * What stands before the first '*' of a path, or behind the last '*' where that is longer. All
 * rules with the same text share a stem.
 */
struct stem {
	struct span text; /* at NULL: this place in the table is free */
	uint64_t hash;
	/* Rules that ask for no more than a method: bit 1 << enum method. */
	uint32_t here, below; /* for exactly this path; for all paths that begin, or end, with it */
	struct rule *first;   /* the other rules */
};

/* The stems at one end of paths. */
struct table {
	bool ends;	    /* at the end of paths, and hashed from their last byte on */
	struct stem *stems; /* half of the places are free */
	size_t mask;
	bool *lengths; /* whether there is a stem of that length */
	size_t longest;
};

struct skips {
	struct table begins, ends;
	struct stem any; /* of rules without a path */
};

#define ALL_METHODS UINT32_MAX

/* FNV-1a, 64 bits: it is computed byte by byte along the path. */
#define HASH_BEGIN 0xcbf29ce484222325ull

static uint64_t hash_more(uint64_t hash, char c)
{
	return (hash ^ (uint8_t)c) * 0x100000001b3ull;
}

/* --- patterns --- */

static bool text_begins(struct span text, struct span with)
{
	return text.n >= with.n && (!with.n || !memcmp(text.at, with.at, with.n));
}

static struct span span_cut(struct span s, size_t n)
{
	return (struct span){ s.at + n, s.n - n };
}

static struct span span_cut_end(struct span s, size_t n)
{
	return (struct span){ s.at, s.n - n };
}

/* The first `n` bytes, or the last `n`. */
static struct span span_part(struct span s, size_t n, bool end)
{
	return (struct span){ end ? s.at + s.n - n : s.at, n };
}

static size_t piece_bytes(struct span pattern)
{
	const char *star = pattern.n ? memchr(pattern.at, '*', pattern.n) : NULL;
	return star ? (size_t)(star - pattern.at) : pattern.n;
}

/*
 * Each piece between two '*' is matched where it comes first: that leaves most bytes to the others.
 */
bool skip_fits(struct span pattern, struct span text)
{
	size_t n = piece_bytes(pattern);
	if (n == pattern.n)
		return span_is(pattern, text);
	if (!text_begins(text, (struct span){ pattern.at, n }))
		return false;
	text = span_cut(text, n);
	for (;;) {
		pattern = span_cut(pattern, n + 1);
		n = piece_bytes(pattern);
		if (n == pattern.n)
			break;
		const char *at = n ? memmem(text.at, text.n, pattern.at, n) : text.at;
		if (!at)
			return false;
		text = span_cut(text, (size_t)(at - text.at) + n);
	}
	return text.n >= n && span_is(pattern, span_cut(text, text.n - n));
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

/* `rest`: the path without the stem. */
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

static struct stem *place_of(const struct table *t, struct span text, uint64_t hash)
{
	size_t at = hash & t->mask;
	while (t->stems[at].text.at &&
	       (t->stems[at].hash != hash || !span_is(t->stems[at].text, text)))
		at = (at + 1) & t->mask;
	return &t->stems[at];
}

static bool is_dots(const char *at, size_t n)
{
	return n <= 2 && !memcmp(at, "..", n);
}

/* Whether the segment from `begin` to `end` is plain: not dots, and empty only as the last one. */
static bool is_segment(struct span path, size_t begin, size_t end, bool last)
{
	size_t n = end - begin;
	return n ? !is_dots(path.at + begin, n) : last;
}

/* The path: the target without its query. Empty: clusters may read the path as another one. */
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

static bool table_has(const struct table *t, const struct msg *m, struct span path)
{
	uint64_t hash = HASH_BEGIN;
	for (size_t n = 0; n <= path.n && n <= t->longest; n++) {
		if (t->lengths[n]) {
			const struct stem *stem = place_of(t, span_part(path, n, t->ends), hash);
			if (stem->text.at &&
			    stem_has(stem, m, t->ends ? span_cut_end(path, n) : span_cut(path, n)))
				return true;
		}
		if (n < path.n)
			hash = hash_more(hash, t->ends ? path.at[path.n - 1 - n] : path.at[n]);
	}
	return false;
}

bool skips_have(const struct skips *s, const struct msg *m)
{
	must(m->kind == MSG_REQUEST && m->text);
	if (stem_has(&s->any, m, (struct span){ "", 0 }))
		return true;
	struct span path = plain_path(m);
	return path.n && (table_has(&s->begins, m, path) || table_has(&s->ends, m, path));
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

static void stem_add(struct arena *a, struct stem *s, const struct skip_rule *from,
		     struct span rest)
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

static struct stem *take_stem(struct table *t, struct span text)
{
	uint64_t hash = HASH_BEGIN;
	for (size_t i = 0; i < text.n; i++)
		hash = hash_more(hash, text.at[t->ends ? text.n - 1 - i : i]);
	struct stem *stem = place_of(t, text, hash);
	stem->text = text;
	stem->hash = hash;
	t->lengths[text.n] = true;
	return stem;
}

static void *take_zeroed(struct arena *a, size_t bytes)
{
	return memset(arena_take(a, bytes), 0, bytes);
}

/* The length of what stands behind the last '*'. */
static size_t tail_bytes(struct span pattern)
{
	const char *star = pattern.n ? memrchr(pattern.at, '*', pattern.n) : NULL;
	return star ? pattern.n - (size_t)(star - pattern.at) - 1 : 0;
}

static bool is_at_end(const struct skip_rule *r)
{
	return tail_bytes(r->path) > piece_bytes(r->path);
}

static size_t stem_bytes(const struct skip_rule *r)
{
	return is_at_end(r) ? tail_bytes(r->path) : piece_bytes(r->path);
}

static struct table table_make(struct arena *a, const struct skip_rule *rules, size_t n, bool ends)
{
	struct table t = { .ends = ends };
	size_t room = 4, stems = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_at_end(&rules[i]) != ends)
			continue;
		stems++;
		if (stem_bytes(&rules[i]) > t.longest)
			t.longest = stem_bytes(&rules[i]);
	}
	while (room < 2 * stems)
		room *= 2;
	t.stems = take_zeroed(a, room * sizeof *t.stems);
	t.mask = room - 1;
	t.lengths = take_zeroed(a, (t.longest + 1) * sizeof *t.lengths);
	return t;
}

struct skips *skips_make(struct arena *a, const struct skip_rule *rules, size_t n)
{
	struct skips *s = take_zeroed(a, sizeof *s);
	s->begins = table_make(a, rules, n, false);
	s->ends = table_make(a, rules, n, true);
	for (size_t i = 0; i < n; i++) {
		const struct skip_rule *r = &rules[i];
		size_t stem_n = stem_bytes(r);
		bool ends = is_at_end(r);
		if (r->path.n)
			stem_add(a,
				 take_stem(ends ? &s->ends : &s->begins,
					   span_part(r->path, stem_n, ends)),
				 r,
				 ends ? span_cut_end(r->path, stem_n) : span_cut(r->path, stem_n));
		else
			stem_add(a, &s->any, r, (struct span){ "", 0 });
	}
	return s;
}
