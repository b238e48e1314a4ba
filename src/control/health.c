#include "control/health.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/log.h"
#include "proxy/forward.h"

struct probe {
	struct health *health;
	struct list member; /* member of health->probes */
	struct node_record *node;
	unsigned place; /* the place of the address at the node, and the address */
	struct addr at;
	bool wanted; /* the node still has the address */
	const struct config_health *how;
	struct timer next; /* set between two checks */
	struct pool pool;  /* for that address: each check has a connection of its own */
	struct call_out call;
	uint64_t began_ms;
	bool stopped;
	bool judged;		   /* later events of the check change nothing */
	bool prevented;		   /* the last check could not be made; the log has said so */
	unsigned passes, failures; /* in a row */
};

/* --- the result of a check --- */

/* NULL: another address has the place by now. */
static struct node_address *probe_address(const struct probe *p)
{
	struct node_address *a = p->node->places[p->place];
	return a && addr_is(&a->at, &p->at) ? a : NULL;
}

static void node_set_health(struct node_record *n, bool healthy)
{
	if (node_is_healthy(n) == healthy)
		return;
	if (healthy)
		atomic_fetch_add_explicit(&n->state.recoveries, 1, memory_order_relaxed);
	atomic_store_explicit(&n->state.healthy, healthy, memory_order_relaxed);
	if (healthy && n->unproven)
		log_line(LOG_INFO, "%s: node %s is added: %s", arm_name(n->arm), n->name,
			 node_check(n));
	else if (healthy)
		log_line(LOG_INFO, "%s: node %s is back in service: its checks pass",
			 arm_name(n->arm), n->name);
	else
		log_line(LOG_WARN, "%s: node %s is out of service: its checks fail: %s",
			 arm_name(n->arm), n->name, node_check(n));
}

/* Only for a name with several addresses. */
static void probe_log_address(const struct probe *p, const struct node_address *a, bool ill)
{
	const struct node_record *n = p->node;
	char at[ADDR_TEXT_BYTES];
	if (n->address_n < 2 || !node_is_healthy(n))
		return;
	addr_text(&a->at, at);
	if (ill)
		log_line(LOG_WARN,
			 "%s: address %s of node %s is out of service: %u checks failed: %s",
			 arm_name(n->arm), at, n->name, p->failures, a->check);
	else if (!a->unproven)
		log_line(LOG_INFO, "%s: address %s of node %s is back in service: %u checks passed",
			 arm_name(n->arm), at, n->name, p->passes);
}

static void probe_can_be_made(struct probe *p)
{
	if (p->prevented)
		log_line(LOG_INFO, "%s: node %s is checked again", arm_name(p->node->arm),
			 p->node->name);
	p->prevented = false;
}

static void probe_passed(struct probe *p)
{
	struct node_address *a = probe_address(p);
	p->judged = true;
	probe_can_be_made(p);
	p->node->checks_passed++;
	p->failures = 0;
	p->passes++;
	if (!a || p->passes < (p->node->unproven || a->unproven ? 1 : p->how->passes))
		return;
	if (node_set_ill(p->node, p->place, false))
		probe_log_address(p, a, false);
	node_set_health(p->node, true);
	p->node->unproven = a->unproven = false;
}

static void probe_failed(struct probe *p)
{
	struct node_address *a = probe_address(p);
	struct node_record *n = p->node;
	p->judged = true;
	probe_can_be_made(p);
	n->checks_failed++;
	p->passes = 0;
	if (n->unproven && !p->failures)
		log_line(LOG_WARN, "%s: node %s is new and fails its first check: %s",
			 arm_name(n->arm), n->name, node_check(n));
	if (!a || ++p->failures < p->how->failures)
		return;
	if (node_set_ill(n, p->place, true) && node_places_well(n))
		probe_log_address(p, a, true);
	if (!node_places_well(n))
		node_set_health(n, false);
}

