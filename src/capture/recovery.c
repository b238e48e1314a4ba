#include "capture/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/writer_lease.h"
#include "capture/pack.h"
#include "capture/segment.h"
#include "capture/series.h"
#include "io/disk.h"
#include "io/own_file.h"

/* A file that another process has open for writing is neither judged nor touched. */
static bool is_abandoned(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool abandoned = fd >= 0 && !flock(fd, LOCK_SH | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return abandoned;
}

/* No process writes the file any more. Its mode shows that it was looked at. */
static bool file_finish(int directory, const char *name, uint64_t size)
{
	int fd = own_file_open(directory, name, O_WRONLY, 0);
	bool good = fd >= 0 && !ftruncate(fd, (off_t)size) && !fchmod(fd, 0400) && !fsync(fd);
	if (fd >= 0)
		close(fd);
	return good;
}

static bool is_finished(int directory, const char *name)
{
	struct stat file;
	return !fstatat(directory, name, &file, AT_SYMLINK_NOFOLLOW) && !(file.st_mode & S_IWUSR);
}

/* --- damage --- */

static uint64_t written_ns(int fd)
{
	struct stat file;
	if (fstat(fd, &file))
		return 0;
	return (uint64_t)file.st_mtim.tv_sec * 1000000000u + (uint64_t)file.st_mtim.tv_nsec;
}

/* Where there is no room for more, the last one stands for those that follow, too. */
static struct record_damage *recovery_add_damage(struct recovery *to, struct record_damage d)
{
	struct record_damage *last = &to->damages[DAMAGES_MAX - 1];
	d.gap.reason = GAP_DAMAGE;
	d.places = 1;
	if (to->damage_n < DAMAGES_MAX) {
		to->damages[to->damage_n] = d;
		return &to->damages[to->damage_n++];
	}
	last->places++;
	last->bytes += d.bytes;
	last->gap.last_wall_ns = d.gap.last_wall_ns;
	last->gap.last_mono_ns = d.gap.last_mono_ns;
	return last;
}

/* A segment that is read to its end. */
struct walk {
	struct segment segment;
	struct recovery *to;
	uint64_t wall_ns, mono_ns;  /* of the last good frame */
	struct record_damage *open; /* a hole whose other end was not read yet */
	unsigned first;		    /* index of the segment's first damage */
};

static struct record_damage *walk_note_damage(struct walk *w, enum damage_kind kind, uint64_t at,
					      uint64_t bytes)
{
	const struct segment *s = &w->segment;
	uint64_t last_ns = kind == DAMAGE_TORN ? written_ns(s->fd) : w->wall_ns;
	return recovery_add_damage(w->to,
				   (struct record_damage){ .gap = { .first_wall_ns = w->wall_ns,
								    .last_wall_ns = last_ns,
								    .first_mono_ns = w->mono_ns,
								    .last_mono_ns = w->mono_ns },
							   .generation = s->head.generation,
							   .index = s->head.index,
							   .at = at,
							   .bytes = bytes,
							   .first_sequence = s->last_sequence + 1,
							   .kind = kind });
}

/* A hole that was durable, as a later commit says, is a loss. */
static void walk_note_durable(struct walk *w, uint64_t durable)
{
	for (unsigned i = w->first; i < w->to->damage_n; i++) {
		struct record_damage *d = &w->to->damages[i];
		if (d->kind == DAMAGE_HOLE && d->first_sequence <= durable)
			d->kind = DAMAGE_LOST;
	}
}

static void walk_note_frame(struct walk *w, const struct frame *f, struct span payload)
{
	struct record_commit commit;
	w->wall_ns = f->wall_ns;
	w->mono_ns = f->mono_ns;
	if (w->open) {
		w->open->last_sequence = f->sequence - 1;
		w->open->gap.last_wall_ns = f->wall_ns;
		w->open->gap.last_mono_ns = f->mono_ns;
		w->open = NULL;
	}
	if (f->type == FRAME_COMMIT && payload.n >= sizeof commit) {
		memcpy(&commit, payload.at, sizeof commit);
		walk_note_durable(w, commit.durable_sequence);
	}
}

/* --- a segment --- */

static enum segment_verdict walk_skip_hole(struct walk *w, uint64_t end)
{
	uint64_t hole, written;
	enum segment_verdict v = segment_skip(&w->segment, &hole, &written);
	if (v == SEGMENT_FRAME) {
		w->open = walk_note_damage(w, DAMAGE_HOLE, end, hole);
		w->to->holes++;
	} else if (v == SEGMENT_END && written) {
		walk_note_damage(w, DAMAGE_TORN, end, written);
		w->to->torn_bytes += written;
	}
	return v;
}

/* Reads to the end of what is good, over holes; *end is where that is. */
static enum segment_verdict walk_find_end(struct walk *w, uint64_t *end)
{
	struct frame f;
	struct span payload;
	enum segment_verdict v;
	do {
		while ((v = segment_next(&w->segment, &f, &payload)) == SEGMENT_FRAME)
			walk_note_frame(w, &f, payload);
		*end = w->segment.at;
		if (v == SEGMENT_END && !w->segment.sealed)
			v = walk_skip_hole(w, *end);
	} while (v == SEGMENT_FRAME);
	return v;
}

/*
 * The file has no good head. It was begun and never was more than room, or it is damaged, and is
 * kept.
 */
static bool mend_head(int directory, const char *name, struct recovery *to)
{
	struct record_damage d = { .kind = DAMAGE_HEAD };
	struct stat file;
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file))
		return false;
	bool empty = segment_is_room(fd);
	d.gap.first_wall_ns = d.gap.last_wall_ns = written_ns(fd);
	close(fd);
	if (empty) {
		to->removed++;
		return !unlinkat(directory, name, 0);
	}
	series_of(name, &d.generation, &d.index);
	d.bytes = (uint64_t)file.st_size;
	recovery_add_damage(to, d);
	return file_finish(directory, name, d.bytes);
}

