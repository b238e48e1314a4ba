#include "unit/control/kit.h"

#include "base/limits.h"
#include "control/config_read.h"

/* Diagnostics as a person sees them. */
static char *printed(struct config *c)
{
	char *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	diagnostics_print(&c->diagnostics, to);
	fclose(to);
	return text;
}

static void assert_diagnostics(const char *text, const char *expected)
{
	struct config *c = config_open_text("f.yaml", "/nowhere", span_of(text));
	char *got = printed(c);
	if (strcmp(got, expected))
		print_error("of this:\n%s\nexpected:\n%s\ngot:\n%s\n", text, expected, got);
	assert_string_equal(got, expected);
	free(got);
	config_close(c);
}

/* --- what is good --- */

static void defaults_are_those_of_the_limits(void **state)
{
	(void)state;
	struct config *c = kit_config(KIT_CONFIG);
	const struct config_cluster *source = &c->clusters[ARM_SOURCE];
	assert_int_equal(c->timeouts.head_ms, HEAD_TIMEOUT_MS);
	assert_int_equal(c->timeouts.keep_alive_ms, CLIENT_KEEP_ALIVE_MS);
	assert_int_equal(c->timeouts.drain_ms, STOP_DRAIN_MS);
	assert_int_equal(c->timeouts.leave_ms, 0);
	assert_int_equal(c->timeouts.tcp_keepalive_ms, TCP_KEEPALIVE_MS);
	assert_int_equal(source->timeouts.keep_alive_ms, NODE_KEEP_ALIVE_MS);
	assert_int_equal(source->timeouts.connect_ms, CONNECT_TIMEOUT_MS);
	assert_int_equal(source->timeouts.idle_ms, IDLE_TIMEOUT_MS);
	assert_int_equal(source->health.interval_ms, HEALTH_INTERVAL_MS);
	assert_int_equal(source->health.failures, HEALTH_FAILURES);
	assert_string_equal(source->health.path, "/");
	assert_int_equal(source->eject.failures, EJECT_FAILURES);
	assert_int_equal(source->eject.pause_ms, EJECT_PAUSE_MS);
	assert_int_equal(source->health.expected.least, 200);
	assert_int_equal(source->health.expected.most, 499);
	assert_int_equal(source->host.policy, HOST_PRESERVE);
	assert_int_equal(source->balance, BALANCE_LEAST_OUTSTANDING);
	assert_int_equal(source->limits.response_head_bytes, RESPONSE_HEAD_BYTES);
	assert_int_equal(source->limits.response_fields, RESPONSE_FIELDS);
	assert_true(source->verify);
	assert_int_equal(c->weights.arms[ARM_SOURCE], 1);
	assert_int_equal(c->weights.arms[ARM_TARGET], 0);
	assert_int_equal(c->workers, 0);
	assert_int_equal(c->io, CONFIG_IO_AUTO);
	assert_int_equal(c->profile, PROFILE_HTTP);
	assert_string_equal(c->admin.socket, "state/admin.sock");
	assert_null(c->admin.addresses);
	config_close(c);
}

static void each_key_is_read(void **state)
{
	(void)state;
	struct config *c = kit_config(
		"listeners:\n"
		"  source: { address: [ '0.0.0.0:1', '[::1]:65535' ], tls: off, forwarded: "
		"remove,\n"
		"            trace: keep, allow: [ 10.0.0.0/8, '2001:db8::/32' ], trust: "
		"10.1.0.1,\n"
		"            health: /up, connections: 77, proxy_protocol: on }\n"
		"source:\n"
		"  nodes: [ http://A.b_c:81, 'https://[::1]', https://h:443/,\n"
		"           https://es.test., https://es.test.:9200 ]\n"
		"  verify: off\n"
		"  balance: round_robin\n"
		"  host: search.example:9200\n"
		"  health: { path: /up?x=%20, interval: 300ms, timeout: 1s, passes: 3, failures: "
		"4,\n"
		"            expected: 204 }\n"
		"  timeouts: { connect: 2s, idle: 10m, tunnel: 2h }\n"
		"  limits: { response_head: 512KiB, response_fields: 4096 }\n"
		"target: { nodes: [ http://t ], host: node }\n"
		"weights: { source: 999, target: 7 }\n"
		"sticky: { by: cookie, name: sid, seed: 9 }\n"
		"override: { allow: 10.0.0.0/8 }\n"
		"timeouts: { head: 1s, idle: 2s, keep_alive: 3s, tunnel: 4s, drain: 0s, "
		"leave: 10s }\n"
		"workers: 3\n"
		"io: epoll\n"
		"profile: opensearch\n"
		"sniffing: refuse\n"
		"admin: { address: 127.0.0.1:9280, socket: /run/x.sock }\n"
		"log: { access: /var/log/x, format: json }\n"
		"state: /var/lib/x\n");
	const struct config_listener *l = &c->listeners.kinds[LISTENER_SOURCE];
	char text[ADDR_TEXT_BYTES];
	addr_text(&l->addresses->next->addr, text);
	assert_string_equal(text, "[::1]:65535");
	assert_false(l->tls);
	assert_int_equal(l->forwarded, FORWARDED_REMOVE);
	assert_int_equal(l->trace, TRACE_KEEP);
	struct addr inside;
	assert_true(addr_parse(SPAN("10.1.0.1"), 0, &inside));
	assert_true(networks_have(&l->allow.list, &inside));
	assert_int_equal(l->allow.list.n, 2);
	assert_true(networks_have(&l->trust.list, &inside));
	assert_string_equal(l->health, "/up");
	assert_int_equal(l->connections_max, 77);
	assert_true(l->proxy_protocol);
	const struct config_cluster *s = &c->clusters[ARM_SOURCE];
	const struct config_node *n = s->nodes;
	assert_string_equal(n->name, "A.b_c:81");
	assert_string_equal(n->host, "A.b_c");
	assert_false(n->tls || n->literal);
	n = n->next;
	assert_string_equal(n->name, "[::1]");
	assert_string_equal(n->host, "::1");
	assert_int_equal(n->port, 443);
	assert_true(n->tls && n->literal);
	/* A port that the scheme implies is not part of Host. */
	n = n->next;
	assert_string_equal(n->name, "h");
	/* Nor is the dot that tells DNS that a name is whole. */
	n = n->next;
	assert_string_equal(n->name, "es.test");
	assert_string_equal(n->host, "es.test.");
	assert_string_equal(n->next->name, "es.test:9200");
	assert_string_equal(n->next->host, "es.test.");
	assert_false(s->verify);
	assert_int_equal(s->balance, BALANCE_ROUND_ROBIN);
	assert_int_equal(s->host.policy, HOST_NAME);
	assert_string_equal(s->host.name, "search.example:9200");
	assert_int_equal(s->health.interval_ms, 300);
	assert_int_equal(s->health.passes, 3);
	assert_int_equal(s->health.expected.most, 204);
	assert_int_equal(s->timeouts.idle_ms, 600000);
	assert_int_equal(s->limits.response_head_bytes, 512 * 1024);
	assert_int_equal(s->limits.response_fields, 4096);
	assert_int_equal(s->timeouts.tunnel_ms, 7200000);
	assert_int_equal(c->clusters[ARM_TARGET].host.policy, HOST_NODE);
	assert_int_equal(c->sticky.by, STICKY_COOKIE);
	assert_string_equal(c->sticky.name, "sid");
	assert_int_equal(c->sticky.seed, 9);
	assert_true(networks_have(&c->override.allow.list, &inside));
	assert_int_equal(c->weights.arms[ARM_SOURCE], 999);
	assert_int_equal(c->timeouts.drain_ms, 0);
	assert_int_equal(c->timeouts.leave_ms, 10000);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->io, CONFIG_IO_EPOLL);
	assert_int_equal(c->profile, PROFILE_OPENSEARCH);
	assert_int_equal(SNIFFING_RESPOND + c->sniffing, SNIFFING_REFUSE);
	assert_string_equal(c->admin.socket, "/run/x.sock");
	assert_string_equal(c->log.access, "/var/log/x");
	assert_int_equal(ACCESS_ALB + c->log.format, ACCESS_JSON);
	assert_non_null(c->admin.addresses);
	config_close(c);
}

