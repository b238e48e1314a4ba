#include "control/places.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "control/service_unit.h"

#define GROUPS_MAX 64
#define PATH_BYTES 4096

struct look {
	struct config *config;
	bool by_unit, by_guess; /* neither: who runs it is who looks */
	struct service_unit unit;
	uid_t uid;
	bool nobody; /* a user of systemd's own making: what anybody may, and no more */
	gid_t groups[GROUPS_MAX];
	int group_n;
	char who[96];
};

__attribute__((format(printf, 3, 4))) static void blame(const struct look *l, size_t at,
							const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (l->by_guess)
		caution(&l->config->complaints, at, "%s", text);
	else
		complain(&l->config->complaints, at, "%s", text);
}

/* --- who runs it --- */

static void take_user(struct look *l, const struct passwd *p)
{
	l->uid = p->pw_uid;
	l->group_n = GROUPS_MAX;
	if (getgrouplist(p->pw_name, p->pw_gid, l->groups, &l->group_n) < 0)
		l->group_n = GROUPS_MAX;
	snprintf(l->who, sizeof l->who, "user %u (%.60s)", (unsigned)p->pw_uid, p->pw_name);
}

static void take_uid(struct look *l, uid_t uid)
{
	const struct passwd *p = getpwuid(uid);
	l->uid = uid;
	snprintf(l->who, sizeof l->who, "user %u", (unsigned)uid);
	if (p)
		take_user(l, p);
}

static void take_unit(struct look *l)
{
	const char *name = service_unit_user(&l->unit);
	const struct passwd *p = getpwnam(name);
	l->by_unit = true;
	l->nobody = !p || service_unit_is_dynamic(&l->unit);
	snprintf(l->who, sizeof l->who, "the service's user (%.60s)", name);
	if (p && !l->nobody)
		take_user(l, p);
	for (const struct unit_word *w = l->unit.groups; w && l->group_n < GROUPS_MAX;
	     w = w->next) {
		const struct group *g = getgrnam(w->text);
		if (g)
			l->groups[l->group_n++] = g->gr_gid;
	}
}

static void find_user(struct look *l)
{
	struct stat s;
	bool root = geteuid() == 0;
	if (root && service_unit_find(&l->unit, &l->config->arena, l->config->complaints.file)) {
		take_unit(l);
		return;
	}
	l->by_guess = root && !stat(l->config->state, &s) && s.st_uid != 0;
	take_uid(l, l->by_guess ? s.st_uid : geteuid());
}

/* `bits` are those of others: 4 to read, 2 to write, 1 to go through. */
static bool may(const struct look *l, const struct stat *s, unsigned bits)
{
	if (!l->nobody && l->uid == 0)
		return true;
	if (!l->nobody && l->uid == s->st_uid)
		return (s->st_mode >> 6 & bits) == bits;
	for (int i = 0; i < l->group_n; i++)
		if (l->groups[i] == s->st_gid)
			return (s->st_mode >> 3 & bits) == bits;
	return (s->st_mode & bits) == bits;
}

/* --- files that are read --- */

static size_t place_among(const struct key_file_value *const *known, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (known[i]->path && !strcmp(known[i]->path, path))
			return known[i]->at;
	return NOWHERE;
}

/* Where the file is named; those of passwords and credentials are not known any more. */
static size_t place_of(const struct config *c, const char *path)
{
	const struct key_file_value *const known[] = {
		&c->clusters[ARM_SOURCE].ca,	    &c->clusters[ARM_TARGET].ca,
		&c->capture.kafka.security.tls.ca,  &c->capture.kafka.security.tls.certificate,
		&c->capture.kafka.security.tls.key,
	};
	for (const struct config_certificate *m = &c->tls.certificate; m; m = m->next) {
		const struct key_file_value *const pair[] = { &m->certificate, &m->key };
		size_t at = place_among(pair, 2, path);
		if (at != NOWHERE)
			return at;
	}
	return place_among(known, sizeof known / sizeof known[0], path);
}

