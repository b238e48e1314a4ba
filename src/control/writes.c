#include "control/writes.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/metrics.h"

#define WARNINGS_MAX 2
#define WARNING_BYTES 256

struct warnings {
	char text[WARNINGS_MAX][WARNING_BYTES];
	unsigned n;
};

void writes_open(struct writes *w, const struct counters *counters, unsigned worker_n,
		 uint64_t wall_ns)
{
	*w = (struct writes){ counters, worker_n, 0, wall_ns };
}

static uint64_t given_to(const struct writes *w, enum arm arm)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += metrics_sum(w->counters, w->worker_n,
				 offsetof(struct counters, classes[l][arm][CLASS_WRITE]));
	return n;
}

uint64_t writes_taken(const struct writes *w)
{
	return given_to(w, ARM_TARGET) - w->target_before;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void warn_of_split(const struct writes *w, struct warnings *to)
{
	uint64_t n = given_to(w, ARM_SOURCE) + given_to(w, ARM_TARGET);
	if (n)
		snprintf(to->text[to->n++], WARNING_BYTES,
			 "both weights are above 0, and clients write (%llu write%s so far): what "
			 "one "
			 "cluster takes the other does not have",
			 (unsigned long long)n, plural(n));
}

static void warn_of_taken(const struct writes *w, struct warnings *to)
{
	uint64_t n = writes_taken(w);
	char since[CLOCK_TEXT_BYTES];
	clock_text(w->since_wall_ns, since);
	if (n)
		snprintf(to->text[to->n++], WARNING_BYTES,
			 "the target was given %llu write%s since %s: what it took the source does "
			 "not have",
			 (unsigned long long)n, plural(n), since);
}

/* A split is told at each of its steps; what the target took, when it gets no more. */
static void make_warnings(const struct writes *w, const struct weights_change *c,
			  struct warnings *to)
{
	to->n = 0;
	if (c->to.weights[ARM_SOURCE] && c->to.weights[ARM_TARGET])
		warn_of_split(w, to);
	if (!c->to.weights[ARM_TARGET])
		warn_of_taken(w, to);
}

void writes_heed(struct writes *w, const struct weights_change *c)
{
	struct warnings all;
	if (!c->from.weights[ARM_TARGET] && c->to.weights[ARM_TARGET]) {
		w->target_before = given_to(w, ARM_TARGET);
		w->since_wall_ns = c->to.wall_ns;
	}
	make_warnings(w, c, &all);
	for (unsigned i = 0; i < all.n; i++)
		log_line(LOG_WARN, "weights: %s", all.text[i]);
}

json_t *writes_warnings(const struct writes *w, const struct weights_change *c)
{
	struct warnings all;
	json_t *list = json_array();
	make_warnings(w, c, &all);
	for (unsigned i = 0; i < all.n; i++)
		json_array_append_new(list, json_string(all.text[i]));
	return list;
}
