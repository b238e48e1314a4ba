#ifndef CAPTURE_RECOVERY_H
#define CAPTURE_RECOVERY_H

/*
 * Mends a capture directory after processes were killed, or after a power cut, before a new series
 * begins. A torn tail is cut off behind the last good frame; files that never were more than room
 * are removed. A good frame is never removed, and what another process writes is not touched. A
 * file that was looked at becomes read-only and is not looked at again: so each damage is reported
 * once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "capture/frame.h"

struct recovery {
	unsigned segments;			   /* without a seal */
	uint64_t torn_bytes;			   /* that were cut off, and were not zero */
	unsigned holes;				   /* with good frames behind them */
	unsigned removed;			   /* files */
	struct record_damage damages[DAMAGES_MAX]; /* each damage, place by place */
	unsigned damage_n;
};

/* False with errno: the directory cannot be read, or a file cannot be mended. */
bool recover(int directory, struct recovery *to);

#endif
