#include "capture/seek.h"

#include "base/limits.h"
#include "capture/packed.h"
#include "capture/series.h"

/* The goal: the last place before all that is wanted. */
struct goal {
	uint64_t sequence; /* 0: the goal is a time */
	uint64_t wall_ns;
	int64_t clock_ns; /* wall time less monotonic time, at the segment's beginning */
	bool set;	  /* the clock was set meanwhile */
};

static int64_t clock_of(uint64_t wall_ns, uint64_t mono_ns)
{
	return (int64_t)(wall_ns - mono_ns);
}

static bool clocks_differ(int64_t a, int64_t b)
{
	return (a > b ? a - b : b - a) > SEEK_SLACK_MS * 1000000LL;
}

/* Frames of turns at the same time come to the log one after the other: hence the slack. */
static bool is_early(uint64_t wall_ns, const struct goal *g)
{
	return wall_ns + SEEK_SLACK_MS * 1000000ull < g->wall_ns;
}

static bool place_is_before(struct goal *g, uint64_t sequence, uint64_t mono_ns, uint64_t wall_ns)
{
	if (g->sequence)
		return sequence <= g->sequence;
	g->set |= clocks_differ(clock_of(wall_ns, mono_ns), g->clock_ns);
	return is_early(wall_ns, g);
}

/* --- in a segment --- */

static void seek_halve_blocks(struct segment *s, struct goal *g)
{
	size_t n, low = 0;
	const struct packed_block *blocks = packed_blocks(s->packed, &n);
	for (size_t high = n; high - low > 1;) {
		size_t middle = low + (high - low) / 2;
		const struct packed_block *b = &blocks[middle];
		if (place_is_before(g, b->sequence, b->mono_ns, b->wall_ns))
			low = middle;
		else
			high = middle;
	}
	if (low && !g->set)
		segment_jump(s, blocks[low].raw_at, blocks[low].sequence);
}

static void seek_halve(struct segment *s, struct goal *g)
{
	struct frame f;
	uint64_t low = sizeof s->head, sequence = s->head.sequence;
	for (uint64_t high = segment_bytes(s); high > low + SEEK_NEAR_BYTES;) {
		uint64_t middle = low + (high - low) / 2 / FRAME_ALIGN * FRAME_ALIGN;
		uint64_t end = middle + 2 * SEEK_NEAR_BYTES;
		bool found = segment_find(s, middle, end < high ? end : high, &f);
		if (found && place_is_before(g, f.sequence, f.mono_ns, f.wall_ns)) {
			low = s->at;
			sequence = f.sequence;
		} else {
			high = middle;
		}
	}
	if (g->set)
		segment_jump(s, sizeof s->head, s->head.sequence);
	else
		segment_jump(s, low, sequence);
}

static void seek_in_segment(struct segment *s, struct goal *g)
{
	if (s->packed)
		seek_halve_blocks(s, g);
	else
		seek_halve(s, g);
}

void seek_sequence(struct segment *s, uint64_t sequence)
{
	struct goal g = { .sequence = sequence };
	if (sequence > s->head.sequence)
		seek_in_segment(s, &g);
}

/* --- in a series --- */

/* The segment to look in. */
struct choice {
	/* index of the last segment, in a row from the first on, that begins before the time */
	size_t at;
	struct segment_head head, next;
	bool some, behind; /* `head` is set; `next` is set */
};

static struct choice seek_choose(int directory, uint64_t generation, const uint64_t *indexes,
				 size_t n, const struct goal *g, uint64_t *read_bytes)
{
	struct choice c = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct segment_head h;
		char name[SERIES_NAME_BYTES];
		series_name(name, generation, indexes[i]);
		if (segment_look(directory, name, &h) != SEGMENT_FRAME)
			continue;
		*read_bytes += sizeof h;
		if (!is_early(h.wall_ns, g)) {
			c.next = h;
			c.behind = true;
			return c;
		}
		c.at = i;
		c.head = h;
		c.some = true;
	}
	return c;
}

static bool is_over_before(struct segment *s, const struct goal *g)
{
	struct frame last;
	return segment_last(s, &last) && (last.flags & FRAME_LAST) && is_early(last.wall_ns, g);
}

uint64_t seek_time(int directory, uint64_t generation, const uint64_t *indexes, size_t n,
		   uint64_t wall_ns, uint64_t *read_bytes)
{
	struct goal g = { .wall_ns = wall_ns };
	struct segment s;
	char name[SERIES_NAME_BYTES];
	struct choice c = seek_choose(directory, generation, indexes, n, &g, read_bytes);
	if (!c.some)
		return 0;
	series_name(name, generation, indexes[c.at]);
	if (segment_open(&s, directory, name) != SEGMENT_FRAME)
		return c.head.sequence;
	g.clock_ns = clock_of(c.head.wall_ns, c.head.mono_ns);
	g.set = c.behind && clocks_differ(clock_of(c.next.wall_ns, c.next.mono_ns), g.clock_ns);
	uint64_t sequence = c.head.sequence;
	if (!c.behind && is_over_before(&s, &g)) {
		sequence = UINT64_MAX;
	} else if (!g.set) {
		seek_in_segment(&s, &g);
		sequence = s.last_sequence + 1;
	}
	*read_bytes += segment_read_bytes(&s);
	segment_close(&s);
	return sequence;
}
