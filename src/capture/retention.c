#include "capture/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "capture/listing.h"
#include "capture/segment.h"
#include "capture/series.h"

static bool file_is_live(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	bool live = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return live;
}

static bool is_too_much(const struct retention *r, const struct listed *i, uint64_t wall_ns,
			uint64_t bytes)
{
	return (r->size_bytes && bytes > r->size_bytes) ||
	       (r->age_ns && wall_ns > i->last_ns && wall_ns - i->last_ns > r->age_ns);
}

/* The first sequence behind that segment; 0: it is the last of its series. */
static uint64_t first_sequence_behind(int directory, const struct listing *all, size_t i)
{
	struct segment next;
	char name[SERIES_NAME_BYTES];
	if (all->list[i + 1].generation != all->list[i].generation)
		return 0;
	series_name(name, all->list[i + 1].generation, all->list[i + 1].index);
	if (segment_open(&next, directory, name) != SEGMENT_FRAME)
		return 0;
	uint64_t sequence = next.head.sequence;
	segment_close(&next);
	return sequence;
}

static bool has_passed(const struct follower_seen *f, uint64_t generation, uint64_t sequence_behind)
{
	uint64_t from = position_from(&f->position, generation);
	return from == UINT64_MAX || (sequence_behind && from >= sequence_behind);
}

static bool all_have_passed(int directory, const struct followers *f, const struct listing *all,
			    size_t i, struct retained *to)
{
	uint64_t end = f->n ? first_sequence_behind(directory, all, i) : 0;
	for (size_t k = 0; k < f->n; k++) {
		if (has_passed(&f->list[k], all->list[i].generation, end))
			continue;
		snprintf(to->held_for, sizeof to->held_for, "%s", f->list[k].name);
		return false;
	}
	return true;
}

static bool remove_some(int directory, const struct retention *r, uint64_t wall_ns,
			const struct listing *all, const struct followers *followers,
			struct retained *to)
{
	for (size_t i = 0; i + 1 < all->n; i++) {
		char name[SERIES_NAME_BYTES];
		const struct listed *oldest = &all->list[i];
		series_name(name, oldest->generation, oldest->index);
		if (!is_too_much(r, oldest, wall_ns, to->bytes) || file_is_live(directory, name) ||
		    !all_have_passed(directory, followers, all, i, to))
			return true;
		if (unlinkat(directory, name, 0) && errno != ENOENT)
			return false;
		to->bytes -= oldest->bytes;
		to->segments--;
		to->removed++;
	}
	return true;
}

bool retain(int directory, const struct retention *r, uint64_t wall_ns,
	    const struct followers *followers, struct retained *to)
{
	struct listing all;
	*to = (struct retained){ 0 };
	if (!listing_read(&all, directory))
		return false;
	for (size_t i = 0; i < all.n; i++)
		to->bytes += all.list[i].bytes;
	to->segments = (unsigned)all.n;
	bool good = remove_some(directory, r, wall_ns, &all, followers, to);
	listing_free(&all);
	return good;
}
