#include "capture/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/limits.h"
#include "capture/packed.h"

/* Two of the largest frames: the rest of one and the next one fit in together. */
#define READ_BYTES (2 * (FRAME_PAYLOAD_BYTES + sizeof(struct frame)))

static ssize_t file_read_at(int fd, void *to, size_t n, uint64_t at)
{
	ssize_t got;
	do
		got = pread(fd, to, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t read_from(struct segment *s, void *to, size_t n, uint64_t at)
{
	if (s->packed)
		return packed_read(s->packed, to, n, at);
	ssize_t got = file_read_at(s->fd, to, n, at);
	s->read_bytes += got > 0 ? (uint64_t)got : 0;
	return got;
}

/* Reads until `want` bytes are there, or the file ends. False with errno. */
static bool segment_fill(struct segment *s, size_t want)
{
	if (!s->bytes) {
		s->room = READ_BYTES;
		s->bytes = malloc(s->room);
		must(s->bytes);
	}
	memmove(s->bytes, s->bytes + s->used, s->n - s->used);
	s->n -= s->used;
	s->used = 0;
	ssize_t got = 1;
	while (s->n < want && got > 0) {
		got = read_from(s, s->bytes + s->n, want - s->n, s->at + s->n);
		if (got > 0)
			s->n += (size_t)got;
	}
	return got >= 0;
}

static enum frame_verdict segment_look_ahead(const struct segment *s, struct frame *f,
					     struct span *payload)
{
	return frame_read(s->bytes + s->used, s->n - s->used, s->head.id, f, payload);
}

static void segment_pass(struct segment *s, size_t n)
{
	s->used += n;
	s->at += n;
}

static void segment_note_frame(struct segment *s, const struct frame *f)
{
	s->last_sequence = f->sequence;
	s->sealed |= f->type == FRAME_SEAL;
	s->last |= f->type == FRAME_SEAL && (f->flags & FRAME_LAST);
	segment_pass(s, frame_bytes(f));
}

void segment_forget(struct segment *s)
{
	s->n = s->used;
}

enum segment_verdict segment_next(struct segment *s, struct frame *f, struct span *payload)
{
	if (s->sealed)
		return SEGMENT_END;
	enum frame_verdict v = segment_look_ahead(s, f, payload);
	if (v != FRAME_GOOD) {
		if (v == FRAME_BAD)
			segment_forget(s);
		if (!segment_fill(s, SEGMENT_READ_BYTES))
			return SEGMENT_ERROR;
		v = segment_look_ahead(s, f, payload);
	}
	if (v == FRAME_SHORT) {
		if (!segment_fill(s, READ_BYTES))
			return SEGMENT_ERROR;
		v = segment_look_ahead(s, f, payload);
	}
	if (v != FRAME_GOOD || f->sequence <= s->last_sequence)
		return SEGMENT_END;
	segment_note_frame(s, f);
	return SEGMENT_FRAME;
}

static bool segment_has_good_frame(const struct segment *s)
{
	struct frame f;
	struct span payload;
	return segment_look_ahead(s, &f, &payload) == FRAME_GOOD && f.sequence > s->last_sequence;
}

enum segment_verdict segment_skip(struct segment *s, uint64_t *hole_bytes, uint64_t *written_bytes)
{
	uint64_t from = s->at;
	bool all = false; /* all up to the file's end was read: the file does not grow */
	*written_bytes = 0;
	for (;;) {
		if (!all && s->n - s->used < READ_BYTES / 2) {
			if (!segment_fill(s, READ_BYTES))
				return SEGMENT_ERROR;
			all = s->n < READ_BYTES;
		}
		if (s->n - s->used < sizeof(struct frame))
			return SEGMENT_END;
		if (segment_has_good_frame(s))
			break;
		for (int i = 0; i < FRAME_ALIGN; i++)
			*written_bytes += s->bytes[s->used + (size_t)i] != 0;
		segment_pass(s, FRAME_ALIGN);
	}
	*hole_bytes = s->at - from;
	return SEGMENT_FRAME;
}

void segment_jump(struct segment *s, uint64_t at, uint64_t sequence)
{
	s->at = at;
	s->n = s->used = 0;
	s->sealed = s->last = false;
	s->last_sequence = sequence - 1;
}

bool segment_find(struct segment *s, uint64_t from, uint64_t end, struct frame *f)
{
	struct span payload;
	segment_jump(s, from, s->head.sequence);
	while (s->at < end) {
		if (s->n - s->used < sizeof *f && !segment_fill(s, SEGMENT_READ_BYTES))
			return false;
		enum frame_verdict v = segment_look_ahead(s, f, &payload);
		if (v == FRAME_SHORT && s->n - s->used < sizeof *f)
			return false;
		if (v == FRAME_SHORT) {
			if (!segment_fill(s, READ_BYTES))
				return false;
			v = segment_look_ahead(s, f, &payload);
		}
		if (v == FRAME_GOOD)
			return true;
		segment_pass(s, FRAME_ALIGN);
	}
	return false;
}

bool segment_is_packed(const struct segment *s)
{
	return s->packed;
}

bool segment_lost_table(const struct segment *s)
{
	return s->packed && packed_lost_table(s->packed);
}

uint64_t segment_file_bytes(const struct segment *s)
{
	struct stat file;
	return fstat(s->fd, &file) ? 0 : (uint64_t)file.st_size;
}

uint64_t segment_bytes(const struct segment *s)
{
	return s->packed ? packed_raw_bytes(s->packed) : segment_file_bytes(s);
}

uint64_t segment_place(const struct segment *s, uint64_t at)
{
	return s->packed ? packed_place(s->packed, at) : 0;
}

uint64_t segment_read_bytes(const struct segment *s)
{
	return s->read_bytes + (s->packed ? packed_read_bytes(s->packed) : 0);
}

bool segment_last(struct segment *s, struct frame *seal)
{
	uint8_t bytes[sizeof(struct frame)];
	struct span payload;
	uint64_t at = segment_bytes(s);
	if (at < sizeof s->head + sizeof bytes)
		return false;
	at -= sizeof bytes;
	return read_from(s, bytes, sizeof bytes, at) == sizeof bytes &&
	       frame_read(bytes, sizeof bytes, s->head.id, seal, &payload) == FRAME_GOOD &&
	       seal->type == FRAME_SEAL;
}

bool segment_is_sealed(struct segment *s, uint64_t *sequence)
{
	struct frame seal;
	bool sealed = segment_last(s, &seal);
	if (sealed)
		*sequence = seal.sequence;
	return sealed;
}

static bool is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB))
		return true;
	flock(fd, LOCK_UN);
	return false;
}

