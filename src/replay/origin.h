#ifndef REPLAY_ORIGIN_H
#define REPLAY_ORIGIN_H

#include <stdint.h>

/* Where a write stands in the capture log: its request's first record. */
struct origin {
	uint64_t sequence;
	uint32_t series; /* 0: it is no write of the log */
};

#endif
