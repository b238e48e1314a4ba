#include "control/writes.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/metrics.h"

#define WARNINGS_MAX 3
#define WARNING_BYTES 256

struct warnings {
	char text[WARNINGS_MAX][WARNING_BYTES];
	unsigned n;
};

void writes_open(struct writes *w, const struct counters *counters, unsigned worker_n,
		 uint64_t wall_ns)
{
	*w = (struct writes){ counters, worker_n, { 0 }, { wall_ns, wall_ns } };
}

static uint64_t given_to(const struct writes *w, enum arm arm)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += metrics_sum(w->counters, w->worker_n,
				 offsetof(struct counters, classes[l][arm][CLASS_WRITE]));
	return n;
}

uint64_t writes_taken(const struct writes *w, enum arm arm)
{
	return given_to(w, arm) - w->before[arm];
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

/* `last`: it had traffic until now, and earlier processes may have counted more. */
static void warn_of_taken(const struct writes *w, enum arm arm, bool last, struct warnings *to)
{
	uint64_t n = writes_taken(w, arm);
	const char *other = arm_name(arm == ARM_SOURCE ? ARM_TARGET : ARM_SOURCE);
	char since[CLOCK_TEXT_BYTES];
	clock_text(w->since_wall_ns[arm], since);
	if (n)
		snprintf(
			to->text[to->n++], WARNING_BYTES,
			"the %s was given %llu write%s since %s: what it took the %s does not have",
			arm_name(arm), (unsigned long long)n, plural(n), since, other);
	else if (last && arm == ARM_SOURCE)
		snprintf(to->text[to->n++], WARNING_BYTES,
			 "what the source took before %s, and no one has copied, the target does "
			 "not have",
			 since);
}

/* A split is told at each of its steps; what a cluster took, when it gets no more. */
static void make_warnings(const struct writes *w, const struct weights_change *c,
			  struct warnings *to)
{
	const uint32_t *now = c->to.weights;
	to->n = 0;
	for (int arm = 0; arm < ARMS; arm++)
		if (!now[arm])
			warn_of_taken(w, (enum arm)arm, c->from.weights[arm] > 0, to);
	if (now[ARM_SOURCE] && now[ARM_TARGET])
		warn_of_split(w, to);
}

void writes_heed(struct writes *w, const struct weights_change *c)
{
	struct warnings all;
	for (int arm = 0; arm < ARMS; arm++)
		if (!c->from.weights[arm] && c->to.weights[arm]) {
			w->before[arm] = given_to(w, (enum arm)arm);
			w->since_wall_ns[arm] = c->to.wall_ns;
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
