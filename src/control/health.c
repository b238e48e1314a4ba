#include "control/health.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/log.h"
#include "proxy/forward.h"

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
	unsigned place; /* of the node's addresses, and which one that is */
	struct addr at;
	bool wanted; /* the node has it */
	const struct config_health *how;
	enum probe_state state;
	struct timer timer;
	struct list link; /* in health->ended */
	struct stream stream;
	struct arena arena;
	struct h1_back *back; /* NULL: none, or it is lost */
	struct back_policy policy;
	uint64_t began_ms;
	bool judged;	/* what follows changes nothing */
	bool prevented; /* the last one could not be made, and that was said */
	unsigned status;
	char *body; /* owned: HEALTH_BODY_BYTES while the pattern waits for it, else NULL */
	size_t body_n;
	unsigned passes, failures; /* in a row */
};

/* --- what a check says --- */

/* NULL: its place is another's by now. */
static struct node_address *address_of(const struct probe *p)
{
	struct node_address *a = p->node->places[p->place];
	return a && addr_is(&a->at, &p->at) ? a : NULL;
}

static void set_health(struct node_record *n, bool healthy)
{
	if (node_is_healthy(n) == healthy)
		return;
	if (healthy)
		atomic_fetch_add_explicit(&n->state.recoveries, 1, memory_order_relaxed);
	atomic_store_explicit(&n->state.healthy, healthy, memory_order_relaxed);
	if (healthy && n->unproven)
		log_line(LOG_INFO, "%s: node %s is taken in: %s", arm_name(n->arm), n->name,
			 node_check(n));
	else if (healthy)
		log_line(LOG_INFO, "%s: node %s is back: its checks pass", arm_name(n->arm),
			 n->name);
	else
		log_line(LOG_WARN, "%s: node %s is taken out: its checks fail: %s",
			 arm_name(n->arm), n->name, node_check(n));
}

/* Of a name that has several. */
static void say_address(const struct probe *p, const struct node_address *a, bool ill)
{
	const struct node_record *n = p->node;
	char at[ADDR_TEXT_BYTES];
	if (n->address_n < 2 || !node_is_healthy(n))
		return;
	addr_text(&a->at, at);
	if (ill)
		log_line(LOG_WARN, "%s: address %s of node %s is taken out: %u checks failed: %s",
			 arm_name(n->arm), at, n->name, p->failures, a->check);
	else if (!a->unproven)
		log_line(LOG_INFO, "%s: address %s of node %s is back: %u checks passed",
			 arm_name(n->arm), at, n->name, p->passes);
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
	struct node_address *a = address_of(p);
	p->judged = true;
	can_be_made(p);
	p->node->checks_passed++;
	p->failures = 0;
	p->passes++;
	if (!a || p->passes < (p->node->unproven || a->unproven ? 1 : p->how->passes))
		return;
	if (node_set_ill(p->node, p->place, false))
		say_address(p, a, false);
	set_health(p->node, true);
	p->node->unproven = a->unproven = false;
}

static void failed(struct probe *p)
{
	struct node_address *a = address_of(p);
	struct node_record *n = p->node;
	p->judged = true;
	can_be_made(p);
	n->checks_failed++;
	p->passes = 0;
	if (n->unproven && !p->failures)
		log_line(LOG_WARN, "%s: node %s is new and fails its first check: %s",
			 arm_name(n->arm), n->name, node_check(n));
	if (!a || ++p->failures < p->how->failures)
		return;
	if (node_set_ill(n, p->place, true) && node_places_well(n))
		say_address(p, a, true);
	if (!node_places_well(n))
		set_health(n, false);
}

static void note(struct probe *p, const char *text)
{
	struct node_address *a = address_of(p);
	if (!a)
		return;
	snprintf(a->check, sizeof a->check, "%s", text);
	p->node->newest_check = p->place;
}

/* Our own trouble: it says nothing of the node, which stays as it is. */
static void not_made(struct probe *p, enum err why)
{
	struct node_record *n = p->node;
	char text[NODE_CHECK_BYTES];
	p->judged = true;
	n->checks_not_made++;
	snprintf(text, sizeof text, "could not be made: %s", err_word(why));
	note(p, text);
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
	char text[NODE_CHECK_BYTES];
	snprintf(text, sizeof text, "%u in %llu ms%s", p->status, (unsigned long long)ms, wrong);
	note(p, text);
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
	const char *said = wires_said(&p->health->loop->wires, why);
	char text[NODE_CHECK_BYTES];
	snprintf(text, sizeof text, "%s%s%s", err_word(why), *said ? ": " : "", said);
	note(p, text);
	failed(p);
}

/* --- as a party to the stream --- */

static void answer_over(struct probe *p)
{
	if (!p->judged)
		judge_body(p);
	end(p);
}

/* By a way that no address shows: behind a relay, or translated. */
static bool came_to_us(const struct msg *m)
{
	return (int)m->status == err_status(ERR_LOOP) &&
	       span_is(msg_value(m, NAME_X_CROSSFADE_ERROR), span_of(err_word(ERR_LOOP)));
}

