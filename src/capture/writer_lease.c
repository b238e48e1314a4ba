#include "capture/writer_lease.h"

#include <dirent.h>
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

static void lease_name(char name[NAME_BYTES], uint64_t generation)
{
	snprintf(name, NAME_BYTES, "%08" PRIu64 ".writer", generation);
}

bool writer_lease_of(const char *name, uint64_t *generation)
{
	char as_it_should_be[NAME_BYTES];
	unsigned long long n;
	if (!span_to_u64((struct span){ name, strcspn(name, ".") }, UINT64_MAX, &n))
		return false;
	lease_name(as_it_should_be, n);
	*generation = n;
	return !strcmp(name, as_it_should_be);
}

static bool lease_map(struct writer_lease *m, int protection)
{
	void *page = mmap(NULL, sizeof *m->page, protection, MAP_SHARED, m->fd, 0);
	m->page = page == MAP_FAILED ? NULL : page;
	return m->page;
}

/*
 * The bytes are written, not only allocated: a later store to the page needs no more room on the
 * disk.
 */
bool writer_lease_make(struct writer_lease *m, int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	static const struct writer_lease_page zero;
	lease_name(name, generation);
	*m = (struct writer_lease){ .fd = own_file_open(directory, name, O_RDWR | O_CREAT, 0600) };
	if (m->fd < 0)
		return false;
	if (!flock(m->fd, LOCK_EX | LOCK_NB) &&
	    pwrite(m->fd, &zero, sizeof zero, 0) == sizeof zero &&
	    lease_map(m, PROT_READ | PROT_WRITE))
		return true;
	int error = errno;
	writer_lease_close(m);
	errno = error;
	return false;
}

bool writer_lease_is_there(const struct writer_lease *m, int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	struct stat ours, there;
	lease_name(name, generation);
	return !fstat(m->fd, &ours) && !fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == there.st_ino;
}

bool writer_lease_is_live(const struct writer_lease *m)
{
	if (flock(m->fd, LOCK_SH | LOCK_NB))
		return true;
	flock(m->fd, LOCK_UN);
	return false;
}

bool writer_lease_look(struct writer_lease *m, int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	struct stat s;
	lease_name(name, generation);
	*m = (struct writer_lease){ .fd = own_file_open_shared(directory, name, O_RDWR, 0) };
	if (m->fd < 0)
		return false;
	/* A lease that is being made has no bytes yet. */
	if (writer_lease_is_live(m) && !fstat(m->fd, &s) && s.st_size >= WRITER_LEASE_BYTES_MIN &&
	    lease_map(m, PROT_READ | PROT_WRITE))
		return true;
	writer_lease_close(m);
	return false;
}

bool writer_lease_follow(const struct writer_lease *m, enum writer_lease_followed what)
{
	uint32_t is = atomic_load(&m->page->followed);
	while (is < (uint32_t)what)
		if (atomic_compare_exchange_weak(&m->page->followed, &is, (uint32_t)what))
			return true;
	return false;
}

void writer_lease_touch(const struct writer_lease *m)
{
	(void)futimens(m->fd, NULL);
}

void writer_lease_close(struct writer_lease *m)
{
	if (m->page)
		munmap(m->page, sizeof *m->page);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct writer_lease){ .fd = -1 };
}

void writer_lease_remove(int directory, uint64_t generation)
{
	char name[NAME_BYTES];
	lease_name(name, generation);
	unlinkat(directory, name, 0);
}

bool writer_leases_each(int directory, void (*each)(void *user, const struct writer_lease *m),
			void *user)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	for (const struct dirent *e; (e = readdir(d));) {
		uint64_t generation;
		struct writer_lease m;
		if (!writer_lease_of(e->d_name, &generation) ||
		    !writer_lease_look(&m, directory, generation))
			continue;
		each(user, &m);
		writer_lease_close(&m);
	}
	closedir(d);
	return true;
}