static void paths_are_relative_to_the_file(void **state)
{
	(void)state;
	char directory[64], path[128];
	kit_directory(directory);
	kit_write(directory, "ca.pem", "the text of it");
	kit_write(directory, "c.yaml",
		  "listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
		  "source: { nodes: [ https://a ], ca: ca.pem }\n"
		  "target: { nodes: [ http://b ] }\n"
		  "state: kept\n");
	snprintf(path, sizeof path, "%s/c.yaml", directory);
	struct config *c = config_open(path);
	assert_int_equal(c->diagnostics.n, 0);
	assert_string_equal(c->clusters[ARM_SOURCE].ca.text, "the text of it");
	snprintf(path, sizeof path, "%s/kept", directory);
	assert_string_equal(c->state, path);
	config_close(c);
	kit_remove(directory);
}

/* --- what is not --- */

static void a_diagnostic_shows_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *diagnostics;
	} rows[] = {
		{ "", "f.yaml: the file is empty\n" },
		{ "# only a comment\n", "f.yaml: the file is empty\n" },
		{ "just text\n",
		  "f.yaml:1:1: the file is a single value; keys with values are expected\n"
		  "    **** ****\n    ^\n" },
		{ "a: 1\n---\nb: 2\n",
		  "f.yaml:1:1: unknown key 'a'; known here: listeners, tls, source, "
		  "target, weights, sticky, override, timeouts, admin, log, capture, replay, "
		  "workers, "
		  "memory, profile, sniffing, unknown_status, io, state\n"
		  "    a: *\n    ^\n"
		  "f.yaml:1:1: listeners: is missing: where clients connect: weighted, "
		  "source, target\n    a: *\n    ^\n"
		  "f.yaml:1:1: source: is missing: the cluster that traffic comes from\n"
		  "    a: *\n    ^\n"
		  "f.yaml:1:1: target: is missing: the cluster that traffic goes to\n"
		  "    a: *\n    ^\n"
		  "f.yaml:1:1: state: is missing: the directory that keeps the weights\n"
		  "    a: *\n    ^\n"
		  "f.yaml: a second document begins here; one is expected\n" },
		{ "a:\n\tb: 1\n", "f.yaml:2:1: tab character may not be used as indentation\n"
				  "    \t*: *\n    ^\n" },
		{ "a: [ 1\n",
		  "f.yaml:2:1: flow sequence without a closing bracket\n    \n    ^\n" },
		{ "a: \001\n",
		  "f.yaml:1:4: a control character is not allowed here\n    *: ?\n       ^\n" },
		{ "a: \xff\n", "f.yaml:1:4: text that is not UTF-8 is not allowed here\n"
			       "    *: ?\n       ^\n" },
		{ "? a:\t?\n", "f.yaml:1:1: keys that begin with '?' are not supported\n"
			       "    * *:\t*\n    ^\n" },
		{ "%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: directives (%) are not supported\n"
					    "    ***** ***\n    ^\n" },
		{ "a: 1\n- &x ? b\n", "f.yaml:2:6: keys that begin with '?' are not supported\n"
				      "    - ** * *\n         ^\n" },
		{ KIT_CONFIG "workers: &x 2\n", "f.yaml:6:13: anchors (&name) are not supported\n"
						"    workers: ** *\n                ^\n" },
		{ KIT_CONFIG "workers: *x\n",
		  "f.yaml:6:11: aliases (*name) are not supported; write the value again\n"
		  "    workers: **\n              ^\n" },
		{ KIT_CONFIG "workers: !!int 2\n", "f.yaml:6:16: tags (!name) are not supported\n"
						   "    workers: ***** *\n                   ^\n" },
		{ KIT_CONFIG "io: epoll\nio: epoll\n", "f.yaml:7:1: the key 'io' is here twice\n"
						       "    io: *****\n    ^\n" },
		{ KIT_CONFIG "wieghts: { source: 1, target: 1 }\n",
		  "f.yaml:6:1: unknown key 'wieghts'; did you mean 'weights'?\n"
		  "    wieghts: { source: *, target: * }\n    ^\n" },
		{ KIT_CONFIG "weights: { source: 1000, target: -1 }\n",
		  "f.yaml:6:20: source: '1000' is not a whole number from 0 to 999\n"
		  "    weights: { source: 1000, target: -1 }\n                       ^\n"
		  "f.yaml:6:34: target: '-1' is not a whole number from 0 to 999\n"
		  "    weights: { source: 1000, target: -1 }\n                                     "
		  "^\n" },
		{ KIT_CONFIG "weights: { source: 0, target: 0 }\n",
		  "f.yaml:6:1: weights: both are 0: no request would be served\n"
		  "    weights: { source: 0, target: 0 }\n    ^\n" },
		{ KIT_CONFIG "weights: { source: 80% }\n",
		  "f.yaml:6:1: target: is missing: 0 to 999\n    weights: { source: 80% }\n    ^\n"
		  "f.yaml:6:20: source: '80%' is not a whole number from 0 to 999\n"
		  "    weights: { source: 80% }\n                       ^\n" },
		{ KIT_CONFIG "io: uring\n", "f.yaml:6:5: io: unknown value 'uring'; did you mean "
					    "'io_uring'?\n    io: uring\n        ^\n" },
		{ KIT_CONFIG "log: { acces: x }\n",
		  "f.yaml:6:1: access: is missing: the file that gets a line for each request\n"
		  "    log: { acces: * }\n    ^\n"
		  "f.yaml:6:8: unknown key 'acces'; did you mean 'access'?\n"
		  "    log: { acces: * }\n           ^\n" },
		{ KIT_CONFIG "log: { access: x, format: text }\n",
		  "f.yaml:6:27: format: unknown value 'text'; it can be: alb, json\n"
		  "    log: { access: x, format: text }\n                              ^\n" },
		{ KIT_CONFIG "io: []\n", "f.yaml:6:1: io: is a list; a single value is expected\n"
					 "    io: []\n    ^\n" },
		{ KIT_CONFIG "io:\n", "f.yaml:6:1: io: has no value\n    io:\n    ^\n" },
		{ KIT_CONFIG "tls:\n",
		  "f.yaml:6:1: tls: is empty; a section with keys is expected\n"
		  "    tls:\n    ^\n" },
		{ KIT_CONFIG "timeouts: { drain: 5, idle: 1ms }\n",
		  "f.yaml:6:20: drain: '5' is not a duration: a number and its unit, such as "
		  "300ms, 5s, 2m, 1h\n"
		  "    timeouts: { drain: 5, idle: 1ms }\n"
		  "                       ^\n"
		  "f.yaml:6:29: idle: 1ms is not from 100ms to 1d\n"
		  "    timeouts: { drain: 5, idle: 1ms }\n"
		  "                                ^\n" },
		{ KIT_CONFIG "profile: opensarch\n",
		  "f.yaml:6:10: profile: unknown value 'opensarch'; did you mean 'opensearch'?\n"
		  "    profile: opensarch\n             ^\n" },
		{ KIT_CONFIG "profile: solr\n",
		  "f.yaml:6:10: profile: unknown value 'solr'; it can be: http, opensearch\n"
		  "    profile: solr\n             ^\n" },
		{ KIT_CONFIG "routes: []\n",
		  "f.yaml:6:1: routes: is not available in this version\n"
		  "    routes: []\n    ^\n" },
		{ KIT_CONFIG "workers: 0\n",
		  "f.yaml:6:10: workers: '0' is not auto or a number from 1 to "
		  "128\n    workers: 0\n             ^\n" },
		{ KIT_CONFIG "admin: { address: '127.0.0.1:0' }\n",
		  "f.yaml:6:20: address: the port '0' is not from 1 to 65535\n"
		  "    admin: { address: '127.0.0.1:0' }\n                       ^\n" },
		{ KIT_CONFIG "tls: { certificate: none.crt, key: none.key }\n",
		  "f.yaml:6:21: certificate: cannot read /nowhere/none.crt: No such file or "
		  "directory\n"
		  "    tls: { certificate: none.crt, key: none.key }\n                        ^\n"
		  "f.yaml:6:36: key: cannot read /nowhere/none.key: No such file or directory\n"
		  "    tls: { certificate: none.crt, key: none.key }\n"
		  "                                       ^\n" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		assert_diagnostics(rows[i].text, rows[i].diagnostics);
}

static void certificates_are_a_list_of_pairs(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ KIT_CONFIG "tls: { certificate: /dev/null, key: /dev/null, certificates: x }\n",
		  "certificates: is a single value; a list of sections is expected" },
		{ KIT_CONFIG "tls: { certificates: [ x ] }\n",
		  "certificates: is a single value; a section with keys is expected" },
		{ KIT_CONFIG "tls: { certificates: [ { certificate: /nowhere } ] }\n",
		  "key: is missing: a PEM file with the private key" },
		{ KIT_CONFIG "tls: { certificates: [ { certificat: /nowhere } ] }\n",
		  "unknown key 'certificat'; did you mean 'certificate'?" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = config_open_text("f", "", span_of(rows[i].text));
		bool said = false;
		for (size_t k = 0; k < c->diagnostics.n; k++)
			said |= !strcmp(c->diagnostics.list[k].message, rows[i].message);
		if (!said)
			diagnostics_print(&c->diagnostics, stderr);
		assert_true(said);
		config_close(c);
	}
}