static void answered_head(struct stream *to, struct msg *m, bool last)
{
	struct probe *p = list_entry(to, struct probe, stream);
	if (m->status < 200)
		return;
	p->status = m->status;
	if (came_to_us(m)) {
		describe(p, ": this is the balancer itself");
		failed(p);
	} else {
		judge_status(p);
	}
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

static const struct h1_back_user back_user = { .idle = back_is_idle, .lost = back_is_lost };

/* A request as the cluster's others are, but for the credential where checks have their own. */
static struct msg *make_request(struct probe *p, const struct cluster *cluster)
{
	const struct config_host *host = &p->health->config->clusters[p->node->arm].host;
	struct msg *m = arena_take(&p->arena, sizeof *m);
	msg_open(m, &p->arena, MSG_REQUEST);
	msg_set_request(m, SPAN("GET"), span_of(p->how->path));
	msg_add(m, NAME_HOST, span_of(host->policy == HOST_NAME ? host->name : p->node->name));
	msg_add(m, NAME_USER_AGENT, SPAN("crossfade/" CROSSFADE_VERSION " health check"));
	msg_add_line(m, NAME_X_CROSSFADE_HOP, hop_line(&p->health->hop));
	must(forward_edit(m, cluster));
	if (p->how->authorization.value)
		must(msg_set(m, NAME_AUTHORIZATION, span_of(p->how->authorization.value)));
	return m;
}

static void ask(struct probe *p)
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
	p->back = h1_back_connect(&loop->backs, &back_user, &p->policy, p, &p->at, tls,
				  p->node->host, &loop->budget);
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
	if (p->state != PROBE_ASKING) {
		ask(p);
		return;
	}
	enum err why = p->back ? h1_back_is_late(p->back) : ERR_ANSWER_TIMEOUT;
	if (!p->judged)
		condemn(p, why);
	break_off(p, why);
	end(p);
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
	const struct config_cluster *c = &p->health->config->clusters[p->node->arm];
	p->how = &c->health;
	p->policy =
		(struct back_policy){ p->how->timeout_ms, p->how->timeout_ms, p->how->timeout_ms,
				      p->how->timeout_ms, config_answer_limits(c) };
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

static struct probe *probe_open(struct health *h, struct node_record *n, unsigned place)
{
	struct probe *p = calloc(1, sizeof *p);
	must(p);
	p->health = h;
	p->node = n;
	p->place = place;
	p->at = n->places[place]->at;
	follow_config(p);
	timer_init(&p->timer, timer_fired);
	list_init(&p->link);
	list_init(&p->member);
	list_add_tail(&h->probes, &p->member);
	return p;
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

/* A longer interval begins with the next check; one that is due sooner than before, soon. */
static void renew_rest(struct probe *p, size_t i, size_t n)
{
	uint64_t due_ms = p->began_ms + p->how->interval_ms;
	uint64_t turn_ms = loop_now_ms(p->health->loop) + staggered_ms(p, i, n);
	if (p->state == PROBE_RESTING && due_ms < p->timer.due_ms)
		rest(p, due_ms > turn_ms ? due_ms : turn_ms);
}

static size_t count_addresses(const struct nodes *nodes)
{
	size_t n = 0;
	for (size_t i = 0; i < nodes->n; i++)
		n += nodes->list[i]->address_n;
	return n;
}

/* Those of a node that were there before, by place: each is found at once. */
struct before {
	struct probe *at[NODE_ADDRESSES_MAX];
};

static void want(struct health *h, struct node_record *n, const struct before *before, size_t *i,
		 size_t all)
{
	for (unsigned place = 0; place < NODE_ADDRESSES_MAX; place++) {
		if (!n->places[place])
			continue;
		struct probe *p = before->at[place];
		if (p && addr_is(&p->at, &n->places[place]->at)) {
			follow_config(p);
			renew_rest(p, *i, all);
		} else {
			p = probe_open(h, n, place);
			rest(p, loop_now_ms(h->loop) + staggered_ms(p, *i, all));
		}
		p->wanted = true;
		(*i)++;
	}
	/* Its last address that was well may have gone. */
	if (n->address_n && !node_places_well(n))
		set_health(n, false);
}

static void stop_unwanted(struct health *h)
{
	list_each_safe(l, &h->probes) {
		struct probe *p = list_entry(l, struct probe, member);
		if (!p->wanted)
			probe_stop(p);
	}
	sweep(&h->sweep);
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
		want(h, nodes->list[k], &of[nodes->list[k]->state.number], &i, all);
	stop_unwanted(h);
	free(of);
}

void health_renew(struct health *h, const struct config *config, const struct nodes *nodes)
{
	h->config = config;
	follow_patterns(h);
	health_follow(h, nodes);
}

void health_open(struct health *h, struct loop *loop, const struct config *config,
		 const struct nodes *nodes, const struct publisher *publisher, uint64_t id)
{
	*h = (struct health){
		.loop = loop, .config = config, .publisher = publisher, .hop = hop_of(id)
	};
	slab_open(&h->chunks, ARENA_CHUNK_BYTES, 4);
	list_init(&h->probes);
	list_init(&h->ended);
	loop_add_sweep(loop, &h->sweep, sweep);
	health_renew(h, config, nodes);
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
