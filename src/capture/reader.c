#include "capture/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "capture/writer_lease.h"
#include "capture/seek.h"
#include "capture/segment.h"

/* One writer's segments, read one after the other. */
struct series {
	uint64_t generation;
	uint64_t *indexes; /* owned, ascending */
	size_t n, room;
	size_t at; /* index of the segment that is read */
	bool open; /* `segment` is open */
	bool live; /* a process writes to it */
	struct segment segment;
	uint64_t expected;     /* the sequence that comes next, if nothing is missing; 0: any */
	uint64_t read_bytes;   /* of segments that were read before */
	uint64_t file_bytes;   /* of the segment's file, if it is packed */
	uint64_t last_mono_ns; /* of the frame read last */
	bool table_reported;   /* the segment's damaged table was reported */
	bool peeked;	       /* `next` is what comes next */
	bool hole;	       /* `next` is a hole */
	bool stashed;	       /* `next.frame` is the frame behind a hole, read already */
	struct reading next;
	uint64_t from; /* the first sequence that is wanted, and not passed */
	/* For a follower: */
	uint64_t durable;		  /* nothing behind this is read while the writer lives */
	struct writer_lease writer_lease; /* the writer's */
	bool gone;			  /* the writer is */
	bool over;			  /* all of the series was read, and the writer is gone */
};

struct reader {
	int directory;
	struct series *list; /* owned, by generation */
	size_t n, room;
	char file[SERIES_NAME_BYTES];
	const struct position *position; /* borrowed; NULL: this is no follower */
	uint64_t seek_bytes;		 /* that were read to find where to begin */
	uint64_t wall_ns;		 /* of the last frame that was read */
	uint64_t holes;			 /* that were reported */
	uint64_t unknown;		 /* frames of a newer version, which were skipped */
};

/* --- the directory --- */

static struct series *series_at(struct reader *r, uint64_t generation)
{
	size_t i = 0;
	while (i < r->n && r->list[i].generation < generation)
		i++;
	if (i < r->n && r->list[i].generation == generation)
		return &r->list[i];
	if (r->n == r->room) {
		r->room = r->room ? 2 * r->room : 16;
		r->list = realloc(r->list, r->room * sizeof *r->list);
		must(r->list);
	}
	memmove(&r->list[i + 1], &r->list[i], (r->n - i) * sizeof *r->list);
	r->n++;
	r->list[i] = (struct series){ .generation = generation, .writer_lease.fd = -1 };
	if (r->position)
		r->list[i].expected = r->list[i].from = position_from(r->position, generation);
	return &r->list[i];
}

static void add_index(struct series *s, uint64_t index)
{
	size_t i = s->n;
	while (i > 0 && s->indexes[i - 1] >= index) {
		if (s->indexes[i - 1] == index)
			return;
		i--;
	}
	/* A segment before the present one was read already, or was removed meanwhile. */
	if (i < s->at || (i == s->at && s->open))
		return;
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		s->indexes = realloc(s->indexes, s->room * sizeof *s->indexes);
		must(s->indexes);
	}
	memmove(&s->indexes[i + 1], &s->indexes[i], (s->n - i) * sizeof *s->indexes);
	s->indexes[i] = index;
	s->n++;
}

