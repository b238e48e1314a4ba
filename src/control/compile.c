#include "control/compile.h"

#include <stdlib.h>

#include "base/bug.h"
#include "control/contexts.h"

/* A plan, with what only the control thread needs of it. */
struct compiled {
	struct plan plan;
	struct config *config; /* a hold */
	struct certificates certificates;
	struct contexts front, back[ARMS];
	struct slab chunks;
	struct arena arena; /* has all of the plan except the pins */
};

static const struct compiled *compiled_of(const struct plan *p)
{
	return (const struct compiled *)((const char *)p - offsetof(struct compiled, plan));
}

static void *compiled_take(struct compiled *d, size_t n, size_t bytes)
{
	void *memory = arena_take(&d->arena, n * bytes);
	memset(memory, 0, n * bytes);
	return memory;
}

/* --- TLS contexts --- */

static void compile_front_tls(struct compiled *d, const struct compile *c, struct diagnostics *to)
{
	const struct compiled *before = c->previous ? compiled_of(c->previous) : NULL;
	struct front_contexts how = {
		.tls = &c->config->tls,
		.libraries = c->libraries,
		.worker_n = c->worker_n,
		.tickets = c->tickets,
	};
	if (certificates_open(&d->certificates, &how, before ? &before->certificates : NULL,
			      &d->arena, to))
		contexts_open_front(&d->front, &how, &d->certificates,
				    before ? &before->front : NULL, &d->arena, to);
}

/* One for each worker, and one for the control thread, which checks the nodes. */
static void compile_back_tls(struct compiled *d, const struct compile *c, enum arm arm,
			     struct diagnostics *to)
{
	struct back_contexts how = {
		.cluster = &c->config->clusters[arm],
		.name = arm_name(arm),
		.libraries = c->libraries,
		.n = c->worker_n + 1,
	};
	contexts_open_back(&d->back[arm], &how,
			   c->previous ? &compiled_of(c->previous)->back[arm] : NULL, &d->arena,
			   to);
}

/* --- listeners --- */

static const struct route routes[LISTENER_KINDS] = {
	[LISTENER_WEIGHTED] = { .weighted = true },
	[LISTENER_SOURCE] = { .arm = ARM_SOURCE },
	[LISTENER_TARGET] = { .arm = ARM_TARGET },
};

/* The networks live as long as the plan: the plan holds its configuration. */
static const struct networks *networks_of(const struct config_networks *from)
{
	return from->at == NOWHERE ? NULL : &from->list;
}

static bool speaks_tls(const struct config *c)
{
	for (int k = 0; k < LISTENER_KINDS; k++)
		if (c->listeners.kinds[k].head.at != NOWHERE && c->listeners.kinds[k].tls)
			return true;
	return false;
}

/* Each address is a listener of its own in the plan, because each has its own port to report. */
static void compile_listener(struct compiled *d, const struct compile *how,
			     enum config_listener_kind k, const struct config_address *a)
{
	const struct config *c = how->config;
	const struct config_listener *from = &c->listeners.kinds[k];
	struct listener_record *r = listeners_find(how->listeners, k, &a->addr);
	must(r);
	struct listener *l = &d->plan.listeners[d->plan.listener_n++];
	*l = (struct listener){
		.number = listeners_number(how->listeners, r),
		.name = listener_name(k),
		.route = routes[k],
		.policy = { .head_ms = c->timeouts.head_ms,
			    .idle_ms = c->timeouts.idle_ms,
			    .keep_alive_ms = c->timeouts.keep_alive_ms,
			    .tunnel_idle_ms = c->timeouts.tunnel_ms,
			    .lenient = from->targets },
		.forwarded = (enum forwarded)from->forwarded,
		.trace = (enum trace)from->trace,
		.port = addr_port(&a->addr),
		.body_max = from->body_max,
		.allow = networks_of(&from->allow),
		.trust = networks_of(&from->trust),
		.ends_reads = from->half_close == CONFIG_BY_PROFILE
				      ? c->profile == PROFILE_OPENSEARCH
				      : from->half_close,
		.proxy_protocol = from->proxy_protocol,
		.health = span_of(from->health),
		.connections_max = from->connections_max,
		.section = (uint32_t)k,
		.tls = from->tls ? d->front.list : NULL,
		.sockets = &r->sockets,
	};
	front_policy_tell(&l->policy);
}

