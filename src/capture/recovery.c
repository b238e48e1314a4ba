#include "capture/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "capture/segment.h"
#include "capture/series.h"
#include "io/disk.h"

/* Of a file that somebody else has open for writing nothing is known, and nothing is done. */
static bool is_abandoned(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	bool abandoned = fd >= 0 && !flock(fd, LOCK_SH | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return abandoned;
}

static bool cut(int directory, const char *name, uint64_t size)
{
	int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && !ftruncate(fd, (off_t)size) && !fsync(fd);
	if (fd >= 0)
		close(fd);
	return good;
}

/* Reads to the end of what is good, over holes; where that is. */
static enum segment_verdict find_end(struct segment *s, struct recovery *to, uint64_t *end)
{
	struct frame f;
	struct span payload;
	enum segment_verdict v;
	uint64_t hole, written;
	for (;;) {
		while ((v = segment_next(s, &f, &payload)) == SEGMENT_FRAME)
			;
		*end = s->at;
		if (v == SEGMENT_ERROR || s->sealed)
			return v;
		v = segment_skip(s, &hole, &written);
		if (v != SEGMENT_FRAME) {
			to->torn_bytes += written;
			return v;
		}
		to->holes++;
	}
}

static bool mend(int directory, const char *name, struct recovery *to)
{
	struct segment s;
	uint64_t end;
	enum segment_verdict v = segment_open(&s, directory, name);
	if (v == SEGMENT_END) {
		to->removed++;
		return !unlinkat(directory, name, 0);
	}
	if (v == SEGMENT_ERROR)
		return false;
	/* Years of good segments are not read for this. */
	bool sealed = segment_is_sealed(&s);
	v = sealed ? SEGMENT_END : find_end(&s, to, &end);
	sealed |= s.sealed;
	segment_close(&s);
	if (v == SEGMENT_ERROR)
		return false;
	to->segments += !sealed;
	return sealed || cut(directory, name, end);
}

static bool is_room(const char *name)
{
	return !strncmp(name, DISK_SPARE, sizeof DISK_SPARE - 1);
}

static bool look_at(int directory, const char *name, struct recovery *to)
{
	uint64_t generation, index;
	if (is_room(name) && is_abandoned(directory, name)) {
		to->removed++;
		return !unlinkat(directory, name, 0);
	}
	if (!series_of(name, &generation, &index) || !is_abandoned(directory, name))
		return true;
	return mend(directory, name, to);
}

bool recover(int directory, struct recovery *to)
{
	*to = (struct recovery){ 0 };
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool good = d;
	if (!d)
		return false;
	for (const struct dirent *e; good && (e = readdir(d));)
		good = look_at(directory, e->d_name, to) || errno == ENOENT;
	int error = errno;
	closedir(d);
	errno = error;
	return good && !fsync(directory);
}
