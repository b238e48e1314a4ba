#include "control/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/bug.h"
#include "capture/follower.h"
#include "control/config_kafka.h"
#include "control/config_skip.h"
#include "control/config_types.h"
#include "control/own.h"
#include "control/resolve.h"
#include "control/suggest.h"
#include "control/text_file.h"
#include "base/limits.h"
#include "http/msg.h"

/*
 * The tables. A row is a key: its name, its type, where it goes, its default and its bounds. What
 * later versions know is named too, so that whoever reads their manual gets a clear word.
 */

#define KEYS(table) .keys = (table), .key_n = sizeof(table) / sizeof((table)[0])
#define LATER(word)                                                                                \
	{                                                                                          \
		.name = (word), .type = &key_later                                                 \
	}
#define SECOND 1000u
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const char *const off_on[] = { "off", "on", NULL };
static const char *const forwarded_words[] = { "append", "preserve", "remove", NULL };
static const char *const underscores_words[] = { "drop", "pass", NULL };
static const char *const target_words[] = { "strict", "lenient", NULL };
static const char *const half_close_words[] = { "serve", "end", NULL };
static const char *const trace_words[] = { "make", "keep", NULL };
static const char *const balance_words[] = { "least_outstanding", "round_robin", NULL };
static const char *const sticky_words[] = {
	[STICKY_NOT] = "off",
	[STICKY_ADDRESS] = "address",
	[STICKY_HEADER] = "header",
	[STICKY_COOKIE] = "cookie",
	NULL,
};
static const char *const log_words[] = { "alb", "json", NULL };
static const char *const durable_words[] = { "writes", "all", "none", NULL };
static const char *const gate_words[] = { "end", "piece", NULL };
static const char *const acknowledge_words[] = { "outcome", "answer", NULL };
static const char *const unavailable_words[] = { "refuse", "forward", NULL };
static const char *const durable_at_words[] = { "disk", "kafka", NULL };
static const char *const tunnels_words[] = { "refuse", "forward", NULL };
static const char *const answers_words[] = { "writes", "all", "heads", NULL };
static const char *const io_words[] = { "auto", "io_uring", "epoll", NULL };
static const char *const profile_words[] = {
	[PROFILE_HTTP] = "http",
	[PROFILE_OPENSEARCH] = "opensearch",
	[PROFILES] = NULL,
};
static const char *const sniffing_words[] = { "answer", "refuse", "pass", NULL };
static const char *const policy_words[] = {
	[TLS_POLICY_1_2] = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
	[TLS_POLICY_1_3] = "ELBSecurityPolicy-TLS13-1-3-2021-06",
	[TLS_POLICIES] = NULL,
};

const char *listener_name(enum config_listener_kind k)
{
	static const char *const names[] = { "weighted", "source", "target" };
	must(k < LISTENER_KINDS);
	return names[k];
}

const char *arm_name(enum arm a)
{
	static const char *const names[] = { "source", "target" };
	must(a < ARMS);
	return names[a];
}

/* --- listeners --- */

#define AT(member) .offset = offsetof(struct config_listener, member)
static const struct key listener_keys[] = {
	{ "address", &key_addresses, AT(addresses),
	  .missing = "an address and port, as 0.0.0.0:443" },
	{ "tls", &key_choice, AT(tls), .preset = true, .words = off_on },
	{ "forwarded", &key_choice, AT(forwarded), .preset = FORWARDED_APPEND,
	  .words = forwarded_words },
	{ "trace", &key_choice, AT(trace), .preset = TRACE_MAKE, .words = trace_words },
	{ "body", &key_size, AT(body_max), .least = 1 },
	{ "half_close", &key_choice, AT(half_close), .preset = CONFIG_BY_PROFILE,
	  .words = half_close_words },
	{ "allow", &key_networks, AT(allow) },
	{ "trust", &key_networks, AT(trust) },
	{ "proxy_protocol", &key_choice, AT(proxy_protocol), .words = off_on },
	{ "targets", &key_choice, AT(targets), .words = target_words },
	{ "health", &key_request_path, AT(health) },
	{ "connections", &key_integer, AT(connections_max), 0, 1, CONNECTIONS_MAX },
	LATER("certificates"),
	LATER("timeouts"),
};
#undef AT

/* A PROXY header says who the client is: it must not come from just anybody. */
static void check_listener(struct binder *b, const void *to)
{
	const struct config_listener *l = to;
	if (l->proxy_protocol && l->trust.at == NOWHERE)
		complain(b->complaints, l->head.at,
			 "proxy_protocol: wants `trust`: the networks of the proxies that send it");
}
static const struct section listener_section = { KEYS(listener_keys), check_listener };

