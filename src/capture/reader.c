#include "capture/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "capture/segment.h"

/* One writer's segments, read one after the other. */
struct series {
	uint64_t generation;
	uint64_t *indexes; /* owned, ascending */
	size_t n, room;
	size_t at; /* of the segment that is read */
	bool open; /* `segment` is */
	bool live; /* a process writes to it */
	struct segment segment;
	uint64_t expected; /* the sequence that comes next, if nothing is missing; 0: any */
	bool peeked;	   /* `next` is what comes next, */
	bool hole;	   /* a hole */
	bool stashed;	   /* behind which `next.frame` was read already */
	struct reading next;
};

struct reader {
	int directory;
	struct series *list; /* owned, by generation */
	size_t n, room;
	char file[SERIES_NAME_BYTES];
};

/* --- what there is --- */

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
	r->list[i] = (struct series){ .generation = generation };
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
	/* What is behind is read already, or was taken away meanwhile. */
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

static bool scan(struct reader *r)
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
	segment_close(&s->segment);
	s->open = false;
	s->at++;
}

static enum reader_verdict enter_segment(struct reader *r, struct series *s)
{
	for (; s->at < s->n; s->at++) {
		series_name(r->file, s->generation, s->indexes[s->at]);
		enum segment_verdict v = segment_open(&s->segment, r->directory, r->file);
		s->open = v == SEGMENT_FRAME;
		if (s->open)
			return READER_FRAME;
		if (v == SEGMENT_ERROR && errno != ENOENT)
			return READER_ERROR;
		/* It was begun and never was durable, or retention has taken it. */
	}
	s->live = false;
	return READER_END;
}

/* A frame was read to s->next: whether some are missing before it. */
static enum reader_verdict found(struct series *s)
{
	struct reading *to = &s->next;
	uint64_t expected = s->expected;
	to->segment = &s->segment.head;
	s->expected = to->frame.sequence + 1;
	if (!expected || to->frame.sequence == expected)
		return READER_FRAME;
	to->missing_first = expected;
	to->missing_last = to->frame.sequence - 1;
	s->stashed = true;
	return READER_HOLE;
}

/* Nobody writes here, and there is no frame where one should be. */
static enum reader_verdict skip_hole(struct series *s)
{
	uint64_t written;
	s->next.hole_at = s->segment.at;
	enum segment_verdict v = segment_skip(&s->segment, &s->next.hole_bytes, &written);
	if (v == SEGMENT_FRAME)
		v = segment_next(&s->segment, &s->next.frame, &s->next.payload);
	if (v == SEGMENT_FRAME)
		return found(s);
	if (v == SEGMENT_ERROR)
		return READER_ERROR;
	leave_segment(s);
	return READER_END;
}

static enum reader_verdict read_segment(struct series *s)
{
	struct reading *to = &s->next;
	to->hole_bytes = 0;
	enum segment_verdict v = segment_next(&s->segment, &to->frame, &to->payload);
	if (v == SEGMENT_END && !s->segment.sealed) {
		s->live = segment_is_live(&s->segment);
		/* It may have been written, and let go of, in between. */
		v = segment_next(&s->segment, &to->frame, &to->payload);
	}
	if (v == SEGMENT_FRAME)
		return found(s);
	return v == SEGMENT_ERROR ? READER_ERROR : READER_END;
}

static enum reader_verdict advance(struct reader *r, struct series *s)
{
	for (;;) {
		enum reader_verdict v = s->open ? READER_FRAME : enter_segment(r, s);
		if (v != READER_FRAME)
			return v;
		v = read_segment(s);
		if (v != READER_END)
			return v;
		if (s->segment.sealed)
			leave_segment(s);
		else if (s->live)
			return READER_END;
		else if ((v = skip_hole(s)) != READER_END)
			return v;
	}
}

/* --- all of them --- */

static bool peek(struct reader *r, struct series *s, enum reader_verdict *v)
{
	if (s->peeked)
		return true;
	s->next.between = false;
	if (s->stashed) {
		s->stashed = false;
		*v = READER_FRAME;
	} else {
		*v = advance(r, s);
	}
	s->hole = *v == READER_HOLE;
	s->peeked = s->hole || *v == READER_FRAME;
	return s->peeked;
}

static bool is_before(const struct series *a, uint64_t mono_ns, const struct series *b)
{
	const struct segment_head *ours = &a->segment.head, *theirs = &b->segment.head;
	return memcmp(ours->boot, theirs->boot, sizeof ours->boot) == 0 &&
	       mono_ns < b->next.frame.mono_ns;
}

/* Whether a later series that was not looked at may have something that comes before the best. */
static bool may_precede(struct reader *r, struct series *later, const struct series *best)
{
	if (!later->open && enter_segment(r, later) != READER_FRAME)
		return true;
	return later->peeked || is_before(later, later->segment.head.mono_ns, best);
}

static enum reader_verdict find_best(struct reader *r, struct series **best)
{
	*best = NULL;
	for (size_t i = 0; i < r->n; i++) {
		struct series *s = &r->list[i];
		enum reader_verdict v = READER_END;
		if (*best && !may_precede(r, s, *best))
			break;
		if (!peek(r, s, &v) && v == READER_ERROR)
			return v;
		if (s->peeked && (!*best || is_before(s, s->next.frame.mono_ns, *best)))
			*best = s;
	}
	return *best ? READER_FRAME : READER_END;
}

enum reader_verdict reader_next(struct reader *r, struct reading *to)
{
	struct series *s;
	enum reader_verdict v = find_best(r, &s);
	if (v == READER_END) {
		if (!scan(r))
			return READER_ERROR;
		v = find_best(r, &s);
	}
	if (v != READER_FRAME)
		return v;
	series_name(r->file, s->generation, s->segment.head.index);
	s->peeked = false;
	*to = s->next;
	return s->hole ? READER_HOLE : READER_FRAME;
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

/* --- a life --- */

struct reader *reader_open(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct reader *r = calloc(1, sizeof *r);
	must(r);
	r->directory = fd;
	if (scan(r))
		return r;
	reader_close(r);
	return NULL;
}

void reader_close(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->list[i].open)
			segment_close(&r->list[i].segment);
		free(r->list[i].indexes);
	}
	free(r->list);
	close(r->directory);
	free(r);
}
