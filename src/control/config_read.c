#include "control/config_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/bug.h"
#include "capture/follower.h"
#include "control/config_kafka.h"
#include "control/config_replay.h"
#include "control/config_skip.h"
#include "control/config_types.h"
#include "control/self_nodes.h"
#include "control/resolve.h"
#include "control/suggest.h"
#include "control/text_file.h"
#include "base/limits.h"
#include "http/msg.h"

/*
 * The tables. A row is a key: its name, its type, where its value goes, its default and its bounds.
 * Keys of later versions are named, too, so that a user who reads a newer manual gets a clear
 * diagnostic.
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
static const char *const acknowledge_words[] = { "outcome", "response", NULL };
static const char *const unavailable_words[] = { "refuse", "forward", NULL };
static const char *const durable_at_words[] = { "disk", "kafka", NULL };
static const char *const tunnels_words[] = { "refuse", "forward", NULL };
static const char *const responses_words[] = { "writes", "all", "heads", NULL };
static const char *const io_words[] = { "auto", "io_uring", "epoll", NULL };
static const char *const profile_words[] = {
	[PROFILE_HTTP] = "http",
	[PROFILE_OPENSEARCH] = "opensearch",
	[PROFILES] = NULL,
};
static const char *const sniffing_words[] = { "respond", "refuse", "pass", NULL };
static const char *const policy_words[] = {
	[TLS_POLICY_1_2] = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
	[TLS_POLICY_1_3] = "ELBSecurityPolicy-TLS13-1-3-2021-06",
	[TLS_POLICIES] = NULL,
};

/* --- listeners --- */