static void check_addresses(struct binder *b, const struct config_listeners *l, int k)
{
	size_t n = 0;
	for (const struct config_address *a = l->kinds[k].addresses; a; a = a->next) {
		if (++n > LISTENER_ADDRESSES_MAX)
			complain(b->complaints, a->at, "address: a listener has at most %d",
				 LISTENER_ADDRESSES_MAX);
	}
}

static void check_listeners(struct binder *b, const void *to)
{
	const struct config_listeners *l = to;
	for (int k = 0; k < LISTENER_KINDS; k++)
		check_addresses(b, l, k);
	for (int k = 0; k < LISTENER_KINDS; k++)
		if (l->kinds[k].head.at != NOWHERE)
			return;
	complain(b->complaints, l->head.at, "listeners: there is none: weighted, source or target");
}

#define LISTENER(word, kind)                                                                       \
	{                                                                                          \
		.name = (word), .type = &key_section, .section = &listener_section,                \
		.offset = offsetof(struct config_listeners, kinds[kind])                           \
	}
static const struct key listeners_keys[] = {
	LISTENER("weighted", LISTENER_WEIGHTED),
	LISTENER("source", LISTENER_SOURCE),
	LISTENER("target", LISTENER_TARGET),
};
static const struct section listeners_section = { KEYS(listeners_keys), check_listeners };

/* --- TLS --- */

#define CERTIFICATE_MISSING .missing = "a file of PEM, the leaf first"
#define KEY_MISSING .missing = "a file of PEM with the private key"

#define AT(member) .offset = offsetof(struct config_certificate, member)
static const struct key certificate_keys[] = {
	{ "certificate", &key_file, AT(certificate), CERTIFICATE_MISSING },
	{ "key", &key_file, AT(key), KEY_MISSING },
};
#undef AT
static const struct section certificate_section = { KEYS(certificate_keys) };

static void check_tls(struct binder *b, const void *to)
{
	const struct config_tls *t = to;
	size_t n = 0;
	for (const struct config_certificate *c = t->certificate.next; c; c = c->next)
		if (n++ == CERTIFICATES_MAX)
			complain(b->complaints, c->head.at, "certificates: there are more than %d",
				 CERTIFICATES_MAX);
}

#define AT(member) .offset = offsetof(struct config_tls, member)
static const struct key tls_keys[] = {
	{ "certificate", &key_file, AT(certificate.certificate), CERTIFICATE_MISSING },
	{ "key", &key_file, AT(certificate.key), KEY_MISSING },
	{ "policy", &key_choice, AT(policy), .preset = TLS_POLICY_1_2, .words = policy_words },
	{ "certificates", &key_sections, AT(certificate.next), .section = &certificate_section,
	  .item_bytes = sizeof(struct config_certificate),
	  .next = offsetof(struct config_certificate, next) },
};
#undef AT
static const struct section tls_section = { KEYS(tls_keys), check_tls };

/* --- clusters --- */

#define AT(member) .offset = offsetof(struct config_health, member)
static const struct key health_keys[] = {
	{ "path", &key_request_path, AT(path), .text = "/" },
	{ "interval", &key_duration, AT(interval_ms), HEALTH_INTERVAL_MS, 100, HOUR },
	{ "timeout", &key_duration, AT(timeout_ms), HEALTH_TIMEOUT_MS, 10, 600 * SECOND },
	{ "passes", &key_integer, AT(passes), HEALTH_PASSES, 1, 100 },
	{ "failures", &key_integer, AT(failures), HEALTH_FAILURES, 1, 100 },
	{ "expected", &key_statuses, AT(expected) },
	{ "authorization", &key_credential, AT(authorization) },
	{ "body", &key_pattern, AT(body) },
};
#undef AT
static const struct section health_section = { KEYS(health_keys) };

#define AT(member) .offset = offsetof(struct config_patience, member)
static const struct key patience_keys[] = {
	{ "method", &key_skip_method, AT(method) },
	{ "path", &key_skip_path, AT(path) },
	{ "response", &key_duration, AT(response_ms), 0, 100, DAY,
	  .missing = "how long a response may take to begin, as 1h" },
};
#undef AT

static void check_patience(struct binder *b, const void *to)
{
	const struct config_patience *p = to;
	if (!p->method && !p->path)
		complain(b->complaints, p->head.at,
			 "rules: the rule would fit all requests: say method or path, or "
			 "timeouts.response");
}
static const struct section patience_section = { KEYS(patience_keys), check_patience };

