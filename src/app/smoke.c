#include <stdlib.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/fetch.h"
#include "app/paint.h"
#include "app/smoke_compare.h"
#include "app/smoke_suite.h"
#include "app/terminal.h"
#include "control/config_read.h"

/* How many indices the default suite checks at most. */
#define INDICES_MAX 50
#define TIMEOUT_S 30L

struct smoke {
	const struct config *config; /* borrowed */
	struct smoke_suite suite;
	char base[ARMS][96]; /* "https://127.0.0.1:9201" */
	const char *trust;   /* the configured certificate; NULL: neither listener speaks TLS */
	struct fetch fetch[ARMS];
	json_t *results; /* owned */
	unsigned different;
};

/* --- where --- */

/* A listener on 0.0.0.0 or :: accepts on every address, so also on loopback. */
static void reachable_address(const struct addr *a, char text[ADDR_TEXT_BYTES])
{
	struct addr to = *a;
	if (to.any.sa_family == AF_INET && to.v4.sin_addr.s_addr == htonl(INADDR_ANY))
		to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (to.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&to.v6.sin6_addr))
		to.v6.sin6_addr = in6addr_loopback;
	addr_text(&to, text);
}

static bool find_listeners(struct smoke *s, const struct command *c)
{
	static const enum config_listener_kind kinds[ARMS] = { LISTENER_SOURCE, LISTENER_TARGET };
	for (int arm = 0; arm < ARMS; arm++) {
		const struct config_listener *l = &s->config->listeners.kinds[kinds[arm]];
		char text[ADDR_TEXT_BYTES];
		if (!l->addresses) {
			command_misused(
				c,
				"the configuration has no listener '%s' to send requests through",
				listener_name(kinds[arm]));
			return false;
		}
		reachable_address(&l->addresses->addr, text);
		snprintf(s->base[arm], sizeof s->base[arm], "http%s://%s", l->tls ? "s" : "", text);
		if (l->tls)
			s->trust = s->config->tls.certificate.certificate.path;
	}
	return true;
}

/* --- asking --- */

static void smoke_ask(struct smoke *s, int arm, const struct smoke_request *r,
		      struct fetch_response *a)
{
	char url[2048];
	snprintf(url, sizeof url, "%s%s", s->base[arm], r->path);
	struct fetch_request request = {
		.method = r->method,
		.url = url,
		.body = r->body,
		.headers = { r->body ? "Content-Type: application/json" : NULL },
		.trust = s->trust,
		.timeout_s = TIMEOUT_S,
	};
	if (!fetch_do(&s->fetch[arm], &request, a))
		a->status = 0;
}

static void smoke_keep_result(struct smoke *s, const struct smoke_request *r,
			      const struct fetch_response responses[ARMS], bool same,
			      const char *difference)
{
	json_t *j = json_pack("{s:s,s:s,s:I,s:I,s:b}", "method", r->method, "path", r->path,
			      "source", (json_int_t)responses[ARM_SOURCE].status, "target",
			      (json_int_t)responses[ARM_TARGET].status, "same", same);
	if (!same)
		json_object_set_new(j, "difference", json_string(difference));
	json_array_append_new(s->results, j);
}

static void print_status(long status)
{
	if (status)
		printf(" %6ld", status);
	else
		printf(" %6s", "-");
}

static void print_result(const struct smoke_request *r, const struct fetch_response responses[ARMS],
			 bool same, const char *difference)
{
	printf("%s%-6s%s %-4s %-44.44s", paint_good(same), same ? "same" : "DIFFER",
	       paint(PAINT_NONE), r->method, r->path);
	print_status(responses[ARM_SOURCE].status);
	print_status(responses[ARM_TARGET].status);
	printf(" %7.1f %7.1f%s", responses[ARM_SOURCE].seconds * 1000,
	       responses[ARM_TARGET].seconds * 1000, same ? "" : "\n         ");
	terminal_put(difference, strlen(difference), stdout);
	putchar('\n');
}

static void smoke_try_request(struct smoke *s, const struct smoke_request *r, bool json)
{
	struct fetch_response responses[ARMS];
	struct smoke_side sides[ARMS];
	char difference[SMOKE_DIFFERENCE_BYTES];
	for (int arm = 0; arm < ARMS; arm++) {
		smoke_ask(s, arm, r, &responses[arm]);
		sides[arm] = (struct smoke_side){ responses[arm].status, responses[arm].text,
						  responses[arm].n, responses[arm].error };
	}
	bool same = smoke_compare(r->path, &sides[ARM_SOURCE], &sides[ARM_TARGET], difference);
	s->different += !same;
	smoke_keep_result(s, r, responses, same, difference);
	if (!json)
		print_result(r, responses, same, difference);
	for (int arm = 0; arm < ARMS; arm++)
		fetch_response_free(&responses[arm]);
}

/* --- the default suite --- */

static bool is_plain_index(const char *name)
{
	return name && name[0] != '.' && name[0] != '_' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name);
}

