#include "control/trim.h"

#include <malloc.h>

#include "base/limits.h"
#include "control/control.h"
#include "control/metrics.h"

#define SUM(c, member) metrics_sum((c)->counters, (c)->worker_n, offsetof(struct counters, member))

static uint64_t connections_gone(const struct control *c)
{
	uint64_t gone = 0;
	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		gone += SUM(c, connections_total[i]) - SUM(c, connections_open[i]);
	return gone;
}

/* Looking takes the locks of malloc for a moment: not without a reason. */
static void look(struct timer *due)
{
	struct trim *t = list_entry(due, struct trim, due);
	struct control *c = t->control;
	uint64_t gone = connections_gone(c);
	bool going = gone != t->gone;
	size_t most = going ? MALLOC_FREE_BYTES : MALLOC_FREE_AT_REST_BYTES;
	/* Some may have gone while it was looked: so once more when no further ones do. */
	if ((going || t->going) && mallinfo2().fordblks > most)
		malloc_trim(0);
	t->gone = gone;
	t->going = going;
	bufs_trim(&c->loop.bufs);
	wires_trim(&c->loop.wires);
	h1_fronts_trim(&c->loop.fronts);
	timer_set(&c->loop.wheel, due, c->loop.wheel.now_ms + MALLOC_TRIM_MS);
}

void trim_open(struct trim *t, struct control *control)
{
	*t = (struct trim){ .control = control };
	timer_init(&t->due, look);
	timer_set(&control->loop.wheel, &t->due, control->loop.wheel.now_ms + MALLOC_TRIM_MS);
}

void trim_close(struct trim *t)
{
	timer_clear(&t->due);
}