static void check_cluster_timeouts(struct binder *b, const void *to)
{
	const struct config_cluster_timeouts *t = to;
	size_t n = 0;
	for (const struct config_patience *p = t->rules; p; p = p->next)
		if (n++ == PATIENCE_RULES_MAX)
			complain(b->complaints, p->head.at, "rules: there are more than %d",
				 PATIENCE_RULES_MAX);
}

#define AT(member) .offset = offsetof(struct config_cluster_timeouts, member)
static const struct key cluster_timeouts_keys[] = {
	{ "connect", &key_duration, AT(connect_ms), CONNECT_TIMEOUT_MS, 10, 600 * SECOND },
	{ "idle", &key_duration, AT(idle_ms), IDLE_TIMEOUT_MS, 100, DAY },
	{ "response", &key_duration, AT(response_ms), 0, 100, DAY },
	{ "asked", &key_duration, AT(asked_ms), ASKED_TIMEOUT_MS, 0, DAY },
	{ "rules", &key_sections, AT(rules), .section = &patience_section,
	  .item_bytes = sizeof(struct config_patience),
	  .next = offsetof(struct config_patience, next) },
	{ "keep_alive", &key_duration, AT(keep_alive_ms), NODE_KEEP_ALIVE_MS, 100, DAY },
	{ "tunnel", &key_duration, AT(tunnel_ms), TUNNEL_IDLE_TIMEOUT_MS, SECOND, 7 * DAY },
	{ "queue", &key_duration, AT(queue_ms), QUEUE_WAIT_MS, 0, 600 * SECOND },
};
#undef AT
static const struct section cluster_timeouts_section = { KEYS(cluster_timeouts_keys),
							 check_cluster_timeouts };

#define AT(member) .offset = offsetof(struct config_eject, member)
static const struct key eject_keys[] = {
	{ "failures", &key_integer, AT(failures), EJECT_FAILURES, 0, 1000 },
	{ "pause", &key_duration, AT(pause_ms), EJECT_PAUSE_MS, 100, HOUR },
};
#undef AT
static const struct section eject_section = { KEYS(eject_keys), NULL };

static void check_headers(struct binder *b, const void *to)
{
	const struct config_cluster_headers *h = to;
	for (const struct config_field *r = h->remove; r; r = r->next)
		for (const struct config_field *s = h->set; s; s = s->next)
			if (!strcasecmp(r->name, s->name))
				complain(b->complaints, r->at,
					 "remove: %s is set too, which replaces it anyway",
					 r->name);
}

#define AT(member) .offset = offsetof(struct config_cluster_headers, member)
static const struct key headers_keys[] = {
	{ "set", &key_fields, AT(set) },
	{ "remove", &key_field_names, AT(remove) },
	{ "underscores", &key_choice, AT(underscores), .words = underscores_words },
};
#undef AT
static const struct section headers_section = { KEYS(headers_keys), check_headers };

static void bind_verify(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	key_choice.bind(b, k, y, to);
	if (y->kind == YAML_SCALAR && !strcmp(y->text, "off"))
		caution(b->complaints, y->at,
			"verify: off believes whoever answers at a node's address: requests and "
			"passwords may go to somebody else; with ca: it would not");
}

static void preset_choice(const struct key *k, void *to)
{
	key_choice.preset(k, to);
}

static const struct key_type key_verify = { bind_verify, preset_choice, true };

static const char *const age_words[] = { "modern", "legacy", NULL };

static void bind_age(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	key_choice.bind(b, k, y, to);
	if (y->kind == YAML_SCALAR && !strcmp(y->text, "legacy"))
		caution(b->complaints, y->at,
			"tls: legacy takes TLS 1.0 and 1.1, RSA keys below 2048 bits and SHA-1 "
			"from the "
			"nodes of this cluster: whoever is between may read and change what "
			"passes");
}

static const struct key_type key_age = { bind_age, preset_choice, true };

static void check_cluster(struct binder *b, const void *to)
{
	const struct config_cluster *c = to;
	bool tls = false;
	for (const struct config_node *n = c->nodes; n; n = n->next)
		tls |= n->tls;
	if (c->tls && !tls)
		complain(b->complaints, c->head.at, "tls: legacy is of no use: no node is https");
	if (c->ca.path && !c->verify)
		complain(b->complaints, c->ca.at,
			 "ca: says whom to trust, and verify: off trusts anybody");
	else if (c->ca.path && !tls)
		complain(b->complaints, c->ca.at, "ca: is of no use: no node is https");
}

