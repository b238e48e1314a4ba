#include "control/health.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/log.h"
#include "proxy/forward.h"

/* While a name is being looked up for the first time. */
#define AWAITED_PAUSE_MS 50

enum probe_state {
	PROBE_RESTING, /* the timer begins the next */
	PROBE_ASKING,  /* the timer is its timeout */
	PROBE_ENDED,   /* until the end of the turn */
	PROBE_STOPPED,
};

struct probe {
	struct health *health;
	struct list member; /* in health->probes */
	struct node_record *node;
	const struct config_health *how;
	enum probe_state state;
	struct timer timer;
	struct list link; /* in health->ended */
	struct stream stream;
	struct arena arena;
	struct h1_back *back; /* NULL: none, or it is lost */
	struct back_policy policy;
	size_t next_address;
	uint64_t began_ms;
	bool judged;	/* what follows changes nothing */
	bool prevented; /* the last one could not be made, and that was said */
	unsigned status;
	char *body; /* owned: HEALTH_BODY_BYTES while the pattern waits for it, else NULL */
	size_t body_n;
	unsigned passes, failures; /* in a row */
};

/* --- what a check says --- */

static void set_health(struct probe *p, bool healthy)
{
	struct node_record *n = p->node;
	if (node_is_healthy(n) == healthy)
		return;
	if (healthy)
		atomic_fetch_add_explicit(&n->state.recoveries, 1, memory_order_relaxed);
	atomic_store_explicit(&n->state.healthy, healthy, memory_order_relaxed);
	if (healthy && n->unproven)
		log_line(LOG_INFO, "%s: node %s is taken in: %s", arm_name(n->arm), n->name,
			 n->check);
	else if (healthy)
		log_line(LOG_INFO, "%s: node %s is back: %u checks passed", arm_name(n->arm),
			 n->name, p->passes);
	else
		log_line(LOG_WARN, "%s: node %s is taken out: %u checks failed: %s",
			 arm_name(n->arm), n->name, p->failures, n->check);
}

static void can_be_made(struct probe *p)
{
	if (p->prevented)
		log_line(LOG_INFO, "%s: node %s is checked again", arm_name(p->node->arm),
			 p->node->name);
	p->prevented = false;
}

static void passed(struct probe *p)
{
	p->judged = true;
	can_be_made(p);
	p->node->checks_passed++;
	p->failures = 0;
	if (++p->passes >= (p->node->unproven ? 1 : p->how->passes))
		set_health(p, true);
	p->node->unproven = false;
}

static void failed(struct probe *p)
{
	p->judged = true;
	can_be_made(p);
	p->node->checks_failed++;
	p->passes = 0;
	if (p->node->unproven && !p->failures)
		log_line(LOG_WARN, "%s: node %s is new and fails its first check: %s",
			 arm_name(p->node->arm), p->node->name, p->node->check);
	if (++p->failures >= p->how->failures)
		set_health(p, false);
}

/* Our own trouble: it says nothing of the node, which stays as it is. */
static void not_made(struct probe *p, enum err why)
{
	struct node_record *n = p->node;
	p->judged = true;
	n->checks_not_made++;
	snprintf(n->check, sizeof n->check, "could not be made: %s", err_word(why));
	if (!p->prevented)
		log_line(LOG_WARN, "%s: node %s cannot be checked, and counts as before: %s",
			 arm_name(n->arm), n->name, err_sentence(why));
	p->prevented = true;
}

static void end(struct probe *p)
{
	if (p->state != PROBE_ASKING)
		return;
	p->state = PROBE_ENDED;
	timer_clear(&p->timer);
	list_add_tail(&p->health->ended, &p->link);
}

/* What the last check found, in words: "200 in 3 ms", and what is wrong with it. */
static void describe(struct probe *p, const char *wrong)
{
	uint64_t ms = loop_now_ms(p->health->loop) - p->began_ms;
	snprintf(p->node->check, sizeof p->node->check, "%u in %llu ms%s", p->status,
		 (unsigned long long)ms, wrong);
}