static void probe_note(struct probe *p, const char *text)
{
	struct node_address *a = probe_address(p);
	if (!a)
		return;
	snprintf(a->check, sizeof a->check, "%s", text);
	p->node->newest_check = p->place;
}

/*
 * The reason lies in the balancer itself. It says nothing about the node, whose health stays as it
 * is.
 */
static void probe_not_made(struct probe *p, enum err why)
{
	struct node_record *n = p->node;
	char text[NODE_CHECK_BYTES];
	p->judged = true;
	n->checks_not_made++;
	snprintf(text, sizeof text, "could not be made: %s", err_word(why));
	probe_note(p, text);
	if (!p->prevented)
		log_line(LOG_WARN,
			 "%s: node %s cannot be checked, and its health stays as it is: %s",
			 arm_name(n->arm), n->name, err_sentence(why));
	p->prevented = true;
}

/* The result of the last check in words: "200 in 3 ms", and what is wrong with it. */
static void probe_describe(struct probe *p, const char *wrong)
{
	uint64_t ms = loop_now_ms(p->health->loop) - p->began_ms;
	char text[NODE_CHECK_BYTES];
	snprintf(text, sizeof text, "%u in %llu ms%s", p->call.status, (unsigned long long)ms,
		 wrong);
	probe_note(p, text);
}

static void probe_judge_body(struct probe *p)
{
	struct pattern *pattern = p->health->patterns[p->node->arm];
	struct span body = { p->call.body ? p->call.body : "", p->call.body_n };
	enum match match = pattern ? pattern_find(pattern, body) : MATCH_YES;
	probe_describe(p, match == MATCH_YES  ? ""
			  : match == MATCH_NO ? ", and its body does not match"
					      : ", and the pattern takes too long on its body");
	if (match == MATCH_YES)
		probe_passed(p);
	else
		probe_failed(p);
}

static void probe_judge_status(struct probe *p)
{
	unsigned status = p->call.status;
	bool expected = status >= p->how->expected.least && status <= p->how->expected.most;
	probe_describe(p, expected ? "" : ", which is not expected");
	if (!expected) {
		probe_failed(p);
	} else if (p->health->patterns[p->node->arm]) {
		call_out_keep(&p->call, HEALTH_BODY_BYTES);
	} else {
		probe_passed(p);
	}
}

static void probe_end_failed(struct probe *p, enum err why, const char *said)
{
	if (err_side(why) == SIDE_OURS) {
		probe_not_made(p, why);
		return;
	}
	char text[NODE_CHECK_BYTES];
	snprintf(text, sizeof text, "%s%s%s", err_word(why), *said ? ": " : "", said);
	probe_note(p, text);
	probe_failed(p);
}

/* --- the request and the response of a check --- */

/*
 * The request came back to this balancer, by a way that addresses do not show: through a relay, or
 * translated.
 */
static bool is_own_loop(const struct msg *m)
{
	return (int)m->status == err_status(ERR_LOOP) &&
	       span_is(msg_value(m, NAME_X_CROSSFADE_ERROR), span_of(err_word(ERR_LOOP)));
}

static void probe_responded(struct call_out *c, const struct msg *m)
{
	struct probe *p = list_entry(c, struct probe, call);
	if (is_own_loop(m)) {
		probe_describe(p, ": this is the balancer itself");
		probe_failed(p);
	} else {
		probe_judge_status(p);
	}
}

static void probe_body_is_enough(struct call_out *c)
{
	probe_judge_body(list_entry(c, struct probe, call));
}

static void probe_is_over(struct call_out *c, enum err why, const char *said)
{
	struct probe *p = list_entry(c, struct probe, call);
	if (p->judged)
		return;
	if (why == ERR_NONE)
		probe_judge_body(p);
	else
		probe_end_failed(p, why, said);
}

static void probe_wait_until(struct probe *p, uint64_t until_ms)
{
	uint64_t now_ms = loop_now_ms(p->health->loop);
	timer_set(&p->health->loop->wheel, &p->next, until_ms > now_ms ? until_ms : now_ms + 1);
}

