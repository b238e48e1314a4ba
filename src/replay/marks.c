#include "replay/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "io/own_file.h"

#define MAGIC "crossfade replay marks"
#define MAJOR 1
#define MINOR 1

void marks_open(struct marks *m)
{
	m->root = json_object();
	must(m->root);
}

void marks_close(struct marks *m)
{
	json_decref(m->root);
	m->root = NULL;
}

/* --- text --- */

char *marks_text(const struct marks *m)
{
	char *json = json_dumps(m->root, JSON_COMPACT), *text;
	must(json);
	int n = asprintf(&text, MAGIC " %d.%d %016llx\n%s\n", MAJOR, MINOR,
			 (unsigned long long)XXH3_64bits(json, strlen(json)), json);
	must(n > 0);
	free(json);
	return text;
}

static const json_t *marks_object(const struct marks *m, const char *name)
{
	const json_t *j = json_object_get(m->root, name);
	return json_is_object(j) ? j : NULL;
}

/* The parts that are read without asking again what they are. */
static bool marks_are_sound(const json_t *root)
{
	static const char *const objects[] = { "set_aside", "not_exact", "scans",
					       "backfill",  "paused",	 "indices" };
	if (!json_is_object(root))
		return false;
	for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
		const json_t *part = json_object_get(root, objects[i]);
		if (part && !json_is_object(part))
			return false;
	}
	return true;
}

/* MAGIC MAJOR.MINOR SUM, and an end of line */
static bool marks_read_head(const char *line, unsigned long *major, unsigned long long *sum)
{
	char *end;
	if (strncmp(line, MAGIC " ", strlen(MAGIC " ")) != 0)
		return false;
	*major = strtoul(line + strlen(MAGIC " "), &end, 10);
	if (*end != '.')
		return false;
	strtoul(end + 1, &end, 10);
	if (*end != ' ')
		return false;
	*sum = strtoull(end + 1, &end, 16);
	return *end == '\n';
}

enum marks_verdict marks_read(struct marks *m, struct span text)
{
	unsigned long major;
	unsigned long long sum;
	char line[96];
	const char *end = memchr(text.at, '\n', text.n);
	size_t head = end ? (size_t)(end - text.at) + 1 : 0;
	if (!head || head >= sizeof line)
		return MARKS_DAMAGED;
	memcpy(line, text.at, head);
	line[head] = 0;
	if (!marks_read_head(line, &major, &sum) || major < MAJOR)
		return MARKS_DAMAGED;
	if (major > MAJOR)
		return MARKS_NEWER;
	struct span json = { text.at + head, text.n - head };
	if (json.n && json.at[json.n - 1] == '\n')
		json.n--;
	if (XXH3_64bits(json.at, json.n) != sum)
		return MARKS_DAMAGED;
	json_t *root = json_loadb(json.at, json.n, JSON_ALLOW_NUL, NULL);
	if (!marks_are_sound(root)) {
		json_decref(root);
		return MARKS_DAMAGED;
	}
	json_decref(m->root);
	m->root = root;
	return MARKS_GOOD;
}

/* --- the file --- */

/* From malloc; NULL with errno, ENOENT also where it is missing. */
static char *marks_read_file(const char *directory, size_t *n)
{
	int fd = own_file_open_in(directory, MARKS_FILE, O_RDONLY, 0);
	struct stat file;
	char *text = NULL;
	*n = 0;
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &file)) {
		text = malloc((size_t)file.st_size + 1);
		must(text);
		for (ssize_t got; *n < (size_t)file.st_size &&
				  (got = read(fd, text + *n, (size_t)file.st_size - *n)) > 0;)
			*n += (size_t)got;
	}
	int why = errno;
	close(fd);
	errno = why;
	return text;
}

static void marks_move_away(const char *directory)
{
	int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return;
	renameat(at, MARKS_FILE, at, MARKS_DAMAGED_FILE);
	close(at);
}

enum marks_verdict marks_load(struct marks *m, const char *directory)
{
	size_t n;
	char *text = marks_read_file(directory, &n);
	if (!text)
		return errno == ENOENT ? MARKS_GOOD : MARKS_ERROR;
	enum marks_verdict v = marks_read(m, (struct span){ text, n });
	free(text);
	if (v == MARKS_DAMAGED)
		marks_move_away(directory);
	return v;
}

