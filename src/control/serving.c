#include "control/serving.h"

#include <stdio.h>

#include "base/log.h"

#define FORCE "Use --force, or \"force\": true, to do it anyway"

static bool node_is_ready(const struct node_record *n)
{
	return n->address_n && node_duty(n) == DUTY_READY;
}

/* The nodes of a cluster, without one of them. */
struct rest {
	size_t serving;		       /* healthy and not drained */
	size_t tried;		       /* not drained: these are tried where no node serves */
	const struct node_record *ill; /* one that does not serve */
};

static struct rest serving_count(const struct nodes *s, enum arm arm, const struct node_record *but)
{
	struct rest r = { 0 };
	for (size_t i = 0; i < s->n; i++) {
		const struct node_record *n = s->list[i];
		if (n == but || n->arm != arm)
			continue;
		bool ready = node_is_ready(n), serves = ready && node_is_healthy(n);
		r.tried += ready;
		r.serving += serves;
		if (!serves)
			r.ill = n;
	}
	return r;
}

static const char *trouble_of(const struct node_record *n)
{
	if (node_duty(n) != DUTY_READY)
		return "it is drained";
	return node_check(n);
}

static bool gets_more(const uint32_t now[ARMS], const uint32_t then[ARMS], enum arm arm)
{
	uint64_t sum_now = (uint64_t)now[0] + now[1], sum_then = (uint64_t)then[0] + then[1];
	return then[arm] * sum_now > now[arm] * sum_then;
}

bool serving_forbids_weights(const struct nodes *s, const struct board_values *now,
			     const uint32_t weights[ARMS], char why[SERVING_TEXT_BYTES])
{
	for (int arm = 0; arm < ARMS; arm++) {
		struct rest r = serving_count(s, (enum arm)arm, NULL);
		if (r.serving || !gets_more(now->weights, weights, (enum arm)arm))
			continue;
		snprintf(why, SERVING_TEXT_BYTES,
			 "nothing was changed, because the %s has no node that serves (%.100s: "
			 "%.100s); see `crossfade status`. " FORCE,
			 arm_name((enum arm)arm), r.ill ? r.ill->name : "it has none at all",
			 r.ill ? trouble_of(r.ill) : "");
		return true;
	}
	return false;
}

bool serving_forbids_drain(const struct nodes *s, const struct board_values *now,
			   const struct node_record *node, char why[SERVING_TEXT_BYTES])
{
	struct rest r = serving_count(s, node->arm, node);
	bool serves = node_is_ready(node) && node_is_healthy(node);
	if (!now->weights[node->arm] || node_duty(node) != DUTY_READY || r.serving ||
	    (r.tried && !serves))
		return false;
	snprintf(why, SERVING_TEXT_BYTES,
		 "nothing was changed, because no other node of the %s serves, and its weight is "
		 "%u%s%.100s%s%.100s%s: its requests would fail. Set its weight to 0 first, or put "
		 "another node into service. " FORCE,
		 arm_name(node->arm), now->weights[node->arm], r.ill ? " (" : "",
		 r.ill ? r.ill->name : "", r.ill ? ": " : "", r.ill ? trouble_of(r.ill) : "",
		 r.ill ? ")" : "");
	return true;
}

void serving_look(struct serving_watch *w, const struct nodes *s, const struct board_values *now)
{
	for (int arm = 0; arm < ARMS; arm++) {
		struct rest r = serving_count(s, (enum arm)arm, NULL);
		bool lost = now->weights[arm] && !r.serving;
		if (lost && !w->lost[arm])
			log_line(LOG_ERROR,
				 "%s: no node serves, and its weight is %u: requests fail, except "
				 "those that a node accepts although its checks fail",
				 arm_name((enum arm)arm), now->weights[arm]);
		else if (!lost && w->lost[arm])
			log_line(LOG_INFO, "%s: %s", arm_name((enum arm)arm),
				 r.serving ? "a node serves again"
					   : "no node serves, and its weight is 0");
		w->lost[arm] = lost;
	}
}