static bool reader_scan(struct reader *r)
{
	int fd = openat(r->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	for (const struct dirent *e; (e = readdir(d));) {
		uint64_t generation, index;
		if (series_of(e->d_name, &generation, &index))
			add_index(series_at(r, generation), index);
	}
	closedir(d);
	return true;
}

/* --- one series --- */

static void leave_segment(struct series *s)
{
	s->read_bytes += segment_read_bytes(&s->segment);
	segment_close(&s->segment);
	s->open = false;
	s->at++;
}

/* The first sequence of the next segment; 0: there is none. */
static uint64_t next_begins(const struct reader *r, const struct series *s)
{
	struct segment_head next;
	char name[SERIES_NAME_BYTES];
	if (s->at + 1 >= s->n)
		return 0;
	series_name(name, s->generation, s->indexes[s->at + 1]);
	return segment_look(r->directory, name, &next) == SEGMENT_FRAME ? next.sequence : 0;
}

/* Whether all of this segment is passed: the next one begins at or before `from`. */
static bool is_passed(const struct reader *r, const struct series *s)
{
	if (!s->from || s->from == UINT64_MAX)
		return s->from;
	uint64_t next = next_begins(r, s);
	return next && next <= s->from;
}

/* The size of a file without a head that nobody writes; 0: it is mere room. */
static uint64_t bytes_without_head(const struct reader *r)
{
	struct stat file;
	int fd = openat(r->directory, r->file, O_RDONLY | O_CLOEXEC);
	bool has_bytes = fd >= 0 && !segment_is_room(fd) && !fstat(fd, &file);
	if (fd >= 0)
		close(fd);
	return has_bytes ? (uint64_t)file.st_size : 0;
}

/* A segment without a head: its frames cannot be told from room, so at least one is missing. */
static enum reader_verdict tell_lost_head(const struct reader *r, struct series *s, uint64_t bytes)
{
	struct reading *to = &s->next;
	uint64_t next = next_begins(r, s), first = s->expected ? s->expected : 1;
	s->segment.head =
		(struct segment_head){ .generation = s->generation, .index = s->indexes[s->at] };
	*to = (struct reading){ .segment = &s->segment.head,
				.hole_bytes = bytes,
				.missing_first = first,
				.missing_last = next > first ? next - 1 : first,
				.lost = LOST_HEAD,
				.frame.mono_ns = s->last_mono_ns };
	s->expected = to->missing_last + 1;
	s->at++;
	return READER_HOLE;
}

static enum reader_verdict enter_segment(struct reader *r, struct series *s)
{
	for (; s->at < s->n; s->at++) {
		if (is_passed(r, s))
			continue;
		series_name(r->file, s->generation, s->indexes[s->at]);
		bool written = segment_is_written(r->directory, r->file);
		enum segment_verdict v = segment_open(&s->segment, r->directory, r->file);
		s->open = v == SEGMENT_FRAME;
		s->table_reported = false;
		s->file_bytes = s->open && segment_is_packed(&s->segment)
					? segment_file_bytes(&s->segment)
					: 0;
		if (s->open)
			seek_sequence(&s->segment, s->from);
		if (s->open && !s->expected)
			s->expected = s->segment.head.sequence;
		if (s->open)
			return READER_FRAME;
		if (v == SEGMENT_ERROR && errno != ENOENT)
			return READER_ERROR;
		/* The writer will write the head in a moment. */
		s->live = v == SEGMENT_END && written;
		if (s->live)
			return READER_END;
		uint64_t bytes = v == SEGMENT_END ? bytes_without_head(r) : 0;
		if (bytes)
			return tell_lost_head(r, s, bytes);
		/* The segment was begun and never was durable, or retention has removed it. */
	}
	s->live = false;
	return READER_END;
}

/* A frame was read to s->next: checks whether some are missing before it. */
static enum reader_verdict series_found_frame(struct series *s)
{
	struct reading *to = &s->next;
	uint64_t expected = s->expected;
	to->at = s->segment.at - frame_bytes(&to->frame);
	to->segment = &s->segment.head;
	to->packed = segment_is_packed(&s->segment);
	to->file_bytes = s->file_bytes;
	if (to->frame.sequence < s->from)
		return READER_FRAME;
	s->expected = to->frame.sequence + 1;
	s->last_mono_ns = to->frame.mono_ns;
	if (!expected || to->frame.sequence == expected)
		return READER_FRAME;
	to->missing_first = expected;
	to->missing_last = to->frame.sequence - 1;
	s->stashed = true;
	return READER_HOLE;
}

/* A packed segment had its seal: what is missing up to its end was there. */
static enum reader_verdict tell_lost_end(const struct reader *r, struct series *s)
{
	uint64_t next = next_begins(r, s);
	struct reading *to = &s->next;
	to->segment = &s->segment.head;
	to->packed = true;
	to->hole_bytes = segment_bytes(&s->segment) - to->hole_at;
	to->missing_first = s->expected;
	to->missing_last = next > s->expected ? next - 1 : s->expected;
	to->frame.mono_ns = s->last_mono_ns;
	s->expected = to->missing_last + 1;
	leave_segment(s);
	return READER_HOLE;
}

/* No process writes here, and there is no frame where one should be. */
static enum reader_verdict series_skip_hole(const struct reader *r, struct series *s)
{
	uint64_t written;
	s->next.hole_at = s->segment.at;
	s->next.place = segment_place(&s->segment, s->segment.at);
	enum segment_verdict v = segment_skip(&s->segment, &s->next.hole_bytes, &written);
	if (v == SEGMENT_FRAME)
		v = segment_next(&s->segment, &s->next.frame, &s->next.payload);
	if (v == SEGMENT_FRAME)
		return series_found_frame(s);
	if (v == SEGMENT_ERROR)
		return READER_ERROR;
	if (segment_is_packed(&s->segment))
		return tell_lost_end(r, s);
	leave_segment(s);
	return READER_END;
}

/*
 * Whether the writer may yet take back the next frame. What was read ahead until now is dropped:
 * other frames may have those numbers now.
 */
static bool must_wait(struct reader *r, struct series *s)
{
	uint64_t next = s->segment.last_sequence + 1;
	if (!r->position || next <= s->durable)
		return false;
	segment_forget(&s->segment);
	if (s->writer_lease.fd >= 0 ||
	    writer_lease_look(&s->writer_lease, r->directory, s->generation)) {
		s->durable = atomic_load(&s->writer_lease.page->durable);
		if (next <= s->durable)
			return false;
		if (writer_lease_is_live(&s->writer_lease))
			return true;
		writer_lease_close(&s->writer_lease);
	}
	s->durable = UINT64_MAX;
	return false;
}

/* Reported once, before what can be read nevertheless. */
static enum reader_verdict tell_lost_table(struct series *s)
{
	struct reading *to = &s->next;
	to->segment = &s->segment.head;
	to->packed = true;
	to->lost = LOST_TABLE;
	to->frame.mono_ns = s->segment.head.mono_ns;
	to->missing_first = s->segment.head.sequence;
	to->missing_last = s->segment.head.sequence - 1;
	s->table_reported = true;
	return READER_HOLE;
}

static enum reader_verdict series_read_segment(struct reader *r, struct series *s)
{
	struct reading *to = &s->next;
	to->hole_bytes = to->hole_at = to->place = 0;
	to->lost = LOST_FRAMES;
	if (!s->table_reported && segment_lost_table(&s->segment))
		return tell_lost_table(s);
	s->live = must_wait(r, s);
	if (s->live)
		return READER_END;
	enum segment_verdict v = segment_next(&s->segment, &to->frame, &to->payload);
	if (v == SEGMENT_END && !s->segment.sealed) {
		s->live = segment_is_live(&s->segment);
		/* The writer may have written more, and let go, in between. */
		v = segment_next(&s->segment, &to->frame, &to->payload);
	}
	if (v == SEGMENT_FRAME)
		return series_found_frame(s);
	return v == SEGMENT_ERROR ? READER_ERROR : READER_END;
}

static enum reader_verdict series_advance(struct reader *r, struct series *s)
{
	for (;;) {
		enum reader_verdict v = s->open ? READER_FRAME : enter_segment(r, s);
		if (v != READER_FRAME)
			return v;
		v = series_read_segment(r, s);
		if (v != READER_END)
			return v;
		if (s->segment.sealed)
			leave_segment(s);
		else if (s->live)
			return READER_END;
		else if ((v = series_skip_hole(r, s)) != READER_END)
			return v;
	}
}

static bool is_wanted(const struct reader *r, const struct series *s)
{
	if (!frame_is_known(&s->next.frame))
		return false;
	if (r->position)
		return position_wants(r->position, s->generation, &s->next.frame);
	return s->next.frame.sequence >= s->from;
}

static enum reader_verdict advance_to_wanted(struct reader *r, struct series *s)
{
	enum reader_verdict v;
	do {
		v = series_advance(r, s);
		r->unknown += v == READER_FRAME && !frame_is_known(&s->next.frame);
	} while (v == READER_FRAME && !is_wanted(r, s));
	return v;
}

/* --- all series --- */

static bool series_peek(struct reader *r, struct series *s, enum reader_verdict *v)
{
	if (s->peeked)
		return true;
	bool stashed = s->stashed;
	s->stashed = false;
	r->unknown += stashed && !frame_is_known(&s->next.frame);
	if (stashed && is_wanted(r, s))
		*v = READER_FRAME;
	else
		*v = advance_to_wanted(r, s);
	s->hole = *v == READER_HOLE;
	s->peeked = s->hole || *v == READER_FRAME;
	return s->peeked;
}

static bool series_is_before(const struct series *a, uint64_t mono_ns, const struct series *b)
{
	const struct segment_head *ours = &a->segment.head, *theirs = &b->segment.head;
	return memcmp(ours->boot, theirs->boot, sizeof ours->boot) == 0 &&
	       mono_ns < b->next.frame.mono_ns;
}

/*
 * Whether a later series that was not looked at may have something that comes before the best one.
 */
static bool may_precede(struct reader *r, struct series *later, const struct series *best)
{
	if (later->peeked || (!later->open && enter_segment(r, later) != READER_FRAME))
		return true;
	return series_is_before(later, later->segment.head.mono_ns, best);
}

static enum reader_verdict find_best(struct reader *r, struct series **best)
{
	*best = NULL;
	for (size_t i = 0; i < r->n; i++) {
		struct series *s = &r->list[i];
		enum reader_verdict v = READER_END;
		if (*best && !may_precede(r, s, *best))
			break;
		if (!series_peek(r, s, &v) && v == READER_ERROR)
			return v;
		if (s->peeked && (!*best || series_is_before(s, s->next.frame.mono_ns, *best)))
			*best = s;
	}
	return *best ? READER_FRAME : READER_END;
}

/*
 * Called before the directory is looked at once more: a writer that is gone by then writes nothing
 * that this look would miss.
 */
static void note_gone(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct series *s = &r->list[i];
		struct writer_lease m;
		if (s->over)
			continue;
		s->gone = !writer_lease_look(&m, r->directory, s->generation);
		writer_lease_close(&m);
	}
}

