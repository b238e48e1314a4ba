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

static uint64_t writes_sent_to(const struct writes *w, enum arm arm)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += metrics_sum(w->counters, w->worker_n,
				 offsetof(struct counters, classes[l][arm][CLASS_WRITE]));
	return n;
}

uint64_t writes_taken(const struct writes *w, enum arm arm)
{
	return writes_sent_to(w, arm) - w->before[arm];
}

static const char *plural_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void warn_of_split(const struct writes *w, struct warnings *to)
{
	uint64_t n = writes_sent_to(w, ARM_SOURCE) + writes_sent_to(w, ARM_TARGET);
	if (n)
		snprintf(to->text[to->n++], WARNING_BYTES,
			 "both weights are above 0, and clients write (%llu write%s so far): a "
			 "write that one cluster takes is missing in the other",
			 (unsigned long long)n, plural_s(n));
}

/*
 * `last`: it had traffic until this change. Earlier processes may have sent it writes that are not
 * counted here.
 */
static void warn_of_taken(const struct writes *w, enum arm arm, bool last, struct warnings *to)
{
	uint64_t n = writes_taken(w, arm);
	const char *other = arm_name(arm_other(arm));
	char since[CLOCK_TEXT_BYTES];
	clock_text(w->since_wall_ns[arm], since);
	if (n)
		snprintf(to->text[to->n++], WARNING_BYTES,
			 "the %s was sent %llu write%s since %s: the %s does not have them",
			 arm_name(arm), (unsigned long long)n, plural_s(n), since, other);
	else if (last && arm == ARM_SOURCE)
		snprintf(to->text[to->n++], WARNING_BYTES,
			 "writes that the source took before %s are missing in the target, unless "
			 "they were copied",
			 since);
}

/*
 * A split is reported at each of its steps. What a cluster took is reported when it gets no more.
 */
static void make_warnings(const struct writes *w, const uint32_t before[ARMS],
			  const uint32_t now[ARMS], struct warnings *to)
{
	to->n = 0;
	for (int arm = 0; arm < ARMS; arm++)
		if (!now[arm])
			warn_of_taken(w, (enum arm)arm, before[arm] > 0, to);
	if (now[ARM_SOURCE] && now[ARM_TARGET])
		warn_of_split(w, to);
}

void writes_follow(struct writes *w, const struct state_values *from, const struct state_values *to)
{
	struct warnings all;
	for (int arm = 0; arm < ARMS; arm++)
		if (!from->weights[arm] && to->weights[arm]) {
			w->before[arm] = writes_sent_to(w, (enum arm)arm);
			w->since_wall_ns[arm] = to->wall_ns;
		}
	make_warnings(w, from->weights, to->weights, &all);
	for (unsigned i = 0; i < all.n; i++)
		log_line(LOG_WARN, "weights: %s", all.text[i]);
}

json_t *writes_warnings(const struct writes *w, const struct weights_change *c)
{
	struct warnings all;
	json_t *list = json_array();
	make_warnings(w, c->from.weights, c->to.weights, &all);
	for (unsigned i = 0; i < all.n; i++)
		json_array_append_new(list, json_string(all.text[i]));
	return list;
}
