/*
 * PROXY headers: whatever the bytes, a verdict comes, is the same however the bytes are cut, and
 * never changes once it was given.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/limits.h"
#include "net/preface.h"

/* A copy of its own size: whoever reads beyond it is seen. */
static enum preface_progress read_copy(const uint8_t *bytes, size_t n, struct preface *p)
{
	size_t look = n < PREFACE_LOOK_BYTES ? n : PREFACE_LOOK_BYTES;
	char *copy = malloc(look + !look);
	must(copy);
	if (look)
		memcpy(copy, bytes, look);
	enum preface_progress progress = preface_read((struct span){ copy, look }, p);
	free(copy);
	return progress;
}

static void check(const struct preface *p, enum preface_progress progress)
{
	must((progress == PREFACE_BAD) == (p->err != ERR_NONE));
	if (progress != PREFACE_DONE)
		return;
	must(p->bytes >= 15 && p->bytes <= PREFACE_BYTES_MAX);
	must((p->kind == PREFACE_ADDRESS) == (p->source.any.sa_family != AF_UNSPEC));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct preface first, later;
	size_t cut = 0;
	enum preface_progress progress = PREFACE_MORE;
	while (progress == PREFACE_MORE && cut <= n) {
		progress = read_copy(bytes, cut++, &first);
		check(&first, progress);
	}
	/* All at once it is the same. */
	enum preface_progress again = read_copy(bytes, n, &later);
	must(again == progress);
	if (progress == PREFACE_DONE)
		must(later.bytes == first.bytes && later.kind == first.kind &&
		     addr_is(&later.source, &first.source));
	return 0;
}
