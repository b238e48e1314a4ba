#ifndef CAPTURE_READER_H
#define CAPTURE_READER_H

/*
 * All that a capture directory has, in order: the frames of each series as they were written, and
 * those of series that were written at the same time, by a draining process and its heir, merged by
 * the monotonic time. It reads the files alone, beside a running balancer or without one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"
#include "capture/series.h"

struct reader;

enum reader_verdict {
	READER_FRAME,
	READER_HOLE, /* bytes that are no frames, with good ones or further segments behind them */
	READER_END,  /* of what is there now */
	READER_ERROR,
};

struct reading {
	const struct segment_head *segment; /* stays until the next call, as `payload` */
	struct frame frame;
	struct span payload;
	/* READER_HOLE: in `segment`, where it begins, and the sequences that are missing. */
	uint64_t hole_at, hole_bytes;
	uint64_t missing_first, missing_last;
	bool between; /* it is at a segment's end, and the series goes on: all of it was durable */
};

/* NULL with errno: the directory cannot be read. */
struct reader *reader_open(const char *directory);
void reader_close(struct reader *r);

/*
 * The next of it. After READER_END it may be asked again: what has come since, in new segments too,
 * is read then. READER_ERROR: errno, and the file's name from reader_file().
 */
enum reader_verdict reader_next(struct reader *r, struct reading *to);

/* The file that was read last. */
const char *reader_file(const struct reader *r);
/* Whether a process writes to any of it, as far as it was read. */
bool reader_is_live(const struct reader *r);

#endif