static void judge_body(struct probe *p)
{
	struct pattern *pattern = p->health->patterns[p->node->arm];
	struct span body = { p->body, p->body_n };
	enum match match = pattern ? pattern_find(pattern, body) : MATCH_YES;
	describe(p, match == MATCH_YES	? ""
		    : match == MATCH_NO ? ", and its body does not match"
					: ", and the pattern takes too long on its body");
	if (match == MATCH_YES)
		passed(p);
	else
		failed(p);
}

static void judge_status(struct probe *p)
{
	bool expected = p->status >= p->how->expected.least && p->status <= p->how->expected.most;
	describe(p, expected ? "" : ", which is not expected");
	if (!expected) {
		failed(p);
	} else if (p->health->patterns[p->node->arm]) {
		p->body = malloc(HEALTH_BODY_BYTES);
		must(p->body);
		p->body_n = 0;
	} else {
		passed(p);
	}
}

static void condemn(struct probe *p, enum err why)
{
	if (err_side(why) == SIDE_OURS) {
		not_made(p, why);
		return;
	}
	snprintf(p->node->check, sizeof p->node->check, "%s", err_word(why));
	failed(p);
}

/* --- as a party to the stream --- */

static void answer_over(struct probe *p)
{
	if (!p->judged)
		judge_body(p);
	end(p);
}

static void answered_head(struct stream *to, struct msg *m, bool last)
{
	struct probe *p = list_entry(to, struct probe, stream);
	if (m->status < 200)
		return;
	p->status = m->status;
	judge_status(p);
	if (last)
		answer_over(p);
}

static void keep(struct probe *p, const struct chain *c)
{
	size_t room = HEALTH_BODY_BYTES - p->body_n;
	size_t n = c->bytes < room ? c->bytes : room;
	chain_peek(c, p->body + p->body_n, n);
	p->body_n += n;
}

/*
 * What is not looked at is read all the same: a node whose connection is reset in the midst of it
 * would complain. A body that is larger than what was granted at first ends by the timeout.
 */
static void answered_data(struct stream *to, struct chain *c, bool last)
{
	struct probe *p = list_entry(to, struct probe, stream);
	if (!p->judged)
		keep(p, c);
	chain_drop(c);
	if (!p->judged && p->body_n == HEALTH_BODY_BYTES)
		judge_body(p);
	if (last)
		answer_over(p);
}

static void answered_trailers(struct stream *to, struct msg *m)
{
	(void)m;
	answer_over(list_entry(to, struct probe, stream));
}

static void answered_grant(struct stream *to, size_t bytes)
{
	(void)to, (void)bytes;
}

static void answered_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct probe *p = list_entry(to, struct probe, stream);
	if (way == STREAM_STOP || p->state != PROBE_ASKING)
		return;
	if (!p->judged)
		condemn(p, why);
	if (stream_sends(to))
		stream_abort(to->peer, STREAM_RESET, why);
	end(p);
}

static const struct stream_verbs verbs = {
	.head = answered_head,
	.data = answered_data,
	.trailers = answered_trailers,
	.grant = answered_grant,
	.abort = answered_abort,
};

static void break_off(struct probe *p, enum err why)
{
	if (stream_sends(&p->stream))
		stream_abort(p->stream.peer, STREAM_RESET, why);
	if (stream_receives(&p->stream))
		stream_abort(p->stream.peer, STREAM_STOP, why);
}

/* --- its connection --- */

static void back_is_idle(struct h1_back *b)
{
	(void)b; /* it is closed at the end of the turn */
}

static void back_is_lost(struct h1_back *b, enum err why)
{
	struct probe *p = b->owner;
	(void)why;
	p->back = NULL;
}

static const struct h1_back_user back_user = { back_is_idle, back_is_lost };

