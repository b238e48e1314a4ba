#ifndef IO_OWN_PATH_H
#define IO_OWN_PATH_H

/*
 * Checks the path of one of our files. A user who may rename a directory on the path, or who owns a
 * link on it, can replace everything below.
 */

#include "io/own_file.h"

#define OWN_PATH_BYTES 4096
/* Groups of human users have this number or a higher one; system groups have lower numbers. */
#define USER_GROUP_MIN 1000

struct own_path {
	uid_t also; /* trusted, like our own user and root: the user that runs the balancer */
	char where[OWN_PATH_BYTES]; /* the directory or link at fault */
	uid_t owner;		    /* the owner of `where` */
};

/*
 * OWN_FILE_OWNER: another user owns the directory `where`. OWN_FILE_OTHERS: every user may write to
 * the directory, and it is not sticky. OWN_FILE_LINK: another user has made the link.
 * OWN_FILE_GROUP: a group of users may write there; the caller warns. The owner of the root
 * directory is trusted: in a user namespace root has another number. Parts of the path that do not
 * exist yet, and the file itself, are not checked.
 */
enum own_file_fault own_path_look(const char *path, struct own_path *p);

#endif
