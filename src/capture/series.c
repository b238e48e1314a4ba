#include "capture/series.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/writer_lease.h"

void series_name(char name[SERIES_NAME_BYTES], uint64_t generation, uint64_t index)
{
	snprintf(name, SERIES_NAME_BYTES, "%08" PRIu64 "-%08" PRIu64 ".capture", generation, index);
}

bool series_of(const char *name, uint64_t *generation, uint64_t *index)
{
	char as_it_should_be[SERIES_NAME_BYTES], *end;
	*generation = strtoull(name, &end, 10);
	*index = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
	series_name(as_it_should_be, *generation, *index);
	return !strcmp(name, as_it_should_be);
}

bool series_next(int directory, uint64_t *generation)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	*generation = 1;
	for (const struct dirent *e; (e = readdir(d));) {
		uint64_t there, index;
		/* A living process may have a lease, and no segment yet. */
		bool taken =
			series_of(e->d_name, &there, &index) || writer_lease_of(e->d_name, &there);
		if (taken && there >= *generation)
			*generation = there + 1;
	}
	closedir(d);
	return true;
}
