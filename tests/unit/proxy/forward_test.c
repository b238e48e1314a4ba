#include "unit/cmocka_all.h"

#include "proxy/forward.h"

#define OWN "0123456789abcdef"

struct fixture {
	struct slab chunks;
	struct arena arena;
	struct msg request;
	struct listener listener;
	struct addr peer;
	bool trusted;
	struct rng rng;
};

static int open_fixture(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof f);
	slab_open(&f.chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&f.arena, &f.chunks);
	msg_open(&f.request, &f.arena, MSG_REQUEST);
	msg_set_request(&f.request, SPAN("GET"), SPAN("/"));
	msg_add(&f.request, NAME_HOST, SPAN("client.test"));
	f.listener.port = 443;
	addr_parse(SPAN("192.0.2.7"), 5555, &f.peer);
	f.rng.state = 7;
	*state = &f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	arena_close(&f->arena);
	slab_close(&f->chunks);
	return 0;
}

static bool forward(struct fixture *f)
{
	struct hop hop = hop_of(0x0123456789abcdef);
	struct forward_facts facts = {
		.listener = &f->listener,
		.peer = &f->peer,
		.hop = &hop,
		.trusted = f->trusted,
		.wall_ns = 0x6553f100ull * 1000000000,
		.rng = &f->rng,
	};
	return forward_client(&f->request, &facts);
}

static unsigned count_of(const struct msg *m, enum name name)
{
	unsigned n = 0;
	for (unsigned i = 0; i < m->field_n; i++)
		n += m->fields[i].name == name && !m->fields[i].dropped;
	return n;
}

static void assert_value(struct fixture *f, enum name name, const char *expected)
{
	struct span value = msg_value(&f->request, name);
	assert_int_equal(value.n, strlen(expected));
	assert_memory_equal(value.at, expected, value.n);
	assert_int_equal(count_of(&f->request, name), 1);
}

static void the_client_is_told_of(void **state)
{
	struct fixture *f = *state;
	assert_true(forward(f));
	assert_value(f, NAME_X_FORWARDED_FOR, "192.0.2.7");
	assert_value(f, NAME_X_FORWARDED_PROTO, "http");
	assert_value(f, NAME_X_FORWARDED_PORT, "443");
}

static void an_address_is_appended_to_all_that_stand_there(void **state)
{
	struct fixture *f = *state;
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN("198.51.100.1"));
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN("2001:db8::1, 203.0.113.9"));
	msg_add(&f->request, NAME_X_FORWARDED_PROTO, SPAN("gopher"));
	struct tls_context *none = NULL;
	f->listener.tls = &none;
	assert_true(forward(f));
	assert_value(f, NAME_X_FORWARDED_FOR, "198.51.100.1, 2001:db8::1, 203.0.113.9, 192.0.2.7");
	assert_value(f, NAME_X_FORWARDED_PROTO, "https");
}

static void an_empty_list_adds_no_empty_member(void **state)
{
	struct fixture *f = *state;
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN(""));
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN("198.51.100.1"));
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN(""));
	assert_true(forward(f));
	assert_value(f, NAME_X_FORWARDED_FOR, "198.51.100.1, 192.0.2.7");
	msg_set(&f->request, NAME_X_FORWARDED_FOR, SPAN(""));
	assert_true(forward(f));
	assert_value(f, NAME_X_FORWARDED_FOR, "192.0.2.7");
}

static void preserved_fields_stay_as_they_are(void **state)
{
	struct fixture *f = *state;
	f->listener.forwarded = FORWARDED_PRESERVE;
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN("198.51.100.1"));
	assert_true(forward(f));
	assert_value(f, NAME_X_FORWARDED_FOR, "198.51.100.1");
	assert_null(msg_find(&f->request, NAME_X_FORWARDED_PROTO));
}

static void removed_fields_are_gone(void **state)
{
	struct fixture *f = *state;
	f->listener.forwarded = FORWARDED_REMOVE;
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN("a"));
	msg_add(&f->request, NAME_X_FORWARDED_FOR, SPAN("b"));
	msg_add(&f->request, NAME_X_FORWARDED_PORT, SPAN("1"));
	assert_true(forward(f));
	assert_null(msg_find(&f->request, NAME_X_FORWARDED_FOR));
	assert_null(msg_find(&f->request, NAME_X_FORWARDED_PORT));
}