static void note_over(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct series *s = &r->list[i];
		if (s->gone && !s->over && s->writer_lease.fd >= 0)
			writer_lease_close(&s->writer_lease);
		s->over |= s->gone;
	}
}

enum reader_verdict reader_next(struct reader *r, struct reading *to)
{
	struct series *s;
	enum reader_verdict v = find_best(r, &s);
	if (v == READER_END) {
		note_gone(r);
		if (!reader_scan(r))
			return READER_ERROR;
		v = find_best(r, &s);
	}
	if (v == READER_END)
		note_over(r);
	if (v != READER_FRAME)
		return v;
	series_name(r->file, s->generation, s->segment.head.index);
	s->peeked = false;
	r->wall_ns = s->next.frame.wall_ns;
	*to = s->next;
	r->holes += s->hole;
	return s->hole ? READER_HOLE : READER_FRAME;
}

/* --- seeking --- */

void reader_seek_time(struct reader *r, uint64_t wall_ns)
{
	must(!r->position);
	for (size_t i = 0; i < r->n; i++) {
		struct series *s = &r->list[i];
		s->expected = s->from = seek_time(r->directory, s->generation, s->indexes, s->n,
						  wall_ns, &r->seek_bytes);
	}
}

void reader_seek_sequence(struct reader *r, uint64_t generation, uint64_t sequence)
{
	must(!r->position);
	for (size_t i = 0; i < r->n; i++) {
		struct series *s = &r->list[i];
		if (s->generation <= generation)
			s->expected = s->from = s->generation == generation ? sequence : UINT64_MAX;
	}
}

