#ifndef CAPTURE_BYTES_H
#define CAPTURE_BYTES_H

/* A growing byte buffer, for use outside of the data path. */

#include <stddef.h>

#include "base/span.h"

struct bytes {
	char *at; /* owned */
	size_t n, room;
};

void bytes_add(struct bytes *b, struct span s);
void bytes_free(struct bytes *b);

#endif