/* A request as the cluster's others are, but for the credential where checks have their own. */
static struct msg *make_request(struct probe *p, const struct cluster *cluster)
{
	const struct config_host *host = &p->health->config->clusters[p->node->arm].host;
	struct msg *m = arena_take(&p->arena, sizeof *m);
	msg_open(m, &p->arena, MSG_REQUEST);
	msg_set_request(m, SPAN("GET"), span_of(p->how->path));
	msg_add(m, NAME_HOST, span_of(host->policy == HOST_NAME ? host->name : p->node->name));
	msg_add(m, NAME_USER_AGENT, SPAN("crossfade/" CROSSFADE_VERSION " health check"));
	must(forward_edit(m, cluster));
	if (p->how->authorization.value)
		must(msg_set(m, NAME_AUTHORIZATION, span_of(p->how->authorization.value)));
	return m;
}

static void ask(struct probe *p, const struct addr *to)
{
	struct loop *loop = p->health->loop;
	const struct plan *plan = publisher_newest(p->health->publisher);
	const struct cluster *cluster = &plan->clusters[p->node->arm];
	struct tls_context *tls = p->node->tls ? cluster->tls[plan->worker_n] : NULL;
	p->state = PROBE_ASKING;
	p->judged = false;
	p->began_ms = loop_now_ms(loop);
	timer_set(&loop->wheel, &p->timer, p->began_ms + p->how->timeout_ms);
	arena_open(&p->arena, &p->health->chunks);
	stream_init(&p->stream, &verbs, "health");
	p->back = h1_back_connect(&loop->backs, &back_user, &p->policy, p, to, tls, p->node->host,
				  &loop->budget);
	h1_back_take(p->back, &p->stream, &p->arena);
	stream_head(p->stream.peer, make_request(p, cluster), true);
	if (stream_sends(p->stream.peer))
		stream_grant(p->stream.peer, STREAM_CREDIT_BYTES);
}

/* --- time --- */

static void rest(struct probe *p, uint64_t until_ms)
{
	uint64_t now_ms = loop_now_ms(p->health->loop);
	p->state = PROBE_RESTING;
	timer_set(&p->health->loop->wheel, &p->timer, until_ms > now_ms ? until_ms : now_ms + 1);
}

static void timer_fired(struct timer *t)
{
	struct probe *p = list_entry(t, struct probe, timer);
	struct node_record *n = p->node;
	if (p->state == PROBE_ASKING) {
		if (!p->judged)
			condemn(p, ERR_ANSWER_TIMEOUT);
		break_off(p, ERR_ANSWER_TIMEOUT);
		end(p);
	} else if (n->address_n > 0) {
		/* Each of a name's addresses has its turn. */
		ask(p, &n->addresses[p->next_address++ % n->address_n]);
	} else {
		snprintf(n->check, sizeof n->check, "its name is not resolved");
		rest(p, loop_now_ms(p->health->loop) +
				(n->awaited ? AWAITED_PAUSE_MS : p->how->interval_ms));
	}
}

static void sweep(struct loop_sweep *s)
{
	struct health *h = list_entry(s, struct health, sweep);
	for (struct list *at; (at = list_take_first(&h->ended));) {
		struct probe *p = list_entry(at, struct probe, link);
		if (p->back)
			h1_back_close(p->back);
		p->back = NULL;
		free(p->body);
		p->body = NULL;
		arena_close(&p->arena);
		if (p->state == PROBE_ENDED)
			rest(p, p->began_ms + p->how->interval_ms);
	}
}

/* --- a life --- */

static void follow_config(struct probe *p)
{
	p->how = &p->health->config->clusters[p->node->arm].health;
	p->policy =
		(struct back_policy){ p->how->timeout_ms, p->how->timeout_ms, p->how->timeout_ms };
}