/* One more than is taken. */
static void certificates_are_bounded(void **state)
{
	(void)state;
	char directory[64];
	kit_directory(directory);
	kit_write(directory, "c.pem", KIT_CERTIFICATE);
	kit_write(directory, "k.pem", KIT_KEY);
	for (size_t more = 0; more < 2; more++) {
		size_t bytes = 64 * (CERTIFICATES_MAX + 16), n;
		char *text = malloc(bytes);
		n = (size_t)snprintf(text, bytes,
				     KIT_CONFIG
				     "tls: { certificate: c.pem, key: k.pem, certificates: [ ");
		for (size_t i = 0; i < CERTIFICATES_MAX + more; i++)
			n += (size_t)snprintf(text + n, bytes - n,
					      "{ certificate: c.pem, key: k.pem }, ");
		snprintf(text + n, bytes - n, "] }\n");
		struct config *c = config_open_text("f", directory, span_of(text));
		assert_int_equal(c->diagnostics.n, more);
		if (more)
			assert_string_equal(c->diagnostics.list[0].message,
					    "certificates: there are more than 512");
		config_close(c);
		free(text);
	}
	kit_remove(directory);
}

static void a_listener_has_sixteen_addresses_of_its_own(void **state)
{
	(void)state;
	static const char rest[] =
		"source: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t ] }\n"
		"state: s\n";
	char text[2048];
	for (int more = 0; more < 2; more++) {
		size_t n = (size_t)snprintf(
			text, sizeof text,
			"listeners: { weighted: { tls: off, address: [ 127.0.0.1:1");
		for (int i = 1; i < LISTENER_ADDRESSES_MAX + more; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, ", 127.0.0.1:%d", i + 1);
		snprintf(text + n, sizeof text - n, " ] } }\n%s", rest);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, more);
		if (more)
			assert_string_equal(c->diagnostics.list[0].message,
					    "address: a listener has at most 16");
		config_close(c);
	}
	snprintf(text, sizeof text,
		 "listeners: { weighted: { address: 127.0.0.1:1, tls: off }, target: { address: "
		 "127.0.0.1:1, tls: off } }\n%s",
		 rest);
	struct config *c = config_open_text("f", "", span_of(text));
	assert_int_equal(c->diagnostics.n, 1);
	assert_string_equal(c->diagnostics.list[0].message,
			    "address: 127.0.0.1:1 is also an address of listener weighted");
	config_close(c);
}