uint64_t reader_newest(const struct reader *r)
{
	return r->n ? r->list[r->n - 1].generation : 0;
}

uint64_t reader_read_bytes(const struct reader *r)
{
	uint64_t n = r->seek_bytes;
	for (size_t i = 0; i < r->n; i++) {
		const struct series *s = &r->list[i];
		n += s->read_bytes + (s->open ? segment_read_bytes(&s->segment) : 0);
	}
	return n;
}

/* --- followers --- */

void reader_follow(struct reader *r, const struct position *p)
{
	must(!r->position);
	r->position = p;
	for (size_t i = 0; i < r->n; i++)
		r->list[i].expected = r->list[i].from = position_from(p, r->list[i].generation);
}

static const struct position_series *position_before(const struct reader *r, uint64_t generation)
{
	for (size_t i = 0; i < r->position->series_n; i++)
		if (r->position->series[i].generation == generation)
			return &r->position->series[i];
	return NULL;
}

/* The sequence of the frame that comes next. */
static uint64_t next_of(const struct series *s)
{
	if (!s->peeked && !s->stashed)
		return s->expected;
	return s->hole && s->peeked ? s->next.missing_first : s->next.frame.sequence;
}

/* Exchanges that were open before, and whose heads have not been read again yet, are open still. */
static void add_unread(const struct reader *r, const struct series *s, struct position *to)
{
	for (size_t i = 0; i < r->position->connection_n; i++) {
		const struct position_connection *c = &r->position->connections[i];
		if (c->ordinal && c->generation == s->generation && c->from >= next_of(s))
			position_add_connection(to, *c);
	}
}