/* Requests of the balancer itself: nothing is added to them. */
static void compile_internal(struct compiled *d, const struct config *c)
{
	if (c->replay.head.at == NOWHERE)
		return;
	d->plan.internal = compiled_take(d, ARMS, sizeof(struct listener));
	for (int arm = 0; arm < ARMS; arm++) {
		const char *value = c->replay.credentials.arms[arm].value;
		d->plan.internal_authorization[arm] = span_of(value ? value : "");
		d->plan.internal[arm] = (struct listener){
			.internal = true,
			.number = LISTENER_INTERNAL,
			.name = "replay",
			.route = { .arm = (enum arm)arm },
			.forwarded = FORWARDED_PRESERVE,
			.trace = TRACE_KEEP,
		};
	}
}

/* A worker without a share would reject every client that the kernel gives to it. */
static void check_connections(const struct compiled *d, const struct config_listener *l,
			      struct diagnostics *to)
{
	if (l->connections_max && l->connections_max < d->plan.accepting_n)
		diagnose(to, l->head.at,
			 "connections: %u is less than the number of workers that share it, %u",
			 l->connections_max, d->plan.accepting_n);
}

static size_t listener_address_n(const struct config_listener *l)
{
	size_t n = 0;
	for (const struct config_address *a = l->addresses; a; a = a->next)
		n++;
	return n;
}

bool compile_room(const struct config *c, unsigned worker_n, uint64_t files,
		  struct file_limits *room)
{
	struct file_limits_needs needs = { .files = files, .workers = worker_n };
	for (int k = 0; k < LISTENER_KINDS; k++)
		needs.addresses += listener_address_n(&c->listeners.kinds[k]);
	for (int arm = 0; arm < ARMS; arm++)
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			needs.nodes++;
	return file_limits_share(&needs, room);
}

/* Listeners without a number share equally what the listeners with a number leave. */
static uint32_t default_connections(const struct config *c, uint64_t all, unsigned worker_n)
{
	uint64_t said = 0, silent = 0;
	for (int k = 0; k < LISTENER_KINDS; k++) {
		const struct config_listener *l = &c->listeners.kinds[k];
		said += l->connections_max;
		silent += l->addresses && !l->connections_max;
	}
	uint64_t each = silent && said < all ? (all - said) / silent : 0;
	return (uint32_t)(each > worker_n ? each : worker_n);
}

static void warn_of_connections(const struct config *c, const struct file_limits *room,
				uint64_t all, struct diagnostics *to)
{
	uint64_t said = 0;
	size_t at = NOWHERE;
	for (int k = 0; k < LISTENER_KINDS; k++) {
		const struct config_listener *l = &c->listeners.kinds[k];
		said += l->connections_max;
		at = l->connections_max ? l->head.at : at;
	}
	if (said > all)
		warn_at(to, at,
			"connections: the limit of %llu clients in all, which comes from at most "
			"%llu open files, is below the %llu configured: further clients are "
			"rejected (raise the hard limit: LimitNOFILE=, ulimit -Hn)",
			(unsigned long long)all, (unsigned long long)room->files,
			(unsigned long long)said);
}

static void compile_connections(struct compiled *d, const struct compile *c, struct diagnostics *to)
{
	struct file_limits room;
	struct plan *p = &d->plan;
	if (!compile_room(c->config, c->accepting_n, c->files, &room)) {
		diagnose(to, c->config->listeners.head.at,
			 "at most %llu files may be open, and these listeners and nodes need %llu "
			 "with %u workers (raise the hard limit: LimitNOFILE=, ulimit -Hn)",
			 (unsigned long long)room.files, (unsigned long long)room.needed,
			 c->worker_n);
		return;
	}
	if (!room.files)
		return;
	uint64_t all = (uint64_t)room.clients * c->accepting_n;
	p->clients_max = room.clients;
	p->node_sockets_max = room.nodes;
	warn_of_connections(c->config, &room, all, to);
	uint32_t each = default_connections(c->config, all, c->worker_n);
	for (size_t i = 0; i < p->listener_n; i++)
		if (!p->listeners[i].connections_max)
			p->listeners[i].room = each;
}

static void compile_listeners(struct compiled *d, const struct compile *c, struct diagnostics *to)
{
	d->plan.listeners = compiled_take(d, LISTENERS_MAX, sizeof(struct listener));
	for (int k = 0; k < LISTENER_KINDS; k++) {
		const struct config_listener *l = &c->config->listeners.kinds[k];
		check_connections(d, l, to);
		for (const struct config_address *a = l->addresses; a; a = a->next)
			compile_listener(d, c, (enum config_listener_kind)k, a);
	}
}

/* --- clusters --- */

static struct node compile_node(const struct config_node *from, struct node_record *r)
{
	return (struct node){
		.state = &r->state,
		.name = from->name,
		.server_name = from->host,
		.tls = r->tls,
	};
}

