#ifndef CAPTURE_PACKER_H
#define CAPTURE_PACKER_H

/*
 * Packs the sealed segments of a directory, oldest first, in a thread of its own that the kernel
 * runs when nobody else wants the processor or the disk.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture/listing.h"
#include "io/waker.h"

/* One writer, the packer's thread. */
struct packer_counts {
	_Atomic uint64_t segments, raw_bytes, packed_bytes, failures;
	_Atomic int error; /* errno of the last failure; 0: what came last went well */
};

struct packer {
	struct packer_counts counts;
	char *directory;		  /* owned */
	const _Atomic uint64_t *segments; /* borrowed: of the series that is written: so many */
	struct listing settled;		  /* those that need not be looked at again */
	struct waker waker;
	pthread_t thread;
	atomic_bool stop;
};

/* It looks at the directory again when `segments` has changed. */
void packer_open(struct packer *p, const char *directory, const _Atomic uint64_t *segments);
/* What it is at stays as it was. */
void packer_close(struct packer *p);

#endif
