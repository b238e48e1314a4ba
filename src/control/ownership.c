#include "control/ownership.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/own_path.h"

struct look {
	struct config *config;
	const char *directory;
	size_t at;    /* where it is named */
	int fd;	      /* of the directory */
	bool lenient; /* it is another user's, who runs the balancer */
	uid_t owner;  /* of the directory */
};

__attribute__((format(printf, 2, 3))) static void blame(const struct look *l, const char *format,
							...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (l->lenient)
		caution(&l->config->complaints, l->at, "%s", text);
	else
		complain(&l->config->complaints, l->at, "%s", text);
}

static void judge_file(const struct look *l, const char *name, const struct stat *s)
{
	const char *in = l->directory;
	switch (own_file_fault(s)) {
	case OWN_FILE_GOOD:
		return;
	case OWN_FILE_LINK:
		blame(l, "%.300s/%.60s is a link, or no file: take it away", in, name);
		return;
	case OWN_FILE_NAMES:
		blame(l, "%.300s/%.60s is a hard link to another file: take it away", in, name);
		return;
	case OWN_FILE_OWNER:
		if (l->lenient && s->st_uid == l->owner)
			return;
		blame(l,
		      "%.300s/%.60s belongs to user %u, and we are user %u: chown it if it is "
		      "yours, else take it away",
		      in, name, (unsigned)s->st_uid, (unsigned)geteuid());
		return;
	case OWN_FILE_OTHERS:
		blame(l,
		      "%.300s/%.60s may be written by anybody: chmod it 0600 if it is yours, "
		      "else take it away",
		      in, name);
		return;
	case OWN_FILE_GROUP:
		caution(&l->config->complaints, l->at,
			"%.300s/%.60s may be written by its group: chmod g-w", in, name);
	}
}

static void judge_secret(const struct look *l, const char *name, const struct stat *s)
{
	if (S_ISREG(s->st_mode) && (s->st_mode & (S_IRGRP | S_IROTH)))
		caution(&l->config->complaints, l->at,
			"%.300s/%.60s is a secret that others may read: chmod it 0600, and make a "
			"new one if anybody has",
			l->directory, name);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n >= m && !strcmp(name + n - m, end);
}

/* What else somebody keeps there is his affair. */
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

static bool is_secret(const char *name)
{
	return !strcmp(name, "admin.token") || !strcmp(name, "redact.key");
}

