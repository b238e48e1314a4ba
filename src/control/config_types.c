#include "control/config_types.h"

#include "control/config.h"
#include "control/pattern.h"
#include "control/resolve.h"
#include "base/limits.h"

/* A host name as in DNS and in Host: RFC 1123, 2.1, and also the underscore, which people use. */
static bool is_host_name(struct span s)
{
	if (!s.n || s.n > 253 || s.at[0] == '-' || s.at[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

/*
 * Splits "host:port", "[v6]:port" or "host". False when the text is none of these. `port` is empty
 * when there is none.
 */
static bool split_authority(struct span s, struct span *host, struct span *port)
{
	const char *close = s.n && s.at[0] == '[' ? memchr(s.at, ']', s.n) : NULL;
	if (s.n && s.at[0] == '[' && !close)
		return false;
	const char *from = close ? close + 1 : s.at;
	const char *colon = memchr(from, ':', s.n - (size_t)(from - s.at));
	if (close && colon != from && from != s.at + s.n)
		return false;
	size_t host_n = colon ? (size_t)(colon - s.at) : s.n;
	*host = close ? (struct span){ s.at + 1, (size_t)(close - s.at) - 1 }
		      : (struct span){ s.at, host_n };
	*port = colon ? (struct span){ colon + 1, s.n - host_n - 1 } : (struct span){ NULL, 0 };
	return !colon || port->n;
}

/* --- addresses --- */

static void bind_address(struct binder *b, const struct key *k, const struct yaml *y,
			 struct config_address **end)
{
	struct span host, port;
	unsigned long long number;
	if (!key_is_scalar(b, k, y))
		return;
	if (!split_authority(span_of(y->text), &host, &port) || !port.n) {
		diagnose(b->diagnostics, y->at,
			 "%s: '%s' is not an address and a port, such as 0.0.0.0:443 or [::]:443",
			 k->name, y->text);
		return;
	}
	if (!span_to_u64(port, 65535, &number) || number == 0) {
		diagnose(b->diagnostics, y->at, "%s: the port '%.*s' is not from 1 to 65535",
			 k->name, (int)port.n, port.at);
		return;
	}
	struct config_address *a = arena_take(b->arena, sizeof *a);
	*a = (struct config_address){ .text = y->text, .at = y->at };
	if (addr_parse(host, (uint16_t)number, &a->addr)) {
		a->addr = addr_unmapped(&a->addr);
		*end = a;
	} else {
		diagnose(b->diagnostics, y->at,
			 "%s: '%.*s' is not an IPv4 or IPv6 address; a listener needs an address, "
			 "not a name",
			 k->name, (int)host.n, host.at);
	}
}

static void append_address(struct binder *b, const struct key *k, const struct yaml *y,
			   struct config_address **first)
{
	struct config_address **end = first;
	while (*end)
		end = &(*end)->next;
	bind_address(b, k, y, end);
	for (struct config_address *a = *first; *end && a != *end; a = a->next)
		if (addr_is(&a->addr, &(*end)->addr)) {
			diagnose(b->diagnostics, y->at, "%s: %s is here twice", k->name, y->text);
			return;
		} else if (addr_overlaps(&a->addr, &(*end)->addr)) {
			diagnose(b->diagnostics, y->at,
				 "%s: %s and %s, which is also here, would share connections",
				 k->name, y->text, a->text);
			return;
		}
}

static void addresses_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct config_address **first = to;
	if (y->kind != YAML_LIST) {
		append_address(b, k, y, first);
		return;
	}
	for (const struct yaml *item = y->first; item; item = item->next)
		append_address(b, k, item, first);
	if (!y->first)
		diagnose(b->diagnostics, y->at, "%s: the list is empty", k->name);
}

static void addresses_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_address **)to = NULL;
}

const struct key_type key_addresses = { addresses_bind, addresses_preset, true,
					"ADDRESS:PORT, or a list of them" };

/* --- nodes --- */

static bool starts_with(struct span *s, const char *word)
{
	size_t n = strlen(word);
	if (s->n < n || strncasecmp(s->at, word, n) != 0)
		return false;
	*s = (struct span){ s->at + n, s->n - n };
	return true;
}

/* In DNS a final dot marks a full name. Servers and certificates have the name without it. */
static struct span name_without_last_dot(struct span name)
{
	name.n -= name.n && name.at[name.n - 1] == '.';
	return name;
}

