#include "control/path_access.h"

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

struct access_look {
	struct config *config;
	bool by_unit, by_guess; /* neither: the user that runs this check */
	struct service_unit unit;
	uid_t uid;
	bool nobody; /* DynamicUser=: has only the permissions of others */
	gid_t groups[GROUPS_MAX];
	int group_n;
	char who[96];
};

__attribute__((format(printf, 3, 4))) static void access_blame(const struct access_look *l,
							       size_t at, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (l->by_guess)
		warn_at(&l->config->diagnostics, at, "%s", text);
	else
		diagnose(&l->config->diagnostics, at, "%s", text);
}

/* --- the user that runs the balancer --- */

static void take_user(struct access_look *l, const struct passwd *p)
{
	l->uid = p->pw_uid;
	l->group_n = GROUPS_MAX;
	if (getgrouplist(p->pw_name, p->pw_gid, l->groups, &l->group_n) < 0)
		l->group_n = GROUPS_MAX;
	snprintf(l->who, sizeof l->who, "user %u (%.60s)", (unsigned)p->pw_uid, p->pw_name);
}

static void take_uid(struct access_look *l, uid_t uid)
{
	const struct passwd *p = getpwuid(uid);
	l->uid = uid;
	snprintf(l->who, sizeof l->who, "user %u", (unsigned)uid);
	if (p)
		take_user(l, p);
}

static void take_unit(struct access_look *l)
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

static void find_user(struct access_look *l)
{
	struct stat s;
	bool root = geteuid() == 0;
	if (root && service_unit_find(&l->unit, &l->config->arena, l->config->diagnostics.file)) {
		take_unit(l);
		return;
	}
	l->by_guess = root && !stat(l->config->state, &s) && s.st_uid != 0;
	take_uid(l, l->by_guess ? s.st_uid : geteuid());
}

/* `bits` are permissions as for others: 4 to read, 2 to write, 1 to enter a directory. */
static bool access_allows(const struct access_look *l, const struct stat *s, unsigned bits)
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

static size_t place_among_certificates(const struct config_tls *t, const char *path)
{
	size_t at = NOWHERE;
	for (const struct config_certificate *m = &t->certificate; m && at == NOWHERE;
	     m = m->next) {
		const struct key_file_value *const pair[] = { &m->certificate, &m->key };
		at = place_among(pair, 2, path);
	}
	return at;
}

/*
 * Where the configuration names the file. The places of password and credential files are no longer
 * known.
 */
