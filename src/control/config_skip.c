#include "control/config_skip.h"

#include "base/limits.h"
#include "http/msg.h"

static bool is_field_token(const char *text)
{
	size_t n = strlen(text);
	return n <= FIELD_NAME_BYTES && scan_count(text, n, SCAN_TOKEN) == n;
}

static void skip_method_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	if (!is_field_token(y->text) ||
	    strspn(y->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != strlen(y->text))
		diagnose(b->diagnostics, y->at, "%s: '%s' is not a method, such as GET", k->name,
			 y->text);
	else
		*(const char **)to = y->text;
}

/* A pattern with text that no target can have would be a rule that never matches. */
static const char *wrong_path(const char *path)
{
	if (path[0] != '/' && path[0] != '*')
		return "does not begin with / or *";
	for (const char *c = path; *c; c++)
		if (*c <= ' ' || *c > '~')
			return "has a character that a path cannot have";
	if (strpbrk(path, "?#"))
		return "has a query: rules are for the path before the query";
	if (strpbrk(path, "%\\") || strstr(path, "//") || strstr(path, "/./") ||
	    strstr(path, "/../"))
		return "would never match: a path with a percent code, a backslash, an empty "
		       "segment or a dot segment is always recorded";
	return strlen(path) > SKIP_PATH_BYTES ? "is too long" : NULL;
}

static void skip_path_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	const char *wrong = wrong_path(y->text);
	if (wrong)
		diagnose(b->diagnostics, y->at, "%s: '%s' %s", k->name, y->text, wrong);
	else
		*(const char **)to = y->text;
}

static void skip_name_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	if (is_field_token(y->text))
		*(const char **)to = y->text;
	else
		diagnose(b->diagnostics, y->at, "%s: '%s' is not a field name", k->name, y->text);
}

static void skip_text_preset(const struct key *k, void *to)
{
	*(const char **)to = k->text;
}

const struct key_type key_skip_method = { skip_method_bind, skip_text_preset, true, "a method" };
const struct key_type key_skip_path = { skip_path_bind, skip_text_preset, true,
					"a pattern of a path" };
static const struct key_type key_skip_name = { skip_name_bind, skip_text_preset, true, "a name" };

#define KEYS(table) .keys = (table), .key_n = sizeof(table) / sizeof((table)[0])

#define AT(member) .offset = offsetof(struct config_skip_header, member)
static const struct key header_keys[] = {
	{ "name", &key_skip_name, AT(name), .missing = "the name of a field, such as X-Probe" },
	{ "value", &key_text, AT(value) },
};
#undef AT
static const struct section header_section = { KEYS(header_keys), NULL };

static void check_skip(struct binder *b, const void *to)
{
	const struct config_skip *s = to;
	if (!s->method && !s->path && s->header.head.at == NOWHERE)
		diagnose(b->diagnostics, s->head.at,
			 "skip: the rule would match all requests: set method, path or header");
}

#define AT(member) .offset = offsetof(struct config_skip, member)
static const struct key skip_keys[] = {
	{ "method", &key_skip_method, AT(method) },
	{ "path", &key_skip_path, AT(path) },
	{ "header", &key_section, AT(header), .section = &header_section },
};
#undef AT
const struct section skip_section = { KEYS(skip_keys), check_skip };

static bool only_reads(const struct config_skip *s)
{
	switch (s->method ? method_find(span_of(s->method)) : METHOD_OTHER) {
	case METHOD_GET:
	case METHOD_HEAD:
	case METHOD_OPTIONS:
	case METHOD_TRACE:
		return true;
	default:
		return false;
	}
}

void check_skips(struct binder *b, const struct config_skip *first)
{
	size_t n = 0;
	for (const struct config_skip *s = first; s; s = s->next) {
		if (++n == SKIP_RULES_MAX + 1)
			diagnose(b->diagnostics, s->head.at, "skip: there are more than %d rules",
				 SKIP_RULES_MAX);
		if (only_reads(s))
			continue;
		if (s->method)
			warn_at(b->diagnostics, s->head.at,
				"capture: this rule skips %s: a write that matches it is not "
				"recorded",
				s->method);
		else
			warn_at(b->diagnostics, s->head.at,
				"capture: this rule has no method: a write that matches it is not "
				"recorded (method: GET matches reads only)");
	}
}