bool marks_save(const char *directory, const char *text)
{
	return own_file_replace(directory, MARKS_FILE, span_of(text));
}

/* --- members --- */

json_t *marks_part(const struct marks *m, const char *name)
{
	return json_object_get(m->root, name);
}

void marks_set_part(struct marks *m, const char *name, json_t *part)
{
	if (part)
		json_object_set_new(m->root, name, part);
	else
		json_object_del(m->root, name);
}

/* The object of that name, made where it is missing. */
static json_t *marks_table(struct marks *m, const char *name)
{
	json_t *table = json_object_get(m->root, name);
	if (!json_is_object(table)) {
		table = json_object();
		json_object_set_new(m->root, name, table);
	}
	return table;
}

static json_t *marks_time(uint64_t ns)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(ns, text);
	return json_string(text);
}

/* A cluster's words may be no UTF-8. */
static json_t *marks_words(struct span s)
{
	json_t *j = json_stringn(s.at, s.n);
	return j ? j : json_string("(no text)");
}

/* --- paused, from --- */

const json_t *marks_paused(const struct marks *m)
{
	return marks_object(m, "paused");
}

void marks_pause(struct marks *m, uint64_t now_ns, const char *who)
{
	marks_set_part(m, "paused",
		       json_pack("{s:o,s:o}", "when", marks_time(now_ns), "who",
				 marks_words(span_of(who))));
}

void marks_resume(struct marks *m)
{
	marks_set_part(m, "paused", NULL);
}

uint64_t marks_from(const struct marks *m)
{
	json_int_t from = json_integer_value(json_object_get(m->root, "from_ns"));
	return from > 0 ? (uint64_t)from : 0;
}

void marks_set_from(struct marks *m, uint64_t from_ns)
{
	marks_set_part(m, "from_ns", json_integer((json_int_t)from_ns));
}

bool marks_restarts(const struct marks *m)
{
	return json_is_true(json_object_get(m->root, "restart"));
}

void marks_set_restarts(struct marks *m, bool restarts)
{
	marks_set_part(m, "restart", restarts ? json_true() : NULL);
}

bool marks_all_heard(const struct marks *m)
{
	return json_is_true(json_object_get(m->root, "all_heard"));
}

void marks_set_all_heard(struct marks *m, bool heard)
{
	marks_set_part(m, "all_heard", heard ? json_true() : NULL);
}

/* --- set aside --- */

/* No index has a '/' in its name, so this is one document's. A name in JSON has no NUL. */
#define ROUTING_SIGN '\2'

static size_t marks_add_name(char *to, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		to[i] = s.at[i] ? s.at[i] : 1;
	return s.n;
}

/*
 * With the routing, where that may lead to another document of the same id. One that is longer than
 * keys have it, which a search has found, is left out.
 */
static size_t marks_name(char to[MARKS_NAME_BYTES], const struct marks_document *d)
{
	if (!d->index.n || d->index.n > INDEX_NAME_BYTES_MAX || !d->id.n ||
	    d->id.n > DOCUMENT_ID_BYTES)
		return 0;
	size_t n = marks_add_name(to, d->index);
	to[n++] = '/';
	n += marks_add_name(to + n, d->id);
	if (!d->routing.n || d->one_shard || d->routing.n > REPLAY_ROUTING_BYTES)
		return n;
	to[n++] = ROUTING_SIGN;
	return n + marks_add_name(to + n, d->routing);
}

bool marks_means(const char *document, const char *name)
{
	size_t n = strlen(document);
	return !strncmp(document, name, n) && (!name[n] || name[n] == ROUTING_SIGN);
}

size_t marks_aside_n(const struct marks *m)
{
	return json_object_size(marks_object(m, "set_aside"));
}