#define AT(member) .offset = offsetof(struct config_limits, member)
static const struct key limits_keys[] = {
	{ "response_head", &key_size, AT(response_head_bytes), .preset = ANSWER_HEAD_BYTES,
	  .least = ANSWER_HEAD_BYTES_MIN, .most = ANSWER_HEAD_BYTES_MAX },
	{ "response_fields", &key_integer, AT(response_fields), ANSWER_FIELDS, ANSWER_FIELDS_MIN,
	  ANSWER_FIELDS_MAX },
};
#undef AT
static const struct section limits_section = { KEYS(limits_keys) };

#define AT(member) .offset = offsetof(struct config_cluster, member)
static const struct key cluster_keys[] = {
	{ "nodes", &key_nodes, AT(nodes), .missing = "a list of URLs, as [ https://es-1:9200 ]" },
	{ "ca", &key_file, AT(ca) },
	{ "verify", &key_verify, AT(verify), .preset = true, .words = off_on },
	{ "tls", &key_age, AT(tls), .words = age_words },
	{ "host", &key_host, AT(host) },
	{ "balance", &key_choice, AT(balance), .preset = BALANCE_LEAST_OUTSTANDING,
	  .words = balance_words },
	{ "health", &key_section, AT(health), .section = &health_section },
	{ "eject", &key_section, AT(eject), .section = &eject_section },
	{ "timeouts", &key_section, AT(timeouts), .section = &cluster_timeouts_section },
	{ "limits", &key_section, AT(limits), .section = &limits_section },
	{ "authorization", &key_credential, AT(authorization) },
	{ "headers", &key_section, AT(headers), .section = &headers_section },
	{ "connections", &key_integer, AT(connections), 0, 1, NODE_CONNECTIONS_MAX },
	LATER("retry"),
};
#undef AT
static const struct section cluster_section = { KEYS(cluster_keys), check_cluster };

/* --- the rest --- */

static void check_weights(struct binder *b, const void *to)
{
	const struct config_weights *w = to;
	if (w->arms[ARM_SOURCE] == 0 && w->arms[ARM_TARGET] == 0)
		complain(b->complaints, w->head.at,
			 "weights: both are 0, so that nobody would be served");
}

#define AT(member) .offset = offsetof(struct config_weights, member)
static const struct key weights_keys[] = {
	{ "source", &key_integer, AT(arms[ARM_SOURCE]), 1, 0, WEIGHT_MAX, .missing = "0 to 999" },
	{ "target", &key_integer, AT(arms[ARM_TARGET]), 0, 0, WEIGHT_MAX, .missing = "0 to 999" },
};
#undef AT
static const struct section weights_section = { KEYS(weights_keys), check_weights };

#define AT(member) .offset = offsetof(struct config_timeouts, member)
static const struct key timeouts_keys[] = {
	{ "head", &key_duration, AT(head_ms), HEAD_TIMEOUT_MS, 100, HOUR },
	{ "idle", &key_duration, AT(idle_ms), IDLE_TIMEOUT_MS, 100, DAY },
	{ "keep_alive", &key_duration, AT(keep_alive_ms), CLIENT_KEEP_ALIVE_MS, 100, 7 * DAY },
	{ "tunnel", &key_duration, AT(tunnel_ms), TUNNEL_IDLE_TIMEOUT_MS, SECOND, 7 * DAY },
	{ "drain", &key_duration, AT(drain_ms), STOP_DRAIN_MS, 0, DAY },
	{ "leave", &key_duration, AT(leave_ms), 0, 0, HOUR },
	{ "tcp_keepalive", &key_duration, AT(tcp_keepalive_ms), TCP_KEEPALIVE_MS, SECOND,
	  TCP_KEEPALIVE_MS_MAX },
};
#undef AT
static const struct section timeouts_section = { KEYS(timeouts_keys) };

#define AT(member) .offset = offsetof(struct config_admin, member)
static const struct key admin_keys[] = {
	{ "address", &key_addresses, AT(addresses) },
	{ "hosts", &key_host_names, AT(hosts) },
	{ "socket", &key_path, AT(socket) },
	LATER("token"),
};
#undef AT
static const struct section admin_section = { KEYS(admin_keys) };

/* Names of fields are tokens, and so are those of cookies: RFC 9110, 5.1; RFC 6265, 4.1.1. */
static bool is_sticky_name(const struct config_sticky *s)
{
	struct span name = span_of(s->name);
	if (!name.n || name.n > FIELD_NAME_BYTES ||
	    scan_count(name.at, name.n, SCAN_TOKEN) != name.n)
		return false;
	enum how how = name_how(name_find(name));
	return s->by == STICKY_COOKIE || (how != HOW_HOP && how != HOW_FRAME);
}

