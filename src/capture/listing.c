#include "capture/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "capture/series.h"

static void listing_add(struct listing *l, struct listed one)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->list = realloc(l->list, l->room * sizeof *l->list);
		must(l->list);
	}
	l->list[l->n++] = one;
}

int listed_compare(const struct listed *a, const struct listed *b)
{
	if (a->generation != b->generation)
		return a->generation < b->generation ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int listing_compare(const void *a, const void *b)
{
	return listed_compare(a, b);
}

bool listing_read(struct listing *l, int directory)
{
	*l = (struct listing){ 0 };
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	for (const struct dirent *e; (e = readdir(d));) {
		struct listed one;
		struct stat s;
		if (!series_of(e->d_name, &one.generation, &one.index) ||
		    fstatat(directory, e->d_name, &s, AT_SYMLINK_NOFOLLOW))
			continue;
		one.bytes = (uint64_t)s.st_blocks * 512;
		one.last_ns =
			(uint64_t)s.st_mtim.tv_sec * 1000000000u + (uint64_t)s.st_mtim.tv_nsec;
		listing_add(l, one);
	}
	closedir(d);
	if (l->n)
		qsort(l->list, l->n, sizeof *l->list, listing_compare);
	return true;
}

void listing_free(struct listing *l)
{
	free(l->list);
	*l = (struct listing){ 0 };
}