/* Host has no port that the scheme implies (RFC 9110, 4.2.3), and no final dot. */
static const char *node_name(struct binder *b, struct span authority, struct span port,
			     bool implied)
{
	struct span host = { authority.at, authority.n - (port.n ? port.n + 1 : 0) };
	struct span name = name_without_last_dot(host);
	struct span rest = { host.at + host.n, implied ? 0 : authority.n - host.n };
	char *text = arena_take(b->arena, name.n + rest.n + 1);
	memcpy(text, name.at, name.n);
	memcpy(text + name.n, rest.at, rest.n);
	text[name.n + rest.n] = 0;
	return text;
}

/* What is wrong with the URL, in words; NULL: nothing. */
static const char *read_url(struct binder *b, struct span url, struct config_node *n)
{
	n->tls = starts_with(&url, "https://");
	if (!n->tls && !starts_with(&url, "http://"))
		return "it does not begin with http:// or https://";
	if (memchr(url.at, '@', url.n))
		return "a password does not belong in a URL";
	if (url.n && url.at[url.n - 1] == '/')
		url.n--;
	if (memchr(url.at, '/', url.n) || memchr(url.at, '?', url.n) || memchr(url.at, '#', url.n))
		return "a path is not possible here: requests keep their own";
	struct span host, port;
	unsigned long long number = n->tls ? 443 : 80;
	if (!split_authority(url, &host, &port))
		return "after the scheme, a host and a port are expected";
	if (port.n && (!span_to_u64(port, 65535, &number) || number == 0))
		return "the port is not from 1 to 65535";
	n->port = (uint16_t)number;
	n->port_said = port.n;
	n->literal = addr_parse(host, n->port, &n->addr);
	if (n->literal)
		n->addr = addr_unmapped(&n->addr);
	if (!n->literal && (url.at[0] == '[' || !is_host_name(host)))
		return "the host is neither a name nor an address";
	n->host = key_copy(b, host);
	n->name = node_name(b, url, port, number == (n->tls ? 443 : 80));
	return NULL;
}

/* DNS ignores case, and a final dot only marks a full name. */
static bool is_same_name(const char *a, const char *b)
{
	return span_is_nocase(name_without_last_dot(span_of(a)), name_without_last_dot(span_of(b)));
}

static bool is_localhost_at(const struct config_node *name, const struct config_node *literal)
{
	struct addr at[2];
	if (name->literal || !literal->literal || !resolve_localhost(name->host, at))
		return false;
	for (int i = 0; i < 2; i++) {
		addr_set_port(&at[i], name->port);
		if (addr_is(&at[i], &literal->addr))
			return true;
	}
	return false;
}

bool config_node_is(const struct config_node *a, const struct config_node *b)
{
	if (a->literal && b->literal)
		return addr_is(&a->addr, &b->addr);
	return (a->port == b->port && is_same_name(a->host, b->host)) || is_localhost_at(a, b) ||
	       is_localhost_at(b, a);
}

static void complain_of_same(struct binder *b, const struct key *k, const struct yaml *y,
			     const struct config_node *there)
{
	size_t line, column;
	diagnostic_place(b->diagnostics, there->at, &line, &column);
	diagnose(b->diagnostics, y->at,
		 "%s: %s is here twice: line %zu has it as %s: remove one of them", k->name,
		 y->text, line, there->name);
}

static void append_node(struct binder *b, const struct key *k, const struct yaml *y,
			struct config_node **first)
{
	if (!key_is_scalar(b, k, y))
		return;
	struct config_node *n = arena_take(b->arena, sizeof *n);
	*n = (struct config_node){ .at = y->at };
	const char *wrong = read_url(b, span_of(y->text), n);
	if (wrong) {
		diagnose(b->diagnostics, y->at,
			 "%s: '%s' is not a node, such as https://es-1:9200: %s", k->name, y->text,
			 wrong);
		return;
	}
	struct config_node **end = first;
	for (; *end; end = &(*end)->next)
		if (config_node_is(*end, n)) {
			complain_of_same(b, k, y, *end);
			return;
		}
	*end = n;
}