/* The kernel would give each of them a part of the connections, or all of them to one. */
static void two_listeners_of_ours_share_no_address(void **state)
{
	(void)state;
	static const struct {
		const char *weighted, *target, *admin, *message;
	} rows[] = {
		{ "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", NULL },
		{ "0.0.0.0:1", "'[::]:1'", "127.0.0.1:2", NULL },
		{ "127.0.0.1:1", "127.0.0.2:1", "'[::1]:1'", NULL },
		{ "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:2",
		  "address: 127.0.0.1:2 is also an address of listener target" },
		{ "0.0.0.0:1", "127.0.0.1:1", "127.0.0.1:2",
		  "address: 127.0.0.1:1 and 0.0.0.0:1 of listener weighted would share "
		  "connections" },
		{ "'[::1]:1'", "127.0.0.1:1", "'[::]:1'",
		  "address: [::]:1 and [::1]:1 of listener weighted would share connections" },
		{ "127.0.0.1:2", "127.0.0.1:1", "[ 127.0.0.2:3, 0.0.0.0:1 ]",
		  "address: 0.0.0.0:1 and 127.0.0.1:1 of listener target would share "
		  "connections" },
		{ "[ 0.0.0.0:1, 127.0.0.1:1 ]", "127.0.0.1:2", "127.0.0.1:3",
		  "address: 127.0.0.1:1 and 0.0.0.0:1, which is also here, would share "
		  "connections" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char text[512];
		snprintf(text, sizeof text,
			 "listeners: { weighted: { address: %s, tls: off }, target: { address: %s, "
			 "tls: off } }\nadmin: { address: %s }\n"
			 "source: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t ] }\n"
			 "state: s\n",
			 rows[i].weighted, rows[i].target, rows[i].admin);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, rows[i].message != NULL);
		if (rows[i].message)
			assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		config_close(c);
	}
}

/* 127.0.0.0/8 is this machine's, and 198.51.100.0/24 is nobody's. */
static void a_node_that_is_this_balancer_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *listener, *node;
		bool own;
	} rows[] = {
		{ "127.0.0.1:1", "127.0.0.1:1", true },
		{ "127.0.0.1:1", "127.0.0.1:2", false },
		{ "127.0.0.1:1", "127.0.0.2:1", false },
		{ "0.0.0.0:1", "127.9.9.9:1", true },
		{ "0.0.0.0:1", "198.51.100.7:1", false },
		{ "127.0.0.1:1", "0.0.0.0:1", true },
		{ "198.51.100.7:1", "0.0.0.0:1", false },
		{ "'[::]:1'", "[::1]:1", true },
		{ "'[::]:1'", "127.0.0.1:1", false },
		{ "127.0.0.1:1", "[::ffff:127.0.0.1]:1", true },
		{ "'[::ffff:127.0.0.1]:1'", "127.0.0.1:1", true },
		{ "127.0.0.1:1", "127.0.0.1:9", true }, /* admin.address */
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char text[512];
		snprintf(text, sizeof text,
			 "listeners: { weighted: { address: %s, tls: off } }\n"
			 "admin: { address: 127.0.0.1:9 }\nsource: { nodes: [ http://s ] }\n"
			 "target: { nodes: [ http://t, 'http://%s' ] }\nstate: s\n",
			 rows[i].listener, rows[i].node);
		struct config *c = config_open_text("f", "", span_of(text));
		if (c->diagnostics.n != rows[i].own)
			print_error("%s, %s\n", rows[i].listener, rows[i].node);
		assert_int_equal(c->diagnostics.n, rows[i].own);
		if (rows[i].own)
			assert_non_null(
				strstr(c->diagnostics.list[0].message, "is this balancer itself"));
		config_close(c);
	}
}

#define WITH_SOURCE(source)                                                                        \
	"listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"                            \
	"target: { nodes: [ http://t ] }\nstate: s\nsource: { " source " }\n"