static void check_sticky(struct binder *b, const void *to)
{
	const struct config_sticky *s = to;
	if (s->by == STICKY_NOT)
		return;
	if (s->by == STICKY_ADDRESS && s->name)
		complain(b->complaints, s->head.at,
			 "sticky: by address there is no `name`; or say by: header, by: cookie");
	else if (s->by != STICKY_ADDRESS && !s->name)
		complain(b->complaints, s->head.at, "sticky: wants `name`: which %s holds the key",
			 sticky_words[s->by]);
	else if (s->by != STICKY_ADDRESS && !is_sticky_name(s))
		complain(b->complaints, s->head.at,
			 "sticky: '%s' is not the name of a %s that reaches the clusters", s->name,
			 sticky_words[s->by]);
}

#define AT(member) .offset = offsetof(struct config_sticky, member)
static const struct key sticky_keys[] = {
	{ "by", &key_choice, AT(by), .words = sticky_words,
	  .missing = "address, header or cookie" },
	{ "name", &key_text, AT(name) },
	{ "seed", &key_integer, AT(seed), 0, 0, UINT32_MAX },
};
#undef AT
static const struct section sticky_section = { KEYS(sticky_keys), check_sticky };

#define AT(member) .offset = offsetof(struct config_override, member)
static const struct key override_keys[] = {
	{ "allow", &key_networks, AT(allow),
	  .missing = "the networks whose clients may say X-Crossfade-Cluster" },
};
#undef AT
static const struct section override_section = { KEYS(override_keys) };

/* Behind a balancer that does not tell, all clients have one address: its own. */
static void check_sticky_addresses(struct binder *b, const struct config *c)
{
	const struct config_listener *l = &c->listeners.kinds[LISTENER_WEIGHTED];
	if (c->sticky.head.at == NOWHERE || c->sticky.by != STICKY_ADDRESS)
		return;
	if (l->head.at != NOWHERE && l->trust.at == NOWHERE)
		caution(b->complaints, c->sticky.head.at,
			"sticky: by address, behind another load balancer, wants proxy_protocol or "
			"trust "
			"at the listener weighted: else all clients have that balancer's address");
}

static void check_split(struct binder *b, const struct config *c)
{
	const struct config_weights *w = &c->weights;
	if (c->listeners.kinds[LISTENER_WEIGHTED].head.at != NOWHERE && w->arms[ARM_SOURCE] &&
	    w->arms[ARM_TARGET])
		caution(b->complaints, w->head.at,
			"weights: both are above 0: a first start splits writes, and what one "
			"cluster "
			"takes the other does not have");
}

static bool says_none(const struct yaml *y)
{
	return y->kind == YAML_SCALAR && strcmp(y->text, "none") == 0;
}

static void bind_names_or_none(struct binder *b, const struct key *k, const struct yaml *y,
			       void *to)
{
	struct config_redact *r = to;
	r->none = says_none(y);
	if (!r->none)
		key_field_names.bind(b, k, y, &r->names);
}

static const struct key_type key_names_or_none = { bind_names_or_none, NULL, true };

#define AT(member) .offset = offsetof(struct config_log, member)
static const struct key log_keys[] = {
	{ "access", &key_path, AT(access),
	  .missing = "the file that gets a line for each request" },
	{ "format", &key_choice, AT(format), .preset = 0, .words = log_words },
	{ "redact_query", &key_names_or_none, AT(redact_query) },
};
#undef AT
static const struct section log_section = { KEYS(log_keys) };

static void bind_redact(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	bind_names_or_none(b, k, y, to);
	if (says_none(y))
		caution(b->complaints, y->at,
			"capture: redact: none keeps passwords and tokens in the log as they are: "
			"whoever can read it has them");
}

static const struct key_type key_redact = { bind_redact, NULL, true };

#define AT(member) .offset = offsetof(struct config_retain, member)
static const struct key retain_keys[] = {
	{ "size", &key_size, AT(size_bytes), .least = 1 },
	{ "age", &key_duration, AT(age_ms), .least = 1000, .most = UINT32_MAX },
};
#undef AT
static const struct section retain_section = { KEYS(retain_keys) };

static void check_capture(struct binder *b, const void *to)
{
	const struct config_capture *c = to;
	const struct config_retain *r = &c->retain;
	check_skips(b, c->skip);
	if (c->limit_bytes && r->size_bytes > c->limit_bytes)
		complain(b->complaints, r->head.at,
			 "capture: retain.size is above limit: the log would stop before anything "
			 "is "
			 "taken away");
	else if (r->head.at != NOWHERE && c->directory && c->kafka.head.at == NOWHERE &&
		 !followers_any(c->directory))
		caution(b->complaints, r->head.at,
			"capture: retain takes away the only copy: nothing follows the log "
			"(`crossfade capture export --follower NAME` would)");
	if (c->durable_at == DURABLE_AT_KAFKA && c->kafka.head.at == NOWHERE)
		complain(b->complaints, c->head.at,
			 "capture: durable_at: kafka wants a section kafka: where that is");
}

