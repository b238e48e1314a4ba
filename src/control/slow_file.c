#include "control/slow_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"

/* Shared by the caller and the thread: the last one of them frees it. */
struct opening {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, abandoned;
	int fd, error;
	char *path;
	int flags;
	mode_t mode;
};

static void opening_free(struct opening *o)
{
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o->path);
	free(o);
}

static bool is_own_file(const struct stat *s)
{
	return s->st_uid == geteuid() || s->st_uid == 0;
}

/* Devices belong to the system, whoever owns their files. */
static int open_keep_own(int fd)
{
	struct stat s;
	if (!fstat(fd, &s) && (is_own_file(&s) || (!S_ISREG(s.st_mode) && !S_ISFIFO(s.st_mode))))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* A link that we or root have made may be followed; a link of another user may not. */
static int opening_open(const struct opening *o)
{
	struct stat link;
	int fd = open(o->path, o->flags | O_NOFOLLOW, o->mode);
	if (fd >= 0)
		return open_keep_own(fd);
	if (errno != ELOOP || lstat(o->path, &link))
		return -1;
	errno = EPERM;
	return is_own_file(&link) ? open(o->path, o->flags, o->mode) : -1;
}

static void *opening_run(void *argument)
{
	struct opening *o = argument;
	int fd = opening_open(o);
	int error = errno;
	pthread_mutex_lock(&o->lock);
	o->fd = fd;
	o->error = error;
	o->done = true;
	bool abandoned = o->abandoned;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	if (!abandoned)
		return NULL;
	if (fd >= 0)
		close(fd);
	opening_free(o);
	return NULL;
}

static struct opening *opening_new(const char *path, int flags, mode_t mode)
{
	struct opening *o = calloc(1, sizeof *o);
	must(o);
	pthread_condattr_t by_clock;
	pthread_condattr_init(&by_clock);
	pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
	pthread_cond_init(&o->changed, &by_clock);
	pthread_condattr_destroy(&by_clock);
	pthread_mutex_init(&o->lock, NULL);
	o->path = strdup(path);
	must(o->path);
	o->flags = flags;
	o->mode = mode;
	return o;
}

static bool opening_await(struct opening *o, unsigned ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000 + (until.tv_nsec + ms % 1000 * 1000000L) / 1000000000L;
	until.tv_nsec = (until.tv_nsec + ms % 1000 * 1000000L) % 1000000000L;
	pthread_mutex_lock(&o->lock);
	while (!o->done && pthread_cond_timedwait(&o->changed, &o->lock, &until) == 0)
		;
	o->abandoned = !o->done;
	bool done = o->done;
	pthread_mutex_unlock(&o->lock);
	return done;
}

int slow_file_open(const char *path, int flags, mode_t mode, unsigned ms)
{
	pthread_t thread;
	struct opening *o = opening_new(path, flags, mode);
	int error = pthread_create(&thread, NULL, opening_run, o), fd = -1;
	if (!error && !opening_await(o, ms)) {
		pthread_detach(thread);
		errno = ETIMEDOUT;
		return -1;
	}
	if (!error) {
		pthread_join(thread, NULL);
		fd = o->fd;
		error = o->error;
	}
	opening_free(o);
	errno = error;
	return fd;
}
