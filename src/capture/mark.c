#include "capture/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "io/own_file.h"

#define NAME_BYTES 40

static void name_of(char name[NAME_BYTES], uint64_t generation)
{
	snprintf(name, NAME_BYTES, "%08" PRIu64 ".writer", generation);
}

bool mark_of(const char *name, uint64_t *generation)
{
	char as_it_should_be[NAME_BYTES];
	unsigned long long n;
	if (!span_to_u64((struct span){ name, strcspn(name, ".") }, UINT64_MAX, &n))
		return false;
	name_of(as_it_should_be, n);
	*generation = n;
	return !strcmp(name, as_it_should_be);
}

static bool map(struct mark *m, int protection)
{
	void *page = mmap(NULL, sizeof *m->page, protection, MAP_SHARED, m->fd, 0);
	m->page = page == MAP_FAILED ? NULL : page;
	return m->page;
}

/* Its bytes are written, not only made room for: storing to them later takes nothing of the disk.
 */
bool mark_make(struct mark *m, int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	static const struct mark_page zero;
	name_of(name, generation);
	*m = (struct mark){ .fd = own_file_open(directory, name, O_RDWR | O_CREAT, 0600) };
	if (m->fd < 0)
		return false;
	if (!flock(m->fd, LOCK_EX | LOCK_NB) &&
	    pwrite(m->fd, &zero, sizeof zero, 0) == sizeof zero && map(m, PROT_READ | PROT_WRITE))
		return true;
	int error = errno;
	mark_close(m);
	errno = error;
	return false;
}

bool mark_is_there(const struct mark *m, int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	struct stat ours, there;
	name_of(name, generation);
	return !fstat(m->fd, &ours) && !fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == there.st_ino;
}

bool mark_is_live(const struct mark *m)
{
	if (flock(m->fd, LOCK_SH | LOCK_NB))
		return true;
	flock(m->fd, LOCK_UN);
	return false;
}

bool mark_look(struct mark *m, int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	struct stat s;
	name_of(name, generation);
	*m = (struct mark){ .fd = own_file_open_shared(directory, name, O_RDWR, 0) };
	if (m->fd < 0)
		return false;
	/* One that is being made has no bytes yet. */
	if (mark_is_live(m) && !fstat(m->fd, &s) && s.st_size >= (off_t)sizeof *m->page &&
	    map(m, PROT_READ | PROT_WRITE))
		return true;
	mark_close(m);
	return false;
}

void mark_close(struct mark *m)
{
	if (m->page)
		munmap(m->page, sizeof *m->page);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct mark){ .fd = -1 };
}

void mark_remove(int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	name_of(name, generation);
	unlinkat(directory, name, 0);
}
