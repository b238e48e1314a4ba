#include <stdio.h>

#include "base/bug.h"
#include "base/crc32c.h"
#include "capture/position.h"

/* What is read is written again as the same; the checksum is made good, or nothing would be read.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bytes text = { 0 }, again = { 0 };
	struct position p, q;
	char line[32];
	bytes_add(&text, (struct span){ (const char *)data, n });
	snprintf(line, sizeof line, "crc32c %08x\n", crc32c(0, text.at, text.n));
	bytes_add(&text, span_of(line));
	if (position_read(&p, (struct span){ text.at, text.n })) {
		position_write(&p, &again);
		must(position_read(&q, (struct span){ again.at, again.n }));
		must(p.series_n == q.series_n && p.connection_n == q.connection_n);
		position_from(&p, 1);
		position_free(&p);
		position_free(&q);
	}
	bytes_free(&text);
	bytes_free(&again);
	return 0;
}
