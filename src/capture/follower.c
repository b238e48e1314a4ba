#include "capture/follower.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "io/own_file.h"

#define SUFFIX ".follower"
#define PATH_BYTES (FOLLOWER_NAME_BYTES + 16)

/* --- names --- */

bool follower_name_is_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");
	return n > 0 && n < FOLLOWER_NAME_BYTES && !name[n];
}

static void path_of(char path[PATH_BYTES], const char *name, const char *suffix)
{
	snprintf(path, PATH_BYTES, "%s%s", name, suffix);
}

static bool follower_name_of(const char *file, char name[FOLLOWER_NAME_BYTES])
{
	size_t n = strlen(file), suffix = sizeof SUFFIX - 1;
	if (n <= suffix || n - suffix >= FOLLOWER_NAME_BYTES ||
	    strcmp(file + n - suffix, SUFFIX) != 0)
		return false;
	snprintf(name, FOLLOWER_NAME_BYTES, "%.*s", (int)(n - suffix), file);
	return follower_name_is_good(name);
}

/* --- files --- */

static bool write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = write(fd, s.at, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		s = (struct span){ s.at + n, s.n - (size_t)n };
	}
	return true;
}

static bool write_new(int directory, const char *path, struct span text)
{
	int fd = own_file_open_shared(directory, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return false;
	bool good = write_all(fd, text) && !fsync(fd);
	int error = errno;
	close(fd);
	errno = error;
	return good;
}

/* A reader sees the old text or the new one, after a power cut too. */
static bool follower_replace_file(int directory, const char *name, struct span text)
{
	char path[PATH_BYTES], fresh[PATH_BYTES];
	path_of(path, name, SUFFIX);
	path_of(fresh, name, ".new");
	return write_new(directory, fresh, text) && !renameat(directory, fresh, directory, path) &&
	       !fsync(directory);
}

static bool put_position(int directory, const char *name, const struct position *p)
{
	struct bytes text = { 0 };
	position_write(p, &text);
	bool good = follower_replace_file(directory, name, (struct span){ text.at, text.n });
	int error = errno;
	bytes_free(&text);
	errno = error;
	return good;
}

static bool read_all(int fd, struct bytes *to)
{
	char part[16384];
	ssize_t n;
	while ((n = read(fd, part, sizeof part)) > 0)
		bytes_add(to, (struct span){ part, (size_t)n });
	return n == 0;
}

/* False with errno: it cannot be read. */
static bool get_position(int directory, const char *name, struct position *p, bool *damaged)
{
	char path[PATH_BYTES];
	struct bytes text = { 0 };
	path_of(path, name, SUFFIX);
	int fd = own_file_open_shared(directory, path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	bool good = read_all(fd, &text);
	int error = errno;
	*damaged = good && !position_read(p, (struct span){ text.at, text.n });
	bytes_free(&text);
	close(fd);
	errno = error;
	return good;
}

/* --- one follower --- */

bool follower_register(int directory, const char *name)
{
	char path[PATH_BYTES];
	static const struct position nothing;
	path_of(path, name, SUFFIX);
	if (!faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW))
		return true;
	return errno == ENOENT && put_position(directory, name, &nothing);
}

/* The lock is a file of its own: the position's file is replaced at each save. */
static enum follower_verdict follower_lock(int directory, const char *name, int *lock)
{
	char path[PATH_BYTES];
	path_of(path, name, ".lock");
	*lock = own_file_open_shared(directory, path, O_RDWR | O_CREAT, 0600);
	if (*lock < 0)
		return FOLLOWER_ERROR;
	if (!flock(*lock, LOCK_EX | LOCK_NB))
		return FOLLOWER_OPEN;
	return errno == EWOULDBLOCK ? FOLLOWER_BUSY : FOLLOWER_ERROR;
}

static enum follower_verdict follower_open_in(struct follower *f)
{
	enum follower_verdict v = follower_lock(f->directory, f->name, &f->lock);
	if (v != FOLLOWER_OPEN)
		return v;
	bool good = follower_register(f->directory, f->name) &&
		    get_position(f->directory, f->name, &f->position, &f->damaged);
	return good ? FOLLOWER_OPEN : FOLLOWER_ERROR;
}

enum follower_verdict follower_open(struct follower *f, const char *directory, const char *name)
{
	must(follower_name_is_good(name));
	*f = (struct follower){ .lock = -1 };
	snprintf(f->name, sizeof f->name, "%s", name);
	f->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum follower_verdict v = f->directory < 0 ? FOLLOWER_ERROR : follower_open_in(f);
	if (v == FOLLOWER_OPEN)
		return v;
	int error = errno;
	follower_close(f);
	errno = error;
	return v;
}

static void position_copy(struct position *to, const struct position *from)
{
	position_free(to);
	to->passed = from->passed;
	to->wall_ns = from->wall_ns;
	for (size_t i = 0; i < from->series_n; i++)
		position_add_series(to, from->series[i]);
	for (size_t i = 0; i < from->connection_n; i++)
		position_add_connection(to, from->connections[i]);
	position_sort(to);
}

bool follower_save(struct follower *f, const struct position *p)
{
	if (!put_position(f->directory, f->name, p))
		return false;
	position_copy(&f->position, p);
	return true;
}

void follower_close(struct follower *f)
{
	if (f->lock >= 0)
		close(f->lock);
	if (f->directory >= 0)
		close(f->directory);
	position_free(&f->position);
	f->lock = f->directory = -1;
}

static enum follower_verdict follower_drop_in(int directory, const char *name)
{
	char path[PATH_BYTES];
	int lock;
	path_of(path, name, SUFFIX);
	if (faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW))
		return FOLLOWER_ERROR;
	enum follower_verdict v = follower_lock(directory, name, &lock);
	if (v == FOLLOWER_OPEN && unlinkat(directory, path, 0))
		v = FOLLOWER_ERROR;
	path_of(path, name, ".lock");
	if (v == FOLLOWER_OPEN && (unlinkat(directory, path, 0) || fsync(directory)))
		v = FOLLOWER_ERROR;
	if (lock >= 0)
		close(lock);
	return v;
}