#define AT(member) .offset = offsetof(struct config_capture, member)
static const struct key capture_keys[] = {
	{ "directory", &key_path, AT(directory), .missing = "where the log's segments are kept" },
	{ "durable", &key_choice, AT(durable), .words = durable_words },
	{ "gate", &key_choice, AT(gate), .preset = CONFIG_BY_PROFILE, .words = gate_words },
	{ "acknowledge", &key_choice, AT(acknowledge), .words = acknowledge_words },
	{ "unavailable", &key_choice, AT(unavailable), .words = unavailable_words },
	{ "tunnels", &key_choice, AT(tunnels), .words = tunnels_words },
	{ "answers", &key_choice, AT(answers), .words = answers_words },
	{ "redact", &key_redact, AT(redact) },
	{ "redact_query", &key_field_names, AT(redact_query) },
	{ "skip", &key_sections, AT(skip), .section = &skip_section,
	  .item_bytes = sizeof(struct config_skip), .next = offsetof(struct config_skip, next) },
	{ "compress", &key_choice, AT(compress), .words = off_on },
	{ "commit", &key_duration, AT(commit_ms), .preset = 0, 0, LOG_COMMIT_MS_MAX },
	{ "segment", &key_size, AT(segment_bytes), .preset = SEGMENT_BYTES,
	  .least = SEGMENT_BYTES_MIN },
	{ "retain", &key_section, AT(retain), .section = &retain_section },
	{ "limit", &key_size, AT(limit_bytes), .least = SEGMENT_BYTES_MIN },
	{ "kafka", &key_section, AT(kafka), .section = &kafka_section },
	{ "durable_at", &key_choice, AT(durable_at), .words = durable_at_words },
};
#undef AT
static const struct section capture_section = { KEYS(capture_keys), check_capture };

/* An address of `owner` against those of another: the kernel would give each a part of them. */
static void check_apart(struct binder *b, const struct config_address *a,
			const struct config_address *others, const char *owner)
{
	for (; others; others = others->next)
		if (addr_is(&a->addr, &others->addr))
			complain(b->complaints, a->at, "address: %s is that of %s", a->text, owner);
		else if (addr_overlaps(&a->addr, &others->addr))
			complain(b->complaints, a->at,
				 "address: %s and %s of %s would share connections", a->text,
				 others->text, owner);
}

/* Each against all before it; admin comes last. */
static void check_overlaps(struct binder *b, const struct config *c)
{
	for (int k = 0; k <= LISTENER_KINDS; k++) {
		const struct config_address *a =
			k < LISTENER_KINDS ? c->listeners.kinds[k].addresses : c->admin.addresses;
		for (; a; a = a->next)
			for (int other = 0; other < k; other++) {
				char owner[32];
				snprintf(owner, sizeof owner, "listener %s",
					 listener_name((enum config_listener_kind)other));
				check_apart(b, a, c->listeners.kinds[other].addresses, owner);
			}
	}
}

/* One of its addresses may be a node's all the same. */
static void check_localhost(struct binder *b, const struct config *c, const struct config_node *n)
{
	char which[OWN_TEXT_BYTES];
	struct addr at[2];
	if (!resolve_localhost(n->host, at))
		return;
	for (int i = 0; i < 2; i++) {
		addr_set_port(&at[i], n->port);
		if (own_has(c, &at[i], which))
			caution(b->complaints, n->at,
				"nodes: of the addresses of %s one is this balancer itself (%s), "
				"and gets no requests",
				n->name, which);
	}
}

/* Other names are looked at when they are looked up. */
static void check_own_nodes(struct binder *b, const struct config *c)
{
	char which[OWN_TEXT_BYTES];
	for (int arm = 0; arm < ARMS; arm++)
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			if (!n->literal)
				check_localhost(b, c, n);
			else if (own_has(c, &n->addr, which))
				complain(b->complaints, n->at,
					 "nodes: %s is this balancer itself (%s): requests would "
					 "come back to it without end",
					 n->name, which);
}

static void check_shared_nodes(struct binder *b, const struct config *c)
{
	for (const struct config_node *t = c->clusters[ARM_TARGET].nodes; t; t = t->next)
		for (const struct config_node *s = c->clusters[ARM_SOURCE].nodes; s; s = s->next)
			if (config_node_is(s, t))
				caution(b->complaints, t->at,
					"nodes: %s is a node of the source too: whatever the "
					"weights are, its requests go to one place; if that is not "
					"meant, say the target's own",
					t->name);
}

