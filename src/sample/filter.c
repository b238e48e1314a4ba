#include <stdint.h>

#include "sample/json.h"
#include "sample/pattern.h"

#define PARTS_MAX 64

/* The parts of all paths in one row; a set of places in them is a word of bits. */
struct filter {
	struct span parts[PARTS_MAX];
	size_t n;
	uint64_t begins, ends; /* the first, and the last, part of each path */
	struct sample_text *to;
};

static bool filter_add_part(struct filter *f, struct span part, bool first, bool last)
{
	if (f->n == PARTS_MAX)
		return false;
	f->begins |= (uint64_t)first << f->n;
	f->ends |= (uint64_t)last << f->n;
	f->parts[f->n++] = part;
	return true;
}

static bool filter_add_path(struct filter *f, struct span path)
{
	for (bool first = true, last = false; !last; first = false) {
		const char *dot = memchr(path.at, '.', path.n);
		size_t n = dot ? (size_t)(dot - path.at) : path.n;
		last = !dot;
		if (!filter_add_part(f, (struct span){ path.at, n }, first, last))
			return false;
		path = (struct span){ path.at + n + !last, path.n - n - !last };
	}
	return true;
}

/* Where the paths stand behind a member of that name. True: one of them is whole. */
static bool filter_advance(const struct filter *f, uint64_t at, struct span name, uint64_t *next)
{
	bool whole = false;
	*next = 0;
	for (size_t i = 0; i < f->n; i++) {
		uint64_t bit = (uint64_t)1 << i;
		bool any = span_is(f->parts[i], SPAN("**"));
		/* "**" may stand for nothing: then the part behind it is due as well. */
		if ((at & bit) && any && !(f->ends & bit))
			at |= bit << 1;
		if (!(at & bit) || !sample_pattern_matches(f->parts[i], name))
			continue;
		whole |= (f->ends & bit) != 0;
		*next |= any ? bit : 0;
		*next |= f->ends & bit ? 0 : bit << 1;
	}
	return whole;
}

static bool filter_value(const struct filter *f, struct span value, uint64_t at);

static bool filter_member(const struct filter *f, struct span name, struct span value, uint64_t at)
{
	uint64_t next;
	size_t before = f->to->n;
	bool whole = filter_advance(f, at, name, &next);
	if (f->to->at[before - 1] != '{')
		SAMPLE_ADD(f->to, ",");
	SAMPLE_ADD(f->to, "\"");
	sample_text_add(f->to, name);
	SAMPLE_ADD(f->to, "\":");
	if (whole)
		sample_text_add(f->to, value);
	else if (!next || !filter_value(f, value, next)) {
		f->to->n = before;
		return false;
	}
	return true;
}

static struct span filter_take_value(const char **at, const char *end)
{
	const char *from = sample_json_skip(*at, end);
	*at = sample_json_end(from, end);
	return (struct span){ from, (size_t)(*at - from) };
}

/* Behind commas, colons and white space. */
static const char *filter_next(const char *at, const char *end)
{
	while ((at = sample_json_skip(at, end)) < end && (*at == ',' || *at == ':'))
		at++;
	return at;
}

static bool filter_object(const struct filter *f, struct span object, uint64_t paths)
{
	const char *at = object.at + 1, *end = object.at + object.n - 1;
	bool some = false;
	SAMPLE_ADD(f->to, "{");
	while ((at = filter_next(at, end)) < end) {
		struct span name = filter_take_value(&at, end);
		at = filter_next(at, end);
		struct span value = filter_take_value(&at, end);
		some |= filter_member(f, (struct span){ name.at + 1, name.n - 2 }, value, paths);
	}
	SAMPLE_ADD(f->to, "}");
	return some;
}

static bool filter_array(const struct filter *f, struct span array, uint64_t paths)
{
	const char *at = array.at + 1, *end = array.at + array.n - 1;
	bool some = false;
	SAMPLE_ADD(f->to, "[");
	while ((at = filter_next(at, end)) < end) {
		size_t before = f->to->n;
		struct span value = filter_take_value(&at, end);
		if (some)
			SAMPLE_ADD(f->to, ",");
		if (filter_value(f, value, paths))
			some = true;
		else
			f->to->n = before;
	}
	SAMPLE_ADD(f->to, "]");
	return some;
}

/* False: nothing of it is named; what it has added to the text is of no use. */
static bool filter_value(const struct filter *f, struct span value, uint64_t at)
{
	if (value.n && value.at[0] == '{')
		return filter_object(f, value, at);
	return value.n && value.at[0] == '[' && filter_array(f, value, at);
}

bool sample_filter(struct span paths, struct span json, struct sample_text *to)
{
	struct filter f = { .to = to };
	struct span path;
	while (span_next_member(&paths, &path))
		if (!filter_add_path(&f, path))
			return false;
	/* Where nothing is named the brackets stand there alone. */
	filter_value(&f, json, f.begins);
	return true;
}
