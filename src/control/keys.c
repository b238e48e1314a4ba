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
		complain(b->complaints, y->at, "%s: is %s; a single value is expected", k->name,
			 yaml_kind_word(y->kind));
	else if (!*y->text)
		complain(b->complaints, y->at, "%s: has no value", k->name);
	else
		return true;
	return false;
}

/* --- sections --- */

static void *value_of(const struct key *k, void *section)
{
	return (char *)section + k->offset;
}

static const struct key *find_key(const struct section *s, const char *name)
{
	for (size_t i = 0; i < s->key_n; i++)
		if (!strcmp(s->keys[i].name, name))
			return &s->keys[i];
	return NULL;
}

static void complain_about_unknown(struct binder *b, const struct section *s, const struct yaml *y)
{
	struct suggestion near;
	suggest_open(&near, y->key);
	for (size_t i = 0; i < s->key_n; i++)
		suggest_consider(&near, s->keys[i].name);
	if (near.word) {
		complain(b->complaints, y->key_at, "unknown key '%s'; did you mean '%s'?", y->key,
			 near.word);
		return;
	}
	char known[512] = "";
	for (size_t i = 0, n = 0; i < s->key_n && n < sizeof known; i++)
		if (s->keys[i].type != &key_later)
			n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "",
					      s->keys[i].name);
	complain(b->complaints, y->key_at, "unknown key '%s'; known here: %s", y->key, known);
}

static void preset_section(const struct section *s, void *to)
{
	((struct section_head *)to)->at = NOWHERE;
	for (size_t i = 0; i < s->key_n; i++)
		if (s->keys[i].type->preset)
			s->keys[i].type->preset(&s->keys[i], value_of(&s->keys[i], to));
}

static bool stands_in(const struct yaml *map, const char *name)
{
	for (const struct yaml *y = map->first; y; y = y->next)
		if (!strcmp(y->key, name))
			return true;
	return false;
}

/* A value of such a type, or a list of them; what else stands there may be anything. */
static void show_value(struct binder *b, const struct key *k, const struct yaml *y)
{
	if (!k->type->open)
		return;
	if (y->kind == YAML_SCALAR)
		complaints_show(b->complaints, y->at, y->text);
	for (const struct yaml *i = y->first; y->kind == YAML_LIST && i; i = i->next)
		if (i->kind == YAML_SCALAR)
			complaints_show(b->complaints, i->at, i->text);
}

static void bind_members(struct binder *b, const struct section *s, const struct yaml *map,
			 void *to)
{
	for (const struct yaml *y = map->first; y; y = y->next) {
		const struct key *k = find_key(s, y->key);
		if (k)
			show_value(b, k, y);
		if (!k)
			complain_about_unknown(b, s, y);
		else if (y->kind != YAML_REFUSED)
			k->type->bind(b, k, y, value_of(k, to));
	}
	for (size_t i = 0; i < s->key_n; i++)
		if (s->keys[i].missing && !stands_in(map, s->keys[i].name))
			complain(b->complaints, map->at, "%s: is missing: %s", s->keys[i].name,
				 s->keys[i].missing);
}

static void bind_section(struct binder *b, const struct section *s, const struct yaml *y, void *to)
{
	size_t before = b->complaints->n;
	((struct section_head *)to)->at = y->at;
	bind_members(b, s, y, to);
	/* What is said about several keys together is noise while one of them is wrong. */
	if (s->check && b->complaints->n == before)
		s->check(b, to);
}

static void section_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind == YAML_MAP)
		bind_section(b, k->section, y, to);
	else
		complain(b->complaints, y->at, "%s: is %s; a section with keys is expected",
			 k->name,
			 *y->text || y->kind == YAML_LIST ? yaml_kind_word(y->kind) : "empty");
}

static void section_preset(const struct key *k, void *to)
{
	preset_section(k->section, to);
}

const struct key_type key_section = { section_bind, section_preset, false };

