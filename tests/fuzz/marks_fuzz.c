#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bug.h"
#include "replay/marks.h"

/* What is read is written and read again; the checksum is made good, or nothing would be read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct marks m;
	char *text = malloc(n + 64);
	must(text);
	marks_open(&m);
	marks_read(&m, (struct span){ (const char *)data, n });
	int head = snprintf(text, 64, "crossfade replay marks 1.0 %016llx\n",
			    (unsigned long long)XXH3_64bits(data, n));
	memcpy(text + head, data, n);
	if (marks_read(&m, (struct span){ text, (size_t)head + n }) == MARKS_GOOD) {
		marks_clear_aside(
			&m, &(struct marks_document){ .index = SPAN("books"), .id = SPAN("1") });
		marks_not_exact(&m, SPAN("books"), "why", 1);
		char *again = marks_text(&m);
		must(marks_read(&m, span_of(again)) == MARKS_GOOD);
		free(again);
	}
	free(text);
	marks_close(&m);
	return 0;
}
