#include "capture/newest.h"

#include "base/limits.h"
#include "capture/listing.h"
#include "capture/seek.h"
#include "capture/series.h"

static void note(struct newest *to, const struct frame *f)
{
	/* A log's own frames are there without anybody having been served. */
	to->requests |= f->type <= FRAME_OUTCOME || f->type == FRAME_CLOSE;
	if (f->epoch > to->epoch)
		*to = (struct newest){ f->epoch, f->flags & FRAME_TARGET, f->wall_ns,
				       to->requests };
}

/* Epochs only grow: its end is enough, where it says where that is. */
static bool look_at(int directory, const struct listed *l, struct newest *to)
{
	char name[SERIES_NAME_BYTES];
	struct segment s;
	struct frame f;
	struct span payload;
	uint64_t last, before = to->epoch;
	series_name(name, l->generation, l->index);
	if (segment_open(&s, directory, name) != SEGMENT_FRAME)
		return false;
	if (segment_is_sealed(&s, &last))
		seek_sequence(&s, last);
	bool any = false;
	while (segment_next(&s, &f, &payload) == SEGMENT_FRAME) {
		note(to, &f);
		any |= f.epoch > 0;
	}
	segment_close(&s);
	return any || to->epoch > before;
}

/* Of each of the series that may have been written at one time, the newest segment that has one. */
bool newest_look(int directory, struct newest *to)
{
	struct listing all;
	*to = (struct newest){ 0 };
	if (!listing_read(&all, directory))
		return false;
	uint64_t done = UINT64_MAX; /* of this series something was found, and of newer ones */
	unsigned series = 0;
	for (size_t i = all.n; i-- > 0 && series < PROCESSES_MAX;) {
		if (all.list[i].generation >= done || !look_at(directory, &all.list[i], to))
			continue;
		done = all.list[i].generation;
		series++;
	}
	listing_free(&all);
	return true;
}
