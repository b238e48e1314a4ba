#include "io/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Root may write to every file anyway. */
static bool owner_is_ours(uid_t owner)
{
	return owner == geteuid() || owner == 0;
}

static enum own_file_fault mode_fault(mode_t mode)
{
	return mode & S_IWOTH ? OWN_FILE_OTHERS : mode & S_IWGRP ? OWN_FILE_GROUP : OWN_FILE_GOOD;
}

enum own_file_fault own_file_fault(const struct stat *s)
{
	if (!S_ISREG(s->st_mode))
		return OWN_FILE_LINK;
	if (!owner_is_ours(s->st_uid))
		return OWN_FILE_OWNER;
	if (s->st_nlink > 1)
		return OWN_FILE_NAMES;
	return mode_fault(s->st_mode);
}

enum own_file_fault own_directory_fault(const struct stat *s)
{
	return !owner_is_ours(s->st_uid) ? OWN_FILE_OWNER : mode_fault(s->st_mode);
}

static bool own_file_is_good(int fd, int directory, bool shared)
{
	struct stat s, d;
	if (fstat(fd, &s) || fstat(directory, &d))
		return false;
	/*
	 * The directory's owner may replace the file at any time, so owning it gives that user no
	 * more power.
	 */
	if (shared && s.st_uid == d.st_uid)
		s.st_uid = geteuid();
	enum own_file_fault fault = own_file_fault(&s);
	errno = EPERM;
	return fault == OWN_FILE_GOOD || fault == OWN_FILE_GROUP;
}

static int open_own(int directory, const char *name, int flags, mode_t mode, bool shared)
{
	/* An existing file must not be truncated before it was checked. */
	int fd = openat(directory, name,
			(flags & ~O_TRUNC) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	if (own_file_is_good(fd, directory, shared) && (!(flags & O_TRUNC) || !ftruncate(fd, 0)))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int own_file_open(int directory, const char *name, int flags, mode_t mode)
{
	return open_own(directory, name, flags, mode, false);
}

int own_file_open_shared(int directory, const char *name, int flags, mode_t mode)
{
	return open_own(directory, name, flags, mode, true);
}

int own_file_open_in(const char *directory, const char *name, int flags, mode_t mode)
{
	int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -1;
	int fd = own_file_open(at, name, flags, mode);
	int why = errno;
	close(at);
	errno = why;
	return fd;
}

/* --- whole files --- */

static bool own_file_write_new(int directory, const char *name, struct span text)
{
	int fd = own_file_open(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return false;
	ssize_t done = write(fd, text.at, text.n);
	bool good = done == (ssize_t)text.n && fsync(fd) == 0;
	int why = done < 0 || done == (ssize_t)text.n ? errno : ENOSPC;
	close(fd);
	errno = why;
	return good;
}

bool own_file_replace(const char *directory, const char *name, struct span text)
{
	char fresh[256];
	errno = ENAMETOOLONG;
	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", name) >= sizeof fresh)
		return false;
	int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return false;
	bool good =
		own_file_write_new(at, fresh, text) && !renameat(at, fresh, at, name) && !fsync(at);
	int why = errno;
	close(at);
	errno = why;
	return good;
}

bool own_directory_sync(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool good = fsync(fd) == 0;
	int why = errno;
	close(fd);
	errno = why;
	return good;
}
