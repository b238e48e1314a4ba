#include "control/kept_files.h"

#include <stdint.h>
#include <string.h>

#define VERSION 1

static const char magic[8] = "cf-kept";

struct head {
	char magic[8];
	uint32_t version, file_n;
};

/* Behind it the name and the text, each with its zero byte. */
struct entry {
	uint32_t name_n, text_n;
};

void kept_files_add(struct kept_files *s, struct arena *arena, const char *name, struct span text)
{
	struct kept_file **end = &s->first;
	for (; *end; end = &(*end)->next)
		if (!strcmp((*end)->name, name))
			return;
	*end = arena_take(arena, sizeof **end);
	**end = (struct kept_file){ name, text, NULL };
}

bool kept_files_find(const struct kept_files *s, const char *name, struct span *text)
{
	for (const struct kept_file *f = s ? s->first : NULL; f; f = f->next)
		if (!strcmp(f->name, name)) {
			*text = f->text;
			return true;
		}
	return false;
}

/* --- writing --- */

size_t kept_files_bytes(const struct kept_files *s)
{
	size_t bytes = sizeof(struct head);
	for (const struct kept_file *f = s->first; f; f = f->next)
		bytes += sizeof(struct entry) + strlen(f->name) + 1 + f->text.n + 1;
	return bytes;
}

static char *put(char *to, const void *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
	return to + n;
}

void kept_files_write(const struct kept_files *s, char *to)
{
	struct head h = { .version = VERSION };
	memcpy(h.magic, magic, sizeof magic);
	for (const struct kept_file *f = s->first; f; f = f->next)
		h.file_n++;
	to = put(to, &h, sizeof h);
	for (const struct kept_file *f = s->first; f; f = f->next) {
		struct entry e = { (uint32_t)strlen(f->name), (uint32_t)f->text.n };
		to = put(to, &e, sizeof e);
		to = put(to, f->name, e.name_n + 1u);
		to = put(to, f->text.at, e.text_n);
		to = put(to, "", 1);
	}
}

/* --- reading --- */

/* One that ends where it says, and `from` is what is behind it. */
static bool read_one(struct span *from, struct kept_file *to)
{
	struct entry e;
	if (from->n < sizeof e)
		return false;
	memcpy(&e, from->at, sizeof e);
	const char *name = from->at + sizeof e, *text = name + e.name_n + 1ull;
	unsigned long long bytes = sizeof e + e.name_n + 1ull + e.text_n + 1ull;
	if (bytes > from->n || name[e.name_n] || text[e.text_n] || memchr(name, 0, e.name_n))
		return false;
	*to = (struct kept_file){ name, { text, e.text_n }, NULL };
	*from = (struct span){ from->at + bytes, from->n - (size_t)bytes };
	return true;
}

bool kept_files_read(struct kept_files *s, struct arena *arena, struct span from)
{
	struct kept_files all = { NULL };
	struct head h;
	if (from.n < sizeof h)
		return false;
	memcpy(&h, from.at, sizeof h);
	if (memcmp(h.magic, magic, sizeof magic) != 0 || h.version != VERSION)
		return false;
	from = (struct span){ from.at + sizeof h, from.n - sizeof h };
	for (uint32_t i = 0; i < h.file_n; i++) {
		struct kept_file f;
		if (!read_one(&from, &f))
			return false;
		kept_files_add(&all, arena, f.name, f.text);
	}
	for (struct kept_file *f = all.first; f; f = f->next)
		kept_files_add(s, arena, f->name, f->text);
	return true;
}