/* Search clusters listen where nobody expects it who does not know them. */
static void check_ports(struct binder *b, const struct config *c)
{
	for (int arm = 0; arm < ARMS && c->profile == PROFILE_OPENSEARCH; arm++)
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			if (!n->port_said && !n->tls)
				caution(b->complaints, n->at,
					"nodes: %s has no port, which means 80; search clusters "
					"listen at 9200: say http://%s:9200, or :80 if that is "
					"meant",
					n->name, n->name);
}

/* Whoever listens on the way has the token, and with it the weights. */
static void check_admin_reach(struct binder *b, const struct config *c)
{
	for (const struct config_address *a = c->admin.addresses; a; a = a->next)
		if (!addr_is_loopback(&a->addr))
			caution(b->complaints, a->at,
				"admin: address: %s is reached from other machines, in clear text: "
				"whoever listens on the way has the token, and may do everything; "
				"127.0.0.1:%u, and a tunnel by ssh or a proxy with TLS, shows it "
				"to nobody",
				a->text, addr_port(&a->addr));
}

static void check_root(struct binder *b, const void *to)
{
	const struct config *c = to;
	check_overlaps(b, c);
	check_own_nodes(b, c);
	for (int k = 0; k < LISTENER_KINDS; k++) {
		const struct config_listener *l = &c->listeners.kinds[k];
		if (l->head.at == NOWHERE || !l->tls || c->tls.head.at != NOWHERE)
			continue;
		complain(b->complaints, l->head.at,
			 "listener %s speaks TLS, and there is no section 'tls' with a certificate "
			 "and "
			 "its key (or say tls: off here)",
			 listener_name(k));
	}
	if (c->unknown_status == 503)
		complain(b->complaints, NOWHERE,
			 "unknown_status: 503 says that nothing was done, and asks to be sent "
			 "again");
	check_sticky_addresses(b, c);
	check_split(b, c);
	check_shared_nodes(b, c);
	check_ports(b, c);
	check_admin_reach(b, c);
}

#define AT(member) .offset = offsetof(struct config, member)
static const struct key root_keys[] = {
	{ "listeners", &key_section, AT(listeners), .section = &listeners_section,
	  .missing = "where clients connect: weighted, source, target" },
	{ "tls", &key_section, AT(tls), .section = &tls_section },
	{ "source", &key_section, AT(clusters[ARM_SOURCE]), .section = &cluster_section,
	  .missing = "the cluster that traffic comes from" },
	{ "target", &key_section, AT(clusters[ARM_TARGET]), .section = &cluster_section,
	  .missing = "the cluster that traffic goes to" },
	{ "weights", &key_section, AT(weights), .section = &weights_section },
	{ "sticky", &key_section, AT(sticky), .section = &sticky_section },
	{ "override", &key_section, AT(override), .section = &override_section },
	{ "timeouts", &key_section, AT(timeouts), .section = &timeouts_section },
	{ "admin", &key_section, AT(admin), .section = &admin_section },
	{ "log", &key_section, AT(log), .section = &log_section },
	{ "capture", &key_section, AT(capture), .section = &capture_section },
	{ "workers", &key_workers, AT(workers) },
	{ "memory", &key_size, AT(memory), .preset = MEMORY_BYTES, .least = MEMORY_BYTES_MIN },
	{ "profile", &key_choice, AT(profile), .preset = PROFILE_HTTP, .words = profile_words },
	{ "sniffing", &key_choice, AT(sniffing), .preset = CONFIG_SNIFFING_BY_PROFILE,
	  .words = sniffing_words },
	{ "unknown_status", &key_integer, AT(unknown_status), 0, 500, 599 },
	{ "io", &key_choice, AT(io), .preset = CONFIG_IO_AUTO, .words = io_words },
	{ "state", &key_path, AT(state), .missing = "the directory that keeps the weights" },
	LATER("routes"),
	LATER("cutover"),
	LATER("replay"),
};
#undef AT
static const struct section root_section = { KEYS(root_keys), check_root };

/* --- reading --- */

static const char *directory_of(const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return "";
	size_t n = slash == path ? 1 : (size_t)(slash - path);
	char *directory = arena_take(arena, n + 1);
	memcpy(directory, path, n);
	directory[n] = 0;
	return directory;
}

