#include "replay/compare_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "replay/compare_tree.h"

/* Bytes of a name or a value that are shown. */
#define SHOWN_BYTES 48

/* --- numbers --- */

static bool compare_is_integer(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == '.' || (s.at[i] | 0x20) == 'e')
			return false;
	return true;
}

static double compare_double(struct span s)
{
	char text[JSON_TEXT_BYTES + 1];
	memcpy(text, s.at, s.n);
	text[s.n] = 0;
	return strtod(text, NULL);
}

bool compare_json_numbers(struct span a, struct span b)
{
	if (span_is(a, b) || a.n > JSON_TEXT_BYTES || b.n > JSON_TEXT_BYTES)
		return span_is(a, b);
	bool a_integer = compare_is_integer(a), b_integer = compare_is_integer(b);
	double x = compare_double(a), y = compare_double(b);
	if (a_integer && b_integer)
		return x == 0 && y == 0; /* 0 and -0: all others have one form */
	/* Beyond 2^53 a double does not tell which integer it was. */
	bool exact = !(a_integer || b_integer) || (fabs(x) < 0x1p53 && fabs(y) < 0x1p53);
	return x == y && exact && isfinite(x);
}

/* --- what differs, in words --- */

/* A member or item on the way to the values that are compared. */
struct compare_step {
	struct span key;
	uint32_t item;
	bool is_item;
};

struct comparison {
	const struct compare_tree *a, *b;
	struct compare_step path[JSON_DEPTH_MAX];
	size_t depth;
	char *where;
};

