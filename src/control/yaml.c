#include "control/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>

/*
 * libfyaml parses, and nothing of it is visible outside of this file. Its documents are never
 * resolved: resolving aliases could turn a small text into a huge tree. Aliases are refused
 * instead.
 */

struct reader {
	struct arena *arena;
	struct diagnostics *diagnostics;
};

const char *yaml_kind_word(enum yaml_kind k)
{
	static const char *const words[] = { "a single value", "a list", "a section", "this" };
	return words[k];
}

/* The length of the UTF-8 sequence at `at`, or 0: RFC 3629, without overlong forms and surrogates.
 */
static size_t utf8_length(const unsigned char *at, size_t n)
{
	static const struct {
		unsigned char least, most, second_least, second_most;
		size_t length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (at[0] < forms[i].least || at[0] > forms[i].most)
			continue;
		if (n < forms[i].length || at[1] < forms[i].second_least ||
		    at[1] > forms[i].second_most)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((at[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* libfyaml silently takes a NUL or a broken character for the end of the text. */
static bool characters_are_plain(struct diagnostics *c)
{
	const unsigned char *text = (const unsigned char *)c->text.at;
	for (size_t i = 0; i < c->text.n;) {
		unsigned char byte = text[i];
		size_t length = 1;
		if (byte >= 0x80)
			length = utf8_length(text + i, c->text.n - i);
		else if ((byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r') ||
			 byte == 0x7f)
			length = 0;
		if (length == 0) {
			diagnose(c, i, "%s is not allowed here",
				 byte >= 0x80 ? "text that is not UTF-8" : "a control character");
			return false;
		}
		i += length;
	}
	return true;
}

/* A word that may be in front of a '?' on its line: other indicators, anchors, tags. */
static bool is_indicator(struct span word)
{
	static const char *const words[] = { "-", "?", ":", "---" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (span_is(word, span_of(words[i])))
			return true;
	return word.at[0] == '&' || word.at[0] == '!';
}

static bool is_line_end(char byte)
{
	return byte == '\n' || byte == '\r';
}

static bool is_blank_byte(char byte)
{
	return byte == ' ' || byte == '\t' || is_line_end(byte);
}

/* The place of a '?' that begins an explicit key on the line at `at`; NOWHERE: there is none. */
static size_t find_explicit_key(struct span text, size_t at)
{
	while (at < text.n && !is_line_end(text.at[at])) {
		size_t n = 0;
		while (at + n < text.n && !is_blank_byte(text.at[at + n]))
			n++;
		struct span word = { text.at + at, n };
		if (span_is(word, SPAN("?")))
			return at;
		if (n && !is_indicator(word))
			return NOWHERE;
		at += n ? n : 1;
	}
	return NOWHERE;
}

/*
 * Refuses explicit keys, since libfyaml 0.7.12 frees some of them twice (`? a:<tab>?`). Refuses
 * directives, too, since they could choose line ends other than those that this code knows.
 */
static bool lines_are_plain(struct diagnostics *c)
{
	static const char mark[] = "\xef\xbb\xbf"; /* the byte order mark, which libfyaml skips */
	struct span text = c->text;
	size_t at = text.n >= 3 && !memcmp(text.at, mark, 3) ? 3 : 0;
	for (; at < text.n; at++) {
		size_t key = find_explicit_key(text, at);
		if (key != NOWHERE)
			diagnose(c, key, "keys that begin with '?' are not supported");
		else if (text.at[at] == '%')
			diagnose(c, at, "directives (%%) are not supported");
		if (c->n)
			return false;
		while (at < text.n && !is_line_end(text.at[at]))
			at++;
	}
	return true;
}

static size_t node_place(struct fy_node *n, size_t otherwise)
{
	struct fy_token *token = fy_node_get_scalar_token(n);
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
	return mark ? mark->input_pos : otherwise;
}

/* Refuses aliases, anchors and tags. */
static bool is_plain(struct reader *r, struct fy_node *n, size_t at)
{
	size_t tag_n;
	if (fy_node_is_alias(n))
		diagnose(r->diagnostics, at,
			 "aliases (*name) are not supported; write the value again");
	else if (fy_node_get_anchor(n))
		diagnose(r->diagnostics, at, "anchors (&name) are not supported");
	else if (fy_node_get_tag(n, &tag_n))
		diagnose(r->diagnostics, at, "tags (!name) are not supported");
	else
		return true;
	return false;
}

static char *copy_text(struct reader *r, struct fy_node *n)
{
	size_t bytes = 0;
	const char *text = fy_node_get_scalar(n, &bytes);
	char *copy = arena_take(r->arena, bytes + 1);
	if (bytes)
		memcpy(copy, text, bytes);
	copy[bytes] = 0;
	return copy;
}

static struct yaml *yaml_read_node(struct reader *r, struct fy_node *n, size_t otherwise);

static void yaml_read_list(struct reader *r, struct fy_node *n, struct yaml *y)
{
	struct yaml **end = &y->first;
	void *step = NULL;
	for (struct fy_node *item; (item = fy_node_sequence_iterate(n, &step));) {
		struct yaml *i = *end = yaml_read_node(r, item, y->at);
		/*
		 * libfyaml does not give the place of a map; in a list of maps each needs its own.
		 */
		if (i->kind == YAML_MAP && i->first)
			i->at = i->first->key_at;
		end = &i->next;
	}
}

static const struct yaml *map_member(const struct yaml *map, const char *key)
{
	for (const struct yaml *m = map->first; m; m = m->next)
		if (m->key && !strcmp(m->key, key))
			return m;
	return NULL;
}

/* In braces a key may be without a colon. Then it is more likely a value, and is not shown. */
static bool colon_follows(struct span text, size_t at)
{
	while (at < text.n && strchr(" \t'\"", text.at[at]))
		at++;
	return at < text.n && text.at[at] == ':';
}

/* NULL when the pair is refused. */
static struct yaml *yaml_read_member(struct reader *r, struct fy_node_pair *pair,
				     const struct yaml *map)
{
	struct fy_node *key = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
	size_t at = key ? node_place(key, map->at) : map->at;
	if (!key || fy_node_get_type(key) != FYNT_SCALAR) {
		diagnose(r->diagnostics, at, "a key must be a single word");
		return NULL;
	}
	if (!is_plain(r, key, at))
		return NULL;
	char *name = copy_text(r, key);
	if (colon_follows(r->diagnostics->text, at + strlen(name)))
		diagnostics_show(r->diagnostics, at, name);
	if (map_member(map, name)) {
		diagnose(r->diagnostics, at, "the key '%s' is here twice", name);
		return NULL;
	}
	struct yaml *y = yaml_read_node(r, value, at);
	y->key = name;
	y->key_at = at;
	return y;
}

static void yaml_read_map(struct reader *r, struct fy_node *n, struct yaml *y)
{
	struct yaml **end = &y->first;
	void *step = NULL;
	for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(n, &step));) {
		struct yaml *m = yaml_read_member(r, pair, y);
		if (!m)
			continue;
		*end = m;
		end = &m->next;
	}
}

/* libfyaml limits the depth to FYPCF_GUARANTEED_MINIMUM_DEPTH_LIMIT, and with it this recursion. */
static struct yaml *yaml_read_node(struct reader *r, struct fy_node *n, size_t otherwise)
{
	struct yaml *y = arena_take(r->arena, sizeof *y);
	*y = (struct yaml){ .kind = YAML_SCALAR, .at = otherwise, .text = "" };
	if (!n)
		return y;
	y->at = node_place(n, otherwise);
	if (!is_plain(r, n, y->at)) {
		y->kind = YAML_REFUSED;
		return y;
	}
	switch (fy_node_get_type(n)) {
	case FYNT_SCALAR:
		y->text = copy_text(r, n);
		break;
	case FYNT_SEQUENCE:
		y->kind = YAML_LIST;
		yaml_read_list(r, n, y);
		break;
	case FYNT_MAPPING:
		y->kind = YAML_MAP;
		yaml_read_map(r, n, y);
		break;
	}
	return y;
}

/* libfyaml counts lines and columns from 1. */
static size_t place_at(struct span text, int line, int column)
{
	size_t at = 0;
	while (line-- > 1) {
		const char *end = memchr(text.at + at, '\n', text.n - at);
		if (!end)
			return text.n;
		at = (size_t)(end - text.at) + 1;
	}
	while (column-- > 1 && at < text.n && text.at[at] != '\n')
		at++;
	return at;
}

static void yaml_complain_syntax(struct diagnostics *c, struct fy_diag *diag)
{
	void *step = NULL;
	const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &step);
	if (e && e->line > 0)
		diagnose(c, place_at(c->text, e->line, e->column), "%s", e->msg);
	else
		diagnose(c, 0, "this is not YAML");
}

static struct yaml *yaml_read_documents(struct fy_parser *parser, struct fy_diag *diag,
					struct reader *r)
{
	struct fy_document *document = fy_parse_load_document(parser);
	if (!document) {
		if (fy_parser_get_stream_error(parser))
			yaml_complain_syntax(r->diagnostics, diag);
		else
			diagnose(r->diagnostics, NOWHERE, "the file is empty");
		return NULL;
	}
	struct yaml *root = yaml_read_node(r, fy_document_root(document), 0);
	fy_parse_document_destroy(parser, document);
	document = fy_parse_load_document(parser);
	if (document) {
		struct fy_node *second = fy_document_root(document);
		diagnose(r->diagnostics, second ? node_place(second, NOWHERE) : NOWHERE,
			 "a second document begins here; one is expected");
		fy_parse_document_destroy(parser, document);
	} else if (fy_parser_get_stream_error(parser)) {
		yaml_complain_syntax(r->diagnostics, diag);
	}
	return root;
}

struct yaml *yaml_read(struct arena *arena, struct diagnostics *c)
{
	if (!characters_are_plain(c) || !lines_are_plain(c))
		return NULL;
	struct fy_diag_cfg how;
	fy_diag_cfg_default(&how);
	how.fp = NULL;
	struct fy_diag *diag = fy_diag_create(&how);
	struct fy_parse_cfg config = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS |
			 FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
		.diag = diag,
	};
	struct fy_parser *parser = diag ? fy_parser_create(&config) : NULL;
	if (!parser || fy_parser_set_string(parser, c->text.at, c->text.n))
		abort(); /* out of memory */
	fy_diag_set_collect_errors(diag, true);
	struct reader r = { arena, c };
	struct yaml *root = yaml_read_documents(parser, diag, &r);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	return root;
}