static void a_cluster_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ WITH_SOURCE("nodes: http://a"),
		  "nodes: is a single value; a list of URLs is expected, such as [ http://a ]" },
		{ WITH_SOURCE("nodes: []"), "nodes: the list is empty" },
		{ WITH_SOURCE("nodes: [ a ]"),
		  "nodes: 'a' is not a node, such as https://es-1:9200: it does "
		  "not begin with http:// or https://" },
		{ WITH_SOURCE("nodes: [ 'http://u:p@a' ]"),
		  "nodes: '************' is not a node, such as https://es-1:9200: a password does "
		  "not "
		  "belong "
		  "in a URL" },
		{ WITH_SOURCE("nodes: [ http://a/es ]"),
		  "nodes: 'http://a/es' is not a node, such as https://es-1:9200: a path is not "
		  "possible here: "
		  "requests keep their own" },
		{ WITH_SOURCE("nodes: [ 'http://a:' ]"),
		  "nodes: 'http://a:' is not a node, such as https://es-1:9200: after the scheme, "
		  "a "
		  "host and a "
		  "port are expected" },
		{ WITH_SOURCE("nodes: [ 'http://a:65536' ]"),
		  "nodes: 'http://a:65536' is not a node, such as https://es-1:9200: the port is "
		  "not "
		  "from 1 to "
		  "65535" },
		{ WITH_SOURCE("nodes: [ 'http://[::1' ]"),
		  "nodes: 'http://[::1' is not a node, such as https://es-1:9200: after the "
		  "scheme, a "
		  "host and "
		  "a port are expected" },
		{ WITH_SOURCE("nodes: [ 'http://-a' ]"),
		  "nodes: 'http://-a' is not a node, such as https://es-1:9200: the host is "
		  "neither a "
		  "name nor "
		  "an address" },
		{ WITH_SOURCE("nodes: [ 'http://' ]"), "nodes: 'http://' is not a node, such as "
						       "https://es-1:9200: the host is neither a "
						       "name nor an "
						       "address" },
		{ WITH_SOURCE("nodes: [ http://a, http://A:80/ ]"),
		  "nodes: http://A:80/ is here twice: line 4 has it as a: remove one of them" },
		{ WITH_SOURCE("nodes: [ http://a:9200, http://a.:9200 ]"),
		  "nodes: http://a.:9200 is here twice: line 4 has it as a:9200: remove one of "
		  "them" },
		{ WITH_SOURCE("nodes: [ http://a:443, https://a ]"),
		  "nodes: https://a is here twice: line 4 has it as a:443: remove one of them" },
		{ WITH_SOURCE("nodes: [ 'http://[::1]:9', 'http://[0:0::1]:9' ]"),
		  "nodes: http://[0:0::1]:9 is here twice: line 4 has it as [::1]:9: remove one of "
		  "them" },
		{ WITH_SOURCE("nodes: [ 'http://[::ffff:127.0.0.1]:9', 'http://localhost:9' ]"),
		  "nodes: http://localhost:9 is here twice: line 4 has it as "
		  "[::ffff:127.0.0.1]:9: remove one of them" },
		{ WITH_SOURCE("nodes: [ http://a ], ca: /dev/null"),
		  "ca: cannot read /dev/null: Invalid argument" },
		{ WITH_SOURCE("nodes: [ http://a ], host: 'a b'"),
		  "host: 'a b' is not preserve, node, or a host name" },
		{ WITH_SOURCE("nodes: [ http://a ], health: { expected: 100-700 }"),
		  "expected: '100-700' is not a status or a range of statuses from 200 to 599, "
		  "such as 200-499" },
		{ WITH_SOURCE("nodes: [ http://a ], health: { path: up }"),
		  "path: 'up' does not begin with /" },
		{ WITH_SOURCE("nodes: [ http://a ], health: { path: '/a b' }"),
		  "path: '/a b' has a character that a path cannot have: percent-encode it" },
		{ WITH_SOURCE("nodes: [ http://a ], authorization: x"),
		  "authorization: a scheme and a credential are expected, such as \"Basic ...\" or "
		  "\"ApiKey ...\"" },
		{ WITH_SOURCE("nodes: [ http://a ], authorization: 'Basic '"),
		  "authorization: the credential begins or ends with a space" },
		{ WITH_SOURCE("nodes: [ http://a ], authorization: \"Basic a\\nX: y\""),
		  "authorization: the credential has a control character or more than one line" },
		{ WITH_SOURCE("nodes: [ http://a ], authorization: { file: /nowhere }"),
		  "file: cannot read /nowhere: No such file or directory" },
		{ WITH_SOURCE("nodes: [ http://a ], authorization: [ x ]"),
		  "authorization: is a list; a single value is expected" },
		{ WITH_SOURCE("nodes: [ http://a ], connections: 0"),
		  "connections: '0' is not a whole number from 1 to 1000000" },
		{ WITH_SOURCE("nodes: [ http://a ], timeouts: { queue: 601s }"),
		  "queue: 601s is not from 0ms to 10m" },
		{ WITH_SOURCE("nodes: [ http://a ], limits: { response_head: 513KiB }"),
		  "response_head: 513KiB is more than 512KiB" },
		{ WITH_SOURCE("nodes: [ http://a ], limits: { response_head: 4KiB }"),
		  "response_head: '4KiB' is not a size of at least 8192: a number of bytes, or "
		  "with a unit, such as 64KiB, 100MiB, 2GiB" },
		{ WITH_SOURCE("nodes: [ http://a ], limits: { response_fields: 4097 }"),
		  "response_fields: '4097' is not a whole number from 64 to 4096" },
		{ WITH_SOURCE("nodes: [ http://a ], eject: { failures: 1001 }"),
		  "failures: '1001' is not a whole number from 0 to 1000" },
		{ WITH_SOURCE("nodes: [ http://a ], eject: { pause: 99ms }"),
		  "pause: 99ms is not from 100ms to 1h" },
		{ WITH_SOURCE("nodes: [ http://a ], headers: { set: [ a ] }"),
		  "set: is a list; names with values are expected, such as { X-Name: value }" },
		{ WITH_SOURCE("nodes: [ http://a ], headers: { remove: X-A }"),
		  "remove: is a single value; a list of names is expected, such as [ X-Name ]" },
		{ WITH_SOURCE("nodes: [ http://a ], headers: { set: { 'X A': b } }"),
		  "set: 'X A' is not a field name: letters, digits and hyphens, at most 255" },
		{ WITH_SOURCE("nodes: [ http://a ], headers: { set: { X-A: \"b\\rc\" } }"),
		  "set: the value of X-A has a control character or more than one line" },
		{ WITH_SOURCE("nodes: [ http://a ], headers: { set: { X-A: b, x-a: c } }"),
		  "set: x-a is here twice" },
		{ WITH_SOURCE("nodes: [ http://a ], headers: { set: { X-A: b }, remove: [ x-a ] }"),
		  "remove: x-a is set too, which replaces it anyway" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = config_open_text("f", "", span_of(rows[i].text));
		assert_int_equal(c->diagnostics.n, 1);
		assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		config_close(c);
	}
}

static void a_patterns_mistake_has_its_column(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		size_t column; /* of it in the value as it is written, from 1 */
	} rows[] = {
		{ "a(b", 4 },	   { "'a(b'", 5 }, { "\"a(b\"", 5 }, { "\"\\\"a\\\"(b\"", 9 },
		{ "'it''s)'", 7 }, { "\"(\"", 3 },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char text[512];
		int n = snprintf(text, sizeof text,
				 "source: { nodes: [ http://a ], health: { body: ");
		snprintf(text + n, sizeof text - (size_t)n,
			 "%s } }\nlisteners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
			 "target: { nodes: [ http://t ] }\nstate: s\n",
			 rows[i].value);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, 1);
		assert_memory_equal(c->diagnostics.list[0].message,
				    "body: is not a valid pattern: ", 21);
		assert_int_equal(c->diagnostics.list[0].at, (size_t)n + rows[i].column - 1);
		config_close(c);
	}
}

