#include "control/keys.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "control/duration.h"
#include "control/size.h"
#include "control/suggest.h"
#include "control/text_file.h"

char *key_copy(struct binder *b, struct span text)
{
	char *copy = arena_take(b->arena, text.n + 1);
	if (text.n)
		memcpy(copy, text.at, text.n);
	copy[text.n] = 0;
	return copy;
}

bool key_is_scalar(struct binder *b, const struct key *k, const struct yaml *y)
{
	if (y->kind != YAML_SCALAR)
		diagnose(b->diagnostics, y->at, "%s: is %s; a single value is expected", k->name,
			 yaml_kind_word(y->kind));
	else if (!*y->text)
		diagnose(b->diagnostics, y->at, "%s: has no value", k->name);
	else
		return true;
	return false;
}

/* --- sections --- */

static void *value_of(const struct key *k, void *section)
{
	return (char *)section + k->offset;
}

static const struct key *section_find_key(const struct section *s, const char *name)
{
	for (size_t i = 0; i < s->key_n; i++)
		if (!strcmp(s->keys[i].name, name))
			return &s->keys[i];
	return NULL;
}

static void key_complain_unknown(struct binder *b, const struct section *s, const struct yaml *y)
{
	struct suggestion near;
	suggest_open(&near, y->key);
	for (size_t i = 0; i < s->key_n; i++)
		suggest_consider(&near, s->keys[i].name);
	if (near.word) {
		diagnose(b->diagnostics, y->key_at, "unknown key '%s'; did you mean '%s'?", y->key,
			 near.word);
		return;
	}
	char known[512] = "";
	for (size_t i = 0, n = 0; i < s->key_n && n < sizeof known; i++)
		if (s->keys[i].type != &key_later)
			n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "",
					      s->keys[i].name);
	diagnose(b->diagnostics, y->key_at, "unknown key '%s'; known here: %s", y->key, known);
}

static void preset_section(const struct section *s, void *to)
{
	((struct section_head *)to)->at = NOWHERE;
	for (size_t i = 0; i < s->key_n; i++)
		if (s->keys[i].type->preset)
			s->keys[i].type->preset(&s->keys[i], value_of(&s->keys[i], to));
}

static bool map_has(const struct yaml *map, const char *name)
{
	for (const struct yaml *y = map->first; y; y = y->next)
		if (!strcmp(y->key, name))
			return true;
	return false;
}

/*
 * Shows a value whose type has no secrets, or a list of such values. Anything else at this key may
 * be a secret.
 */
static void show_value(struct binder *b, const struct key *k, const struct yaml *y)
{
	if (!k->type->open)
		return;
	if (y->kind == YAML_SCALAR)
		diagnostics_show(b->diagnostics, y->at, y->text);
	for (const struct yaml *i = y->first; y->kind == YAML_LIST && i; i = i->next)
		if (i->kind == YAML_SCALAR)
			diagnostics_show(b->diagnostics, i->at, i->text);
}

static void bind_members(struct binder *b, const struct section *s, const struct yaml *map,
			 void *to)
{
	for (const struct yaml *y = map->first; y; y = y->next) {
		const struct key *k = section_find_key(s, y->key);
		if (k)
			show_value(b, k, y);
		if (!k)
			key_complain_unknown(b, s, y);
		else if (y->kind != YAML_REFUSED)
			k->type->bind(b, k, y, value_of(k, to));
	}
	for (size_t i = 0; i < s->key_n; i++)
		if (s->keys[i].missing && !map_has(map, s->keys[i].name))
			diagnose(b->diagnostics, map->at, "%s: is missing: %s", s->keys[i].name,
				 s->keys[i].missing);
}

static void bind_section(struct binder *b, const struct section *s, const struct yaml *y, void *to)
{
	size_t before = b->diagnostics->n;
	((struct section_head *)to)->at = y->at;
	bind_members(b, s, y, to);
	/* Checks over several keys are of no use while one of the keys is wrong. */
	if (s->check && b->diagnostics->n == before)
		s->check(b, to);
}

