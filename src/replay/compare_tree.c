#include "replay/compare_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

/* What is needed while it is taken apart. */
struct compare_parse {
	struct compare_tree *tree;
	struct json_scan json;
	struct span whole, key;
	const char *fault;
	uint32_t open[JSON_DEPTH_MAX]; /* brackets: the numbers of their values */
	size_t depth;
};

int compare_keys(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.at, b.at, n) : 0;
	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* --- texts --- */

/*
 * The scanner shows the beginning of a long text, which may be cut behind a '\\': so its end, the
 * quote without one, is looked for from its beginning.
 */
static struct span compare_whole_text(const struct compare_parse *p)
{
	struct span s = p->json.text;
	const char *end = p->whole.at + p->whole.n;
	if (!p->json.text_cut)
		return s;
	s.n = 0;
	while (s.at + s.n < end && s.at[s.n] != '"')
		s.n += s.at[s.n] == '\\' ? 2 : 1;
	return s;
}

static struct span compare_text(struct compare_parse *p)
{
	struct compare_tree *t = p->tree;
	struct span s = compare_whole_text(p);
	size_t n;
	if (!memchr(s.at, '\\', s.n))
		return s;
	if (json_decode(s, t->plain + t->plain_n, s.n, &n) != JSON_DECODED) {
		p->fault = "a string has half a character";
		return s;
	}
	s = (struct span){ t->plain + t->plain_n, n };
	t->plain_n += n;
	return s;
}

/* --- values --- */

static uint32_t compare_add(struct compare_parse *p, enum json_token kind, struct span text)
{
	struct compare_tree *t = p->tree;
	if (t->n == COMPARE_NODES_MAX) {
		p->fault = "it has too many values";
		return 0;
	}
	if (t->n == t->room) {
		t->room = 2 * t->room + 64;
		t->nodes = realloc(t->nodes, t->room * sizeof *t->nodes);
		must(t->nodes);
	}
	uint32_t number = (uint32_t)t->n++;
	t->nodes[number] = (struct compare_node){
		.key = p->key, .text = text, .kind = (uint8_t)kind, .end = number + 1
	};
	p->key = (struct span){ "", 0 };
	return number;
}

static void compare_open_bracket(struct compare_parse *p, enum json_token kind)
{
	uint32_t number = compare_add(p, kind, (struct span){ "", 0 });
	if (!p->fault)
		p->open[p->depth++] = number;
}

static void compare_close_bracket(struct compare_parse *p)
{
	p->tree->nodes[p->open[--p->depth]].end = (uint32_t)p->tree->n;
}

static void compare_token(struct compare_parse *p, enum json_token token)
{
	switch (token) {
	case TOKEN_OBJECT:
	case TOKEN_ARRAY:
		compare_open_bracket(p, token);
		break;
	case TOKEN_OBJECT_END:
	case TOKEN_ARRAY_END:
		compare_close_bracket(p);
		break;
	case TOKEN_KEY:
		p->key = compare_text(p);
		break;
	case TOKEN_STRING:
		compare_add(p, token, compare_text(p));
		break;
	case TOKEN_NUMBER:
	case TOKEN_TRUE:
	case TOKEN_FALSE:
	case TOKEN_NULL:
		compare_add(p, token, p->json.text);
		break;
	case TOKEN_MORE:
	case TOKEN_END:
	case TOKEN_BAD:
		break;
	}
}

/* --- members --- */

static int compare_members(const void *a, const void *b, void *nodes)
{
	const struct compare_node *list = nodes;
	return compare_keys(list[*(const uint32_t *)a].key, list[*(const uint32_t *)b].key);
}

/* False: a member is there twice. */
static bool compare_order(struct compare_tree *t, struct compare_node *node, uint32_t number)
{
	node->children = (uint32_t)t->order_n;
	for (uint32_t at = number + 1; at < node->end; at = t->nodes[at].end)
		t->order[t->order_n++] = at;
	node->child_n = (uint32_t)t->order_n - node->children;
	if (node->kind != TOKEN_OBJECT)
		return true;
	uint32_t *list = t->order + node->children;
	qsort_r(list, node->child_n, sizeof *list, compare_members, t->nodes);
	for (uint32_t i = 1; i < node->child_n; i++)
		if (!compare_members(&list[i - 1], &list[i], t->nodes))
			return false;
	return true;
}

static const char *compare_order_all(struct compare_tree *t)
{
	t->order = malloc(t->n * sizeof *t->order);
	must(t->order);
	for (uint32_t i = 0; i < t->n; i++)
		if (t->nodes[i].end > i + 1 && !compare_order(t, &t->nodes[i], i))
			return "a member is there twice";
	return NULL;
}

/* --- a life --- */

static const char *const compare_faults[] = {
	[JSON_FINE] = "it is no JSON",
	[JSON_CUT] = "it ends too early",
	[JSON_SYNTAX] = "it is no JSON",
	[JSON_UTF8] = "a string is not UTF-8",
	[JSON_DEEP] = "too many brackets are open",
};

static const char *compare_parse(struct compare_parse *p)
{
	enum json_token token = TOKEN_MORE;
	json_open(&p->json, JSON_ONE_VALUE);
	json_put(&p->json, p->whole, true);
	while (!p->fault && (token = json_next(&p->json)) != TOKEN_END) {
		if (token == TOKEN_BAD || token == TOKEN_MORE)
			return compare_faults[json_fault(&p->json)];
		compare_token(p, token);
	}
	return p->fault;
}

const char *compare_tree_open(struct compare_tree *t, struct span text)
{
	struct compare_parse *p = malloc(sizeof *p);
	must(p);
	p->tree = t;
	p->whole = text;
	p->key = (struct span){ "", 0 };
	p->fault = NULL;
	p->depth = 0;
	*t = (struct compare_tree){ .plain = malloc(text.n + 1) };
	must(t->plain);
	const char *fault = compare_parse(p);
	if (!fault)
		fault = compare_order_all(t);
	free(p);
	if (fault)
		compare_tree_close(t);
	return fault;
}

void compare_tree_close(struct compare_tree *t)
{
	free(t->nodes);
	free(t->order);
	free(t->plain);
	*t = (struct compare_tree){ 0 };
}