static void follow_patterns(struct health *h)
{
	for (int arm = 0; arm < ARMS; arm++) {
		char error[PATTERN_ERROR_BYTES];
		size_t at;
		const char *text = h->config->clusters[arm].health.body;
		pattern_close(h->patterns[arm]);
		h->patterns[arm] = text ? pattern_open(text, error, &at) : NULL;
		must(h->patterns[arm] || !text); /* config_open() has tried it */
	}
}

/* The `i`th of `n` that begin together. */
static uint64_t staggered_ms(const struct probe *p, size_t i, size_t n)
{
	uint64_t apart_ms = p->how->interval_ms / n;
	return i * (apart_ms < HEALTH_STAGGER_MS ? apart_ms : HEALTH_STAGGER_MS);
}

static void probe_open(struct health *h, const struct nodes *nodes, size_t i)
{
	struct probe *p = calloc(1, sizeof *p);
	must(p);
	p->health = h;
	p->node = nodes->list[i];
	follow_config(p);
	timer_init(&p->timer, timer_fired);
	list_init(&p->link);
	list_init(&p->member);
	list_add_tail(&h->probes, &p->member);
	rest(p, loop_now_ms(h->loop) + staggered_ms(p, i, nodes->n));
}

static void probe_stop(struct probe *p)
{
	timer_clear(&p->timer);
	if (p->state == PROBE_ASKING) {
		break_off(p, ERR_STOPPING);
		end(p);
	}
	p->state = PROBE_STOPPED;
}

static void probe_free(struct probe *p)
{
	must(p->state == PROBE_STOPPED && list_empty(&p->link));
	list_remove(&p->member);
	free(p);
}

void health_open(struct health *h, struct loop *loop, const struct config *config,
		 const struct nodes *nodes, const struct publisher *publisher)
{
	*h = (struct health){ .loop = loop, .config = config, .publisher = publisher };
	slab_open(&h->chunks, ARENA_CHUNK_BYTES, 4);
	list_init(&h->probes);
	list_init(&h->ended);
	follow_patterns(h);
	loop_add_sweep(loop, &h->sweep, sweep);
	for (size_t i = 0; i < nodes->n; i++)
		probe_open(h, nodes, i);
}

/* A longer interval begins with the next check; one that is due sooner than before, soon. */
static void renew_rest(struct probe *p, size_t i, size_t n)
{
	uint64_t due_ms = p->began_ms + p->how->interval_ms;
	uint64_t turn_ms = loop_now_ms(p->health->loop) + staggered_ms(p, i, n);
	if (p->state == PROBE_RESTING && due_ms < p->timer.due_ms)
		rest(p, due_ms > turn_ms ? due_ms : turn_ms);
}

void health_renew(struct health *h, const struct config *config, const struct nodes *nodes)
{
	struct probe *of[NODES_MAX] = { NULL };
	h->config = config;
	follow_patterns(h);
	list_each_safe(l, &h->probes) {
		struct probe *p = list_entry(l, struct probe, member);
		of[p->node->state.number] = p;
	}
	for (size_t i = 0; i < nodes->n; i++) {
		struct probe **p = &of[nodes->list[i]->state.number];
		if (!*p) {
			probe_open(h, nodes, i);
			continue;
		}
		follow_config(*p);
		renew_rest(*p, i, nodes->n);
		*p = NULL;
	}
	for (size_t i = 0; i < NODES_MAX; i++)
		if (of[i])
			probe_stop(of[i]);
	sweep(&h->sweep);
	for (size_t i = 0; i < NODES_MAX; i++)
		if (of[i])
			probe_free(of[i]);
}

void health_stop(struct health *h)
{
	list_each_safe(l, &h->probes)
		probe_stop(list_entry(l, struct probe, member));
}

void health_close(struct health *h)
{
	sweep(&h->sweep);
	list_remove(&h->sweep.link);
	slab_close(&h->chunks);
	list_each_safe(l, &h->probes)
		probe_free(list_entry(l, struct probe, member));
	for (int arm = 0; arm < ARMS; arm++)
		pattern_close(h->patterns[arm]);
}