static const char *name_in(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The first directory on the way that may not be gone through, or the file itself; "": all may be.
 */
static void find_closed(const struct look *l, const char *path, char closed[PATH_BYTES],
			struct stat *s)
{
	char *whole = realpath(path, NULL);
	closed[0] = 0;
	for (const char *slash = whole; slash && !closed[0]; slash = strchr(slash + 1, '/')) {
		char part[PATH_BYTES];
		snprintf(part, sizeof part, "%.*s", (int)(slash - whole), whole);
		if (!stat(*part ? part : "/", s) && !may(l, s, 1))
			snprintf(closed, PATH_BYTES, "%s", part);
	}
	/* What a list of rights adds is not seen here. */
	bool listed = getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
	if (!closed[0] && whole && !stat(whole, s) && !listed && !may(l, s, 4))
		snprintf(closed, PATH_BYTES, "%s", path);
	free(whole);
}

static void check_file(const struct look *l, const char *path)
{
	char closed[PATH_BYTES];
	struct stat s;
	size_t at = place_of(l->config, path);
	struct span text = l->config->complaints.text;
	bool absolute = at < text.n && text.at[at] == '/';
	const char *name = name_in(path);
	if (l->by_unit && !absolute && service_unit_hands_over(&l->unit, name))
		return;
	find_closed(l, path, closed, &s);
	if (!closed[0])
		return;
	if (l->by_unit)
		blame(l, at,
		      "%s cannot read %.200s: %.200s is user %u's, mode %04o; let the unit hand "
		      "it over, LoadCredential=%.60s:%.200s, and say %.60s alone here",
		      l->who, path, closed, (unsigned)s.st_uid, s.st_mode & 07777, name, path,
		      name);
	else
		blame(l, at,
		      "%s, who owns the state directory, cannot read %.200s: %.200s is user %u's, "
		      "mode %04o: chgrp it to a group of that user, and chmod 0640",
		      l->who, path, closed, (unsigned)s.st_uid, s.st_mode & 07777);
}

/* It is read anew at a reload: no credential, which systemd hands over at the start alone. */
static void check_configuration(const struct look *l)
{
	char closed[PATH_BYTES];
	struct stat s;
	find_closed(l, l->config->complaints.file, closed, &s);
	if (closed[0])
		blame(l, NOWHERE,
		      "%s cannot read this file: %.200s is user %u's, mode %04o: chmod it %s, and "
		      "keep credentials in files of their own",
		      l->who, closed, (unsigned)s.st_uid, s.st_mode & 07777,
		      S_ISDIR(s.st_mode) ? "0755" : "0644");
}

/* systemd starts nothing without them. */
static void check_credentials(const struct look *l)
{
	struct stat s;
	for (const struct unit_word *w = l->unit.credentials; w; w = w->next) {
		const char *colon = strchr(w->text, ':');
		if (colon && colon[1] == '/' && stat(colon + 1, &s))
			blame(l, NOWHERE,
			      "%s has LoadCredential=%.200s, and that file cannot be had (%s): the "
			      "service does not start; `systemctl edit crossfade` can take it out",
			      l->unit.path, w->text, strerror(errno));
	}
}

static void check_files(const struct look *l)
{
	if (!l->by_unit && !l->by_guess)
		return;
	check_credentials(l);
	check_configuration(l);
	for (const struct kept_file *f = l->config->read.first; f; f = f->next)
		check_file(l, f->name);
}

/* --- directories that are made --- */

static void parent_of(const char *path, char parent[PATH_BYTES])
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	snprintf(parent, PATH_BYTES, "%.*s", (int)n, path);
	if (!n)
		snprintf(parent, PATH_BYTES, ".");
}

/* Of a directory that is there: something of ours is to be made in it. */
static void check_room(const struct look *l, const char *key, const char *path,
		       const char *directory)
{
	struct stat s;
	size_t at = config_place(l->config, key);
	if (stat(directory, &s)) {
		blame(l, at, "%s: %.200s cannot be made: %.200s: %s", key, path, directory,
		      strerror(errno));
		return;
	}
	if (!S_ISDIR(s.st_mode)) {
		blame(l, at, "%s: %.200s cannot be made: %.200s is no directory", key, path,
		      directory);
		return;
	}
	if (faccessat(AT_FDCWD, directory, W_OK, AT_EACCESS) && errno == EROFS) {
		blame(l, at, "%s: %.200s cannot be made: %.200s can only be read (%s)", key, path,
		      directory, strerror(EROFS));
		return;
	}
	if (!may(l, &s, 3))
		blame(l, at,
		      "%s: %.200s cannot be made: %s may not write to %.200s, which is user %u's, "
		      "mode %04o: make it beforehand, and chown it",
		      key, path, l->who, directory, (unsigned)s.st_uid, s.st_mode & 07777);
}

/* `path` is made where its parent is there, which nobody makes. */
static void check_made(const struct look *l, const char *key, const char *path)
{
	char parent[PATH_BYTES];
	struct stat s;
	size_t at = config_place(l->config, key);
	if (l->by_unit && !service_unit_lets_write(&l->unit, path)) {
		blame(l, at,
		      "%s: %s does not let the service write to %.200s (ProtectSystem=strict): "
		      "add ReadWritePaths=, or take a path in /var/lib/crossfade",
		      key, l->unit.path, path);
		return;
	}
	if (!stat(path, &s) || (l->by_unit && service_unit_makes(&l->unit, path)))
		return;
	parent_of(path, parent);
	if (stat(parent, &s) && errno == ENOENT)
		blame(l, at,
		      "%s: %.200s cannot be made: %.200s is not there, and only the last directory "
		      "of a path is made: mkdir -p %.200s, for %s",
		      key, path, parent, parent, l->who);
	else
		check_room(l, key, path, parent);
}

static void check_directory(const struct look *l, const char *key, const char *path)
{
	struct stat s;
	if (!stat(path, &s) && !S_ISDIR(s.st_mode))
		blame(l, config_place(l->config, key), "%s: %.200s is no directory", key, path);
	else
		check_made(l, key, path);
}

/* The socket's directory is made; and it is in the state directory, which is made, where none is
 * said. */
static void check_socket(const struct look *l)
{
	char directory[PATH_BYTES];
	parent_of(l->config->admin.socket, directory);
	if (strcmp(directory, l->config->state) != 0)
		check_directory(l, "admin.socket", directory);
}

void places_check(struct config *c)
{
	struct look l = { .config = c };
	find_user(&l);
	check_files(&l);
	check_directory(&l, "state", c->state);
	if (c->capture.head.at != NOWHERE && c->capture.directory)
		check_directory(&l, "capture.directory", c->capture.directory);
	if (c->log.access)
		check_made(&l, "log.access", c->log.access);
	check_socket(&l);
}
