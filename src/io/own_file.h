#ifndef IO_OWN_FILE_H
#define IO_OWN_FILE_H

/*
 * Files that a balancer keeps for itself, in directories that somebody else may have made: state,
 * keys, tokens, the log. One is taken when it is what we would have made: a file, no link, under
 * this name alone, ours or root's, and nobody else may write to it. Whoever planted something there
 * gets nothing of it.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/span.h"

/* As openat(2), which never follows a link or waits. -1 with errno: that, or EPERM: not our own. */
int own_file_open(int directory, const char *name, int flags, mode_t mode);
/* The same for tools that root may use beside a balancer of another user: those of the directory's
 * owner too. */
int own_file_open_shared(int directory, const char *name, int flags, mode_t mode);
/* As own_file_open() by the directory's path. */
int own_file_open_in(const char *directory, const char *name, int flags, mode_t mode);

/* The whole file, mode 0600: on the disk there is the one before or this one. False with errno. */
bool own_file_replace(const char *directory, const char *name, struct span text);
/* What was made, renamed or taken away in it outlasts a power cut. False with errno. */
bool own_directory_sync(const char *directory);

enum own_file_fault {
	OWN_FILE_GOOD,
	OWN_FILE_LINK,	 /* a symbolic link, or no file at all */
	OWN_FILE_NAMES,	 /* it has another name: a hard link */
	OWN_FILE_OWNER,	 /* it is somebody else's */
	OWN_FILE_OTHERS, /* anybody may write to it */
	OWN_FILE_GROUP,	 /* its group may write to it: to be said, and taken */
};

/* Of what fstatat(2) with AT_SYMLINK_NOFOLLOW said. */
enum own_file_fault own_file_fault(const struct stat *s);
enum own_file_fault own_directory_fault(const struct stat *s);

#endif
