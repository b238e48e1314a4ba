#ifndef TESTS_CAPTURE_DIRECTORY_H
#define TESTS_CAPTURE_DIRECTORY_H

/* A capture directory of a test's own, and segments as a journal writes them into it. */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "capture/frame.h"
#include "capture/series.h"

struct pen {
	int fd;
	struct segment_head head;
	uint64_t at, sequence;
};

struct world {
	char directory[64];
	int fd;
};

static inline int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	snprintf(w->directory, sizeof w->directory, "/tmp/capture-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	w->fd = open(w->directory, O_RDONLY | O_DIRECTORY);
	*state = w;
	return 0;
}

static inline int take_away(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s;
	(void)flag;
	(void)f;
	return remove(path);
}

static inline int close_world(void **state)
{
	struct world *w = *state;
	close(w->fd);
	nftw(w->directory, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static inline struct pen begin(const struct world *w, uint64_t generation, uint64_t index,
			       uint64_t sequence, uint64_t mono_ns)
{
	static const char magic[] = SEGMENT_MAGIC;
	struct pen p = { .at = sizeof p.head, .sequence = sequence };
	char name[SERIES_NAME_BYTES];
	series_name(name, generation, index);
	p.fd = openat(w->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(p.fd >= 0);
	p.head = (struct segment_head){ .major = SEGMENT_MAJOR,
					.minor = SEGMENT_MINOR,
					.id = generation * 1000 + index,
					.generation = generation,
					.index = index,
					.sequence = sequence,
					.mono_ns = mono_ns,
					.node = "host" };
	memcpy(p.head.magic, magic, sizeof p.head.magic);
	p.head.crc = segment_head_crc(&p.head);
	assert_int_equal(pwrite(p.fd, &p.head, sizeof p.head, 0), sizeof p.head);
	/* Room, as a journal takes it ahead of time. */
	assert_int_equal(ftruncate(p.fd, 100000), 0);
	return p;
}

/* What `like` says, but for what is made here. */
static inline void write_like(struct pen *p, struct frame f, struct span payload)
{
	uint8_t padding[FRAME_ALIGN] = { 0 };
	f.payload_n = (uint32_t)payload.n;
	f.payload_crc = crc32c(0, payload.at, payload.n);
	f.sequence = p->sequence++;
	f.head_crc = frame_head_crc(&f, p->head.id);
	assert_int_equal(pwrite(p->fd, &f, sizeof f, (off_t)p->at), sizeof f);
	assert_int_equal(pwrite(p->fd, payload.at, payload.n, (off_t)(p->at + sizeof f)),
			 payload.n);
	assert_int_equal(pwrite(p->fd, padding, frame_padded(payload.n) - payload.n,
				(off_t)(p->at + sizeof f + payload.n)),
			 frame_padded(payload.n) - payload.n);
	p->at += frame_bytes(&f);
}

static inline void write_frame(struct pen *p, enum frame_type type, uint64_t mono_ns,
			       struct span payload)
{
	write_like(p, (struct frame){ .type = (uint8_t)type, .mono_ns = mono_ns }, payload);
}

static inline void write_bodies(struct pen *p, unsigned n, uint64_t mono_ns)
{
	for (unsigned i = 0; i < n; i++)
		write_frame(p, FRAME_REQUEST_BODY, mono_ns + i, SPAN("body"));
}

static inline void seal_with(struct pen *p, uint8_t flags)
{
	write_like(p, (struct frame){ .type = FRAME_SEAL, .flags = flags }, SPAN(""));
	assert_int_equal(ftruncate(p->fd, (off_t)p->at), 0);
	close(p->fd);
}

static inline void seal(struct pen *p)
{
	seal_with(p, 0);
}

#endif