static void suite_add_index(struct smoke_suite *s, const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "/%.255s/_count", name);
	smoke_suite_add(s, "GET", path, NULL);
	snprintf(path, sizeof path, "/%.255s/_search?size=0", name);
	smoke_suite_add(s, "GET", path, "{\"query\":{\"match_all\":{}},\"track_total_hits\":true}");
	snprintf(path, sizeof path, "/%.255s/_mapping", name);
	smoke_suite_add(s, "GET", path, NULL);
	snprintf(path, sizeof path, "/%.255s/_alias", name);
	smoke_suite_add(s, "GET", path, NULL);
}

/*
 * Each index of the source must be on the target too. A service that is no search cluster has no
 * list of indices.
 */
static void suite_make_default(struct smoke *s)
{
	const struct smoke_request list = { .method = "GET", .path = "/_cat/indices?format=json" };
	struct fetch_response a;
	size_t i, n = 0;
	json_t *row;
	smoke_suite_add(&s->suite, "GET", "/", NULL);
	smoke_ask(s, ARM_SOURCE, &list, &a);
	json_t *rows = a.status == 200 ? json_loadb(a.text, a.n, 0, NULL) : NULL;
	fetch_response_free(&a);
	if (!json_is_array(rows)) {
		json_decref(rows);
		smoke_suite_add(&s->suite, "HEAD", "/", NULL);
		return;
	}
	smoke_suite_add(&s->suite, "GET", "/_cluster/health", NULL);
	smoke_suite_add(&s->suite, list.method, list.path, NULL);
	json_array_foreach(rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "index"));
		if (is_plain_index(name) && n++ < INDICES_MAX)
			suite_add_index(&s->suite, name);
	}
	json_decref(rows);
}

/* --- the command --- */

static int smoke_run_suite(struct smoke *s, const char *suite, bool json)
{
	unsigned n = 0;
	if (suite && !smoke_suite_read(&s->suite, suite)) {
		diagnostics_print(&s->suite.diagnostics, stderr);
		return EXIT_USAGE;
	}
	if (!suite)
		suite_make_default(s);
	if (!json)
		printf("%s       %-49s %6s %6s %7s %7s%s\n", paint(PAINT_DIM), "request", "source",
		       "target", "ms", "ms", paint(PAINT_NONE));
	for (const struct smoke_request *r = s->suite.first; r; r = r->next, n++)
		smoke_try_request(s, r, json);
	if (json) {
		json_t *all =
			json_pack("{s:b,s:O}", "ok", s->different == 0, "requests", s->results);
		terminal_put_json(all, stdout);
		putchar('\n');
		json_decref(all);
	} else {
		printf("\n%u request%s through %s and %s: %s%u differ%s\n", n, n == 1 ? "" : "s",
		       s->base[ARM_SOURCE], s->base[ARM_TARGET], paint_good(!s->different),
		       s->different, paint(PAINT_NONE));
		if (s->trust)
			printf("(The certificate %s was trusted for any host name.)\n", s->trust);
	}
	return s->different ? EXIT_NO : EXIT_OK;
}

static bool listeners_respond(struct smoke *s, const struct command *c)
{
	const struct smoke_request probe = { .method = "HEAD", .path = "/" };
	for (int arm = 0; arm < ARMS; arm++) {
		struct fetch_response a;
		smoke_ask(s, arm, &probe, &a);
		if (!a.status)
			fprintf(stderr, "crossfade %s: no response from %s: %s\n", c->name,
				s->base[arm], a.error);
		bool responded = a.status != 0;
		fetch_response_free(&a);
		if (!responded)
			return false;
	}
	return true;
}

static int smoke_run(const struct command *c, const struct config *config, const char *suite,
		     bool json)
{
	struct smoke s = { .config = config, .results = json_array() };
	int code = EXIT_USAGE;
	smoke_suite_open(&s.suite);
	for (int arm = 0; arm < ARMS; arm++)
		fetch_open(&s.fetch[arm]);
	if (find_listeners(&s, c))
		code = listeners_respond(&s, c) ? smoke_run_suite(&s, suite, json)
						: EXIT_UNREACHABLE;
	for (int arm = 0; arm < ARMS; arm++)
		fetch_close(&s.fetch[arm]);
	smoke_suite_close(&s.suite);
	json_decref(s.results);
	return code;
}

int command_smoke(const struct command *c, int argc, char **argv)
{
	const char *path = NULL, *suite = NULL, *output = NULL;
	const struct command_option options[] = { { 'c', "config", &path, NULL },
						  { 0, "suite", &suite, NULL },
						  { 'o', "output", &output, NULL } };
	bool json;
	int code, operands = command_options(c, argc, argv, options, 3, &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!path)
		return command_misused(c, "-c FILE is missing: the path of the configuration");
	if (!command_wants_json(c, output, &json))
		return EXIT_USAGE;
	struct config *config = config_open(path);
	if (config->diagnostics.n) {
		diagnostics_print(&config->diagnostics, stderr);
		code = EXIT_USAGE;
	} else {
		code = smoke_run(c, config, suite, json);
	}
	config_close(config);
	return code;
}
