#include "app/stopped_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/own_file.h"

/* The balancer's own user could not use files that another user makes there. */
static bool is_its_user(const char *command, const struct config *c)
{
	struct stat s;
	if (stat(c->state, &s) || s.st_uid == geteuid())
		return true;
	fprintf(stderr, "crossfade %s: %s belongs to user %u: run this as that user\n", command,
		c->state, (unsigned)s.st_uid);
	return false;
}

static bool lock_or_complain(const char *command, int fd, const char *directory)
{
	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		return true;
	if (fd >= 0 && errno == EWOULDBLOCK)
		fprintf(stderr,
			"crossfade %s: a balancer is running on %s: the weights that it uses "
			"are in force, and nothing was changed\n",
			command, directory);
	else
		fprintf(stderr, "crossfade %s: cannot lock %s: %s\n", command, directory,
			strerror(errno));
	return false;
}

/*
 * While a balancer runs, its weights are the ones in force. It locks the directory and the file; so
 * does this command, until it ends. False after a diagnostic.
 */
static bool lock_state(const char *command, const struct config *c)
{
	return lock_or_complain(command, open(c->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				c->state) &&
	       lock_or_complain(command, own_file_open_in(c->state, "lock", O_RDWR | O_CREAT, 0600),
				c->state);
}

bool stopped_state_lock(const char *command, const struct config *c)
{
	return is_its_user(command, c) && lock_state(command, c);
}