static struct config *config_new(const char *name)
{
	struct config *c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->holds = 1;
	slab_open(&c->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&c->arena, &c->chunks);
	struct binder b = { .arena = &c->arena, .directory = "" };
	complaints_open(&c->complaints, key_copy(&b, span_of(name)), SPAN(""));
	return c;
}

/* The socket stands beside the state unless it is said where. */
static void place_socket(struct config *c)
{
	size_t bytes = strlen(c->state) + sizeof "/admin.sock";
	if (!c->admin.socket) {
		char *path = arena_take(&c->arena, bytes);
		snprintf(path, bytes, "%s/admin.sock", c->state);
		c->admin.socket = path;
	}
	if (strlen(c->admin.socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		complain(&c->complaints, c->admin.head.at,
			 "admin: the socket's path %s is longer than %zu bytes; set admin.socket",
			 c->admin.socket, sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
}

/* --- what nobody is to see --- */

static bool has_key(const struct section *s, struct span name)
{
	for (size_t i = 0; s && i < s->key_n; i++)
		if (span_is(name, span_of(s->keys[i].name)) || has_key(s->keys[i].section, name))
			return true;
	return false;
}

/* What is no YAML shows the first key of a line, if it is one of ours. */
static void show_first_key(struct complaints *c, struct span line)
{
	char name[64];
	size_t from = 0;
	while (from < line.n && strchr(" \t-{", line.at[from]))
		from++;
	const char *colon = memchr(line.at + from, ':', line.n - from);
	struct span key = { line.at + from, colon ? (size_t)(colon - line.at) - from : 0 };
	if (!has_key(&root_section, key) || key.n >= sizeof name)
		return;
	snprintf(name, sizeof name, "%.*s", (int)key.n, key.at);
	complaints_show(c, (size_t)(key.at - c->text.at), name);
}

static void show_first_keys(struct complaints *c)
{
	for (struct span rest = c->text; rest.n;) {
		const char *end = memchr(rest.at, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.at) : rest.n;
		show_first_key(c, (struct span){ rest.at, n });
		n += end != NULL;
		rest = (struct span){ rest.at + n, rest.n - n };
	}
}

static void config_bind(struct config *c, const char *directory, struct span text)
{
	c->complaints.text = text;
	complaints_hide(&c->complaints);
	struct yaml *root = yaml_read(&c->arena, &c->complaints);
	c->root = root;
	if (!root)
		show_first_keys(&c->complaints);
	if (!root)
		return;
	struct binder b = { .arena = &c->arena,
			    .complaints = &c->complaints,
			    .directory = directory,
			    .kept = c->kept,
			    .read = &c->read };
	keys_bind(&b, &root_section, root, c);
	if (c->state)
		place_socket(c);
}

struct config *config_open_text(const char *name, const char *directory, struct span text)
{
	struct config *c = config_new(name);
	struct binder b = { .arena = &c->arena, .directory = "" };
	const char *copy = key_copy(&b, text);
	config_bind(c, key_copy(&b, span_of(directory)), (struct span){ copy, text.n });
	return c;
}

struct config *config_open(const char *path)
{
	struct config *c = config_new(path);
	struct span text;
	char why[TEXT_FILE_TROUBLE_BYTES];
	if (text_file_read(path, &c->arena, &text))
		config_bind(c, directory_of(path, &c->arena), text);
	else
		complain(&c->complaints, NOWHERE, "cannot be read: %s",
			 text_file_trouble(path, why));
	return c;
}

struct config *config_open_kept(const char *path, const struct kept_files *kept)
{
	struct config *c = config_new(path);
	struct span text;
	c->kept = kept;
	if (kept_files_find(kept, KEPT_CONFIGURATION, &text))
		config_bind(c, directory_of(path, &c->arena), text);
	else
		complain(&c->complaints, NOWHERE, "is not among what was kept");
	return c;
}

struct config *config_hold(struct config *c)
{
	c->holds++;
	return c;
}

static const struct yaml *member(const struct yaml *map, struct span key)
{
	for (const struct yaml *y = map->first; y; y = y->next)
		if (y->key && span_is(span_of(y->key), key))
			return y;
	return NULL;
}

size_t config_place(const struct config *c, const char *path)
{
	const struct yaml *at = c->root;
	while (at && *path) {
		size_t n = strcspn(path, ".");
		const struct yaml *next = member(at, (struct span){ path, n });
		if (!next)
			break;
		at = next;
		path += n + (path[n] == '.');
	}
	return at && at != c->root ? at->at : NOWHERE;
}

void config_close(struct config *c)
{
	must(c->holds > 0);
	if (--c->holds)
		return;
	complaints_close(&c->complaints);
	arena_close(&c->arena);
	slab_close(&c->chunks);
	free(c);
}
