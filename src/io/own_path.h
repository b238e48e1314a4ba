#ifndef IO_OWN_PATH_H
#define IO_OWN_PATH_H

/*
 * The way to a file of ours: whoever may rename one of the directories on it, or has made a link on
 * it, may put something else in the place of all that is behind.
 */

#include "io/own_file.h"

#define OWN_PATH_BYTES 4096
/* Groups of users have this number or a higher one; those of the system's own have lower ones. */
#define USER_GROUP_MIN 1000

struct own_path {
	uid_t also;		    /* trusted like us and root: who runs the balancer */
	char where[OWN_PATH_BYTES]; /* the directory, or the link, that is at fault */
	uid_t owner;		    /* of that */
};

/*
 * OWN_FILE_OWNER: `where` is somebody else's; OWN_FILE_OTHERS: a directory that anybody may write
 * to, and that is not sticky; OWN_FILE_LINK: a link that somebody else has made; OWN_FILE_GROUP: a
 * group of users may write there: to be said. Who owns the root directory is trusted: in a
 * namespace of users root has another number. What is not there yet, and the file itself, are not
 * looked at.
 */
enum own_file_fault own_path_look(const char *path, struct own_path *p);

#endif