static void nodes_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (y->kind != YAML_LIST) {
		diagnose(b->diagnostics, y->at,
			 "%s: is %s; a list of URLs is expected, such as [ %s ]", k->name,
			 yaml_kind_word(y->kind),
			 y->kind == YAML_SCALAR && *y->text && !strpbrk(y->text, "@?")
				 ? y->text
				 : "https://es-1:9200");
		return;
	}
	size_t n = 0;
	for (const struct yaml *item = y->first; item; item = item->next, n++)
		if (n < NODES_PER_CLUSTER_MAX)
			append_node(b, k, item, to);
	if (n == 0)
		diagnose(b->diagnostics, y->at, "%s: the list is empty", k->name);
	if (n > NODES_PER_CLUSTER_MAX)
		diagnose(b->diagnostics, y->at, "%s: there are %zu; at most %d are allowed",
			 k->name, n, NODES_PER_CLUSTER_MAX);
}

static void nodes_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_node **)to = NULL;
}

const struct key_type key_nodes = { nodes_bind, nodes_preset, true, "a list of URLs" };

/* --- names --- */

static void append_name(struct binder *b, const struct key *k, const struct yaml *y,
			struct config_name ***end)
{
	if (!key_is_scalar(b, k, y))
		return;
	if (!is_host_name(span_of(y->text))) {
		diagnose(b->diagnostics, y->at, "%s: '%s' is not a host name", k->name, y->text);
		return;
	}
	struct config_name *n = arena_take(b->arena, sizeof *n);
	*n = (struct config_name){ y->text, NULL };
	**end = n;
	*end = &n->next;
}

static void host_names_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct config_name **end = to;
	size_t n = 0;
	if (y->kind != YAML_LIST)
		append_name(b, k, y, &end);
	else
		for (const struct yaml *item = y->first; item; item = item->next)
			if (n++ < ADMIN_HOSTS_MAX)
				append_name(b, k, item, &end);
	if (n > ADMIN_HOSTS_MAX)
		diagnose(b->diagnostics, y->at, "%s: there are %zu; at most %d are allowed",
			 k->name, n, ADMIN_HOSTS_MAX);
}

static void host_names_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_name **)to = NULL;
}

const struct key_type key_host_names = { host_names_bind, host_names_preset, true,
					 "a list of names" };

/* --- host --- */

static void host_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct config_host *h = to;
	struct span host, port;
	struct addr literal;
	if (!key_is_scalar(b, k, y))
		return;
	if (!strcmp(y->text, "preserve"))
		h->policy = HOST_PRESERVE;
	else if (!strcmp(y->text, "node"))
		h->policy = HOST_NODE;
	else if (split_authority(span_of(y->text), &host, &port) &&
		 (is_host_name(host) || addr_parse(host, 0, &literal)))
		*h = (struct config_host){ HOST_NAME, y->text };
	else
		diagnose(b->diagnostics, y->at, "%s: '%s' is not preserve, node, or a host name",
			 k->name, y->text);
}

static void host_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_host *)to = (struct config_host){ HOST_PRESERVE, NULL };
}

const struct key_type key_host = { host_bind, host_preset, true, "preserve, node, or a name" };

/* --- health --- */

static bool config_read_status(struct span s, uint16_t *status)
{
	unsigned long long n;
	if (s.n != 3 || !span_to_u64(s, 599, &n) || n < 200)
		return false;
	*status = (uint16_t)n;
	return true;
}

static void statuses_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct config_statuses *s = to;
	if (!key_is_scalar(b, k, y))
		return;
	const char *dash = strchr(y->text, '-');
	struct span least = { y->text, dash ? (size_t)(dash - y->text) : strlen(y->text) };
	struct span most = dash ? span_of(dash + 1) : least;
	struct config_statuses read;
	if (!config_read_status(least, &read.least) || !config_read_status(most, &read.most) ||
	    read.least > read.most)
		diagnose(b->diagnostics, y->at,
			 "%s: '%s' is not a status or a range of statuses from 200 to 599, such as "
			 "200-499",
			 k->name, y->text);
	else
		*s = read;
}

static void statuses_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_statuses *)to = (struct config_statuses){ 200, 499 };
}

const struct key_type key_statuses = { statuses_bind, statuses_preset, true,
				       "statuses, such as 200-299" };

static void request_path_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	for (const char *c = y->text; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '#') {
			diagnose(b->diagnostics, y->at,
				 "%s: '%s' has a character that a path cannot have: percent-encode "
				 "it",
				 k->name, y->text);
			return;
		}
	if (y->text[0] != '/')
		diagnose(b->diagnostics, y->at, "%s: '%s' does not begin with /", k->name, y->text);
	else if (strlen(y->text) > REQUEST_LINE_BYTES / 4)
		diagnose(b->diagnostics, y->at, "%s: is longer than %d bytes", k->name,
			 REQUEST_LINE_BYTES / 4);
	else
		*(const char **)to = y->text;
}

