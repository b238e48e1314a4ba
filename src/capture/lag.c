#include "capture/lag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "capture/segment.h"
#include "capture/series.h"

/* The sequences of a segment's frames, and when the first was recorded. */
struct range {
	uint64_t first, last, wall_ns;
};

static void read_through(struct segment *s, uint64_t from, struct range *to)
{
	struct frame f;
	struct span payload;
	while (segment_next(s, &f, &payload) == SEGMENT_FRAME) {
		if (f.sequence < from || f.type == FRAME_COMMIT || f.type == FRAME_SEAL)
			continue;
		if (!to->first) {
			to->first = f.sequence;
			to->wall_ns = f.wall_ns;
		}
		to->last = f.sequence;
	}
}

/*
 * Finds the frames from `from` on. False: there are none. Most segments need not be read for that.
 */
static bool lag_look_at(int directory, const char *name, uint64_t from, struct range *to)
{
	struct segment s;
	uint64_t last;
	*to = (struct range){ 0 };
	if (from == UINT64_MAX || segment_open(&s, directory, name) != SEGMENT_FRAME)
		return false;
	bool sealed = segment_is_sealed(&s, &last);
	if (sealed && s.head.sequence >= from)
		*to = (struct range){ s.head.sequence, last, s.head.wall_ns };
	else if (!sealed || last >= from)
		read_through(&s, from, to);
	segment_close(&s);
	return to->first;
}

static uint64_t next_of(const struct position *p, uint64_t generation)
{
	for (size_t i = 0; i < p->series_n; i++)
		if (p->series[i].generation == generation)
			return p->series[i].next;
	return generation <= p->passed ? UINT64_MAX : 0;
}

static void lag_add(struct lag *to, const struct range *r)
{
	to->records += r->last - r->first + 1;
	if (!to->wall_ns || r->wall_ns < to->wall_ns)
		to->wall_ns = r->wall_ns;
}

bool lag_look(int directory, const struct position *p, struct lag *to)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	*to = (struct lag){ 0 };
	if (!d)
		return false;
	for (const struct dirent *e; (e = readdir(d));) {
		uint64_t generation, index;
		struct range r;
		if (series_of(e->d_name, &generation, &index) &&
		    lag_look_at(directory, e->d_name, next_of(p, generation), &r))
			lag_add(to, &r);
	}
	closedir(d);
	return true;
}