static bool any_node_speaks_tls(const struct config_cluster *c)
{
	for (const struct config_node *n = c->nodes; n; n = n->next)
		if (n->tls)
			return true;
	return false;
}

static struct edit edit_of(const char *name, const char *value)
{
	struct span text = span_of(name);
	return (struct edit){ (uint8_t)name_find(text), text,
			      value ? span_of(value) : (struct span){ NULL, 0 } };
}

static void compile_edits(struct compiled *d, const struct config_cluster *from, struct cluster *to)
{
	struct edit *edits = compiled_take(d, 2 * FIELDS_CONFIGURED_MAX + 1, sizeof *edits),
		    *at = edits;
	for (const struct config_field *f = from->headers.remove; f; f = f->next)
		*at++ = edit_of(f->name, NULL);
	for (const struct config_field *f = from->headers.set; f; f = f->next)
		*at++ = edit_of(f->name, f->value);
	if (from->authorization.value)
		*at++ = edit_of("Authorization", from->authorization.value);
	to->edits = edits;
	to->edit_n = (size_t)(at - edits);
}

static struct response_timeouts compile_response_timeouts(struct compiled *d,
							  const struct config *c, enum arm arm)
{
	const struct config_cluster_timeouts *from = &c->clusters[arm].timeouts;
	struct response_timeouts p = {
		.response_ms = from->response_ms ? from->response_ms : from->idle_ms,
		.asked_max_ms = c->profile == PROFILE_OPENSEARCH ? from->asked_ms : 0,
	};
	for (const struct config_response_timeout *r = from->rules; r; r = r->next)
		p.rule_n++;
	struct response_timeout_rule *rules = compiled_take(d, p.rule_n, sizeof *rules),
				     *at = rules;
	for (const struct config_response_timeout *r = from->rules; r; r = r->next)
		*at++ = (struct response_timeout_rule){ span_of(r->method), span_of(r->path),
							r->response_ms };
	p.rules = rules;
	return p;
}

static void compile_cluster(struct compiled *d, const struct compile *c, enum arm arm,
			    struct diagnostics *to)
{
	const struct config_cluster *from = &c->config->clusters[arm];
	size_t node_n = 0;
	for (const struct config_node *n = from->nodes; n; n = n->next)
		node_n++;
	struct node *nodes = compiled_take(d, node_n, sizeof *nodes), *at = nodes;
	for (const struct config_node *n = from->nodes; n; n = n->next) {
		struct node_record *r = nodes_find(c->nodes, arm, n);
		must(r);
		*at++ = compile_node(n, r);
	}
	if (from->connections && from->connections < c->worker_n)
		diagnose(to, from->head.at,
			 "%s: connections: %u is less than one for each of the %u workers",
			 arm_name(arm), from->connections, c->worker_n);
	if (any_node_speaks_tls(from))
		compile_back_tls(d, c, arm, to);
	d->plan.clusters[arm] = (struct cluster){
		.name = arm_name(arm),
		.arm = arm,
		.balance = (enum balance)from->balance,
		.host = from->host.policy,
		.host_name = from->host.name,
		.nodes = nodes,
		.node_n = node_n,
		.policy = { from->timeouts.connect_ms, from->timeouts.idle_ms,
			    from->timeouts.tunnel_ms, from->timeouts.keep_alive_ms,
			    config_response_limits(from) },
		.response_timeouts = compile_response_timeouts(d, c->config, arm),
		.underscores = from->headers.underscores,
		.connections = from->connections,
		.workers = c->worker_n,
		.queue_ms = from->timeouts.queue_ms,
		.eject = { from->eject.failures, from->eject.pause_ms },
		.tls = d->back[arm].list,
	};
	compile_edits(d, from, &d->plan.clusters[arm]);
}

/*
 * A dead peer is noticed within two of these times. The kernel also counts a peer as dead that
 * acknowledges but has no room for more data. Therefore the kernel's limit is not set where such a
 * peer may take longer.
 */
static struct io_keepalive keepalive_of(const struct config *c, uint32_t wait_ms)
{
	uint32_t ms = c->timeouts.tcp_keepalive_ms;
	return (struct io_keepalive){ ms / 1000, wait_ms <= 2 * ms ? 2 * ms : 0 };
}

static uint32_t longer_ms(uint32_t a_ms, uint32_t b_ms)
{
	return a_ms > b_ms ? a_ms : b_ms;
}

static void compile_keepalive(struct compiled *d, const struct config *c)
{
	uint32_t back_ms = longer_ms(c->clusters[ARM_SOURCE].timeouts.idle_ms,
				     c->clusters[ARM_TARGET].timeouts.idle_ms);
	d->plan.front_keepalive = keepalive_of(c, c->timeouts.idle_ms);
	d->plan.back_keepalive = keepalive_of(c, back_ms);
}