bool segment_is_live(const struct segment *s)
{
	return is_locked(s->fd);
}

bool segment_is_written(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool written = fd >= 0 && is_locked(fd);
	if (fd >= 0)
		close(fd);
	return written;
}

bool segment_is_room(int fd)
{
	char bytes[65536];
	uint64_t at = sizeof(struct segment_head);
	for (ssize_t n; (n = file_read_at(fd, bytes, sizeof bytes, at)) != 0; at += (uint64_t)n) {
		if (n < 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i])
				return false;
	}
	return true;
}

static enum segment_verdict read_head(int fd, struct segment_head *h, bool *packed)
{
	ssize_t got = file_read_at(fd, h, sizeof *h, 0);
	if (got < 0)
		return SEGMENT_ERROR;
	*packed = got == sizeof *h && packed_head(h);
	if (got == sizeof *h && segment_head_is_newer(h)) {
		errno = EPROTONOSUPPORT;
		return SEGMENT_ERROR;
	}
	return got == sizeof *h && segment_head_is_good(h) ? SEGMENT_FRAME : SEGMENT_END;
}

const char *segment_error(int error)
{
	return error == EPROTONOSUPPORT ? "a newer version of crossfade wrote it, in a format "
					  "that this version does not know: use the newer "
					  "version, or another directory"
					: strerror(error);
}

enum segment_verdict segment_look(int directory, const char *name, struct segment_head *h)
{
	bool packed;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	enum segment_verdict v = fd < 0 ? SEGMENT_ERROR : read_head(fd, h, &packed);
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return v;
}

enum segment_verdict segment_open(struct segment *s, int directory, const char *name)
{
	*s = (struct segment){ .fd = openat(directory, name,
					    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) };
	if (s->fd < 0)
		return SEGMENT_ERROR;
	bool packed;
	enum segment_verdict v = read_head(s->fd, &s->head, &packed);
	s->read_bytes = sizeof s->head;
	if (v == SEGMENT_FRAME && packed && !(s->packed = packed_open(s->fd, s->head.id)))
		v = SEGMENT_ERROR;
	if (v != SEGMENT_FRAME) {
		int error = errno;
		close(s->fd);
		errno = error;
		return v;
	}
	s->at = sizeof s->head;
	s->last_sequence = s->head.sequence - 1;
	return SEGMENT_FRAME;
}

void segment_close(struct segment *s)
{
	free(s->bytes);
	packed_close(s->packed);
	close(s->fd);
	s->bytes = NULL;
	s->fd = -1;
}