static size_t access_place_of(const struct config *c, const char *path)
{
	const struct key_file_value *const known[] = {
		&c->clusters[ARM_SOURCE].ca,	    &c->clusters[ARM_TARGET].ca,
		&c->capture.kafka.security.tls.ca,  &c->capture.kafka.security.tls.certificate,
		&c->capture.kafka.security.tls.key,
	};
	const struct config_tls *const fronts[] = { &c->tls, &c->admin.tls };
	for (int i = 0; i < 2; i++) {
		size_t at = place_among_certificates(fronts[i], path);
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

/*
 * The first directory on the path that cannot be entered, or the file itself if it cannot be read;
 * "": there is none.
 */
static void access_find_closed(const struct access_look *l, const char *path,
			       char closed[PATH_BYTES], struct stat *s)
{
	char *whole = realpath(path, NULL);
	closed[0] = 0;
	for (const char *slash = whole; slash && !closed[0]; slash = strchr(slash + 1, '/')) {
		char part[PATH_BYTES];
		snprintf(part, sizeof part, "%.*s", (int)(slash - whole), whole);
		if (!stat(*part ? part : "/", s) && !access_allows(l, s, 1))
			snprintf(closed, PATH_BYTES, "%s", part);
	}
	/* Permissions from an access control list are not known here. */
	bool listed = getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
	if (!closed[0] && whole && !stat(whole, s) && !listed && !access_allows(l, s, 4))
		snprintf(closed, PATH_BYTES, "%s", path);
	free(whole);
}

static void access_check_file(const struct access_look *l, const char *path)
{
	char closed[PATH_BYTES];
	struct stat s;
	size_t at = access_place_of(l->config, path);
	struct span text = l->config->diagnostics.text;
	bool absolute = at < text.n && text.at[at] == '/';
	const char *name = name_in(path);
	if (l->by_unit && !absolute && service_unit_hands_over(&l->unit, name))
		return;
	access_find_closed(l, path, closed, &s);
	if (!closed[0])
		return;
	if (l->by_unit)
		access_blame(l, at,
			     "%s cannot read %.200s: %.200s belongs to user %u, mode %04o; let the "
			     "unit pass it, LoadCredential=%.60s:%.200s, and write only %.60s here",
			     l->who, path, closed, (unsigned)s.st_uid, s.st_mode & 07777, name,
			     path, name);
	else
		access_blame(
			l, at,
			"%s, the owner of the state directory, cannot read %.200s: %.200s belongs "
			"to user %u, mode %04o: chgrp it to a group of that user, and chmod 0640",
			l->who, path, closed, (unsigned)s.st_uid, s.st_mode & 07777);
}

/*
 * A reload reads it again. Therefore it cannot be a credential: systemd hands those over only at
 * the start.
 */
static void access_check_configuration(const struct access_look *l)
{
	char closed[PATH_BYTES];
	struct stat s;
	access_find_closed(l, l->config->diagnostics.file, closed, &s);
	if (closed[0])
		access_blame(l, NOWHERE,
			     "%s cannot read this file: %.200s belongs to user %u, mode %04o: "
			     "chmod it %s, and keep credentials in separate files",
			     l->who, closed, (unsigned)s.st_uid, s.st_mode & 07777,
			     S_ISDIR(s.st_mode) ? "0755" : "0644");
}

/* systemd does not start the unit without them. */
static void access_check_credentials(const struct access_look *l)
{
	struct stat s;
	for (const struct unit_word *w = l->unit.credentials; w; w = w->next) {
		const char *colon = strchr(w->text, ':');
		if (colon && colon[1] == '/' && stat(colon + 1, &s))
			access_blame(l, NOWHERE,
				     "%s has LoadCredential=%.200s, but that file cannot be read "
				     "(%s): the service would not start; remove it with `systemctl "
				     "edit crossfade`",
				     l->unit.path, w->text, strerror(errno));
	}
}

static void access_check_files(const struct access_look *l)
{
	if (!l->by_unit && !l->by_guess)
		return;
	access_check_credentials(l);
	access_check_configuration(l);
	for (const struct saved_file *f = l->config->read.first; f; f = f->next)
		access_check_file(l, f->name);
}

/* --- directories that are created --- */

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

/* For an existing directory: the balancer must create something in it. */
static void access_check_room(const struct access_look *l, const char *key, const char *path,
			      const char *directory)
{
	struct stat s;
	size_t at = config_place(l->config, key);
	if (stat(directory, &s)) {
		access_blame(l, at, "%s: %.200s cannot be created: %.200s: %s", key, path,
			     directory, strerror(errno));
		return;
	}
	if (!S_ISDIR(s.st_mode)) {
		access_blame(l, at, "%s: %.200s cannot be created: %.200s is not a directory", key,
			     path, directory);
		return;
	}
	if (faccessat(AT_FDCWD, directory, W_OK, AT_EACCESS) && errno == EROFS) {
		access_blame(l, at, "%s: %.200s cannot be created: %.200s is read-only (%s)", key,
			     path, directory, strerror(EROFS));
		return;
	}
	if (!access_allows(l, &s, 3))
		access_blame(l, at,
			     "%s: %.200s cannot be created: %s cannot write to %.200s, which "
			     "belongs to user %u, mode %04o: create it before, and chown it",
			     key, path, l->who, directory, (unsigned)s.st_uid, s.st_mode & 07777);
}

/* `path` is created if its parent exists; the parent is not created. */
static void access_check_creatable(const struct access_look *l, const char *key, const char *path)
{
	char parent[PATH_BYTES];
	struct stat s;
	size_t at = config_place(l->config, key);
	if (l->by_unit && !service_unit_lets_write(&l->unit, path)) {
		access_blame(
			l, at,
			"%s: %s does not let the service write to %.200s (ProtectSystem=strict): "
			"add ReadWritePaths=, or use a path in /var/lib/crossfade",
			key, l->unit.path, path);
		return;
	}
	if (!stat(path, &s) || (l->by_unit && service_unit_makes(&l->unit, path)))
		return;
	parent_of(path, parent);
	if (stat(parent, &s) && errno == ENOENT)
		access_blame(l, at,
			     "%s: %.200s cannot be created: %.200s does not exist, and only the "
			     "last directory of a path is created: mkdir -p %.200s, for %s",
			     key, path, parent, parent, l->who);
	else
		access_check_room(l, key, path, parent);
}

static void access_check_directory(const struct access_look *l, const char *key, const char *path)
{
	struct stat s;
	if (!stat(path, &s) && !S_ISDIR(s.st_mode))
		access_blame(l, config_place(l->config, key), "%s: %.200s is not a directory", key,
			     path);
	else
		access_check_creatable(l, key, path);
}

/*
 * The socket's directory is created. By default it is the state directory, which was checked
 * already.
 */
static void access_check_socket(const struct access_look *l)
{
	char directory[PATH_BYTES];
	parent_of(l->config->admin.socket, directory);
	if (strcmp(directory, l->config->state) != 0)
		access_check_directory(l, "admin.socket", directory);
}

void path_access_check(struct config *c)
{
	struct access_look l = { .config = c };
	find_user(&l);
	access_check_files(&l);
	access_check_directory(&l, "state", c->state);
	if (c->capture.head.at != NOWHERE && c->capture.directory)
		access_check_directory(&l, "capture.directory", c->capture.directory);
	if (c->log.access)
		access_check_creatable(&l, "log.access", c->log.access);
	access_check_socket(&l);
}