/*
 * 500, because clients of search clusters repeat requests after 502, 503 and 504, including writes.
 */
static uint16_t unknown_status_of(const struct config *c)
{
	if (c->unknown_status)
		return (uint16_t)c->unknown_status;
	return c->profile == PROFILE_OPENSEARCH ? 500 : 0;
}

/* --- override and sticky keys --- */

static void compile_steering(struct compiled *d, const struct config *c)
{
	const struct config_sticky *s = &c->sticky;
	d->plan.override_allow = networks_of(&c->override.allow);
	if (s->head.at == NOWHERE)
		return;
	d->plan.sticky = (struct sticky){
		.by = (enum sticky_by)s->by,
		.field = s->by == STICKY_HEADER ? name_find(span_of(s->name)) : NAME_COOKIE,
		.name = span_of(s->name),
		.seed = s->seed,
	};
}

/* These are redacted in every log unless `redact: none` is set; a list adds to them. */
static const enum name secret_ids[] = { NAME_AUTHORIZATION, NAME_COOKIE, NAME_SET_COOKIE };
static const struct span secret_names[] = {
	SPAN("Proxy-Authorization"),
	SPAN("X-Api-Key"),
	SPAN("es-secondary-authorization"),
	SPAN("X-Amz-Security-Token"),
};
#define SECRET_IDS (sizeof secret_ids / sizeof secret_ids[0])
#define SECRET_NAMES (sizeof secret_names / sizeof secret_names[0])

static size_t count_names(const struct config_field *first)
{
	size_t n = 0;
	for (const struct config_field *f = first; f; f = f->next)
		n++;
	return n;
}

static void redact_always(struct capture_policy *p, struct span *names)
{
	for (size_t i = 0; i < SECRET_IDS; i++) {
		p->redact[secret_ids[i]] = true;
		names[p->redact_n++] = name_text(secret_ids[i]);
	}
	for (size_t i = 0; i < SECRET_NAMES; i++)
		names[p->redact_n++] = secret_names[i];
}

static void compile_redact(struct compiled *d, struct capture_policy *p,
			   const struct config_redact *r)
{
	size_t n = SECRET_IDS + SECRET_NAMES + count_names(r->names);
	struct span *names = arena_take(&d->arena, n * sizeof *names);
	p->redact_names = names;
	if (!r->none)
		redact_always(p, names);
	for (const struct config_field *f = r->names; f; f = f->next) {
		names[p->redact_n++] = span_of(f->name);
		p->redact[name_find(span_of(f->name))] = true;
	}
	p->redact[NAME_OTHER] = false;
}

/*
 * The same for parameters of a query. Similar names with other marks between the words match, too.
 */
static const struct span secret_parameters[] = {
	SPAN("access_token"),
	SPAN("refresh_token"),
	SPAN("id_token"),
	SPAN("auth_token"),
	SPAN("security_token"),
	SPAN("token"),
	SPAN("jwt"),
	SPAN("api_key"),
	SPAN("apikey"),
	SPAN("x_api_key"),
	SPAN("authorization"),
	SPAN("password"),
	SPAN("passwd"),
	SPAN("client_secret"),
	SPAN("secret"),
	SPAN("sig"),
	SPAN("signature"),
	SPAN("x_amz_signature"),
	SPAN("x_amz_security_token"),
	SPAN("x_goog_signature"),
};
#define SECRET_PARAMETERS (sizeof secret_parameters / sizeof secret_parameters[0])

/* The default names, unless `none`, and two lists. */
static struct secret_names compile_parameters(struct compiled *d, bool none,
					      const struct config_field *a,
					      const struct config_field *b)
{
	size_t most = SECRET_PARAMETERS + count_names(a) + count_names(b), n = 0;
	struct span *names = arena_take(&d->arena, most * sizeof *names);
	for (size_t i = 0; i < SECRET_PARAMETERS && !none; i++)
		names[n++] = secret_parameters[i];
	for (; a; a = a->next)
		names[n++] = span_of(a->name);
	for (; b; b = b->next)
		names[n++] = span_of(b->name);
	return (struct secret_names){ names, n };
}

static void compile_access(struct compiled *d, const struct config *c)
{
	const struct config_redact *r = &c->log.redact_query;
	if (!c->log.access)
		return;
	d->plan.access = (enum access_format)(ACCESS_ALB + c->log.format);
	if (!r->none)
		d->plan.access_secrets =
			compile_parameters(d, false, r->names, c->capture.redact_query);
}

