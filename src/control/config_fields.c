#include "control/config_fields.h"

#include <errno.h>

#include "base/limits.h"
#include "control/text_file.h"
#include "http/msg.h"

/* --- names and values --- */

/*
 * Finds the field whose name has '-' for '_': removing one of them removes the other, too
 * (msg_drop_alike()).
 */
static enum name field_find(struct span name)
{
	char text[FIELD_NAME_BYTES];
	for (size_t i = 0; i < name.n; i++)
		text[i] = (char)(name.at[i] == '_' ? '-' : name.at[i]);
	return name_find((struct span){ text, name.n });
}

/* Why a configuration may not change this field; NULL: it may. */
static const char *why_refused(struct span name)
{
	enum name id = field_find(name);
	switch (id) {
	case NAME_HOST:
		return "use the key 'host' of the cluster";
	case NAME_AUTHORIZATION:
		return "use the key 'authorization', which keeps the value out of logs";
	case NAME_EXPECT:
	case NAME_TRAILER:
		return "it belongs to the message that it came with";
	case NAME_X_CROSSFADE_ERROR:
	case NAME_X_CROSSFADE_CLUSTER:
	case NAME_X_CROSSFADE_HOP:
		return "the balancer itself reads or writes it";
	default:
		break;
	}
	switch (name_how(id)) {
	case HOW_FRAME:
		return "it frames the body, and the balancer writes it itself";
	case HOW_HOP:
		return "it belongs to one connection, and ends at the balancer";
	default:
		return NULL;
	}
}

static bool is_field_name(struct binder *b, const struct key *k, const char *name, size_t at)
{
	struct span s = span_of(name);
	if (!s.n || s.n > FIELD_NAME_BYTES || scan_count(s.at, s.n, SCAN_TOKEN) != s.n) {
		diagnose(b->diagnostics, at,
			 "%s: '%.*s' is not a field name: letters, digits and hyphens, at most %d",
			 k->name, (int)strcspn(name, ":"), name, FIELD_NAME_BYTES);
		return false;
	}
	const char *why = why_refused(s);
	if (why)
		diagnose(b->diagnostics, at, "%s: %s is not allowed here: %s", k->name, name, why);
	return !why;
}

/* What is wrong with a value, in words that do not show the value; NULL: nothing. */
static const char *wrong_value(struct span s)
{
	if (!s.n)
		return "is empty";
	if (s.n > FIELD_VALUE_CONFIGURED_BYTES)
		return "is longer than 8 KiB";
	if (scan_count(s.at, s.n, SCAN_VALUE) != s.n)
		return "has a control character or more than one line";
	if (span_trim(s).n != s.n)
		return "begins or ends with a space";
	return NULL;
}

/* --- fields to set and to remove --- */

static void append_field(struct binder *b, const struct key *k, struct config_field f,
			 struct config_field **first)
{
	size_t n = 0;
	struct config_field **end = first;
	for (; *end; end = &(*end)->next, n++)
		if (!strcasecmp((*end)->name, f.name)) {
			diagnose(b->diagnostics, f.at, "%s: %s is here twice", k->name, f.name);
			return;
		}
	if (n == FIELDS_CONFIGURED_MAX) {
		diagnose(b->diagnostics, f.at, "%s: there are more than %d", k->name,
			 FIELDS_CONFIGURED_MAX);
		return;
	}
	*end = arena_take(b->arena, sizeof f);
	**end = f;
}

static void fields_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind != YAML_MAP) {
		diagnose(b->diagnostics, y->at,
			 "%s: is %s; names with values are expected, such as { X-Name: value }",
			 k->name, yaml_kind_word(y->kind));
		return;
	}
	for (const struct yaml *f = y->first; f; f = f->next) {
		if (!key_is_scalar(b, k, f) || !is_field_name(b, k, f->key, f->key_at))
			continue;
		const char *wrong = wrong_value(span_of(f->text));
		if (wrong)
			diagnose(b->diagnostics, f->at, "%s: the value of %s %s", k->name, f->key,
				 wrong);
		else
			append_field(b, k,
				     (struct config_field){ f->key, f->text, f->key_at, NULL }, to);
	}
}

static void field_names_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind != YAML_LIST) {
		diagnose(b->diagnostics, y->at,
			 "%s: is %s; a list of names is expected, such as [ X-Name ]", k->name,
			 yaml_kind_word(y->kind));
		return;
	}
	for (const struct yaml *f = y->first; f; f = f->next)
		if (key_is_scalar(b, k, f) && is_field_name(b, k, f->text, f->at))
			append_field(b, k, (struct config_field){ f->text, NULL, f->at, NULL }, to);
}

static void fields_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_field **)to = NULL;
}

const struct key_type key_fields = { fields_bind, fields_preset, false,
				     "a map of fields and values" };
const struct key_type key_field_names = { field_names_bind, fields_preset, true,
					  "a list of names of fields" };

/* --- credentials --- */

struct credential_file {
	struct section_head head;
	struct key_file_value file;
};

static const struct key credential_file_keys[] = {
	{ "file", &key_file, .offset = offsetof(struct credential_file, file),
	  .missing = "the file that holds the credential" },
};
static const struct section credential_file_section = { credential_file_keys, 1, NULL };

/* A scheme and its credential (RFC 9110, 11.6.2). A forgotten scheme is noticed here. */
static void credential_take(struct binder *b, const struct key *k, const char *text, size_t at,
			    struct config_credential *to)
{
	struct span s = span_of(text);
	const char *wrong = wrong_value(s);
	size_t scheme_n = scan_count(s.at, s.n, SCAN_TOKEN);
	if (wrong)
		diagnose(b->diagnostics, at, "%s: the credential %s", k->name, wrong);
	else if (!scheme_n || scheme_n + 1 >= s.n || s.at[scheme_n] != ' ')
		diagnose(b->diagnostics, at,
			 "%s: a scheme and a credential are expected, such as \"Basic ...\" or "
			 "\"ApiKey ...\"",
			 k->name);
	else
		to->value = text;
}

static void credential_take_file(struct binder *b, const struct key *k, const struct yaml *y,
				 struct config_credential *to)
{
	struct credential_file f = { .file = { .at = NOWHERE } };
	struct key section = { .name = k->name, .section = &credential_file_section };
	size_t before = b->diagnostics->n;
	/*
	 * A map without 'file' may be the credential itself in braces: no diagnostic may show it.
	 */
	for (const struct yaml *m = y->first; m; m = m->next)
		if (m->kind == YAML_SCALAR && !*m->text && strcmp(m->key, "file") != 0)
			diagnose(b->diagnostics, y->at,
				 "%s: a credential, or { file: PATH }, is expected", k->name);
	if (b->diagnostics->n != before)
		return;
	key_section.bind(b, &section, y, &f);
	if (b->diagnostics->n != before)
		return;
	/* Editors end a file with a newline. */
	struct span text = span_of(f.file.text);
	while (text.n && (text.at[text.n - 1] == '\n' || text.at[text.n - 1] == '\r'))
		text.n--;
	credential_take(b, k, key_copy(b, span_trim(text)), f.file.at, to);
	to->path = f.file.path;
	to->at = f.file.at;
}

static void credential_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind == YAML_MAP)
		credential_take_file(b, k, y, to);
	else if (key_is_scalar(b, k, y))
		credential_take(b, k, y->text, y->at, to);
}

static void credential_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_credential *)to = (struct config_credential){ 0 };
}

const struct key_type key_credential = { credential_bind, credential_preset, false,
					 "a text, or { file: PATH }" };