enum follower_verdict follower_drop(const char *path, const char *name)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return FOLLOWER_ERROR;
	enum follower_verdict v = follower_drop_in(directory, name);
	int error = errno;
	close(directory);
	errno = error;
	return v;
}

/* --- all followers --- */

static void followers_add(struct followers *all, const char *name)
{
	all->list = reallocarray(all->list, all->n + 1, sizeof *all->list);
	must(all->list);
	all->list[all->n] = (struct follower_seen){ .damaged = false };
	snprintf(all->list[all->n].name, sizeof all->list[0].name, "%s", name);
	all->n++;
}

static bool followers_find(struct followers *all, int directory)
{
	char name[FOLLOWER_NAME_BYTES];
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	for (const struct dirent *e; (e = readdir(d));)
		if (follower_name_of(e->d_name, name))
			followers_add(all, name);
	closedir(d);
	return true;
}

static int followers_compare(const void *a, const void *b)
{
	const struct follower_seen *x = a, *y = b;
	return strcmp(x->name, y->name);
}

bool followers_look(struct followers *all, int directory)
{
	*all = (struct followers){ 0 };
	bool good = followers_find(all, directory);
	if (all->n)
		qsort(all->list, all->n, sizeof *all->list, followers_compare);
	for (size_t i = 0; good && i < all->n; i++) {
		struct follower_seen *f = &all->list[i];
		/* A follower that was dropped meanwhile counts with an empty position. */
		good = get_position(directory, f->name, &f->position, &f->damaged) ||
		       errno == ENOENT;
	}
	if (!good) {
		int error = errno;
		followers_free(all);
		errno = error;
	}
	return good;
}

void followers_free(struct followers *all)
{
	for (size_t i = 0; i < all->n; i++)
		position_free(&all->list[i].position);
	free(all->list);
	*all = (struct followers){ 0 };
}

bool followers_any(const char *path)
{
	struct followers all = { 0 };
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool any = directory >= 0 && followers_look(&all, directory) && all.n;
	followers_free(&all);
	if (directory >= 0)
		close(directory);
	return any;
}
