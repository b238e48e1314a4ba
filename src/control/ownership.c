#include "control/ownership.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/own_path.h"

struct owner_look {
	struct config *config;
	const char *directory;
	size_t at;    /* the place of the key */
	int fd;	      /* of the directory */
	bool lenient; /* another user's, and root only checks it */
	uid_t owner;  /* of the directory */
};

__attribute__((format(printf, 2, 3))) static void owner_blame(const struct owner_look *l,
							      const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (l->lenient)
		warn_at(&l->config->diagnostics, l->at, "%s", text);
	else
		diagnose(&l->config->diagnostics, l->at, "%s", text);
}

static void owner_judge_file(const struct owner_look *l, const char *name, const struct stat *s)
{
	const char *in = l->directory;
	switch (own_file_fault(s)) {
	case OWN_FILE_GOOD:
		return;
	case OWN_FILE_LINK:
		owner_blame(l, "%.300s/%.60s is a link, or not a file: remove it", in, name);
		return;
	case OWN_FILE_NAMES:
		owner_blame(l, "%.300s/%.60s is a hard link to another file: remove it", in, name);
		return;
	case OWN_FILE_OWNER:
		if (l->lenient && s->st_uid == l->owner)
			return;
		owner_blame(l,
			    "%.300s/%.60s belongs to user %u, but this process runs as user %u: "
			    "chown it if it is yours, else remove it",
			    in, name, (unsigned)s->st_uid, (unsigned)geteuid());
		return;
	case OWN_FILE_OTHERS:
		owner_blame(l,
			    "%.300s/%.60s can be written by anybody: chmod it 0600 if it is yours, "
			    "else remove it",
			    in, name);
		return;
	case OWN_FILE_GROUP:
		warn_at(&l->config->diagnostics, l->at,
			"%.300s/%.60s can be written by its group: chmod g-w", in, name);
	}
}

static void owner_judge_secret(const struct owner_look *l, const char *name, const struct stat *s)
{
	if (S_ISREG(s->st_mode) && (s->st_mode & (S_IRGRP | S_IROTH)))
		warn_at(&l->config->diagnostics, l->at,
			"%.300s/%.60s is a secret that others can read: chmod it 0600, and make a "
			"new one if anybody may have read it",
			l->directory, name);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n >= m && !strcmp(name + n - m, end);
}