static void fields_of_a_message_itself_are_not_touched(void **state)
{
	(void)state;
	static const char *const names[] = {
		"Host",
		"host",
		"Content-Length",
		"transfer-encoding",
		"Connection",
		"Keep-Alive",
		"Upgrade",
		"TE",
		"Trailer",
		"Expect",
		"Proxy-Connection",
		"HTTP2-Settings",
		"Authorization",
		"X-Crossfade-Cluster",
		"X-Crossfade-Hop",
		"x_crossfade_hop",
		"Content_Length",
	};
	for (size_t i = 0; i < 2 * ARRAY_N(names); i++) {
		char text[512], expected[128];
		bool removed = i % 2;
		snprintf(text, sizeof text,
			 removed ? WITH_SOURCE("nodes: [ http://a ], headers: { remove: [ %s ] }")
				 : WITH_SOURCE("nodes: [ http://a ], headers: { set: { %s: x } }"),
			 names[i / 2]);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, 1);
		snprintf(expected, sizeof expected,
			 "%s: %s is not allowed here: ", removed ? "remove" : "set", names[i / 2]);
		assert_memory_equal(c->diagnostics.list[0].message, expected, strlen(expected));
		config_close(c);
	}
}

/* One more than is taken of names, one byte more of a value. */
static void configured_fields_are_bounded(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		char text[2 * FIELD_VALUE_CONFIGURED_BYTES] = "",
			      value[FIELD_VALUE_CONFIGURED_BYTES + 2];
		size_t n = (size_t)snprintf(
			text, sizeof text, "%s",
			"listeners: { weighted: { address: "
			"127.0.0.1:1, tls: off } }\ntarget: { nodes: [ http://t ] }\nstate: s\n"
			"source: { nodes: [ http://a ], headers: { remove: [ X-0");
		for (int i = 1; i < FIELDS_CONFIGURED_MAX + more; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, ", X-%d", i);
		memset(value, 'v', sizeof value);
		value[FIELD_VALUE_CONFIGURED_BYTES + more] = 0;
		snprintf(text + n, sizeof text - n, " ], set: { Y: %s } } }", value);
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, 2 * more);
		config_close(c);
	}
}

static void a_credential_is_read_from_a_file(void **state)
{
	(void)state;
	char directory[64], path[128];
	kit_directory(directory);
	kit_write(directory, "secret", "ApiKey abc==\r\n");
	kit_write(directory, "c.yaml",
		  "listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
		  "source: { nodes: [ http://a ], authorization: { file: secret } }\n"
		  "target: { nodes: [ http://b ], health: { authorization: 'Basic x' } }\n"
		  "state: kept\n");
	snprintf(path, sizeof path, "%s/c.yaml", directory);
	struct config *c = config_open(path);
	assert_int_equal(c->diagnostics.n, 0);
	assert_string_equal(c->clusters[ARM_SOURCE].authorization.value, "ApiKey abc==");
	assert_null(c->clusters[ARM_TARGET].authorization.value);
	assert_string_equal(c->clusters[ARM_TARGET].health.authorization.value, "Basic x");
	config_close(c);
	kit_remove(directory);
}

static void no_diagnostic_shows_a_credential(void **state)
{
	(void)state;
	assert_diagnostics(
		KIT_CONFIG
		"autorization: \"basic c2VjcmV0\"\nx: { a: Bearer t.o.k, b: ApiKey k== }\n",
		"f.yaml:6:1: unknown key 'autorization'; known here: listeners, tls, source, "
		"target, "
		"weights, sticky, override, timeouts, admin, log, capture, replay, workers, "
		"memory, "
		"profile, "
		"sniffing, unknown_status, io, state\n"
		"    autorization: \"***** ********\"\n    ^\n"
		"f.yaml:7:1: unknown key 'x'; known here: listeners, tls, source, target, weights, "
		"sticky, override, timeouts, admin, log, capture, replay, workers, memory, "
		"profile, "
		"sniffing, unknown_status, io, "
		"state\n"
		"    x: { a: ****** *****, b: ****** *** }\n    ^\n");
}

#define WITH_LISTENER(more)                                                                        \
	"listeners: { weighted: { address: 127.0.0.1:1, tls: off, " more " } }\n"                  \
	"source: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t ] }\nstate: s\n"

static void a_listener_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ WITH_LISTENER("allow: []"),
		  "allow: the list is empty: it would match no address" },
		{ WITH_LISTENER("allow: office"), "allow: 'office' is not a network, such as "
						  "10.0.0.0/8: it does not begin with an IPv4 "
						  "or IPv6 address" },
		{ WITH_LISTENER("allow: [ 10.0.0.0/8, 10.0.0.0/33 ]"),
		  "allow: '10.0.0.0/33' is not a network, such as 10.0.0.0/8: after the '/' a "
		  "number of bits is expected, at most 32, or 128 for IPv6" },
		{ WITH_LISTENER("trust: 10.0.0.1/8"),
		  "trust: '10.0.0.1/8' is not a network, such as 10.0.0.0/8: the address has bits "
		  "set beyond the network's length" },
		{ WITH_LISTENER("proxy_protocol: on"),
		  "proxy_protocol: needs `trust`: the networks of the proxies that send it" },
		{ WITH_LISTENER("health: up"), "health: 'up' does not begin with /" },
		{ WITH_LISTENER("connections: 0"),
		  "connections: '0' is not a whole number from 1 to 1048576" },
		{ WITH_LISTENER("connections: 1048577"),
		  "connections: '1048577' is not a whole number from 1 to 1048576" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = config_open_text("f", "", span_of(rows[i].text));
		assert_int_equal(c->diagnostics.n, 1);
		assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		config_close(c);
	}
}

