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

/* Two of the largest frames: what is left of one, and the next, are there together. */
#define READ_BYTES (2 * (FRAME_PAYLOAD_BYTES + sizeof(struct frame)))

static ssize_t read_at(int fd, void *to, size_t n, uint64_t at)
{
	ssize_t got;
	do
		got = pread(fd, to, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Reads on behind what is there. False with errno. */
static bool fill(struct segment *s)
{
	if (!s->bytes) {
		s->room = READ_BYTES;
		s->bytes = malloc(s->room);
		must(s->bytes);
	}
	memmove(s->bytes, s->bytes + s->used, s->n - s->used);
	s->n -= s->used;
	s->used = 0;
	ssize_t got = read_at(s->fd, s->bytes + s->n, s->room - s->n, s->at + s->n);
	if (got > 0)
		s->n += (size_t)got;
	return got >= 0;
}

static enum frame_verdict look(const struct segment *s, struct frame *f, struct span *payload)
{
	return frame_read(s->bytes + s->used, s->n - s->used, s->head.id, f, payload);
}

static void pass(struct segment *s, size_t n)
{
	s->used += n;
	s->at += n;
}

static void note(struct segment *s, const struct frame *f)
{
	s->last_sequence = f->sequence;
	s->sealed |= f->type == FRAME_SEAL;
	s->last |= f->type == FRAME_SEAL && (f->flags & FRAME_LAST);
	pass(s, frame_bytes(f));
}

enum segment_verdict segment_next(struct segment *s, struct frame *f, struct span *payload)
{
	if (s->sealed)
		return SEGMENT_END;
	enum frame_verdict v = look(s, f, payload);
	if (v != FRAME_GOOD) {
		/* What was read may be older than what is there now. */
		if (v == FRAME_BAD)
			s->n = s->used;
		if (!fill(s))
			return SEGMENT_ERROR;
		v = look(s, f, payload);
	}
	if (v != FRAME_GOOD || f->sequence <= s->last_sequence)
		return SEGMENT_END;
	note(s, f);
	return SEGMENT_FRAME;
}

static bool is_good(const struct segment *s)
{
	struct frame f;
	struct span payload;
	return look(s, &f, &payload) == FRAME_GOOD && f.sequence > s->last_sequence;
}

enum segment_verdict segment_skip(struct segment *s, uint64_t *hole_bytes, uint64_t *written_bytes)
{
	uint64_t from = s->at;
	*written_bytes = 0;
	for (;;) {
		if (s->n - s->used < READ_BYTES / 2 && !fill(s))
			return SEGMENT_ERROR;
		if (s->n - s->used < sizeof(struct frame))
			return SEGMENT_END;
		if (is_good(s))
			break;
		for (int i = 0; i < FRAME_ALIGN; i++)
			*written_bytes += s->bytes[s->used + (size_t)i] != 0;
		pass(s, FRAME_ALIGN);
	}
	*hole_bytes = s->at - from;
	return SEGMENT_FRAME;
}

bool segment_is_sealed(const struct segment *s)
{
	uint8_t bytes[sizeof(struct frame)];
	struct frame f;
	struct span payload;
	struct stat file;
	if (fstat(s->fd, &file) || file.st_size < (off_t)(sizeof s->head + sizeof bytes))
		return false;
	uint64_t at = (uint64_t)file.st_size - sizeof bytes;
	return read_at(s->fd, bytes, sizeof bytes, at) == sizeof bytes &&
	       frame_read(bytes, sizeof bytes, s->head.id, &f, &payload) == FRAME_GOOD &&
	       f.type == FRAME_SEAL;
}

bool segment_is_live(const struct segment *s)
{
	if (flock(s->fd, LOCK_SH | LOCK_NB))
		return true;
	flock(s->fd, LOCK_UN);
	return false;
}

enum segment_verdict segment_open(struct segment *s, int directory, const char *name)
{
	*s = (struct segment){ .fd = openat(directory, name, O_RDONLY | O_CLOEXEC) };
	if (s->fd < 0)
		return SEGMENT_ERROR;
	ssize_t got = read_at(s->fd, &s->head, sizeof s->head, 0);
	if (got != sizeof s->head || !segment_head_is_good(&s->head)) {
		int error = errno;
		close(s->fd);
		errno = error;
		return got < 0 ? SEGMENT_ERROR : SEGMENT_END;
	}
	s->at = sizeof s->head;
	s->last_sequence = s->head.sequence - 1;
	return SEGMENT_FRAME;
}

void segment_close(struct segment *s)
{
	free(s->bytes);
	close(s->fd);
	s->bytes = NULL;
	s->fd = -1;
}