/* Other files in these directories are not checked. */
static bool is_of_the_state(const char *name)
{
	static const char *const names[] = { "weights",	   "audit.jsonl",	"admin.token",
					     "lock",	   "drained.json",	"drained.json.new",
					     "unrecorded", "unrecorded.damaged" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool is_of_the_log(const char *name)
{
	static const char *const ends[] = { ".capture", ".writer", ".follower", ".lock", ".new" };
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (ends_with(name, ends[i]))
			return true;
	return !strcmp(name, "lock") || !strcmp(name, "redact.key") || !strncmp(name, "spare-", 6);
}

static bool is_secret_file(const char *name)
{
	return !strcmp(name, "admin.token") || !strcmp(name, "redact.key");
}

static void owner_look_into(const struct owner_look *l, bool (*is_kept)(const char *name))
{
	int again = openat(l->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	for (const struct dirent *e; d && (e = readdir(d));) {
		struct stat s;
		if (!is_kept(e->d_name) || fstatat(l->fd, e->d_name, &s, AT_SYMLINK_NOFOLLOW))
			continue;
		owner_judge_file(l, e->d_name, &s);
		if (is_secret_file(e->d_name))
			owner_judge_secret(l, e->d_name, &s);
	}
	if (d)
		closedir(d);
}

/*
 * The directory belongs to another user. Files that this user plants there are refused, but the
 * user can remove files that we make.
 */
static void owner_judge_directory(struct owner_look *l, const struct stat *s)
{
	l->owner = s->st_uid;
	l->lenient = geteuid() == 0 && s->st_uid != 0;
	switch (own_directory_fault(s)) {
	case OWN_FILE_OTHERS:
		diagnose(&l->config->diagnostics, l->at,
			 "%.300s can be written by anybody: chmod it 0700", l->directory);
		return;
	case OWN_FILE_OWNER:
		owner_blame(l,
			    "%.300s belongs to user %u, but this process runs as user %u: run it "
			    "as that user, or chown the directory",
			    l->directory, (unsigned)s->st_uid, (unsigned)geteuid());
		return;
	case OWN_FILE_GROUP:
		warn_at(&l->config->diagnostics, l->at,
			"%.300s can be written by its group: chmod g-w", l->directory);
		return;
	case OWN_FILE_GOOD:
	case OWN_FILE_LINK:
	case OWN_FILE_NAMES:
		return;
	}
}

/* --- the path to it --- */

static void owner_check_path(struct config *c, const char *path, size_t at, uid_t also)
{
	struct own_path p = { .also = also };
	switch (own_path_look(path, &p)) {
	case OWN_FILE_OWNER:
		/*
		 * For example a directory that a container gets from its host: a file that its
		 * owner puts there is noticed by the file's owner.
		 */
		warn_at(&c->diagnostics, at,
			"%.200s: %.200s belongs to user %u, who can remove it or replace it", path,
			p.where, (unsigned)p.owner);
		return;
	case OWN_FILE_OTHERS:
		diagnose(&c->diagnostics, at,
			 "%.200s is not safe: in %.200s anybody can replace it: chmod o-w that "
			 "directory, or use another path",
			 path, p.where);
		return;
	case OWN_FILE_LINK:
		diagnose(&c->diagnostics, at,
			 "%.200s is not safe: %.200s is a link made by user %u: remove it", path,
			 p.where, (unsigned)p.owner);
		return;
	case OWN_FILE_GROUP:
		warn_at(&c->diagnostics, at,
			"%.200s: the group of %.200s can write to it, and replace files in it: "
			"chmod g-w that directory",
			path, p.where);
		return;
	case OWN_FILE_GOOD:
	case OWN_FILE_NAMES:
		return;
	}
}

/*
 * The user that runs the balancer. Root may not be that user: then it is assumed to be the owner of
 * the state directory.
 */
static uid_t service_user(const struct config *c)
{
	struct stat s;
	return geteuid() == 0 && !stat(c->state, &s) ? s.st_uid : geteuid();
}

static void owner_check_directory(struct config *c, const char *directory, const char *key,
				  bool runs, bool (*is_kept)(const char *name))
{
	struct stat s;
	struct owner_look l = { .config = c,
				.directory = directory,
				.at = config_place(c, key),
				.fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	if (l.fd < 0)
		return;
	if (!fstat(l.fd, &s)) {
		owner_judge_directory(&l, &s);
		l.lenient &= !runs;
		owner_look_into(&l, is_kept);
	}
	close(l.fd);
}

/* --- files that are read --- */

static bool is_of_others(const struct stat *s, uid_t user)
{
	return s->st_uid != geteuid() && s->st_uid != 0 && s->st_uid != user;
}

/* A user that can write to it decides what the balancer does. */
static void owner_check_text(struct config *c, const char *path, size_t at, uid_t user)
{
	struct stat s;
	if (!path || stat(path, &s) || !S_ISREG(s.st_mode))
		return;
	if (is_of_others(&s, user))
		warn_at(&c->diagnostics, at,
			"%.300s belongs to user %u, who can change it: chown it", path,
			(unsigned)s.st_uid);
	if (s.st_mode & S_IWOTH)
		warn_at(&c->diagnostics, at, "%.300s can be written by anybody: chmod o-w", path);
	else if (s.st_mode & S_IWGRP && s.st_gid >= USER_GROUP_MIN)
		warn_at(&c->diagnostics, at, "%.300s can be written by its group (%u): chmod g-w",
			path, (unsigned)s.st_gid);
}

static void owner_check_secret(struct config *c, const char *path, size_t at, uid_t user)
{
	struct stat s;
	owner_check_text(c, path, at, user);
	if (!path || stat(path, &s) || !S_ISREG(s.st_mode))
		return;
	if (s.st_mode & S_IROTH)
		warn_at(&c->diagnostics, at, "%.300s is a secret that anybody can read: chmod o-r",
			path);
	else if (s.st_mode & S_IRGRP && s.st_gid >= USER_GROUP_MIN)
		warn_at(&c->diagnostics, at,
			"%.300s is a secret that its group (%u) can read: chmod it 0600", path,
			(unsigned)s.st_gid);
}

static void check_credential(struct config *c, const struct config_credential *credential,
			     uid_t user)
{
	owner_check_secret(c, credential->path, credential->at, user);
}

static void check_keys(struct config *c, const struct config_tls *t, uid_t user)
{
	for (const struct config_certificate *m = &t->certificate; m; m = m->next)
		owner_check_secret(c, m->key.path, m->key.at, user);
}

/* The configuration, and the secrets that it names. */
static void owner_check_files(struct config *c, uid_t user)
{
	const struct key_file_value *kafka = &c->capture.kafka.security.tls.key;
	owner_check_text(c, c->diagnostics.file, NOWHERE, user);
	check_keys(c, &c->tls, user);
	check_keys(c, &c->admin.tls, user);
	owner_check_secret(c, kafka->path, kafka->at, user);
	for (int arm = 0; arm < ARMS; arm++) {
		check_credential(c, &c->clusters[arm].authorization, user);
		check_credential(c, &c->clusters[arm].health.authorization, user);
		check_credential(c, &c->replay.credentials.arms[arm], user);
	}
}

/* --- the access log --- */

static void check_log(struct config *c, const char *path, uid_t user)
{
	struct stat s;
	size_t at = config_place(c, "log.access");
	if (lstat(path, &s))
		return;
	bool others = is_of_others(&s, user);
	if (S_ISLNK(s.st_mode) && others)
		diagnose(&c->diagnostics, at,
			 "%.300s is a link made by user %u: remove it, or name the file itself",
			 path, (unsigned)s.st_uid);
	else if ((S_ISREG(s.st_mode) || S_ISFIFO(s.st_mode)) && others)
		diagnose(&c->diagnostics, at,
			 "%.300s belongs to user %u, but this process runs as user %u: chown it if "
			 "it is yours, else remove it",
			 path, (unsigned)s.st_uid, (unsigned)geteuid());
	else if (S_ISREG(s.st_mode) && s.st_mode & S_IWOTH)
		warn_at(&c->diagnostics, at, "%.300s can be written by anybody: chmod o-w", path);
}

/* --- the admin socket --- */

/* A socket that a dead process of ours has left is removed by local_socket_listen(). */
static void owner_check_socket(struct config *c, const char *path, uid_t user)
{
	struct stat s;
	size_t at = config_place(c, "admin.socket");
	if (lstat(path, &s))
		return;
	if (is_of_others(&s, user))
		diagnose(&c->diagnostics, at,
			 "%.300s belongs to user %u, but this process runs as user %u: remove it, "
			 "or name another path for the admin socket",
			 path, (unsigned)s.st_uid, (unsigned)geteuid());
	else if (!S_ISSOCK(s.st_mode))
		diagnose(&c->diagnostics, at,
			 "%.300s is not a socket: remove it, or name another path for the admin "
			 "socket",
			 path);
}

/* A key that is missing or malformed has no path. */
void ownership_check(struct config *c, bool runs)
{
	uid_t service = service_user(c);
	/* A process that runs with another user's state directory still has files of its own. */
	uid_t user = runs ? geteuid() : service;
	const char *log = c->capture.head.at == NOWHERE ? NULL : c->capture.directory;
	const struct {
		const char *key, *path;
	} ways[] = { { "state", c->state },
		     { "admin.socket", c->admin.socket },
		     { "capture.directory", log },
		     { "log.access", c->log.access } };
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		if (ways[i].path)
			owner_check_path(c, ways[i].path, config_place(c, ways[i].key), service);
	owner_check_directory(c, c->state, "state", runs, is_of_the_state);
	if (log)
		owner_check_directory(c, log, "capture.directory", runs, is_of_the_log);
	owner_check_files(c, user);
	if (c->log.access)
		check_log(c, c->log.access, user);
	if (c->admin.socket)
		owner_check_socket(c, c->admin.socket, user);
}
