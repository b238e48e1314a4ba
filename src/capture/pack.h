#ifndef CAPTURE_PACK_H
#define CAPTURE_PACK_H

/*
 * Puts a sealed segment into its packed form: written beside it, synced, read back, and only then
 * exchanged for it, so that a crash leaves one of the two, whole. Whoever has the file open reads
 * on in what he has.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How a file begins that is being written; without its process it is nothing. */
#define PACK_UNFINISHED "packing."

enum pack_verdict {
	PACK_DONE,
	PACK_ALREADY, /* it is packed */
	PACK_NOT,     /* it stays as it is: damaged, not sealed, or it would hardly be smaller */
	PACK_LATER,   /* somebody else is at it, writes to it, has taken it away; or `stop` */
	PACK_ERROR,   /* errno */
};

struct pack_gain {
	uint64_t raw_bytes, packed_bytes;
};

/* `gain` is set for PACK_DONE. Breaks off soon when *stop is set. */
enum pack_verdict pack(int directory, const char *name, const atomic_bool *stop,
		       struct pack_gain *gain);

#endif
