#include "control/saved_files.h"

#include <stdint.h>
#include <string.h>

static const char magic[8] = "cf-kept";

struct head {
	char magic[8];
	uint16_t major, minor;
	uint32_t file_n;
	uint64_t room[6]; /* zero */
};

/* The name and the text follow it, each with a zero byte. */
struct entry {
	uint32_t name_n, text_n;
	uint64_t room; /* zero */
};

void saved_files_add(struct saved_files *s, struct arena *arena, const char *name, struct span text)
{
	struct saved_file **end = &s->first;
	for (; *end; end = &(*end)->next)
		if (!strcmp((*end)->name, name))
			return;
	*end = arena_take(arena, sizeof **end);
	**end = (struct saved_file){ name, text, NULL };
}

bool saved_files_find(const struct saved_files *s, const char *name, struct span *text)
{
	for (const struct saved_file *f = s ? s->first : NULL; f; f = f->next)
		if (!strcmp(f->name, name)) {
			*text = f->text;
			return true;
		}
	return false;
}

/* --- writing --- */

size_t saved_files_bytes(const struct saved_files *s)
{
	size_t bytes = sizeof(struct head);
	for (const struct saved_file *f = s->first; f; f = f->next)
		bytes += sizeof(struct entry) + strlen(f->name) + 1 + f->text.n + 1;
	return bytes;
}

static char *bytes_put(char *to, const void *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
	return to + n;
}

void saved_files_write(const struct saved_files *s, char *to)
{
	struct head h = { .major = SAVED_FILES_MAJOR, .minor = SAVED_FILES_MINOR };
	memcpy(h.magic, magic, sizeof magic);
	for (const struct saved_file *f = s->first; f; f = f->next)
		h.file_n++;
	to = bytes_put(to, &h, sizeof h);
	for (const struct saved_file *f = s->first; f; f = f->next) {
		struct entry e = { (uint32_t)strlen(f->name), (uint32_t)f->text.n, 0 };
		to = bytes_put(to, &e, sizeof e);
		to = bytes_put(to, f->name, e.name_n + 1u);
		to = bytes_put(to, f->text.at, e.text_n);
		to = bytes_put(to, "", 1);
	}
}

/* --- reading --- */

/* Takes the next file from `from`. False: its bytes do not end as the entry says. */
static bool saved_file_read(struct span *from, struct saved_file *to)
{
	struct entry e;
	if (from->n < sizeof e)
		return false;
	memcpy(&e, from->at, sizeof e);
	const char *name = from->at + sizeof e, *text = name + e.name_n + 1ull;
	unsigned long long bytes = sizeof e + e.name_n + 1ull + e.text_n + 1ull;
	if (bytes > from->n || name[e.name_n] || text[e.text_n] || memchr(name, 0, e.name_n))
		return false;
	*to = (struct saved_file){ name, { text, e.text_n }, NULL };
	*from = (struct span){ from->at + bytes, from->n - (size_t)bytes };
	return true;
}

bool saved_files_read(struct saved_files *s, struct arena *arena, struct span from)
{
	struct saved_files all = { NULL };
	struct head h;
	if (from.n < sizeof h)
		return false;
	memcpy(&h, from.at, sizeof h);
	if (memcmp(h.magic, magic, sizeof magic) != 0 || h.major != SAVED_FILES_MAJOR)
		return false;
	from = (struct span){ from.at + sizeof h, from.n - sizeof h };
	for (uint32_t i = 0; i < h.file_n; i++) {
		struct saved_file f;
		if (!saved_file_read(&from, &f))
			return false;
		saved_files_add(&all, arena, f.name, f.text);
	}
	for (struct saved_file *f = all.first; f; f = f->next)
		saved_files_add(s, arena, f->name, f->text);
	return true;
}