static const struct skips *compile_skips(struct compiled *d, const struct config_skip *first)
{
	size_t n = 0;
	for (const struct config_skip *c = first; c; c = c->next)
		n++;
	if (!n)
		return NULL;
	struct skip_rule *rules = arena_take(&d->arena, n * sizeof *rules);
	n = 0;
	for (const struct config_skip *c = first; c; c = c->next)
		rules[n++] =
			(struct skip_rule){ span_of(c->method), span_of(c->path),
					    span_of(c->header.name), span_of(c->header.value) };
	return skips_make(&d->arena, rules, n);
}

static void compile_capture(struct compiled *d, const struct config *config)
{
	const struct config_capture *c = &config->capture;
	if (c->head.at == NOWHERE)
		return;
	bool by_profile = c->gate == CONFIG_BY_PROFILE;
	bool whole = config->profile == PROFILE_OPENSEARCH;
	struct capture_policy *p = arena_take(&d->arena, sizeof *p);
	*p = (struct capture_policy){
		.durable = (enum capture_durable)c->durable,
		.gate = by_profile ? (whole ? GATE_END : GATE_PIECE) : (enum gate_grain)c->gate,
		.acknowledge = (enum capture_acknowledge)c->acknowledge,
		.unavailable = (enum capture_unavailable)c->unavailable,
		.tunnels = (enum capture_tunnels)c->tunnels,
		.responses = (enum capture_responses)c->responses,
	};
	p->skips = compile_skips(d, c->skip);
	compile_redact(d, p, &c->redact);
	p->redact_query = compile_parameters(d, c->redact.none, c->redact_query, NULL);
	d->plan.capture = p;
}

/* --- the plan --- */

static enum sniffing compile_sniffing(const struct config *c)
{
	if (c->sniffing != CONFIG_SNIFFING_BY_PROFILE)
		return (enum sniffing)(SNIFFING_RESPOND + c->sniffing);
	return c->profile == PROFILE_OPENSEARCH ? SNIFFING_RESPOND : SNIFFING_UNKNOWN;
}

static struct plan_pins *pins_new(unsigned n)
{
	struct plan_pins *pins = aligned_alloc(_Alignof(struct plan_pins), n * sizeof *pins);
	if (!pins)
		abort();
	memset(pins, 0, n * sizeof *pins);
	return pins;
}

const struct plan *plan_compile(const struct compile *c, struct diagnostics *diagnostics)
{
	size_t before = diagnostics->n;
	struct compiled *d = calloc(1, sizeof *d);
	if (!d)
		abort();
	slab_open(&d->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&d->arena, &d->chunks);
	d->config = config_hold(c->config);
	d->plan.number = c->previous ? c->previous->number + 1 : 1;
	d->plan.profile = (enum profile)c->config->profile;
	d->plan.sniffing = compile_sniffing(c->config);
	d->plan.worker_n = c->worker_n;
	d->plan.accepting_n = c->accepting_n;
	d->plan.memory_max = c->config->memory;
	compile_access(d, c->config);
	d->plan.pins = pins_new(c->worker_n);
	if (speaks_tls(c->config))
		compile_front_tls(d, c, diagnostics);
	compile_listeners(d, c, diagnostics);
	compile_internal(d, c->config);
	compile_connections(d, c, diagnostics);
	for (int arm = 0; arm < ARMS; arm++)
		compile_cluster(d, c, (enum arm)arm, diagnostics);
	compile_steering(d, c->config);
	compile_keepalive(d, c->config);
	d->plan.unknown_status = unknown_status_of(c->config);
	compile_capture(d, c->config);
	if (diagnostics->n == before)
		return &d->plan;
	plan_free(&d->plan);
	return NULL;
}

unsigned plan_pinned(const struct plan *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->worker_n; i++)
		n += atomic_load_explicit(&p->pins[i].n, memory_order_acquire);
	return n;
}

void plan_let_go_of_tls(const struct plan *p)
{
	struct compiled *d = (struct compiled *)(uintptr_t)compiled_of(p);
	contexts_close(&d->front);
	certificates_close(&d->certificates);
	for (int arm = 0; arm < ARMS; arm++)
		contexts_close(&d->back[arm]);
}

void plan_free(const struct plan *p)
{
	struct compiled *d = (struct compiled *)(uintptr_t)compiled_of(p);
	must(plan_pinned(p) == 0);
	plan_let_go_of_tls(p);
	free(d->plan.pins);
	config_close(d->config);
	arena_close(&d->arena);
	slab_close(&d->chunks);
	free(d);
}