static void section_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind == YAML_MAP)
		bind_section(b, k->section, y, to);
	else
		diagnose(b->diagnostics, y->at, "%s: is %s; a section with keys is expected",
			 k->name,
			 *y->text || y->kind == YAML_LIST ? yaml_kind_word(y->kind) : "empty");
}

static void section_preset(const struct key *k, void *to)
{
	preset_section(k->section, to);
}

const struct key_type key_section = { section_bind, section_preset, false, NULL };

static void sections_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind != YAML_LIST) {
		diagnose(b->diagnostics, y->at, "%s: is %s; a list of sections is expected",
			 k->name, yaml_kind_word(y->kind));
		return;
	}
	void **end = to;
	for (const struct yaml *item = y->first; item; item = item->next) {
		*end = arena_take(b->arena, k->item_bytes);
		memset(*end, 0, k->item_bytes);
		preset_section(k->section, *end);
		section_bind(b, k, item, *end);
		end = (void **)((char *)*end + k->next);
	}
}

static void sections_preset(const struct key *k, void *to)
{
	(void)k;
	*(void **)to = NULL;
}

const struct key_type key_sections = { sections_bind, sections_preset, false, NULL };

void keys_bind(struct binder *b, const struct section *s, const struct yaml *root, void *to)
{
	preset_section(s, to);
	if (root->kind == YAML_MAP)
		bind_section(b, s, root, to);
	else if (root->kind != YAML_REFUSED)
		diagnose(b->diagnostics, root->at, "the file is %s; keys with values are expected",
			 yaml_kind_word(root->kind));
}

/* --- numbers --- */

static void number_preset(const struct key *k, void *to)
{
	*(uint32_t *)to = k->preset;
}

static void integer_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	unsigned long long n;
	if (!key_is_scalar(b, k, y))
		return;
	if (!span_to_u64(span_of(y->text), k->most, &n) || n < k->least)
		diagnose(b->diagnostics, y->at, "%s: '%s' is not a whole number from %u to %u",
			 k->name, y->text, k->least, k->most);
	else
		*(uint32_t *)to = (uint32_t)n;
}

const struct key_type key_integer = { integer_bind, number_preset, true, "a whole number" };

static void duration_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	char least[DURATION_TEXT_BYTES], most[DURATION_TEXT_BYTES];
	uint64_t ms;
	if (!key_is_scalar(b, k, y))
		return;
	if (!duration_read(y->text, &ms))
		diagnose(b->diagnostics, y->at,
			 "%s: '%s' is not a duration: a number and its unit, such as 300ms, 5s, "
			 "2m, 1h",
			 k->name, y->text);
	else if (ms < k->least || ms > k->most)
		diagnose(b->diagnostics, y->at, "%s: %s is not from %s to %s", k->name, y->text,
			 duration_text(k->least, least), duration_text(k->most, most));
	else
		*(uint32_t *)to = (uint32_t)ms;
}

const struct key_type key_duration = { duration_bind, number_preset, true, "a duration" };

static void size_preset(const struct key *k, void *to)
{
	*(uint64_t *)to = k->preset;
}

static void size_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	uint64_t bytes;
	if (!key_is_scalar(b, k, y))
		return;
	if (size_read(y->text, &bytes) && k->most && bytes > k->most)
		diagnose(b->diagnostics, y->at, "%s: %s is more than %uKiB", k->name, y->text,
			 k->most / 1024);
	else if (!size_read(y->text, &bytes) || bytes < k->least)
		diagnose(b->diagnostics, y->at,
			 "%s: '%s' is not a size of at least %u: a number of bytes, or with a "
			 "unit, such as 64KiB, 100MiB, 2GiB",
			 k->name, y->text, k->least);
	else
		*(uint64_t *)to = bytes;
}

const struct key_type key_size = { size_bind, size_preset, true, "a size" };