/* At most SHOWN_BYTES, cut at a character. */
static int compare_shown(struct span s)
{
	if (s.n <= SHOWN_BYTES)
		return (int)s.n;
	size_t n = SHOWN_BYTES;
	while (n && ((unsigned char)s.at[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

static void compare_put_value(FILE *to, const struct compare_node *v)
{
	int n = v ? compare_shown(v->text) : 0;
	const char *more = v && (size_t)n < v->text.n ? "..." : "";
	if (!v)
		fputs("nothing", to);
	else if (v->kind == TOKEN_OBJECT)
		fprintf(to, "an object of %u members", v->child_n);
	else if (v->kind == TOKEN_ARRAY)
		fprintf(to, "an array of %u items", v->child_n);
	else if (v->kind == TOKEN_STRING)
		fprintf(to, "\"%.*s%s\"", n, v->text.at, more);
	else
		fprintf(to, "%.*s%s", n, v->text.at, more);
}

static void compare_put_path(FILE *to, const struct comparison *c)
{
	for (size_t i = 0; i < c->depth; i++) {
		const struct compare_step *s = &c->path[i];
		if (s->is_item)
			fprintf(to, "[%u]", s->item);
		else
			fprintf(to, "%s%.*s", i ? "." : "", compare_shown(s->key), s->key.at);
	}
}

/* Always false. */
static bool compare_tell(struct comparison *c, const struct compare_node *a,
			 const struct compare_node *b)
{
	char text[2 * COMPARE_WHERE_BYTES] = "";
	FILE *to = fmemopen(text, sizeof text, "w");
	if (!to)
		return false;
	compare_put_path(to, c);
	if (c->depth)
		fputs(": ", to);
	compare_put_value(to, a);
	fputs(" / ", to);
	compare_put_value(to, b);
	fclose(to);
	text[sizeof text - 1] = 0;
	plain_copy(c->where, COMPARE_WHERE_BYTES, text);
	return false;
}

/* --- values --- */

static bool compare_values(struct comparison *c, const struct compare_node *a,
			   const struct compare_node *b);

static bool compare_below(struct comparison *c, struct compare_step step,
			  const struct compare_node *a, const struct compare_node *b)
{
	c->path[c->depth++] = step;
	bool equal = a && b ? compare_values(c, a, b) : compare_tell(c, a, b);
	c->depth--;
	return equal;
}

static const struct compare_node *compare_child(const struct compare_tree *t,
						const struct compare_node *of, uint32_t i)
{
	return i < of->child_n ? compare_tree_child(t, of, i) : NULL;
}

static bool compare_objects(struct comparison *c, const struct compare_node *a,
			    const struct compare_node *b)
{
	uint32_t i = 0, k = 0;
	while (i < a->child_n || k < b->child_n) {
		const struct compare_node *x = compare_child(c->a, a, i),
					  *y = compare_child(c->b, b, k);
		int order = !x ? 1 : !y ? -1 : compare_keys(x->key, y->key);
		const struct compare_step step = { .key = order > 0 ? y->key : x->key };
		if (!compare_below(c, step, order > 0 ? NULL : x, order < 0 ? NULL : y))
			return false;
		i++;
		k++;
	}
	return true;
}

static bool compare_arrays(struct comparison *c, const struct compare_node *a,
			   const struct compare_node *b)
{
	for (uint32_t i = 0; i < a->child_n || i < b->child_n; i++) {
		const struct compare_step step = { .item = i, .is_item = true };
		if (!compare_below(c, step, compare_child(c->a, a, i), compare_child(c->b, b, i)))
			return false;
	}
	return true;
}

static bool compare_values(struct comparison *c, const struct compare_node *a,
			   const struct compare_node *b)
{
	if (a->kind != b->kind)
		return compare_tell(c, a, b);
	if (a->kind == TOKEN_OBJECT)
		return compare_objects(c, a, b);
	if (a->kind == TOKEN_ARRAY)
		return compare_arrays(c, a, b);
	bool equal = a->kind == TOKEN_NUMBER ? compare_json_numbers(a->text, b->text)
					     : span_is(a->text, b->text);
	return equal || compare_tell(c, a, b);
}

/* --- byte by byte --- */

/* The next byte that is no blank outside of strings; -1: there is none. */
static int compare_next_byte(struct span *s, bool *in_string, bool *escaped)
{
	while (s->n) {
		char c = *s->at;
		s->at++;
		s->n--;
		if (*in_string) {
			*in_string = c != '"' || *escaped;
			*escaped = c == '\\' && !*escaped;
			return (unsigned char)c;
		}
		*in_string = c == '"';
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return (unsigned char)c;
	}
	return -1;
}

static bool compare_bytes(struct span a, struct span b)
{
	bool in_a = false, in_b = false, escaped_a = false, escaped_b = false;
	for (;;) {
		int x = compare_next_byte(&a, &in_a, &escaped_a),
		    y = compare_next_byte(&b, &in_b, &escaped_b);
		if (x != y)
			return false;
		if (x < 0)
			return true;
	}
}

static enum compare_verdict compare_unread(struct span a, struct span b, const char *fault,
					   char where[COMPARE_WHERE_BYTES])
{
	if (compare_bytes(a, b))
		return COMPARE_EQUAL;
	snprintf(where, COMPARE_WHERE_BYTES,
		 "the bytes differ, and nobody can tell what they "
		 "mean: %s",
		 fault);
	return COMPARE_UNKNOWN;
}

/* --- both --- */

static bool compare_trees(const struct compare_tree *a, const struct compare_tree *b,
			  char where[COMPARE_WHERE_BYTES])
{
	struct comparison *c = malloc(sizeof *c);
	if (!c)
		return false;
	c->a = a;
	c->b = b;
	c->depth = 0;
	c->where = where;
	bool equal = compare_values(c, a->nodes, b->nodes);
	free(c);
	return equal;
}

enum compare_verdict compare_json(struct span a, struct span b, char where[COMPARE_WHERE_BYTES])
{
	struct compare_tree x, y;
	*where = 0;
	if (span_is(a, b))
		return COMPARE_EQUAL;
	const char *fault = compare_tree_open(&x, a);
	if (fault)
		return compare_unread(a, b, fault, where);
	fault = compare_tree_open(&y, b);
	if (fault) {
		compare_tree_close(&x);
		return compare_unread(a, b, fault, where);
	}
	bool equal = compare_trees(&x, &y, where);
	compare_tree_close(&x);
	compare_tree_close(&y);
	return equal ? COMPARE_EQUAL : COMPARE_DIFFERENT;
}