static void a_sticky_key_and_an_override_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ KIT_CONFIG "sticky: { name: x }\n", "by: is missing: address, header or cookie" },
		{ KIT_CONFIG "sticky: { by: adress }\n",
		  "by: unknown value 'adress'; did you mean 'address'?" },
		{ KIT_CONFIG "sticky: { by: address, name: x }\n",
		  "sticky: by: address takes no `name`; use by: header or by: cookie" },
		{ KIT_CONFIG "sticky: { by: header }\n",
		  "sticky: needs `name`: which header has the key" },
		{ KIT_CONFIG "sticky: { by: cookie }\n",
		  "sticky: needs `name`: which cookie has the key" },
		{ KIT_CONFIG "sticky: { by: header, name: a b }\n",
		  "sticky: 'a b' is not the name of a header that reaches the clusters" },
		{ KIT_CONFIG "sticky: { by: header, name: Connection }\n",
		  "sticky: 'Connection' is not the name of a header that reaches the clusters" },
		{ KIT_CONFIG "sticky: { by: cookie, name: a=b }\n",
		  "sticky: 'a=b' is not the name of a cookie that reaches the clusters" },
		{ KIT_CONFIG "sticky: { by: off, seed: -1 }\n",
		  "seed: '-1' is not a whole number from 0 to 4294967295" },
		{ KIT_CONFIG "override: {}\n",
		  "allow: is missing: the networks whose clients may send X-Crossfade-Cluster" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = config_open_text("f", "", span_of(rows[i].text));
		assert_int_equal(c->diagnostics.n, 1);
		assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		config_close(c);
	}
}

#define WITH_NODES(source, target)                                                                 \
	"listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\nstate: s\n"                  \
	"source: { nodes: [ " source " ] }\ntarget: { nodes: [ " target " ] }\n"

/* They are good all the same, and one of them may be what is meant. */
static void nodes_and_addresses_that_may_not_be_meant_are_warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ WITH_NODES("http://a:9200", "http://b:9200"), NULL },
		{ WITH_NODES("http://a:9200", "http://A.:9200"),
		  "nodes: A:9200 is also a node of the source" },
		{ WITH_NODES("https://a", "http://a:443"), "a:443 is also a node of the source" },
		{ WITH_NODES("http://127.0.0.1:9", "http://localhost:9"),
		  "localhost:9 is also a node of the source" },
		{ WITH_NODES("http://a", "https://b") "profile: opensearch\n",
		  "nodes: a has no port, which means 80; search clusters listen at 9200: write "
		  "http://a:9200, or :80 if you want that" },
		{ WITH_NODES("http://a:80", "https://b") "profile: opensearch\n", NULL },
		{ WITH_NODES("http://a", "http://b"), NULL },
		{ KIT_CONFIG "admin: { address: 0.0.0.0:9280 }\n",
		  "admin: address: 0.0.0.0:9280 can be reached from other machines, in clear "
		  "text" },
		{ KIT_CONFIG "admin: { address: '[::]:9280' }\n", "the token is refused" },
		{ KIT_CONFIG "admin: { address: [ 127.9.9.9:9280, '[::1]:9280' ] }\n", NULL },
		{ KIT_CONFIG "admin: { address: '[::ffff:127.0.0.1]:9280' }\n", NULL },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = kit_config(rows[i].text);
		if (c->diagnostics.warning_n != (rows[i].said != NULL))
			print_error("%s", rows[i].text);
		assert_int_equal(c->diagnostics.warning_n, rows[i].said != NULL);
		if (rows[i].said)
			assert_non_null(strstr(c->diagnostics.warnings[0].message, rows[i].said));
		config_close(c);
	}
}

/* It is good all the same: perhaps there is no balancer in front. */
static void sticky_addresses_behind_a_balancer_are_warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool warned;
	} rows[] = {
		{ WITH_LISTENER("") "sticky: { by: address }\n", true },
		{ WITH_LISTENER("trust: 10.0.0.0/8") "sticky: { by: address }\n", false },
		{ WITH_LISTENER("") "sticky: { by: header, name: x }\n", false },
		{ WITH_LISTENER(""), false },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = kit_config(rows[i].text);
		assert_int_equal(c->diagnostics.warning_n, rows[i].warned);
		config_close(c);
	}
	assert_diagnostics(KIT_CONFIG "sticky: { by: address }\n",
			   "f.yaml:6:1: warning: sticky: by: address, behind another load "
			   "balancer, needs proxy_protocol or trust at the listener weighted: "
			   "without it all clients have that balancer's address\n"
			   "    sticky: { by: address }\n"
			   "    ^\n");
}

static void weights_that_split_writes_are_warned_of(void **state)
{
	(void)state;
	assert_diagnostics(KIT_CONFIG "weights: { source: 9, target: 1 }\n",
			   "f.yaml:6:1: warning: weights: both are above 0: a first start splits "
			   "writes, and a write that one cluster takes is missing in the other\n"
			   "    weights: { source: 9, target: 1 }\n"
			   "    ^\n");
	assert_diagnostics(KIT_CONFIG "weights: { source: 0, target: 1 }\n", "");
}

static void verify_off_is_warned_of(void **state)
{
	(void)state;
	assert_diagnostics(
		"listeners: { source: { address: 127.0.0.1:1, tls: off } }\n"
		"source: { nodes: [ https://s ], verify: off }\n"
		"target: { nodes: [ https://t ], verify: on }\nstate: s\n",
		"f.yaml:2:41: warning: verify: off trusts any server at a node's address: requests "
		"and passwords may go to an attacker; use ca: instead\n"
		"    source: { nodes: [ https://s ], verify: off }\n"
		"                                            ^\n");
}

static void legacy_tls_is_warned_of(void **state)
{
	(void)state;
	assert_diagnostics("listeners: { source: { address: 127.0.0.1:1, tls: off } }\n"
			   "source: { nodes: [ https://s ], tls: legacy }\n"
			   "target: { nodes: [ https://t ], tls: modern }\nstate: s\n",
			   "f.yaml:2:38: warning: tls: legacy accepts TLS 1.0 and 1.1, RSA keys "
			   "below 2048 bits and SHA-1 from the nodes of this cluster: an attacker "
			   "on the network may read and change the traffic\n"
			   "    source: { nodes: [ https://s ], tls: legacy }\n"
			   "                                         ^\n");
	assert_diagnostics("listeners: { source: { address: 127.0.0.1:1, tls: off } }\n"
			   "source: { nodes: [ http://s ], tls: old }\n"
			   "target: { nodes: [ https://t ] }\nstate: s\n",
			   "f.yaml:2:37: tls: unknown value 'old'; it can be: modern, legacy\n"
			   "    source: { nodes: [ http://s ], tls: old }\n"
			   "                                        ^\n");
}