static void sections_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind != YAML_LIST) {
		complain(b->complaints, y->at, "%s: is %s; a list of sections is expected", k->name,
			 yaml_kind_word(y->kind));
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

const struct key_type key_sections = { sections_bind, sections_preset, false };

void keys_bind(struct binder *b, const struct section *s, const struct yaml *root, void *to)
{
	preset_section(s, to);
	if (root->kind == YAML_MAP)
		bind_section(b, s, root, to);
	else if (root->kind != YAML_REFUSED)
		complain(b->complaints, root->at,
			 "the file holds %s; keys with values are expected",
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
		complain(b->complaints, y->at, "%s: '%s' is not a whole number from %u to %u",
			 k->name, y->text, k->least, k->most);
	else
		*(uint32_t *)to = (uint32_t)n;
}

const struct key_type key_integer = { integer_bind, number_preset, true };

static void duration_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	char least[DURATION_TEXT_BYTES], most[DURATION_TEXT_BYTES];
	uint64_t ms;
	if (!key_is_scalar(b, k, y))
		return;
	if (!duration_read(y->text, &ms))
		complain(b->complaints, y->at,
			 "%s: '%s' is not a duration: a number and its unit, as 300ms, 5s, 2m, 1h",
			 k->name, y->text);
	else if (ms < k->least || ms > k->most)
		complain(b->complaints, y->at, "%s: %s is not from %s to %s", k->name, y->text,
			 duration_text(k->least, least), duration_text(k->most, most));
	else
		*(uint32_t *)to = (uint32_t)ms;
}

const struct key_type key_duration = { duration_bind, number_preset, true };

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
		complain(b->complaints, y->at, "%s: %s is more than %uKiB", k->name, y->text,
			 k->most / 1024);
	else if (!size_read(y->text, &bytes) || bytes < k->least)
		complain(b->complaints, y->at,
			 "%s: '%s' is not a size of at least %u: a number of bytes, or as 64KiB, "
			 "100MiB, 2GiB",
			 k->name, y->text, k->least);
	else
		*(uint64_t *)to = bytes;
}

const struct key_type key_size = { size_bind, size_preset, true };

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
		complain(b->complaints, y->at, "%s: unknown value '%s'; did you mean '%s'?",
			 k->name, y->text, near.word);
	else
		complain(b->complaints, y->at, "%s: unknown value '%s'; it can be: %s", k->name,
			 y->text, known);
}

const struct key_type key_choice = { choice_bind, number_preset, true };

/* --- texts, files --- */

static void text_preset(const struct key *k, void *to)
{
	*(const char **)to = k->text;
}

static void text_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (key_is_scalar(b, k, y))
		*(const char **)to = y->text;
}

const struct key_type key_text = { text_bind, text_preset, false };

static const char *path_from(struct binder *b, const char *path)
{
	if (path[0] == '/' || !b->directory[0])
		return path;
	size_t bytes = strlen(b->directory) + 1 + strlen(path) + 1;
	char *whole = arena_take(b->arena, bytes);
	snprintf(whole, bytes, "%s/%s", b->directory, path);
	return whole;
}

static void path_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (key_is_scalar(b, k, y))
		*(const char **)to = path_from(b, y->text);
}

const struct key_type key_path = { path_bind, text_preset, true };

/* After a crash what was in force goes on, whatever stands on the disk by now. */
static bool read_file(struct binder *b, const char *path, struct span *text)
{
	if (!kept_files_find(b->kept, path, text) && !text_file_read(path, b->arena, text))
		return false;
	if (b->read)
		kept_files_add(b->read, b->arena, path, *text);
	return true;
}

/*
 * systemd hands files over to a service that it may not read itself (LoadCredential=), by names
 * without a slash. NULL: not this one.
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

/* *path is where it was. False with errno, of where it is for everybody. */
static bool read_named(struct binder *b, const char *name, const char **path, struct span *text)
{
	*path = credential_path(b, name);
	if (*path && read_file(b, *path, text))
		return true;
	*path = path_from(b, name);
	return read_file(b, *path, text);
}

/* Somebody has written the key itself where its path belongs. */
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
		complain(
			b->complaints, y->at,
			"%s: is a text in PEM itself; the path of a file that holds it is expected",
			k->name);
		return;
	}
	if (read_named(b, y->text, &path, &text))
		*(struct key_file_value *)to = (struct key_file_value){ path, text.at, y->at };
	else
		complain(b->complaints, y->at, "%s: cannot read %s: %s", k->name, path,
			 text_file_trouble(path, why));
}

static void file_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct key_file_value *)to = (struct key_file_value){ .at = NOWHERE };
}

const struct key_type key_file = { file_bind, file_preset, true };

static void later_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	(void)to;
	complain(b->complaints, y->key_at, "%s: is not available in this version", k->name);
}

const struct key_type key_later = { later_bind, NULL, false };