static void probe_is_gone(struct call_out *c)
{
	struct probe *p = list_entry(c, struct probe, call);
	if (!p->stopped)
		probe_wait_until(p, p->began_ms + p->how->interval_ms);
}

static const struct call_out_user user = { probe_responded, probe_body_is_enough, probe_is_over,
					   probe_is_gone };

/*
 * The request looks like others to the cluster, except for the credential where checks have their
 * own.
 */
static void probe_fill_request(struct probe *p, struct msg *m, const struct cluster *cluster)
{
	const struct config_host *host = &p->health->config->clusters[p->node->arm].host;
	msg_set_request(m, SPAN("GET"), span_of(p->how->path));
	msg_add(m, NAME_HOST, span_of(host->policy == HOST_NAME ? host->name : p->node->name));
	msg_add(m, NAME_USER_AGENT, SPAN("crossfade/" CROSSFADE_VERSION " health check"));
	msg_add_line(m, NAME_X_CROSSFADE_HOP, hop_line(&p->health->hop));
	must(forward_edit(m, cluster));
	if (p->how->authorization.value)
		must(msg_set(m, NAME_AUTHORIZATION, span_of(p->how->authorization.value)));
}

/* --- time --- */

static void probe_send(struct timer *t)
{
	struct probe *p = list_entry(t, struct probe, next);
	const struct plan *plan = publisher_newest(p->health->publisher);
	const struct cluster *cluster = &plan->clusters[p->node->arm];
	const struct pool_terms terms = {
		.policy = { p->how->timeout_ms, p->how->timeout_ms, p->how->timeout_ms,
			    p->how->timeout_ms,
			    config_response_limits(&p->health->config->clusters[p->node->arm]) },
		.tls = p->node->tls ? cluster->tls[plan->worker_n] : NULL,
		.server_name = p->node->host,
	};
	p->judged = false;
	p->began_ms = loop_now_ms(p->health->loop);
	pool_renew(&p->pool, &terms);
	probe_fill_request(p, call_out_request(&p->call), cluster);
	call_out_send(&p->call, &p->pool, p->how->timeout_ms);
}

/* --- opening, following, closing --- */

static void probe_follow_config(struct probe *p)
{
	p->how = &p->health->config->clusters[p->node->arm].health;
}

static void health_follow_patterns(struct health *h)
{
	for (int arm = 0; arm < ARMS; arm++) {
		char error[PATTERN_ERROR_BYTES];
		size_t at;
		const char *text = h->config->clusters[arm].health.body;
		pattern_close(h->patterns[arm]);
		h->patterns[arm] = text ? pattern_open(text, error, &at) : NULL;
		must(h->patterns[arm] || !text); /* config_open() has compiled it before */
	}
}

/* The start of the `i`th of `n` checks that begin together. */
static uint64_t staggered_ms(const struct probe *p, size_t i, size_t n)
{
	uint64_t apart_ms = p->how->interval_ms / n;
	return i * (apart_ms < HEALTH_STAGGER_MS ? apart_ms : HEALTH_STAGGER_MS);
}

static struct probe *probe_open(struct health *h, struct node_record *n, unsigned place)
{
	struct probe *p = calloc(1, sizeof *p);
	must(p);
	p->health = h;
	p->node = n;
	p->place = place;
	p->at = n->places[place]->at;
	probe_follow_config(p);
	timer_init(&p->next, probe_send);
	call_out_init(&p->call, &h->calls, &user);
	pool_open(&p->pool, &h->loop->backs, &h->loop->budget, &h->counts);
	pool_know(&p->pool, &p->at, 1, 0);
	pool_drain(&p->pool, true);
	list_init(&p->member);
	list_add_tail(&h->probes, &p->member);
	return p;
}

static void probe_stop(struct probe *p)
{
	timer_clear(&p->next);
	p->stopped = true;
	call_out_stop(&p->call, ERR_STOPPING);
}