static void request_path_preset(const struct key *k, void *to)
{
	*(const char **)to = k->text;
}

const struct key_type key_request_path = { request_path_bind, request_path_preset, true,
					   "a path, such as /healthz" };

/* --- networks --- */

static const char *network_trouble(enum network_verdict v)
{
	switch (v) {
	case NETWORK_ADDRESS:
		return "it does not begin with an IPv4 or IPv6 address";
	case NETWORK_LENGTH:
		return "after the '/' a number of bits is expected, at most 32, or 128 for IPv6";
	case NETWORK_BITS:
		return "the address has bits set beyond the network's length";
	case NETWORK_GOOD:
		break;
	}
	return NULL;
}

static void append_network(struct binder *b, const struct key *k, const struct yaml *y,
			   struct networks *to)
{
	if (!key_is_scalar(b, k, y))
		return;
	const char *wrong = network_trouble(networks_add(to, span_of(y->text)));
	if (wrong)
		diagnose(b->diagnostics, y->at, "%s: '%s' is not a network, such as 10.0.0.0/8: %s",
			 k->name, y->text, wrong);
}

static void networks_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct config_networks *s = to;
	size_t n = y->kind == YAML_LIST ? 0 : 1;
	for (const struct yaml *item = y->first; item && y->kind == YAML_LIST; item = item->next)
		n++;
	if (n == 0)
		diagnose(b->diagnostics, y->at, "%s: the list is empty: it would match no address",
			 k->name);
	if (n > NETWORKS_MAX)
		diagnose(b->diagnostics, y->at, "%s: there are %zu; at most %d are allowed",
			 k->name, n, NETWORKS_MAX);
	if (n == 0 || n > NETWORKS_MAX)
		return;
	s->at = y->at;
	s->list.ranges = arena_take(b->arena, n * NETWORK_RANGES * sizeof *s->list.ranges);
	if (y->kind != YAML_LIST)
		append_network(b, k, y, &s->list);
	else
		for (const struct yaml *item = y->first; item; item = item->next)
			append_network(b, k, item, &s->list);
	networks_sort(&s->list);
}

static void networks_preset(const struct key *k, void *to)
{
	(void)k;
	*(struct config_networks *)to = (struct config_networks){ .at = NOWHERE };
}

const struct key_type key_networks = { networks_bind, networks_preset, true,
				       "a network, or a list of them" };

/* The place in the text of byte `n` of a scalar's value. An escape in the text takes two bytes. */
static size_t place_in(const struct diagnostics *c, const struct yaml *y, size_t n)
{
	struct span text = c->text;
	size_t at = y->at;
	char quote = at > 0 && at < text.n ? text.at[at - 1] : 0;
	if (quote != '"' && quote != '\'')
		return at + n;
	for (; n > 0 && at + 1 < text.n; n--, at++)
		if (text.at[at] == (quote == '"' ? '\\' : '\''))
			at++;
	return at;
}

static void pattern_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	char error[PATTERN_ERROR_BYTES];
	size_t at;
	if (!key_is_scalar(b, k, y))
		return;
	struct pattern *p = pattern_open(y->text, error, &at);
	if (p)
		*(const char **)to = y->text;
	else
		diagnose(b->diagnostics, place_in(b->diagnostics, y, at),
			 "%s: is not a valid pattern: %s", k->name, error);
	pattern_close(p);
}

static void pattern_preset(const struct key *k, void *to)
{
	*(const char **)to = k->text;
}

const struct key_type key_pattern = { pattern_bind, pattern_preset, true, "a pattern (PCRE2)" };

/* --- workers --- */

static void workers_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	unsigned long long n;
	if (!key_is_scalar(b, k, y))
		return;
	if (!strcmp(y->text, "auto"))
		*(uint32_t *)to = 0;
	else if (span_to_u64(span_of(y->text), WORKERS_MAX, &n) && n > 0)
		*(uint32_t *)to = (uint32_t)n;
	else
		diagnose(b->diagnostics, y->at, "%s: '%s' is not auto or a number from 1 to %d",
			 k->name, y->text, WORKERS_MAX);
}

static void workers_preset(const struct key *k, void *to)
{
	*(uint32_t *)to = k->preset;
}

const struct key_type key_workers = { workers_bind, workers_preset, true, "auto, or a number" };
