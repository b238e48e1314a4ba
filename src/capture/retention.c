#include "capture/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "capture/series.h"

struct item {
	uint64_t generation, index;
	uint64_t bytes;	  /* on the disk */
	uint64_t last_ns; /* when it was written last */
};

struct items {
	struct item *list; /* owned */
	size_t n, room;
};

static void add(struct items *all, struct item i)
{
	if (all->n == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		all->list = realloc(all->list, all->room * sizeof *all->list);
		must(all->list);
	}
	all->list[all->n++] = i;
}

static bool find(int directory, struct items *all)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	for (const struct dirent *e; (e = readdir(d));) {
		struct item i;
		struct stat s;
		if (!series_of(e->d_name, &i.generation, &i.index) ||
		    fstatat(directory, e->d_name, &s, AT_SYMLINK_NOFOLLOW))
			continue;
		i.bytes = (uint64_t)s.st_blocks * 512;
		i.last_ns = (uint64_t)s.st_mtim.tv_sec * 1000000000u + (uint64_t)s.st_mtim.tv_nsec;
		add(all, i);
	}
	closedir(d);
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool is_live(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	bool live = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return live;
}

static bool is_too_much(const struct retention *r, const struct item *i, uint64_t wall_ns,
			uint64_t bytes)
{
	return (r->size_bytes && bytes > r->size_bytes) ||
	       (r->age_ns && wall_ns > i->last_ns && wall_ns - i->last_ns > r->age_ns);
}

static bool remove_some(int directory, const struct retention *r, uint64_t wall_ns,
			const struct items *all, struct retained *to)
{
	for (size_t i = 0; i + 1 < all->n; i++) {
		char name[SERIES_NAME_BYTES];
		const struct item *oldest = &all->list[i];
		series_name(name, oldest->generation, oldest->index);
		if (!is_too_much(r, oldest, wall_ns, to->bytes) || is_live(directory, name))
			return true;
		if (unlinkat(directory, name, 0) && errno != ENOENT)
			return false;
		to->bytes -= oldest->bytes;
		to->segments--;
		to->removed++;
	}
	return true;
}

bool retain(int directory, const struct retention *r, uint64_t wall_ns, struct retained *to)
{
	struct items all = { 0 };
	*to = (struct retained){ 0 };
	bool good = find(directory, &all);
	if (good && all.n)
		qsort(all.list, all.n, sizeof *all.list, compare);
	for (size_t i = 0; i < all.n; i++)
		to->bytes += all.list[i].bytes;
	to->segments = (unsigned)all.n;
	good = good && remove_some(directory, r, wall_ns, &all, to);
	free(all.list);
	return good;
}