/* Whatever else the listener says. */
static void each_balancer_adds_itself_to_those_that_a_request_has_passed(void **state)
{
	(void)state;
	for (int how = FORWARDED_APPEND; how <= FORWARDED_REMOVE; how++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		f->listener.forwarded = (enum forwarded)how;
		f->listener.trace = TRACE_KEEP;
		assert_true(forward(f));
		assert_value(f, NAME_X_CROSSFADE_HOP, OWN);
		msg_drop(&f->request, NAME_X_CROSSFADE_HOP);
		msg_add(&f->request, NAME_X_CROSSFADE_HOP, SPAN("a, b"));
		msg_add(&f->request, NAME_X_CROSSFADE_HOP, SPAN("c"));
		assert_true(forward(f));
		assert_value(f, NAME_X_CROSSFADE_HOP, "a, b, c, " OWN);
		close_fixture(&own);
	}
}

static void a_trusted_peer_may_say_how_the_client_came(void **state)
{
	struct fixture *f = *state;
	f->trusted = true;
	msg_add(&f->request, NAME_X_FORWARDED_PROTO, SPAN("https"));
	assert_true(forward(f));
	assert_value(f, NAME_X_FORWARDED_FOR, "192.0.2.7");
	assert_value(f, NAME_X_FORWARDED_PROTO, "https");
	assert_value(f, NAME_X_FORWARDED_PORT, "443");
}

/* 192.0.2.0/24 is trusted, and the peer is 192.0.2.7. */
static const char *origin(struct fixture *f)
{
	static char text[ADDR_TEXT_BYTES];
	struct range room[NETWORK_RANGES];
	struct networks trust = { .ranges = room };
	networks_add(&trust, SPAN("192.0.2.0/24"));
	struct addr a = forward_origin(&f->request, &trust, &f->peer);
	addr_host_text(&a, text);
	return text;
}

static void the_client_is_the_rightmost_who_is_not_trusted(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *first, *second, *origin;
	} rows[] = {
		{ NULL, NULL, "192.0.2.7" },
		{ "198.51.100.1", NULL, "198.51.100.1" },
		/* What stands before the first stranger, that stranger may have written. */
		{ "10.0.0.1, 198.51.100.1", NULL, "198.51.100.1" },
		{ "198.51.100.1, 192.0.2.8,192.0.2.9", NULL, "198.51.100.1" },
		{ "198.51.100.1", "192.0.2.8", "198.51.100.1" },
		{ "198.51.100.1, 203.0.113.1", "192.0.2.8, 192.0.2.9", "203.0.113.1" },
		{ "192.0.2.8, 192.0.2.9", NULL, "192.0.2.8" },
		{ "198.51.100.1, unknown, 192.0.2.9", NULL, "192.0.2.9" },
		{ "unknown", NULL, "192.0.2.7" },
		{ "198.51.100.1,", NULL, "198.51.100.1" },
		{ ", 198.51.100.1 ,\t, 192.0.2.8,,", NULL, "198.51.100.1" },
		{ "198.51.100.1", "", "198.51.100.1" },
		{ "", "198.51.100.1", "198.51.100.1" },
		{ ",,192.0.2.8", ",", "192.0.2.8" },
		{ "unknown,,", NULL, "192.0.2.7" },
		{ ", ,", NULL, "192.0.2.7" },
		{ "", NULL, "192.0.2.7" },
		{ "198.51.100.1:4711", NULL, "198.51.100.1" },
		{ "2001:db8::1", NULL, "2001:db8::1" },
		{ "[2001:db8::1]", NULL, "2001:db8::1" },
		{ "[2001:db8::1]:4711", NULL, "2001:db8::1" },
		{ "[2001:db8::1", NULL, "192.0.2.7" },
		{ "::ffff:198.51.100.1, ::ffff:192.0.2.8", NULL, "198.51.100.1" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		msg_drop(&f->request, NAME_X_FORWARDED_FOR);
		if (rows[i].first)
			msg_add(&f->request, NAME_X_FORWARDED_FOR, span_of(rows[i].first));
		if (rows[i].second)
			msg_add(&f->request, NAME_X_FORWARDED_FOR, span_of(rows[i].second));
		if (strcmp(origin(f), rows[i].origin) != 0)
			fail_msg("row %zu: %s", i, origin(f));
	}
}

