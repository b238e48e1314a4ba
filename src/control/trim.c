#include "control/trim.h"

#include <malloc.h>

#include "base/limits.h"
#include "control/metrics.h"

#define SUM(t, member) metrics_sum((t)->counters, (t)->worker_n, offsetof(struct counters, member))

static uint64_t connections_gone(const struct trim *t)
{
	uint64_t gone = 0;
	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		gone += SUM(t, connections_total[i]) - SUM(t, connections_open[i]);
	return gone;
}

/*
 * mallinfo2() takes the locks of malloc for a moment: it is called only after connections have
 * closed.
 */
static void trim_look(struct timer *due)
{
	struct trim *t = list_entry(due, struct trim, due);
	uint64_t gone = connections_gone(t);
	bool going = gone != t->gone;
	size_t most = going ? MALLOC_FREE_BYTES : MALLOC_FREE_AT_REST_BYTES;
	/*
	 * Some connections may have closed during the last look: therefore it looks once more when
	 * no further ones have.
	 */
	if ((going || t->going) && mallinfo2().fordblks > most)
		malloc_trim(0);
	t->gone = gone;
	t->going = going;
	loop_trim(t->loop);
	timer_set(&t->loop->wheel, due, t->loop->wheel.now_ms + MALLOC_TRIM_MS);
}

void trim_open(struct trim *t, struct loop *loop, const struct counters *counters,
	       unsigned worker_n)
{
	*t = (struct trim){ .loop = loop, .counters = counters, .worker_n = worker_n };
	timer_init(&t->due, trim_look);
	timer_set(&loop->wheel, &t->due, loop->wheel.now_ms + MALLOC_TRIM_MS);
}

void trim_close(struct trim *t)
{
	timer_clear(&t->due);
}