#define AT(member) .offset = offsetof(struct config_listener, member)
static const struct key listener_keys[] = {
	{ "address", &key_addresses, AT(addresses),
	  .missing = "an address and port, such as 0.0.0.0:443" },
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

/* A PROXY header names the client: it must be accepted from known proxies only. */
static void check_listener(struct binder *b, const void *to)
{
	const struct config_listener *l = to;
	if (l->proxy_protocol && l->trust.at == NOWHERE)
		diagnose(b->diagnostics, l->head.at,
			 "proxy_protocol: needs `trust`: the networks of the proxies that send it");
}
static const struct section listener_section = { KEYS(listener_keys), check_listener };

static void check_addresses(struct binder *b, const struct config_listeners *l, int k)
{
	size_t n = 0;
	for (const struct config_address *a = l->kinds[k].addresses; a; a = a->next) {
		if (++n > LISTENER_ADDRESSES_MAX)
			diagnose(b->diagnostics, a->at, "address: a listener has at most %d",
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
	diagnose(b->diagnostics, l->head.at,
		 "listeners: there is no listener: weighted, source or target");
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

#define CERTIFICATE_MISSING .missing = "a PEM file, the leaf certificate first"
#define KEY_MISSING .missing = "a PEM file with the private key"

#define AT(member) .offset = offsetof(struct config_certificate, member)
static const struct key certificate_keys[] = {
	{ "certificate", &key_file, AT(certificate), CERTIFICATE_MISSING },
	{ "key", &key_file, AT(key), KEY_MISSING },
};
#undef AT
static const struct section certificate_section = { KEYS(certificate_keys) };

static void check_certificates(struct binder *b, const void *to)
{
	const struct config_tls *t = to;
	size_t n = 0;
	for (const struct config_certificate *c = t->certificate.next; c; c = c->next)
		if (n++ == CERTIFICATES_MAX)
			diagnose(b->diagnostics, c->head.at, "certificates: there are more than %d",
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
static const struct section tls_section = { KEYS(tls_keys), check_certificates };

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

#define AT(member) .offset = offsetof(struct config_response_timeout, member)
static const struct key response_timeout_keys[] = {
	{ "method", &key_skip_method, AT(method) },
	{ "path", &key_skip_path, AT(path) },
	{ "response", &key_duration, AT(response_ms), 0, 100, DAY,
	  .missing = "how long a response may take to begin, such as 1h" },
};
#undef AT

static void check_response_timeout(struct binder *b, const void *to)
{
	const struct config_response_timeout *p = to;
	if (!p->method && !p->path)
		diagnose(b->diagnostics, p->head.at,
			 "rules: the rule would match all requests: set method or path, or use "
			 "timeouts.response");
}
static const struct section response_timeout_section = { KEYS(response_timeout_keys),
							 check_response_timeout };

static void check_cluster_timeouts(struct binder *b, const void *to)
{
	const struct config_cluster_timeouts *t = to;
	size_t n = 0;
	for (const struct config_response_timeout *p = t->rules; p; p = p->next)
		if (n++ == RESPONSE_TIMEOUT_RULES_MAX)
			diagnose(b->diagnostics, p->head.at, "rules: there are more than %d",
				 RESPONSE_TIMEOUT_RULES_MAX);
}

#define AT(member) .offset = offsetof(struct config_cluster_timeouts, member)
static const struct key cluster_timeouts_keys[] = {
	{ "connect", &key_duration, AT(connect_ms), CONNECT_TIMEOUT_MS, 10, 600 * SECOND },
	{ "idle", &key_duration, AT(idle_ms), IDLE_TIMEOUT_MS, 100, DAY },
	{ "response", &key_duration, AT(response_ms), 0, 100, DAY },
	{ "asked", &key_duration, AT(asked_ms), ASKED_TIMEOUT_MS, 0, DAY },
	{ "rules", &key_sections, AT(rules), .section = &response_timeout_section,
	  .item_bytes = sizeof(struct config_response_timeout),
	  .next = offsetof(struct config_response_timeout, next) },
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
				diagnose(b->diagnostics, r->at,
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
		warn_at(b->diagnostics, y->at,
			"verify: off trusts any server at a node's address: requests and passwords "
			"may go to an attacker; use ca: instead");
}

static void preset_choice(const struct key *k, void *to)
{
	key_choice.preset(k, to);
}

static const struct key_type key_verify = { bind_verify, preset_choice, true, "a word" };

static const char *const age_words[] = { "modern", "legacy", NULL };

static void bind_cluster_tls(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	key_choice.bind(b, k, y, to);
	if (y->kind == YAML_SCALAR && !strcmp(y->text, "legacy"))
		warn_at(b->diagnostics, y->at,
			"tls: legacy accepts TLS 1.0 and 1.1, RSA keys below 2048 bits and SHA-1 "
			"from the nodes of this cluster: an attacker on the network may read and "
			"change the traffic");
}

static const struct key_type key_age = { bind_cluster_tls, preset_choice, true, "a word" };

static void check_cluster(struct binder *b, const void *to)
{
	const struct config_cluster *c = to;
	bool tls = false;
	for (const struct config_node *n = c->nodes; n; n = n->next)
		tls |= n->tls;
	if (c->tls && !tls)
		diagnose(b->diagnostics, c->head.at, "tls: legacy has no effect: no node is https");
	if (c->ca.path && !c->verify)
		diagnose(b->diagnostics, c->ca.at,
			 "ca: has no effect with verify: off, which trusts any server");
	else if (c->ca.path && !tls)
		diagnose(b->diagnostics, c->ca.at, "ca: has no effect: no node is https");
}

#define AT(member) .offset = offsetof(struct config_limits, member)
static const struct key limits_keys[] = {
	{ "response_head", &key_size, AT(response_head_bytes), .preset = RESPONSE_HEAD_BYTES,
	  .least = RESPONSE_HEAD_BYTES_MIN, .most = RESPONSE_HEAD_BYTES_MAX },
	{ "response_fields", &key_integer, AT(response_fields), RESPONSE_FIELDS,
	  RESPONSE_FIELDS_MIN, RESPONSE_FIELDS_MAX },
};
#undef AT
static const struct section limits_section = { KEYS(limits_keys) };

#define AT(member) .offset = offsetof(struct config_cluster, member)
static const struct key cluster_keys[] = {
	{ "nodes", &key_nodes, AT(nodes),
	  .missing = "a list of URLs, such as [ https://es-1:9200 ]" },
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
		diagnose(b->diagnostics, w->head.at,
			 "weights: both are 0: no request would be served");
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
	{ "tls", &key_section, AT(tls), .section = &tls_section },
	LATER("token"),
};
#undef AT
static const struct section admin_section = { KEYS(admin_keys) };

/* Names of fields are tokens, and so are names of cookies: RFC 9110, 5.1; RFC 6265, 4.1.1. */
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
		diagnose(b->diagnostics, s->head.at,
			 "sticky: by: address takes no `name`; use by: header or by: cookie");
	else if (s->by != STICKY_ADDRESS && !s->name)
		diagnose(b->diagnostics, s->head.at, "sticky: needs `name`: which %s has the key",
			 sticky_words[s->by]);
	else if (s->by != STICKY_ADDRESS && !is_sticky_name(s))
		diagnose(b->diagnostics, s->head.at,
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
	  .missing = "the networks whose clients may send X-Crossfade-Cluster" },
};
#undef AT
static const struct section override_section = { KEYS(override_keys) };

/*
 * Behind a balancer that does not pass on client addresses, all clients have that balancer's
 * address.
 */
static void check_sticky_addresses(struct binder *b, const struct config *c)
{
	const struct config_listener *l = &c->listeners.kinds[LISTENER_WEIGHTED];
	if (c->sticky.head.at == NOWHERE || c->sticky.by != STICKY_ADDRESS)
		return;
	if (l->head.at != NOWHERE && l->trust.at == NOWHERE)
		warn_at(b->diagnostics, c->sticky.head.at,
			"sticky: by: address, behind another load balancer, needs proxy_protocol "
			"or trust at the listener weighted: without it all clients have that "
			"balancer's address");
}

static void check_split(struct binder *b, const struct config *c)
{
	const struct config_weights *w = &c->weights;
	if (c->listeners.kinds[LISTENER_WEIGHTED].head.at != NOWHERE && w->arms[ARM_SOURCE] &&
	    w->arms[ARM_TARGET])
		warn_at(b->diagnostics, w->head.at,
			"weights: both are above 0: a first start splits writes, and a write that "
			"one cluster takes is missing in the other");
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

static const struct key_type key_names_or_none = { bind_names_or_none, NULL, true,
						   "a list of names, or none" };

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
		warn_at(b->diagnostics, y->at,
			"capture: redact: none keeps passwords and tokens in the log unchanged: "
			"everybody who can read the log gets them");
}

static const struct key_type key_redact = { bind_redact, NULL, true,
					    "a list of names of fields, or none" };

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
		diagnose(b->diagnostics, r->head.at,
			 "capture: retain.size is above limit: the log would be full before "
			 "anything is removed");
	else if (r->head.at != NOWHERE && c->directory && c->kafka.head.at == NOWHERE &&
		 !followers_any(c->directory))
		warn_at(b->diagnostics, r->head.at,
			"capture: retain removes the only copy: no follower reads the log "
			"(`crossfade capture export --follower NAME` would be one)");
	if (c->durable_at == DURABLE_AT_KAFKA && c->kafka.head.at == NOWHERE)
		diagnose(b->diagnostics, c->head.at,
			 "capture: durable_at: kafka needs a section kafka");
}

#define AT(member) .offset = offsetof(struct config_capture, member)
static const struct key capture_keys[] = {
	{ "directory", &key_path, AT(directory), .missing = "where the log's segments are kept" },
	{ "durable", &key_choice, AT(durable), .words = durable_words },
	{ "gate", &key_choice, AT(gate), .preset = CONFIG_BY_PROFILE, .words = gate_words },
	{ "acknowledge", &key_choice, AT(acknowledge), .words = acknowledge_words },
	{ "unavailable", &key_choice, AT(unavailable), .words = unavailable_words },
	{ "tunnels", &key_choice, AT(tunnels), .words = tunnels_words },
	{ "responses", &key_choice, AT(responses), .words = responses_words },
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

/*
 * Compares an address with those of `owner`: for two sockets on one address the kernel would share
 * out the connections between them.
 */
static void check_apart(struct binder *b, const struct config_address *a,
			const struct config_address *others, const char *owner)
{
	for (; others; others = others->next)
		if (addr_is(&a->addr, &others->addr))
			diagnose(b->diagnostics, a->at, "address: %s is also an address of %s",
				 a->text, owner);
		else if (addr_overlaps(&a->addr, &others->addr))
			diagnose(b->diagnostics, a->at,
				 "address: %s and %s of %s would share connections", a->text,
				 others->text, owner);
}

/* Compares each address with all before it; those of admin come last. */
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

/* Only a warning: localhost has two addresses, and the other one may be a node. */
static void check_localhost(struct binder *b, const struct config *c, const struct config_node *n)
{
	char which[SELF_NODES_TEXT_BYTES];
	struct addr at[2];
	if (!resolve_localhost(n->host, at))
		return;
	for (int i = 0; i < 2; i++) {
		addr_set_port(&at[i], n->port);
		if (self_nodes_have(c, &at[i], which))
			warn_at(b->diagnostics, n->at,
				"nodes: one address of %s is this balancer itself (%s), and gets "
				"no requests",
				n->name, which);
	}
}

/* Other names are checked when they are looked up. */
static void check_own_nodes(struct binder *b, const struct config *c)
{
	char which[SELF_NODES_TEXT_BYTES];
	for (int arm = 0; arm < ARMS; arm++)
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			if (!n->literal)
				check_localhost(b, c, n);
			else if (self_nodes_have(c, &n->addr, which))
				diagnose(b->diagnostics, n->at,
					 "nodes: %s is this balancer itself (%s): requests would "
					 "come back to it again and again",
					 n->name, which);
}

static void check_shared_nodes(struct binder *b, const struct config *c)
{
	for (const struct config_node *t = c->clusters[ARM_TARGET].nodes; t; t = t->next)
		for (const struct config_node *s = c->clusters[ARM_SOURCE].nodes; s; s = s->next)
			if (config_node_is(s, t))
				warn_at(b->diagnostics, t->at,
					"nodes: %s is also a node of the source: whatever the "
					"weights are, requests go to the same node; if you do not "
					"want that, name a node of the target",
					t->name);
}

/* The default port of search clusters is 9200, which is not the default of http. */
static void check_ports(struct binder *b, const struct config *c)
{
	for (int arm = 0; arm < ARMS && c->profile == PROFILE_OPENSEARCH; arm++)
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			if (!n->port_said && !n->tls)
				warn_at(b->diagnostics, n->at,
					"nodes: %s has no port, which means 80; search clusters "
					"listen at 9200: write http://%s:9200, or :80 if you want "
					"that",
					n->name, n->name);
}

/* Anybody who can listen on the network would get the token, and with it control of the weights. */
static void check_admin_reach(struct binder *b, const struct config *c)
{
	if (c->admin.tls.head.at != NOWHERE && !c->admin.addresses)
		diagnose(b->diagnostics, c->admin.tls.head.at,
			 "admin: tls: is for admin.address, which is not set");
	if (c->admin.tls.head.at != NOWHERE)
		return;
	for (const struct config_address *a = c->admin.addresses; a; a = a->next)
		if (!addr_is_loopback(&a->addr))
			warn_at(b->diagnostics, a->at,
				"admin: address: %s can be reached from other machines, in clear "
				"text: they get only /metrics and /healthz, and the token is "
				"refused; set admin.tls: { certificate: FILE, key: FILE }, or use "
				"127.0.0.1:%u and an ssh tunnel or a TLS proxy",
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
		diagnose(b->diagnostics, l->head.at,
			 "listener %s uses TLS, but there is no section 'tls' with a certificate "
			 "and its key (or set tls: off here)",
			 listener_name(k));
	}
	if (c->unknown_status == 503)
		diagnose(b->diagnostics, NOWHERE,
			 "unknown_status: 503 tells the client that nothing was done, and that it "
			 "should repeat the request");
	check_sticky_addresses(b, c);
	check_split(b, c);
	check_shared_nodes(b, c);
	check_ports(b, c);
	check_admin_reach(b, c);
	replay_check(b, c);
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
	{ "replay", &key_section, AT(replay), .section = &replay_section },
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
};
#undef AT
static const struct section root_section = { KEYS(root_keys), check_root };

const struct section *config_section(void)
{
	return &root_section;
}

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
	diagnostics_open(&c->diagnostics, key_copy(&b, span_of(name)), SPAN(""));
	return c;
}

/* The socket is in the state directory, unless admin.socket is set. */
static void place_socket(struct config *c)
{
	size_t bytes = strlen(c->state) + sizeof "/admin.sock";
	if (!c->admin.socket) {
		char *path = arena_take(&c->arena, bytes);
		snprintf(path, bytes, "%s/admin.sock", c->state);
		c->admin.socket = path;
	}
	if (strlen(c->admin.socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		diagnose(&c->diagnostics, c->admin.head.at,
			 "admin: the socket's path %s is longer than %zu bytes; set admin.socket",
			 c->admin.socket, sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
}

/* --- what diagnostics may show --- */

static bool has_key(const struct section *s, struct span name)
{
	for (size_t i = 0; s && i < s->key_n; i++)
		if (span_is(name, span_of(s->keys[i].name)) || has_key(s->keys[i].section, name))
			return true;
	return false;
}

/*
 * Where the text is not YAML, diagnostics show the first key of a line, if it is one of our keys.
 */
static void show_first_key(struct diagnostics *c, struct span line)
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
	diagnostics_show(c, (size_t)(key.at - c->text.at), name);
}

static void show_first_keys(struct diagnostics *c)
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
	c->diagnostics.text = text;
	diagnostics_hide(&c->diagnostics);
	struct yaml *root = yaml_read(&c->arena, &c->diagnostics);
	c->root = root;
	if (!root)
		show_first_keys(&c->diagnostics);
	if (!root)
		return;
	struct binder b = { .arena = &c->arena,
			    .diagnostics = &c->diagnostics,
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
		diagnose(&c->diagnostics, NOWHERE, "cannot be read: %s",
			 text_file_trouble(path, why));
	return c;
}

struct config *config_open_saved(const char *path, const struct saved_files *kept)
{
	struct config *c = config_new(path);
	struct span text;
	c->kept = kept;
	if (saved_files_find(kept, SAVED_CONFIGURATION, &text))
		config_bind(c, directory_of(path, &c->arena), text);
	else
		diagnose(&c->diagnostics, NOWHERE, "is not among the saved files");
	return c;
}