/* What `crossfade capture cat --from-sequence` takes. Marks of version 1.0 do not have it. */
static void marks_set_origin(json_t *one, const struct marks_document *d, const json_t *before)
{
	char record[48];
	snprintf(record, sizeof record, "%u:%llu", d->origin.series,
		 (unsigned long long)d->origin.sequence);
	if (d->origin.series) {
		json_object_set_new(one, "written", marks_time(d->written_ns));
		json_object_set_new(one, "record", json_string(record));
	} else if (json_object_get(before, "record")) {
		json_object_set(one, "written", json_object_get(before, "written"));
		json_object_set(one, "record", json_object_get(before, "record"));
	}
}

void marks_set_aside(struct marks *m, const struct marks_document *d)
{
	char name[MARKS_NAME_BYTES];
	size_t n = marks_name(name, d);
	must(n > 0);
	json_t *one = json_pack("{s:o,s:o,s:i,s:o,s:o,s:o}", "index", marks_words(d->index), "id",
				marks_words(d->id), "status", (int)d->status, "error",
				marks_words(d->type), "reason", marks_words(d->reason), "when",
				marks_time(d->now_ns));
	if (d->routing.n)
		json_object_set_new(one, "routing", marks_words(d->routing));
	marks_set_origin(one, d, json_object_getn(marks_table(m, "set_aside"), name, n));
	json_object_setn_new(marks_table(m, "set_aside"), name, n, one);
}

bool marks_is_aside(const struct marks *m, const struct marks_document *d)
{
	char name[MARKS_NAME_BYTES];
	const json_t *table = json_object_get(m->root, "set_aside");
	size_t n = json_object_size(table) ? marks_name(name, d) : 0;
	return n && json_object_getn(table, name, n);
}

bool marks_clear_aside(struct marks *m, const struct marks_document *d)
{
	char name[MARKS_NAME_BYTES];
	json_t *table = json_object_get(m->root, "set_aside");
	size_t n = json_object_size(table) ? marks_name(name, d) : 0;
	return n && !json_object_deln(table, name, n);
}

json_t *marks_all_aside(const struct marks *m)
{
	return json_object_get(m->root, "set_aside");
}

/* --- not exact --- */

void marks_not_exact(struct marks *m, struct span index, const char *why, uint64_t now_ns)
{
	json_t *table = marks_table(m, "not_exact");
	const json_t *was = json_object_getn(table, index.at, index.n);
	json_int_t n = json_integer_value(json_object_get(was, "n")) + 1;
	/* The last one stands for those that there is no room for. */
	if (!was && json_object_size(table) >= MARKS_NOT_EXACT_MAX)
		index = SPAN("*");
	json_t *one = json_pack("{s:s,s:o,s:I}", "why", why, "when", marks_time(now_ns), "n", n);
	/* A name that is no text stands for any. */
	if (json_object_setn(table, index.at, index.n, one))
		json_object_set(table, "*", one);
	json_decref(one);
}

bool marks_exact(struct marks *m, const char *index, const json_t *before)
{
	json_t *table = json_object_get(m->root, "not_exact");
	const json_t *now = json_object_get(table, index);
	return now && json_equal(now, json_object_get(before, index)) &&
	       !json_object_del(table, index);
}

void marks_exact_since(struct marks *m, uint64_t time_ns)
{
	json_t *table = marks_table(m, "not_exact"), *one;
	const char *index;
	void *next;
	json_object_foreach_safe(table, next, index, one) {
		const char *when = json_string_value(json_object_get(one, "when"));
		uint64_t when_ns;
		if (when && clock_read(when, &when_ns) && when_ns < time_ns)
			json_object_del(table, index);
	}
}

const json_t *marks_all_not_exact(const struct marks *m)
{
	return marks_object(m, "not_exact");
}

/* --- indices --- */

bool marks_know_index(struct marks *m, struct span index, json_t *what)
{
	json_t *table = marks_table(m, "indices");
	if (json_object_size(table) >= MARKS_INDICES_MAX &&
	    !json_object_getn(table, index.at, index.n)) {
		json_decref(what);
		return false;
	}
	/* What is no UTF-8 is no index' name. */
	json_object_setn_new(table, index.at, index.n, what);
	return true;
}

void marks_forget_index(struct marks *m, struct span index)
{
	json_object_deln(marks_table(m, "indices"), index.at, index.n);
}

const json_t *marks_known_indices(const struct marks *m)
{
	return marks_object(m, "indices");
}
