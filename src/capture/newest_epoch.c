#include "capture/newest_epoch.h"

#include <string.h>

#include "base/limits.h"
#include "capture/listing.h"
#include "capture/seek.h"
#include "capture/series.h"

static void newest_epoch_note(struct newest_epoch *to, const struct frame *f, struct span payload)
{
	struct record_owner owner;
	if (f->type == FRAME_OWNER && payload.n >= sizeof owner) {
		memcpy(&owner, payload.at, sizeof owner);
		if (owner.epoch >= to->owner.epoch)
			to->owner = owner;
	}
	/* The log has frames of its own even where no request was served. */
	to->requests |= f->type <= FRAME_OUTCOME || f->type == FRAME_CLOSE;
	if (f->epoch > to->epoch)
		*to = (struct newest_epoch){ .epoch = f->epoch,
					     .target = f->flags & FRAME_TARGET,
					     .wall_ns = f->wall_ns,
					     .requests = to->requests,
					     .owner = to->owner };
}

/* Epochs only grow: a segment's end is enough, where a seal says where that is. */
static bool newest_epoch_look_at(int directory, const struct listed *l, struct newest_epoch *to)
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
		seek_sequence(&s, last > s.head.sequence ? last - 1 : last);
	bool any = false;
	while (segment_next(&s, &f, &payload) == SEGMENT_FRAME) {
		newest_epoch_note(to, &f, payload);
		any |= f.epoch > 0;
	}
	segment_close(&s);
	return any || to->epoch > before;
}

/*
 * Takes the newest segment that has an epoch, of each series that may have been written at one
 * time.
 */
bool newest_epoch_look(int directory, struct newest_epoch *to)
{
	struct listing all;
	*to = (struct newest_epoch){ 0 };
	if (!listing_read(&all, directory))
		return false;
	uint64_t done = UINT64_MAX; /* in this series, and in newer ones, something was found */
	unsigned series = 0;
	for (size_t i = all.n; i-- > 0 && series < PROCESSES_MAX;) {
		if (all.list[i].generation >= done ||
		    !newest_epoch_look_at(directory, &all.list[i], to))
			continue;
		done = all.list[i].generation;
		series++;
	}
	listing_free(&all);
	return true;
}