static void choice_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	struct suggestion near;
	suggest_open(&near, y->text);
	char known[256] = "";
	size_t n = 0;
	for (uint32_t i = 0; k->words[i]; i++) {
		if (!strcmp(k->words[i], y->text)) {
			*(uint32_t *)to = i;
			return;
		}
		suggest_consider(&near, k->words[i]);
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "",
				      k->words[i]);
		must(n < sizeof known);
	}
	if (near.word)
		diagnose(b->diagnostics, y->at, "%s: unknown value '%s'; did you mean '%s'?",
			 k->name, y->text, near.word);
	else
		diagnose(b->diagnostics, y->at, "%s: unknown value '%s'; it can be: %s", k->name,
			 y->text, known);
}

const struct key_type key_choice = { choice_bind, number_preset, true, "a word" };

/* --- texts, files --- */

static void key_text_preset(const struct key *k, void *to)
{
	*(const char **)to = k->text;
}

static void text_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (key_is_scalar(b, k, y))
		*(const char **)to = y->text;
}

const struct key_type key_text = { text_bind, key_text_preset, false, "a text" };

static const char *path_from(struct binder *b, const char *path)
{
	if (path[0] == '/' || !b->directory[0])
		return path;
	size_t bytes = strlen(b->directory) + 1 + strlen(path) + 1;
	char *whole = arena_take(b->arena, bytes);
	snprintf(whole, bytes, "%s/%s", b->directory, path);
	return whole;
}

static void key_path_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (key_is_scalar(b, k, y))
		*(const char **)to = path_from(b, y->text);
}

const struct key_type key_path = { key_path_bind, key_text_preset, true, "a path" };

/* After a crash the saved texts are used, whatever the files on disk have become. */
static bool key_read_file(struct binder *b, const char *path, struct span *text)
{
	if (!saved_files_find(b->kept, path, text) && !text_file_read(path, b->arena, text))
		return false;
	if (b->read)
		saved_files_add(b->read, b->arena, path, *text);
	return true;
}

/*
 * systemd passes files to a service whose user may not read them (LoadCredential=), by names
 * without a slash. NULL: `name` is not such a name.
 */
static const char *credential_path(struct binder *b, const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	if (!directory || strchr(name, '/'))
		return NULL;
	size_t bytes = strlen(directory) + 1 + strlen(name) + 1;
	char *path = arena_take(b->arena, bytes);
	snprintf(path, bytes, "%s/%s", directory, name);
	return path;
}

/* *path is where the file was found. False with errno, for the path without credentials. */
static bool key_read_named(struct binder *b, const char *name, const char **path, struct span *text)
{
	*path = credential_path(b, name);
	if (*path && key_read_file(b, *path, text))
		return true;
	*path = path_from(b, name);
	return key_read_file(b, *path, text);
}

/* The text is the key itself instead of the path of its file. */
static bool is_pem(const char *text)
{
	return strstr(text, "-----BEGIN") != NULL;
}

static void file_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	const char *path;
	struct span text;
	char why[TEXT_FILE_TROUBLE_BYTES];
	if (is_pem(y->text)) {
		diagnose(b->diagnostics, y->at,
			 "%s: is PEM text; the path of a PEM file is expected", k->name);
		return;
	}
	if (key_read_named(b, y->text, &path, &text))
		*(struct key_file_value *)to = (struct key_file_value){ path, text.at, y->at };
	else
		diagnose(b->diagnostics, y->at, "%s: cannot read %s: %s", k->name, path,
			 text_file_trouble(path, why));
}

static void file_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct key_file_value *)to = (struct key_file_value){ .at = NOWHERE };
}

const struct key_type key_file = { file_bind, file_preset, true, "the path of a file" };

static void later_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	(void)to;
	diagnose(b->diagnostics, y->key_at, "%s: is not available in this version", k->name);
}

const struct key_type key_later = { later_bind, NULL, false, NULL };
