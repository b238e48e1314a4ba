#ifndef IO_OWN_FILE_H
#define IO_OWN_FILE_H

/*
 * The balancer's own files, in directories that another user may have made: state, keys, tokens,
 * the log. A file is opened only if it is what the balancer itself would have made: a regular file,
 * no link, with no second name, owned by our user or root, and writable by no other user. A planted
 * file is refused, so its author gains nothing.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/span.h"

/*
 * As openat(2), but never follows a link and never waits. -1 with errno; EPERM: the file is not our
 * own.
 */
int own_file_open(int directory, const char *name, int flags, mode_t mode);
/*
 * The same for tools that root may use beside a balancer of another user: files of the directory's
 * owner are accepted too.
 */
int own_file_open_shared(int directory, const char *name, int flags, mode_t mode);
/* As own_file_open(), with the path of the directory. */
int own_file_open_in(const char *directory, const char *name, int flags, mode_t mode);

/*
 * Replaces the whole file, mode 0600. The disk always holds either the old file or the new one.
 * False with errno.
 */
bool own_file_replace(const char *directory, const char *name, struct span text);
/*
 * Makes files that were made, renamed or removed in the directory survive a power cut. False with
 * errno.
 */
bool own_directory_sync(const char *directory);

enum own_file_fault {
	OWN_FILE_GOOD,
	OWN_FILE_LINK,	 /* a symbolic link, or not a regular file */
	OWN_FILE_NAMES,	 /* the file has a second name: a hard link */
	OWN_FILE_OWNER,	 /* another user owns the file */
	OWN_FILE_OTHERS, /* every user may write to the file */
	OWN_FILE_GROUP,	 /* its group may write to it: accepted, with a warning by the caller */
};

/* `s` is the result of fstatat(2) with AT_SYMLINK_NOFOLLOW. */
enum own_file_fault own_file_fault(const struct stat *s);
enum own_file_fault own_directory_fault(const struct stat *s);

#endif