static void probe_free(struct probe *p)
{
	must(p->stopped && p->call.state == CALL_OUT_IDLE);
	list_remove(&p->member);
	pool_close(&p->pool);
	free(p);
}

/*
 * A longer interval counts from the next check. A check that is due sooner than before is made
 * soon.
 */
static void probe_renew_wait(struct probe *p, size_t i, size_t n)
{
	uint64_t due_ms = p->began_ms + p->how->interval_ms;
	uint64_t turn_ms = loop_now_ms(p->health->loop) + staggered_ms(p, i, n);
	if (timer_is_set(&p->next) && due_ms < p->next.due_ms)
		probe_wait_until(p, due_ms > turn_ms ? due_ms : turn_ms);
}

static size_t count_addresses(const struct nodes *nodes)
{
	size_t n = 0;
	for (size_t i = 0; i < nodes->n; i++)
		n += nodes->list[i]->address_n;
	return n;
}

/* The earlier probes of a node, by place, so that each is found at once. */
struct before {
	struct probe *at[NODE_ADDRESSES_MAX];
};

static void health_keep_probes(struct health *h, struct node_record *n, const struct before *before,
			       size_t *i, size_t all)
{
	for (unsigned place = 0; place < NODE_ADDRESSES_MAX; place++) {
		if (!n->places[place])
			continue;
		struct probe *p = before->at[place];
		if (p && addr_is(&p->at, &n->places[place]->at)) {
			probe_follow_config(p);
			probe_renew_wait(p, *i, all);
		} else {
			p = probe_open(h, n, place);
			probe_wait_until(p, loop_now_ms(h->loop) + staggered_ms(p, *i, all));
		}
		p->wanted = true;
		(*i)++;
	}
	/* The node's last well address may have gone. */
	if (n->address_n && !node_places_well(n))
		node_set_health(n, false);
}

static void health_stop_unwanted(struct health *h)
{
	list_each_safe(l, &h->probes) {
		struct probe *p = list_entry(l, struct probe, member);
		if (!p->wanted)
			probe_stop(p);
	}
	call_outs_sweep(&h->calls);
	list_each_safe(l, &h->probes) {
		struct probe *p = list_entry(l, struct probe, member);
		if (!p->wanted)
			probe_free(p);
	}
}

void health_follow(struct health *h, const struct nodes *nodes)
{
	struct before *of = calloc(NODES_MAX, sizeof *of);
	size_t i = 0, all = count_addresses(nodes);
	must(of);
	list_each(l, &h->probes) {
		struct probe *p = list_entry(l, struct probe, member);
		p->wanted = false;
		of[p->node->state.number].at[p->place] = p;
	}
	for (size_t k = 0; k < nodes->n; k++)
		health_keep_probes(h, nodes->list[k], &of[nodes->list[k]->state.number], &i, all);
	health_stop_unwanted(h);
	free(of);
}

void health_renew(struct health *h, const struct config *config, const struct nodes *nodes)
{
	h->config = config;
	health_follow_patterns(h);
	health_follow(h, nodes);
}

void health_open(struct health *h, struct loop *loop, const struct config *config,
		 const struct nodes *nodes, const struct publisher *publisher, uint64_t id)
{
	*h = (struct health){
		.loop = loop, .config = config, .publisher = publisher, .hop = hop_of(id)
	};
	list_init(&h->probes);
	call_outs_open(&h->calls, loop);
	health_renew(h, config, nodes);
}

void health_stop(struct health *h)
{
	list_each_safe(l, &h->probes)
		probe_stop(list_entry(l, struct probe, member));
}

void health_close(struct health *h)
{
	call_outs_close(&h->calls);
	list_each_safe(l, &h->probes)
		probe_free(list_entry(l, struct probe, member));
	for (int arm = 0; arm < ARMS; arm++)
		pattern_close(h->patterns[arm]);
}