/* A list without end is looked at so far, and no further; nor are commas alone. */
static void thirty_addresses_are_looked_at(void **state)
{
	struct fixture *f = *state;
	char commas[64] = "198.51.100.1";
	strcat(commas, ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,");
	msg_set(&f->request, NAME_X_FORWARDED_FOR, span_of(commas));
	assert_string_equal(origin(f), "192.0.2.7");
	commas[12 + FORWARDED_HOPS_MAX - 1] = 0;
	msg_set(&f->request, NAME_X_FORWARDED_FOR, span_of(commas));
	assert_string_equal(origin(f), "198.51.100.1");
	for (unsigned trusted = FORWARDED_HOPS_MAX - 1; trusted <= FORWARDED_HOPS_MAX; trusted++) {
		char list[1024] = "198.51.100.1";
		for (unsigned i = 0; i < trusted; i++)
			strcat(list, ", 192.0.2.8");
		msg_set(&f->request, NAME_X_FORWARDED_FOR, span_of(list));
		assert_string_equal(origin(f),
				    trusted < FORWARDED_HOPS_MAX ? "198.51.100.1" : "192.0.2.8");
	}
}

static void trace_fields_are_the_listeners_to_choose(void **state)
{
	struct fixture *f = *state;
	f->listener.trace = TRACE_KEEP;
	assert_true(forward(f));
	assert_null(msg_find(&f->request, NAME_X_AMZN_TRACE_ID));
	assert_null(msg_find(&f->request, NAME_TRACEPARENT));
	f->listener.trace = TRACE_MAKE;
	assert_true(forward(f));
	assert_non_null(msg_find(&f->request, NAME_X_AMZN_TRACE_ID));
	assert_non_null(msg_find(&f->request, NAME_TRACEPARENT));
}

static void host_is_as_the_cluster_wants_it(void **state)
{
	struct fixture *f = *state;
	struct node node = { .name = "es-1:9200" };
	struct cluster cluster = { .host = HOST_PRESERVE, .host_name = "search.example" };
	assert_true(forward_host(&f->request, &cluster, &node));
	assert_value(f, NAME_HOST, "client.test");
	/* HTTP/1.0 may have none, and what goes on is 1.1. */
	msg_set(&f->request, NAME_HOST, SPAN(""));
	assert_true(forward_host(&f->request, &cluster, &node));
	assert_value(f, NAME_HOST, "es-1:9200");
	cluster.host = HOST_NODE;
	assert_true(forward_host(&f->request, &cluster, &node));
	assert_value(f, NAME_HOST, "es-1:9200");
	node.name = "es-2:9200";
	assert_true(forward_host(&f->request, &cluster, &node));
	assert_value(f, NAME_HOST, "es-2:9200");
	cluster.host = HOST_NAME;
	assert_true(forward_host(&f->request, &cluster, &node));
	assert_value(f, NAME_HOST, "search.example");
}

static void configured_fields_replace_the_clients(void **state)
{
	struct fixture *f = *state;
	static const struct edit edits[] = {
		{ NAME_X_FORWARDED_FOR, SPAN("x-forwarded-for"), { NULL, 0 } },
		{ NAME_OTHER, SPAN("x-none"), { NULL, 0 } },
		{ NAME_OTHER, SPAN("X-Index"), SPAN("ours") },
		{ NAME_AUTHORIZATION, SPAN("Authorization"), SPAN("Basic b3Vycw==") },
	};
	struct cluster cluster = { .edits = edits, .edit_n = 4 };
	msg_add_named(&f->request, SPAN("x-index"), SPAN("theirs"));
	msg_add_named(&f->request, SPAN("X-INDEX"), SPAN("theirs"));
	msg_add(&f->request, NAME_AUTHORIZATION, SPAN("Basic dGhlaXJz"));
	assert_true(forward(f));
	assert_true(forward_edit(&f->request, &cluster));
	assert_null(msg_find(&f->request, NAME_X_FORWARDED_FOR));
	assert_value(f, NAME_AUTHORIZATION, "Basic b3Vycw==");
	unsigned kept = 0;
	for (unsigned i = 0; i < f->request.field_n; i++) {
		const struct field *field = &f->request.fields[i];
		if (field->dropped ||
		    !span_is_nocase(field_name(&f->request, field), SPAN("x-index")))
			continue;
		assert_true(span_is(field_value(&f->request, field), SPAN("ours")));
		kept++;
	}
	assert_int_equal(kept, 1);
}

static void a_head_without_room_for_a_configured_field_is_refused(void **state)
{
	struct fixture *f = *state;
	static const struct edit edit = { NAME_OTHER, SPAN("X-A"), SPAN("a") };
	struct cluster cluster = { .edits = &edit, .edit_n = 1 };
	while (f->request.field_n < FIELDS_MAX + FIELDS_ADDED_MAX - 1)
		assert_true(msg_add_named(&f->request, SPAN("X-B"), SPAN("b")));
	assert_true(forward_edit(&f->request, &cluster));
	assert_false(forward_edit(&f->request, &cluster));
}

/* CGI and its heirs know both by one name. */
static void a_name_with_an_underscore_is_no_way_around_the_configuration(void **state)
{
	static const struct edit edits[] = {
		{ NAME_OTHER, SPAN_INIT("X-Tenant"), SPAN_INIT("ours") },
		{ NAME_OTHER, SPAN_INIT("X_Secret"), { NULL, 0 } },
		{ NAME_USER_AGENT, SPAN_INIT("User-Agent"), { NULL, 0 } },
	};
	static const char *const names[] = { "X_Tenant",	"x-TENANT",
					     "X_TENANT",	"X-Secret",
					     "x_secret",	"User_Agent",
					     "X_Forwarded_For", "x_crossfade_cluster",
					     "Content_Length" };
	struct fixture *f = *state;
	for (int pass = 0; pass < 2; pass++) {
		for (int trailers = 0; trailers < 2; trailers++) {
			struct cluster c = { .edits = edits, .edit_n = 3, .underscores = pass };
			struct msg m;
			msg_open(&m, &f->arena, trailers ? MSG_TRAILERS : MSG_REQUEST);
			if (!trailers)
				msg_set_request(&m, SPAN("GET"), SPAN("/"));
			for (size_t i = 0; i < sizeof names / sizeof *names; i++)
				assert_true(msg_add_named(&m, span_of(names[i]), SPAN("theirs")));
			assert_true(msg_add_named(&m, SPAN("x_own"), SPAN("stays")));
			if (trailers) {
				forward_trailers(&m, &c);
			} else {
				forward_unmask(&m, &c);
				assert_true(forward_edit(&m, &c));
			}
			unsigned left = 0;
			for (unsigned i = 0; i < m.field_n; i++)
				left += !m.fields[i].dropped;
			/* With `pass`: all but x-TENANT and x_secret, under just these names. */
			unsigned passed = sizeof names / sizeof *names - 2;
			assert_int_equal(left, 1 + !trailers + (pass ? passed : 0));
		}
	}
}

static void what_is_ours_in_a_response_is_said_by_nobody_else(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		bool stays;
	} rows[] = {
		{ "X-Crossfade-Error", false },	  { "x_crossfade_error", false },
		{ "X-Crossfade_Error", false },	  { "X-CROSSFADE-Cluster", false },
		{ "x-crossfade-hop", false },	  { "X_Crossfade-Whatever", false },
		{ "X-Crossfades", true },	  { "X-Crossfade-", true },
		{ "My-X-Crossfade-Error", true }, { "Server", true },
	};
	for (int trailers = 0; trailers < 2; trailers++) {
		struct msg m;
		msg_open(&m, &f->arena, trailers ? MSG_TRAILERS : MSG_RESPONSE);
		if (!trailers)
			msg_set_status(&m, 200, SPAN("OK"));
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			assert_true(msg_add_named(&m, span_of(rows[i].name), SPAN("forged")));
		forward_response(&m);
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			assert_int_equal(!m.fields[i].dropped, rows[i].stays);
		assert_null(msg_find(&m, NAME_X_CROSSFADE_ERROR));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

static void options_has_one_hop_less_and_others_do_not_heed_it(void **state)
{
	(void)state;
	static const struct {
		const char *method, *came, *goes;
	} rows[] = {
		{ "OPTIONS", "1", "0" },   { "OPTIONS", "10", "9" },
		{ "OPTIONS", "007", "6" }, { "OPTIONS", "256", "254" },
		{ "GET", "0", "0" },	   { "POST", "5", "5" },
		{ "PROPFIND", "x", "x" },  { "OPTIONS", "99999999999999999999999", "254" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		msg_open(&f->request, &f->arena, MSG_REQUEST);
		msg_set_request(&f->request, span_of(rows[i].method), SPAN("/"));
		f->request.method = method_find(span_of(rows[i].method));
		msg_add(&f->request, NAME_MAX_FORWARDS, span_of(rows[i].came));
		assert_true(forward(f));
		assert_int_equal(count_of(&f->request, NAME_MAX_FORWARDS), 1);
		assert_value(f, NAME_MAX_FORWARDS, rows[i].goes);
		close_fixture(&own);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_name_with_an_underscore_is_no_way_around_the_configuration, open_fixture,
			close_fixture),
		TEST(the_client_is_told_of),
		TEST(what_is_ours_in_a_response_is_said_by_nobody_else),
		TEST(an_address_is_appended_to_all_that_stand_there),
		TEST(an_empty_list_adds_no_empty_member),
		TEST(preserved_fields_stay_as_they_are),
		TEST(removed_fields_are_gone),
		cmocka_unit_test(each_balancer_adds_itself_to_those_that_a_request_has_passed),
		TEST(a_trusted_peer_may_say_how_the_client_came),
		TEST(the_client_is_the_rightmost_who_is_not_trusted),
		TEST(thirty_addresses_are_looked_at),
		TEST(trace_fields_are_the_listeners_to_choose),
		TEST(configured_fields_replace_the_clients),
		TEST(a_head_without_room_for_a_configured_field_is_refused),
		TEST(host_is_as_the_cluster_wants_it),
		cmocka_unit_test(options_has_one_hop_less_and_others_do_not_heed_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
