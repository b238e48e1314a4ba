#include "capture/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

void bytes_add(struct bytes *b, struct span s)
{
	if (b->n + s.n > b->room) {
		b->room = 2 * b->room > b->n + s.n ? 2 * b->room : b->n + s.n;
		b->at = realloc(b->at, b->room);
		must(b->at);
	}
	if (s.n)
		memcpy(b->at + b->n, s.at, s.n);
	b->n += s.n;
}

void bytes_free(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){ 0 };
}
