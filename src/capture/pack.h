#ifndef CAPTURE_PACK_H
#define CAPTURE_PACK_H

/*
 * Replaces a sealed segment by its packed form. The packed file is written beside it, synced and
 * read back, and only then takes its place: so a crash leaves one of the two, whole. A process that
 * has the segment open reads on in the old file.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How the name of an unfinished file begins. Without its process it is of no use. */
#define PACK_UNFINISHED "packing."

enum pack_verdict {
	PACK_DONE,
	PACK_ALREADY, /* it is packed already */
	PACK_NOT, /* it stays as it is: damaged, not sealed, or packed it would hardly be smaller */
	PACK_LATER, /* another process packs it, writes to it, or has removed it; or `stop` */
	PACK_ERROR, /* errno */
};

struct pack_gain {
	uint64_t raw_bytes, packed_bytes;
};

/* `gain` is set for PACK_DONE. Returns soon after *stop is set. */
enum pack_verdict pack(int directory, const char *name, const atomic_bool *stop,
		       struct pack_gain *gain);

#endif