static bool segment_mend(int directory, const char *name, struct recovery *to)
{
	struct walk w = { .to = to, .first = to->damage_n };
	uint64_t end, last;
	enum segment_verdict v = segment_open(&w.segment, directory, name);
	if (v != SEGMENT_FRAME)
		return v == SEGMENT_END && mend_head(directory, name, to);
	w.wall_ns = w.segment.head.wall_ns;
	w.mono_ns = w.segment.head.mono_ns;
	/* Years of good segments are not read for this. */
	bool over = segment_is_packed(&w.segment) || segment_is_sealed(&w.segment, &last);
	v = over ? SEGMENT_END : walk_find_end(&w, &end);
	/* Sealed, but its unused room was not cut off. */
	bool sealed = over || w.segment.sealed;
	segment_close(&w.segment);
	if (v == SEGMENT_ERROR)
		return false;
	to->segments += !sealed;
	return over || file_finish(directory, name, end);
}

/* Room that was allocated ahead of time, or an unfinished packed segment. */
static bool is_scrap(const char *name)
{
	return !strncmp(name, DISK_SPARE, sizeof DISK_SPARE - 1) ||
	       !strncmp(name, PACK_UNFINISHED, sizeof PACK_UNFINISHED - 1);
}

static bool recovery_look_at(int directory, const char *name, struct recovery *to)
{
	uint64_t generation, index;
	if (is_scrap(name) && is_abandoned(directory, name)) {
		to->removed++;
		return !unlinkat(directory, name, 0);
	}
	if (writer_lease_of(name, &generation) && is_abandoned(directory, name))
		return !unlinkat(directory, name, 0);
	if (!series_of(name, &generation, &index))
		return true;
	/* The owner and the epoch in it cannot be read, so no process may write beside it. */
	struct segment_head head;
	if (segment_look(directory, name, &head) == SEGMENT_ERROR && errno == EPROTONOSUPPORT)
		return false;
	if (!is_abandoned(directory, name) || is_finished(directory, name))
		return true;
	return segment_mend(directory, name, to);
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
		good = recovery_look_at(directory, e->d_name, to) || errno == ENOENT;
	int error = errno;
	closedir(d);
	errno = error;
	return good && !fsync(directory);
}
