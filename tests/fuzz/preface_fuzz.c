/*
 * PROXY headers: whatever the bytes, a verdict comes, is the same however the bytes are cut, and
 * never changes once it was given.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/limits.h"
#include "net/proxy_header.h"

/* A copy of its own size: whoever reads beyond it is seen. */
static enum proxy_header_progress read_copy(const uint8_t *bytes, size_t n, struct proxy_header *p)
{
	size_t look = n < PROXY_HEADER_LOOK_BYTES ? n : PROXY_HEADER_LOOK_BYTES;
	char *copy = malloc(look + !look);
	must(copy);
	if (look)
		memcpy(copy, bytes, look);
	enum proxy_header_progress progress = proxy_header_read((struct span){ copy, look }, p);
	free(copy);
	return progress;
}

static void check(const struct proxy_header *p, enum proxy_header_progress progress)
{
	must((progress == PROXY_HEADER_BAD) == (p->err != ERR_NONE));
	if (progress != PROXY_HEADER_DONE)
		return;
	must(p->bytes >= 15 && p->bytes <= PROXY_HEADER_BYTES_MAX);
	must((p->kind == PROXY_HEADER_ADDRESS) == (p->source.any.sa_family != AF_UNSPEC));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct proxy_header first, later;
	size_t cut = 0;
	enum proxy_header_progress progress = PROXY_HEADER_MORE;
	while (progress == PROXY_HEADER_MORE && cut <= n) {
		progress = read_copy(bytes, cut++, &first);
		check(&first, progress);
	}
	/* All at once it is the same. */
	enum proxy_header_progress again = read_copy(bytes, n, &later);
	must(again == progress);
	if (progress == PROXY_HEADER_DONE)
		must(later.bytes == first.bytes && later.kind == first.kind &&
		     addr_is(&later.source, &first.source));
	return 0;
}