static void look_into(const struct look *l, bool (*is_kept)(const char *name))
{
	int again = openat(l->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	for (const struct dirent *e; d && (e = readdir(d));) {
		struct stat s;
		if (!is_kept(e->d_name) || fstatat(l->fd, e->d_name, &s, AT_SYMLINK_NOFOLLOW))
			continue;
		judge_file(l, e->d_name, &s);
		if (is_secret(e->d_name))
			judge_secret(l, e->d_name, &s);
	}
	if (d)
		closedir(d);
}

/* Another user's directory: what he plants there is refused, but what we make he may take away. */
static void judge_directory(struct look *l, const struct stat *s)
{
	l->owner = s->st_uid;
	l->lenient = geteuid() == 0 && s->st_uid != 0;
	switch (own_directory_fault(s)) {
	case OWN_FILE_OTHERS:
		complain(&l->config->complaints, l->at,
			 "%.300s may be written by anybody: chmod it 0700", l->directory);
		return;
	case OWN_FILE_OWNER:
		blame(l,
		      "%.300s belongs to user %u, and we are user %u: run it as that user, or "
		      "chown "
		      "the directory",
		      l->directory, (unsigned)s->st_uid, (unsigned)geteuid());
		return;
	case OWN_FILE_GROUP:
		caution(&l->config->complaints, l->at,
			"%.300s may be written by its group: chmod g-w", l->directory);
		return;
	case OWN_FILE_GOOD:
	case OWN_FILE_LINK:
	case OWN_FILE_NAMES:
		return;
	}
}

/* --- the way there --- */

static void check_way(struct config *c, const char *path, size_t at, uid_t also)
{
	struct own_path p = { .also = also };
	switch (own_path_look(path, &p)) {
	case OWN_FILE_OWNER:
		/* As in a directory that a container has from its host: what is put there is
		   found by its owner. */
		caution(&c->complaints, at,
			"%.200s: %.200s belongs to user %u, who may take it away or put something "
			"else in its place",
			path, p.where, (unsigned)p.owner);
		return;
	case OWN_FILE_OTHERS:
		complain(&c->complaints, at,
			 "%.200s is not safe: in %.200s anybody may put something else in its "
			 "place: "
			 "chmod o-w that, or take another path",
			 path, p.where);
		return;
	case OWN_FILE_LINK:
		complain(&c->complaints, at,
			 "%.200s is not safe: %.200s is a link that user %u has made: take it away",
			 path, p.where, (unsigned)p.owner);
		return;
	case OWN_FILE_GROUP:
		caution(&c->complaints, at,
			"%.200s: its group may write to %.200s, and put something else in its "
			"place: chmod g-w that",
			path, p.where);
		return;
	case OWN_FILE_GOOD:
	case OWN_FILE_NAMES:
		return;
	}
}

/* Who runs the balancer, as far as root can tell who does not: that its state is of him. */
static uid_t service_user(const struct config *c)
{
	struct stat s;
	return geteuid() == 0 && !stat(c->state, &s) ? s.st_uid : geteuid();
}

static void check_directory(struct config *c, const char *directory, const char *key, bool runs,
			    bool (*is_kept)(const char *name))
{
	struct stat s;
	struct look l = { .config = c,
			  .directory = directory,
			  .at = config_place(c, key),
			  .fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	if (l.fd < 0)
		return;
	if (!fstat(l.fd, &s)) {
		judge_directory(&l, &s);
		l.lenient &= !runs;
		look_into(&l, is_kept);
	}
	close(l.fd);
}

/* --- what is read --- */

static bool is_of_others(const struct stat *s, uid_t user)
{
	return s->st_uid != geteuid() && s->st_uid != 0 && s->st_uid != user;
}

/* Who writes to it says what we do. */
static void check_text(struct config *c, const char *path, size_t at, uid_t user)
{
	struct stat s;
	if (!path || stat(path, &s) || !S_ISREG(s.st_mode))
		return;
	if (is_of_others(&s, user))
		caution(&c->complaints, at,
			"%.300s belongs to user %u, who may change it: chown it", path,
			(unsigned)s.st_uid);
	if (s.st_mode & S_IWOTH)
		caution(&c->complaints, at, "%.300s may be written by anybody: chmod o-w", path);
	else if (s.st_mode & S_IWGRP && s.st_gid >= USER_GROUP_MIN)
		caution(&c->complaints, at, "%.300s may be written by its group (%u): chmod g-w",
			path, (unsigned)s.st_gid);
}

static void check_secret(struct config *c, const char *path, size_t at, uid_t user)
{
	struct stat s;
	check_text(c, path, at, user);
	if (!path || stat(path, &s) || !S_ISREG(s.st_mode))
		return;
	if (s.st_mode & S_IROTH)
		caution(&c->complaints, at, "%.300s is a secret that anybody may read: chmod o-r",
			path);
	else if (s.st_mode & S_IRGRP && s.st_gid >= USER_GROUP_MIN)
		caution(&c->complaints, at,
			"%.300s is a secret that its group (%u) may read: chmod it 0600", path,
			(unsigned)s.st_gid);
}

static void check_credential(struct config *c, const struct config_credential *credential,
			     uid_t user)
{
	check_secret(c, credential->path, credential->at, user);
}

/* Of the configuration and the secrets that it names. */
static void check_files(struct config *c, uid_t user)
{
	const struct key_file_value *kafka = &c->capture.kafka.security.tls.key;
	check_text(c, c->complaints.file, NOWHERE, user);
	for (const struct config_certificate *m = &c->tls.certificate; m; m = m->next)
		check_secret(c, m->key.path, m->key.at, user);
	check_secret(c, kafka->path, kafka->at, user);
	for (int arm = 0; arm < ARMS; arm++) {
		check_credential(c, &c->clusters[arm].authorization, user);
		check_credential(c, &c->clusters[arm].health.authorization, user);
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
		complain(&c->complaints, at,
			 "%.300s is a link that user %u has made: take it away, or name the file "
			 "itself",
			 path, (unsigned)s.st_uid);
	else if ((S_ISREG(s.st_mode) || S_ISFIFO(s.st_mode)) && others)
		complain(&c->complaints, at,
			 "%.300s belongs to user %u, and we are user %u: chown it if it is to be "
			 "yours, else take it away",
			 path, (unsigned)s.st_uid, (unsigned)geteuid());
	else if (S_ISREG(s.st_mode) && s.st_mode & S_IWOTH)
		caution(&c->complaints, at, "%.300s may be written by anybody: chmod o-w", path);
}

/* --- the admin socket --- */

/* What a dead process of ours has left is taken away by who listens. */
static void check_socket(struct config *c, const char *path, uid_t user)
{
	struct stat s;
	size_t at = config_place(c, "admin.socket");
	if (lstat(path, &s))
		return;
	if (is_of_others(&s, user))
		complain(&c->complaints, at,
			 "%.300s belongs to user %u, and we are user %u: take it away, or name "
			 "another path for the admin socket",
			 path, (unsigned)s.st_uid, (unsigned)geteuid());
	else if (!S_ISSOCK(s.st_mode))
		complain(&c->complaints, at,
			 "%.300s is no socket: take it away, or name another path for the admin "
			 "socket",
			 path);
}

/* What is not named, or wrongly, has no path. */
void ownership_check(struct config *c, bool runs)
{
	uid_t service = service_user(c);
	/* Who runs it where the state is another user's has files of its own all the same. */
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
			check_way(c, ways[i].path, config_place(c, ways[i].key), service);
	check_directory(c, c->state, "state", runs, is_of_the_state);
	if (log)
		check_directory(c, log, "capture.directory", runs, is_of_the_log);
	check_files(c, user);
	if (c->log.access)
		check_log(c, c->log.access, user);
	if (c->admin.socket)
		check_socket(c, c->admin.socket, user);
}