/* What was passed before stays passed, though it is read again. */
static struct position_series position_of(const struct reader *r, const struct series *s)
{
	const struct position_series *before = position_before(r, s->generation);
	struct position_series now = { .generation = s->generation, .next = next_of(s) };
	memcpy(now.node, before ? before->node : s->segment.head.node, sizeof now.node);
	if (before && before->next > now.next)
		now.next = before->next;
	return now;
}

void reader_position(const struct reader *r, struct position *to)
{
	*to = (struct position){ .passed = r->position->passed, .wall_ns = r->wall_ns };
	if (!to->wall_ns)
		to->wall_ns = r->position->wall_ns;
	for (size_t i = 0; i < r->n; i++) {
		const struct series *s = &r->list[i];
		if (s->generation > to->passed)
			to->passed = s->generation;
		if (s->from == UINT64_MAX || s->over)
			continue;
		position_add_series(to, position_of(r, s));
		add_unread(r, s, to);
	}
}

uint64_t reader_behind(const struct reader *r)
{
	uint64_t behind = 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct series *s = &r->list[i];
		uint64_t durable =
			s->writer_lease.page ? atomic_load(&s->writer_lease.page->durable) : 0;
		uint64_t next = position_of(r, s).next;
		behind += durable >= next ? durable - next + 1 : 0;
	}
	return behind;
}

void reader_acknowledge(const struct reader *r, uint64_t generation, uint64_t sequence)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].generation == generation && r->list[i].writer_lease.page)
			atomic_store(&r->list[i].writer_lease.page->acknowledged, sequence);
}

bool reader_is_over(const struct reader *r, uint64_t generation)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].generation == generation)
			return r->list[i].over;
	return true;
}

uint64_t reader_holes(const struct reader *r)
{
	return r->holes;
}

uint64_t reader_unknown(const struct reader *r)
{
	return r->unknown;
}

const char *reader_file(const struct reader *r)
{
	return r->file;
}

bool reader_is_live(const struct reader *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].live)
			return true;
	return false;
}

/* --- open and close --- */

struct reader *reader_open(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct reader *r = calloc(1, sizeof *r);
	must(r);
	r->directory = fd;
	if (reader_scan(r))
		return r;
	reader_close(r);
	return NULL;
}

void reader_close(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->list[i].open)
			segment_close(&r->list[i].segment);
		writer_lease_close(&r->list[i].writer_lease);
		free(r->list[i].indexes);
	}
	free(r->list);
	close(r->directory);
	free(r);
}
