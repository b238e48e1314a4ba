#include "unit/cmocka_all.h"
#include "unit/ends/stage.h"

#include <stdio.h>
#include <string.h>

#include "proxy/sniffing.h"

struct fixture {
	struct slab chunks;
	struct arena arena;
};

static bool asks(struct fixture *f, const char *method, const char *target, const char *agent)
{
	char head[1024];
	snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\n", method,
		 target, agent);
	return sniffing_asks(request_of(&f->arena, head));
}

static void a_filter_without_end_is_no_clients(void **state)
{
	char target[SNIFFED_PATH_BYTES + 64];
	snprintf(target, sizeof target, "/_nodes/data:%0*d/http", SNIFFED_PATH_BYTES, 1);
	assert_false(asks(*state, "GET", target, "x"));
}

static void what_clients_ask_is_known_and_what_people_ask_is_not(void **state)
{
	static const struct {
		const char *method, *target;
		bool sniffs;
	} rows[] = {
		{ "GET", "/_nodes/_all/http", true },		/* Python, JavaScript */
		{ "GET", "/_nodes/http", true },		/* Go, Logstash, Hadoop */
		{ "GET", "/_nodes/http?timeout=1000ms", true }, /* Java, Ruby, Perl */
		{ "GET", "/_nodes/http,settings?flat_settings=true&timeout=2s", true }, /* .NET */
		{ "GET", "/_nodes/settings,http", true },
		{ "GET", "/_nodes/*/http", true },
		{ "GET", "/_nodes/data:true/http", true },
		{ "GET", "/_nodes/_all/http/", true },
		{ "GET", "/_nodes/_all/http?filter_path=nodes.*.http.publish_address", true },
		{ "GET", "/_nodes/http,transport", true },
		{ "GET", "/_nodes/_all/http,transport", true },
		{ "GET", "/_nodes/os,http,jvm", true },
		{ "GET", "/_nodes/_local/http", true },
		{ "GET", "/_nodes/_master/http", true },
		{ "GET", "/_nodes/es-1,data:true/http", true },
		{ "GET", "/_nodes/es-*/http", true },
		{ "GET", "/_nodes/_all/info/http", true },
		/* What clusters decode, and what a proxy before one may make of it */
		{ "GET", "/_nodes/http%2Csettings", true },
		{ "GET", "/_nodes/%5Fall/ht%74p", true },
		{ "GET", "/%5fnodes/http", true },
		{ "GET", "/_%6eodes/http", true },
		{ "GET", "//_nodes//http", true },
		{ "GET", "/_nodes%2Fhttp", true },
		/* Dashboards, people, tools */
		{ "GET", "/_nodes", false },
		{ "GET", "/_nodes/", false },
		{ "GET", "/_nodes?filter_path=nodes.*.version,nodes.*.http.publish_address",
		  false },
		{ "GET", "/_nodes/stats", false },
		{ "GET", "/_nodes/stats/http", false },
		{ "GET", "/_nodes/_all/stats/http", false },
		{ "GET", "/_nodes/_all", false },
		{ "GET", "/_nodes/settings", false },
		{ "GET", "/_nodes/info/http", false },
		{ "GET", "/_nodes/_all/info/http/x", false },
		{ "GET", "/_nodes/_all/_all", false },
		{ "GET", "/_nodes/es-1,es-2/http", false },
		{ "GET", "/_nodesx/http", false },
		{ "GET", "/_nodes%2", false },
		{ "GET", "/_nodes/%", false },
		{ "GET", "/_nodes/es-1/http", false },
		{ "GET", "/_nodes/hot_threads", false },
		{ "GET", "/_nodes/https", false },
		{ "GET", "/_nodes/,", false },
		{ "GET", "/_nodes/?http", false },
		{ "GET", "/x/_nodes/http", false },
		{ "GET", "/_cat/nodes", false },
		{ "GET", "/", false },
		{ "HEAD", "/_nodes/http", false },
		{ "POST", "/_nodes/http", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (asks(*state, rows[i].method, rows[i].target, "x") != rows[i].sniffs)
			fail_msg("%s %s", rows[i].method, rows[i].target);
}

static void clients_of_php_are_known_by_their_name(void **state)
{
	static const struct {
		const char *target, *agent;
		bool sniffs;
	} rows[] = {
		{ "/_nodes/", "elasticsearch-php/7.17.0 (Linux 6.1; PHP 8.2)", true },
		{ "/_nodes/", "opensearch-php/2.3.0 (Linux; PHP 8.2)", true },
		{ "/_nodes/", "curl/7.88.1", false },
		{ "/_nodes/", "elasticsearch-php", false },
		{ "/_nodes", "elasticsearch-php/7.17.0", false },
		{ "/_nodes/stats", "elasticsearch-php/7.17.0", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (asks(*state, "GET", rows[i].target, rows[i].agent) != rows[i].sniffs)
			fail_msg("%s %s", rows[i].target, rows[i].agent);
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	slab_open(&f->chunks, ARENA_CHUNK_BYTES, 1);
	arena_open(&f->arena, &f->chunks);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	arena_close(&f->arena);
	slab_close(&f->chunks);
	free(f);
	return 0;
}

static void the_address_is_the_one_that_the_client_came_by(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *fields;
		bool trusted, tls;
		const char *address;
	} rows[] = {
		{ "Host: search.example:9200\r\n", false, false, "search.example:9200" },
		{ "Host: search.example\r\n", false, true, "search.example:443" },
		{ "Host: search.example\r\n", false, false, "search.example:80" },
		{ "Host: search.example:\r\n", false, true, "search.example:443" },
		{ "Host: 192.0.2.1:9201\r\n", false, false, "192.0.2.1:9201" },
		{ "Host: [2001:db8::1]:9201\r\n", false, false, "[2001:db8::1]:9201" },
		{ "Host: [2001:db8::1]\r\n", false, true, "[2001:db8::1]:443" },
		/* Behind a balancer that says where it was */
		{ "Host: a\r\nX-Forwarded-Proto: https\r\n", true, false, "a:443" },
		{ "Host: a\r\nX-Forwarded-Proto: http\r\n", true, true, "a:80" },
		{ "Host: a\r\nX-Forwarded-Port: 8443\r\n", true, false, "a:8443" },
		{ "Host: a\r\nX-Forwarded-Port: x\r\n", true, false, "a:80" },
		{ "Host: a:1\r\nX-Forwarded-Port: 8443\r\n", true, false, "a:1" },
		{ "Host: in:1\r\nX-Forwarded-Host: out:2, other\r\n", true, false, "out:2" },
		{ "Host: in:1\r\nX-Forwarded-Host: a\"b\r\n", true, false, "in:1" },
		/* who is believed only where he is trusted */
		{ "Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
		  "X-Forwarded-Port: 1\r\n",
		  false, false, "a:80" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char head[256];
		snprintf(head, sizeof head, "GET /_nodes/http HTTP/1.1\r\n%s", rows[i].fields);
		struct sniffing_facts facts = { rows[i].trusted, rows[i].tls };
		struct span found = sniffing_address(request_of(&f->arena, head), &facts);
		if (!span_is(found, span_of(rows[i].address)))
			fail_msg("%s becomes %.*s", rows[i].fields, (int)found.n, found.at);
	}
}

static void a_host_that_is_longer_than_names_are_is_no_address(void **state)
{
	struct fixture *f = *state;
	char head[1024];
	snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: %0300d\r\n", 1);
	struct sniffing_facts facts = { 0 };
	assert_int_equal(sniffing_address(request_of(&f->arena, head), &facts).n, 0);
}

static void the_response_is_json_with_one_node(void **state)
{
	struct fixture *f = *state;
	struct span text = sniffing_text(&f->arena, SPAN("search.example:9200"));
	static const char *const parts[] = {
		"\"nodes\":{\"crossfade\":{",
		"\"host\":\"search.example\",\"ip\":\"search.example\",",
		"\"roles\":[\"data\",\"ingest\",\"master\"],",
		"\"bound_address\":[\"search.example:9200\"],",
		"\"publish_address\":\"search.example:9200\",",
	};
	int depth = 0;
	for (size_t i = 0; i < text.n; i++)
		depth += (text.at[i] == '{') - (text.at[i] == '}');
	assert_int_equal(depth, 0);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (!memmem(text.at, text.n, parts[i], strlen(parts[i])))
			fail_msg("%s is not in it", parts[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_clients_ask_is_known_and_what_people_ask_is_not, open_fixture,
			close_fixture),
		cmocka_unit_test_setup_teardown(clients_of_php_are_known_by_their_name,
						open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(a_filter_without_end_is_no_clients, open_fixture,
						close_fixture),
		cmocka_unit_test_setup_teardown(the_address_is_the_one_that_the_client_came_by,
						open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(a_host_that_is_longer_than_names_are_is_no_address,
						open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(the_response_is_json_with_one_node, open_fixture,
						close_fixture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
