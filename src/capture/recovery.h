#ifndef CAPTURE_RECOVERY_H
#define CAPTURE_RECOVERY_H

/*
 * What processes that were killed, or a power cut, have left in a capture directory is put in order
 * before a new series begins: a torn tail is cut off behind the last good frame, files that never
 * were more than room are removed. A good frame is never taken away, and what another process
 * writes is not touched. A file that was looked at may not be written any more, and is not looked
 * at again: each damage is told once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "capture/frame.h"

struct recovery {
	unsigned segments;			   /* that had no seal */
	uint64_t torn_bytes;			   /* that were cut off, and were no zeros */
	unsigned holes;				   /* with good frames behind them */
	unsigned removed;			   /* files */
	struct record_damage damages[DAMAGES_MAX]; /* what it was, place by place */
	unsigned damage_n;
};

/* False with errno: the directory cannot be read, or a file cannot be mended. */
bool recover(int directory, struct recovery *to);

#endif