static void hosts_of_the_admin_address_are_names(void **state)
{
	(void)state;
	struct config *c = kit_config(KIT_CONFIG "admin: { hosts: [ a.b, c ] }\n");
	assert_string_equal(c->admin.hosts->text, "a.b");
	assert_string_equal(c->admin.hosts->next->text, "c");
	assert_null(c->admin.hosts->next->next);
	config_close(c);
	c = kit_config(KIT_CONFIG "admin: { hosts: a.b }\n");
	assert_string_equal(c->admin.hosts->text, "a.b");
	config_close(c);
	assert_diagnostics(KIT_CONFIG "admin: { hosts: 'a:1' }\n",
			   "f.yaml:6:18: hosts: 'a:1' is not a host name\n"
			   "    admin: { hosts: 'a:1' }\n                     ^\n");
}

static void so_many_networks_and_no_more(void **state)
{
	(void)state;
	for (size_t n = NETWORKS_MAX; n <= NETWORKS_MAX + 1; n++) {
		char *text = malloc(n * 24 + 1024), *at = text;
		at += sprintf(at,
			      "listeners: { weighted: { address: 127.0.0.1:1, tls: off, allow: [");
		for (size_t i = 0; i < n; i++)
			at += sprintf(at, "%s10.%zu.%zu.0/24", i ? ", " : "", i >> 8 & 255,
				      i & 255);
		sprintf(at,
			"] } }\nsource: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t ] }\n"
			"state: s\n");
		struct config *c = config_open_text("f", "", span_of(text));
		assert_int_equal(c->diagnostics.n, n > NETWORKS_MAX);
		if (n > NETWORKS_MAX)
			assert_string_equal(c->diagnostics.list[0].message,
					    "allow: there are 16385; at most 16384 are allowed");
		config_close(c);
		free(text);
	}
}

static void tls_wants_a_certificate(void **state)
{
	(void)state;
	assert_diagnostics(
		"listeners:\n  weighted: { address: 127.0.0.1:1 }\n"
		"source: { nodes: [ http://s ] }\ntarget: { nodes: [ http://t ] }\nstate: s\n",
		"f.yaml:2:3: listener weighted uses TLS, but there is no section 'tls' with a "
		"certificate and its key (or set tls: off here)\n"
		"      weighted: { address: 127.0.0.1:1 }\n"
		"      ^\n");
}

static void all_diagnostics_come_at_once_and_are_bounded(void **state)
{
	(void)state;
	char text[4096] = KIT_CONFIG;
	for (int i = 0; i < DIAGNOSTICS_MAX + 5; i++) {
		size_t n = strlen(text);
		snprintf(text + n, sizeof text - n, "unheard_of_%d: 1\n", i);
	}
	struct config *c = config_open_text("f.yaml", "", span_of(text));
	assert_int_equal(c->diagnostics.n, DIAGNOSTICS_MAX);
	assert_int_equal(c->diagnostics.more, 5);
	char *got = printed(c);
	assert_non_null(strstr(got, "f.yaml: and 5 more\n"));
	free(got);
	config_close(c);
}

static void a_caret_stands_right_behind_tabs_and_letters_of_several_bytes(void **state)
{
	(void)state;
	assert_diagnostics(
		KIT_CONFIG "admin: { \"gr\xc3\xbc\xc3\x9f\x65\": 1, \tadress: 1 }\n",
		"f.yaml:6:11: unknown key 'gr\xc3\xbc\xc3\x9f\x65'; known here: address, hosts, "
		"socket, tls\n"
		"    admin: { \"gr\xc3\xbc\xc3\x9f\x65\": *, \tadress: * }\n              ^\n"
		"f.yaml:6:23: unknown key 'adress'; did you mean 'address'?\n"
		"    admin: { \"gr\xc3\xbc\xc3\x9f\x65\": *, \tadress: * }\n"
		"                         \t^\n");
}

static void a_file_that_is_not_there_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *path, *message;
	} rows[] = {
		{ "/nowhere/at/all", "cannot be read: No such file or directory" },
		{ "/tmp", "cannot be read: Is a directory" },
		{ "/dev/zero", "cannot be read: Invalid argument" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct config *c = config_open(rows[i].path);
		assert_int_equal(c->diagnostics.n, 1);
		assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		config_close(c);
	}
}

static void a_tree_that_is_too_deep_is_refused(void **state)
{
	(void)state;
	char text[4096] = "a: ";
	memset(text + 3, '[', 2000);
	struct config *c = config_open_text("f", "", span_of(text));
	assert_true(c->diagnostics.n > 0);
	config_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_is_this_balancer_is_refused),
		cmocka_unit_test(two_listeners_of_ours_share_no_address),
		cmocka_unit_test(defaults_are_those_of_the_limits),
		cmocka_unit_test(each_key_is_read),
		cmocka_unit_test(paths_are_relative_to_the_file),
		cmocka_unit_test(a_diagnostic_shows_the_place),
		cmocka_unit_test(certificates_are_a_list_of_pairs),
		cmocka_unit_test(certificates_are_bounded),
		cmocka_unit_test(a_listener_has_sixteen_addresses_of_its_own),
		cmocka_unit_test(a_cluster_is_checked),
		cmocka_unit_test(a_patterns_mistake_has_its_column),
		cmocka_unit_test(fields_of_a_message_itself_are_not_touched),
		cmocka_unit_test(configured_fields_are_bounded),
		cmocka_unit_test(a_credential_is_read_from_a_file),
		cmocka_unit_test(no_diagnostic_shows_a_credential),
		cmocka_unit_test(a_listener_is_checked),
		cmocka_unit_test(a_sticky_key_and_an_override_are_checked),
		cmocka_unit_test(sticky_addresses_behind_a_balancer_are_warned_of),
		cmocka_unit_test(weights_that_split_writes_are_warned_of),
		cmocka_unit_test(verify_off_is_warned_of),
		cmocka_unit_test(legacy_tls_is_warned_of),
		cmocka_unit_test(hosts_of_the_admin_address_are_names),
		cmocka_unit_test(so_many_networks_and_no_more),
		cmocka_unit_test(nodes_and_addresses_that_may_not_be_meant_are_warned_of),
		cmocka_unit_test(tls_wants_a_certificate),
		cmocka_unit_test(all_diagnostics_come_at_once_and_are_bounded),
		cmocka_unit_test(a_caret_stands_right_behind_tabs_and_letters_of_several_bytes),
		cmocka_unit_test(a_file_that_is_not_there_is_said),
		cmocka_unit_test(a_tree_that_is_too_deep_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
