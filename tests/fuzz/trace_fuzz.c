/*
 * Whatever a client says about its trace, a node gets one X-Amzn-Trace-Id with a Root, and one
 * valid traceparent; said again, it is the same trace. A newline stands between the two fields.
 */

#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "proxy/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool may_stand(struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
			return false;
	return value.n < FIELD_LINE_BYTES / 2;
}

static void check(struct arena *arena, struct span amzn, struct span parent)
{
	struct msg m;
	struct rng rng = { 1 };
	char before[36];
	msg_open(&m, arena, MSG_REQUEST);
	msg_set_request(&m, SPAN("GET"), SPAN("/"));
	msg_add(&m, NAME_X_AMZN_TRACE_ID, span_trim(amzn));
	msg_add(&m, NAME_TRACEPARENT, span_trim(parent));
	must(trace_add(&m, 1, &rng));
	must(msg_value(&m, NAME_TRACEPARENT).n >= 55);
	memcpy(before, msg_value(&m, NAME_TRACEPARENT).at, sizeof before);
	must(trace_add(&m, 2, &rng));
	must(memcmp(before, msg_value(&m, NAME_TRACEPARENT).at, sizeof before) == 0);
	struct span said = msg_value(&m, NAME_X_AMZN_TRACE_ID);
	must(memmem(said.at, said.n, "Root=", 5));
	must(memcmp(said.at, "Self=1-", 7) == 0 || memcmp(said.at, "Root=1-", 7) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data, *line = n ? memchr(text, '\n', n) : NULL;
	size_t first = line ? (size_t)(line - text) : n, skip = line ? first + 1 : n;
	struct span amzn = { text, first }, parent = { text + skip, n - skip };
	struct slab chunks;
	struct arena arena;
	if (!may_stand(amzn) || !may_stand(parent))
		return 0;
	slab_open(&chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&arena, &chunks);
	check(&arena, amzn, parent);
	arena_close(&arena);
	slab_close(&chunks);
	return 0;
}
