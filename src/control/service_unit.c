#include "control/service_unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/text_file.h"

/* systemd.unit(5), the directory with the highest priority first. */
#define UNIT_DIRECTORIES                                                                           \
	"/etc/systemd/system:/run/systemd/system:/usr/local/lib/systemd/system:"                   \
	"/lib/systemd/system:/usr/lib/systemd/system"
#define PATH_BYTES 4096

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{ "ExecStart", offsetof(struct service_unit, start) },
	{ "User", offsetof(struct service_unit, user) },
	{ "DynamicUser", offsetof(struct service_unit, dynamic) },
	{ "Group", offsetof(struct service_unit, groups) },
	{ "SupplementaryGroups", offsetof(struct service_unit, groups) },
	{ "LoadCredential", offsetof(struct service_unit, credentials) },
	{ "LoadCredentialEncrypted", offsetof(struct service_unit, credentials) },
	{ "ProtectSystem", offsetof(struct service_unit, protect) },
	{ "StateDirectory", offsetof(struct service_unit, state) },
	{ "RuntimeDirectory", offsetof(struct service_unit, runtime) },
	{ "LogsDirectory", offsetof(struct service_unit, logs) },
	{ "ReadWritePaths", offsetof(struct service_unit, writable) },
};

/* --- reading --- */

static struct span unit_copy(struct arena *arena, struct span s)
{
	char *to = arena_take(arena, s.n + 1);
	if (s.n)
		memcpy(to, s.at, s.n);
	to[s.n] = 0;
	return (struct span){ to, s.n };
}

/* Appends the words of a value to the list. An empty value clears the list. */
static void unit_add_words(struct arena *arena, struct span value, struct unit_word **list)
{
	if (!span_trim(value).n)
		*list = NULL;
	while (*list)
		list = &(*list)->next;
	while ((value = span_trim(value)).n) {
		size_t n = 0;
		while (n < value.n && value.at[n] != ' ' && value.at[n] != '\t')
			n++;
		*list = arena_take(arena, sizeof **list);
		**list = (struct unit_word){ unit_copy(arena, (struct span){ value.at, n }).at,
					     NULL };
		list = &(*list)->next;
		value = (struct span){ value.at + n, value.n - n };
	}
}

static void unit_take_line(struct service_unit *u, struct arena *arena, struct span line)
{
	const char *equals = memchr(line.at, '=', line.n);
	size_t n = equals ? (size_t)(equals - line.at) : line.n;
	struct span key = span_trim((struct span){ line.at, n });
	for (size_t i = 0; equals && i < sizeof keys / sizeof keys[0]; i++)
		if (span_is(key, span_of(keys[i].name)))
			unit_add_words(arena, (struct span){ equals + 1, line.n - n - 1 },
				       (struct unit_word **)((char *)u + keys[i].offset));
}

static bool unit_take_file(struct service_unit *u, struct arena *arena, const char *path)
{
	struct span rest;
	if (!text_file_read(path, arena, &rest))
		return false;
	while (rest.n) {
		const char *end = memchr(rest.at, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.at) : rest.n;
		struct span line = span_trim((struct span){ rest.at, n });
		if (line.n && !strchr("#;[", line.at[0]))
			unit_take_line(u, arena, line);
		n += end != NULL;
		rest = (struct span){ rest.at + n, rest.n - n };
	}
	return true;
}

static void unit_take_drop_ins(struct service_unit *u, struct arena *arena, const char *directory)
{
	char pattern[PATH_BYTES];
	glob_t found;
	snprintf(pattern, sizeof pattern, "%s/" SERVICE_UNIT ".d/*.conf", directory);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unit_take_file(u, arena, found.gl_pathv[i]);
	globfree(&found);
}

/* The unit file is the first one found. The drop-ins of all directories count. */
static void unit_take_all(struct service_unit *u, struct arena *arena)
{
	const char *said = getenv("SYSTEMD_UNIT_PATH");
	char *all = strdup(said ? said : UNIT_DIRECTORIES), *rest = all;
	for (const char *at; (at = strsep(&rest, ":"));) {
		char path[PATH_BYTES];
		snprintf(path, sizeof path, "%s/" SERVICE_UNIT, at);
		if (*at && !u->path && unit_take_file(u, arena, path))
			u->path = unit_copy(arena, span_of(path)).at;
	}
	free(all);
	all = rest = strdup(said ? said : UNIT_DIRECTORIES);
	for (const char *at; u->path && (at = strsep(&rest, ":"));)
		unit_take_drop_ins(u, arena, at);
	free(all);
}

static bool is_same_file(const char *a, const char *b)
{
	char *x = realpath(a, NULL), *y = realpath(b, NULL);
	bool same = x && y && !strcmp(x, y);
	free(x);
	free(y);
	return same;
}

bool service_unit_find(struct service_unit *u, struct arena *arena, const char *configuration)
{
	*u = (struct service_unit){ 0 };
	unit_take_all(u, arena);
	for (const struct unit_word *w = u->start; w && w->next; w = w->next)
		if ((!strcmp(w->text, "-c") || !strcmp(w->text, "--config")) &&
		    is_same_file(w->next->text, configuration))
			return u->path;
	return false;
}

/* --- the values --- */

static const char *unit_last_word(const struct unit_word *w)
{
	while (w && w->next)
		w = w->next;
	return w ? w->text : "";
}

bool service_unit_is_dynamic(const struct service_unit *u)
{
	const char *said = unit_last_word(u->dynamic);
	return !strcasecmp(said, "yes") || !strcasecmp(said, "true") || !strcasecmp(said, "on") ||
	       !strcmp(said, "1");
}

const char *service_unit_user(const struct service_unit *u)
{
	const char *user = unit_last_word(u->user);
	return *user ? user : "root";
}

bool service_unit_hands_over(const struct service_unit *u, const char *name)
{
	size_t n = strlen(name);
	for (const struct unit_word *w = u->credentials; w; w = w->next)
		if (!strncmp(w->text, name, n) && (w->text[n] == ':' || !w->text[n]))
			return true;
	return false;
}

static bool is_below(const char *path, const char *root, const char *name)
{
	char directory[PATH_BYTES];
	int n = snprintf(directory, sizeof directory, "%s%s", root, name);
	return n > 0 && (size_t)n < sizeof directory && !strncmp(path, directory, (size_t)n) &&
	       (path[n] == '/' || !path[n]);
}

static bool are_below(const char *path, const char *root, const struct unit_word *names)
{
	for (; names; names = names->next)
		if (is_below(path, root, names->text + strspn(names->text, "-+")))
			return true;
	return false;
}

bool service_unit_makes(const struct service_unit *u, const char *path)
{
	return are_below(path, "/var/lib/", u->state) || are_below(path, "/run/", u->runtime) ||
	       are_below(path, "/var/log/", u->logs);
}

bool service_unit_lets_write(const struct service_unit *u, const char *path)
{
	return strcmp(unit_last_word(u->protect), "strict") != 0 || service_unit_makes(u, path) ||
	       are_below(path, "", u->writable);
}
