#ifndef CAPTURE_PACKER_H
#define CAPTURE_PACKER_H

/*
 * Packs the sealed segments of a directory, oldest first, on a thread of its own that the kernel
 * runs when nothing else wants the processor or the disk.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture/listing.h"
#include "io/waker.h"

/* Written by the packer's thread only. */
struct packer_counts {
	_Atomic uint64_t segments, raw_bytes, packed_bytes, failures;
	_Atomic int error; /* errno of the last failure; 0: the last attempt succeeded */
};

struct packer {
	struct packer_counts counts;
	char *directory; /* owned */
	/* borrowed: how many segments the series has that is being written */
	const _Atomic uint64_t *segments;
	struct listing settled; /* segments that need not be looked at again */
	struct waker waker;
	pthread_t thread;
	atomic_bool stop;
};

/* Starts the thread. It looks at the directory again when `*segments` has changed. */
void packer_open(struct packer *p, const char *directory, const _Atomic uint64_t *segments);
/* Ends the thread. The segment that it was packing stays as it was. */
void packer_close(struct packer *p);

#endif
