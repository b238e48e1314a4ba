#include "base/limits.h"
#include "unit/control/kit.h"

#include "control/nodes.h"

/* The nodes of the source; the target has one that never changes. */
static struct config *with_nodes(const char *nodes)
{
	char text[512];
	snprintf(text, sizeof text,
		 "listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
		 "source: { nodes: [ %s ] }\ntarget: { nodes: [ http://t ] }\nstate: s\n",
		 nodes);
	return kit_config(text);
}

static void change(struct nodes *s, const char *to)
{
	struct config *c = with_nodes(to);
	assert_true(nodes_add(s, c));
	nodes_retire(s, c);
	config_close(c);
}

static struct node_record *named(const struct nodes *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->list[i]->name, name))
			return s->list[i];
	return NULL;
}

static void open_with(struct nodes *s, const char *nodes)
{
	struct config *c = with_nodes(nodes);
	nodes_open(s, c);
	config_close(c);
}

static void what_is_known_of_a_node_outlives_its_configuration(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://a:1, http://b:1");
	struct node_record *b = named(&s, "b:1");
	atomic_store(&b->state.healthy, false);
	change(&s, "http://c:1, http://b:1");
	assert_ptr_equal(named(&s, "b:1"), b);
	assert_false(node_is_healthy(b));
	assert_non_null(named(&s, "c:1"));
	assert_null(named(&s, "a:1"));
	assert_int_equal(s.n, 3);
	assert_int_equal(s.gone_n, 1);
	nodes_close(&s);
}

static void who_comes_to_others_is_to_prove_itself(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://a:1");
	assert_true(node_is_healthy(named(&s, "a:1")));
	change(&s, "http://a:1, http://b:1");
	assert_true(named(&s, "b:1")->unproven);
	assert_false(node_is_healthy(named(&s, "b:1")));
	/* All are new: nobody could be asked in the meantime. */
	change(&s, "http://c:1, http://d:1");
	assert_true(node_is_healthy(named(&s, "c:1")) && node_is_healthy(named(&s, "d:1")));
	atomic_store(&named(&s, "c:1")->state.healthy, false);
	change(&s, "http://c:1, http://e:1");
	assert_true(node_is_healthy(named(&s, "e:1")));
	nodes_close(&s);
}

static void another_scheme_is_another_node(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://a:1");
	const struct node_record *clear = named(&s, "a:1");
	change(&s, "https://a:1");
	assert_ptr_not_equal(named(&s, "a:1"), clear);
	assert_int_not_equal(named(&s, "a:1")->state.number, clear->state.number);
	nodes_close(&s);
}

static void a_number_is_given_again_when_no_plan_names_it(void **state)
{
	(void)state;
	struct nodes s;
	bool in_plans[NODES_MAX] = { false };
	open_with(&s, "http://a:1");
	uint32_t number = named(&s, "a:1")->state.number;
	change(&s, "http://b:1");
	in_plans[number] = true;
	nodes_sweep(&s, in_plans, NULL, 0);
	assert_int_equal(s.gone_n, 1);
	change(&s, "http://b:1, http://c:1");
	assert_int_not_equal(named(&s, "c:1")->state.number, number);
	in_plans[number] = false;
	nodes_sweep(&s, in_plans, NULL, 0);
	assert_int_equal(s.gone_n, 0);
	change(&s, "http://b:1, http://c:1, http://d:1");
	assert_int_equal(named(&s, "d:1")->state.number, number);
	nodes_close(&s);
}

static void a_node_that_comes_back_soon_is_the_same(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://a:1, http://b:1");
	const struct node_record *a = named(&s, "a:1");
	change(&s, "http://b:1");
	change(&s, "http://b:1, http://a:1");
	assert_ptr_equal(named(&s, "a:1"), a);
	assert_int_equal(s.gone_n, 0);
	nodes_close(&s);
}

/* Both clusters are full. */
static struct config *full(char letter)
{
	size_t bytes = NODES_PER_CLUSTER_MAX * 2 * 24 + 512;
	char *text = malloc(bytes);
	size_t n = (size_t)snprintf(text, bytes,
				    "listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
				    "state: s\n");
	for (int arm = 0; arm < ARMS; arm++) {
		n += (size_t)snprintf(text + n, bytes - n, "%s: { nodes: [",
				      arm_name((enum arm)arm));
		for (int i = 0; i < NODES_PER_CLUSTER_MAX; i++)
			n += (size_t)snprintf(text + n, bytes - n, " http://%c%d:1,", letter, i);
		n += (size_t)snprintf(text + n - 1, bytes - n, " ] }\n") - 1;
	}
	struct config *c = kit_config(text);
	free(text);
	return c;
}

static void addresses_that_were_kept_are_taken_and_nonsense_is_not(void **state)
{
	(void)state;
	struct nodes s, after;
	struct addr list[2];
	open_with(&s, "http://a:1, http://b:1, http://10.9.9.9:1");
	memset(list, 0, sizeof list);
	assert_true(addr_parse(SPAN("10.0.0.1"), 1, &list[0]));
	assert_true(addr_parse(SPAN("2001:db8::1"), 1, &list[1]));
	assert_true(node_take_addresses(named(&s, "a:1"), list, 2, 1000).any);
	char *text = nodes_addresses_text(&s);
	nodes_close(&s);
	open_with(&after, "http://a:1, http://b:1, http://c:1");
	nodes_take_addresses_text(&after, span_of(text), 1000);
	struct node_record *a = named(&after, "a:1");
	assert_int_equal(a->address_n, 2);
	assert_false(node_is_awaited(a));
	/* The same, so that a look-up that finds them changes nothing. */
	assert_false(node_take_addresses(a, list, 2, 2000).any);
	assert_true(node_is_awaited(named(&after, "b:1")));
	static const char *const wrong[] = {
		"",
		"\n\n",
		"source clear b:1\n",
		"source tls b:1 10.0.0.1",
		"other clear b:1 1.1.1.1",
		"source clear b:1 x y z",
		"source clear",
		"source  clear b:1 10.0.0.1",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		nodes_take_addresses_text(&after, span_of(wrong[i]), 2000);
	assert_int_equal(named(&after, "b:1")->address_n, 0);
	free(text);
	nodes_close(&after);
}

static void numbers_that_are_all_in_use_refuse_a_change(void **state)
{
	(void)state;
	struct nodes s;
	bool in_plans[NODES_MAX] = { false };
	struct config *first = full('a'), *second = full('b'), *third = full('c');
	nodes_open(&s, first);
	assert_int_equal(s.n, 2 * NODES_PER_CLUSTER_MAX);
	assert_true(nodes_add(&s, second));
	nodes_retire(&s, second);
	assert_false(nodes_add(&s, third));
	nodes_retire(&s, second);
	assert_int_equal(s.n, 2 * NODES_PER_CLUSTER_MAX);
	assert_non_null(named(&s, "b511:1"));
	nodes_sweep(&s, in_plans, NULL, 0);
	assert_true(nodes_add(&s, third));
	config_close(first);
	config_close(second);
	config_close(third);
	nodes_close(&s);
}

/* One of its requests may go on when no plan names it any more. */
static void a_number_is_given_again_when_no_worker_holds_it(void **state)
{
	(void)state;
	struct nodes s;
	const bool in_plans[NODES_MAX] = { false };
	struct counters *workers = calloc(2, sizeof *workers);
	open_with(&s, "http://a:1, http://b:1");
	uint32_t number = named(&s, "a:1")->state.number;
	counter_set(&workers[1].nodes[number].held, 1);
	change(&s, "http://b:1");
	nodes_sweep(&s, in_plans, workers, 2);
	assert_int_equal(s.gone_n, 1);
	change(&s, "http://b:1, http://c:1");
	assert_int_not_equal(named(&s, "c:1")->state.number, number);
	counter_set(&workers[1].nodes[number].held, 0);
	nodes_sweep(&s, in_plans, workers, 2);
	assert_int_equal(s.gone_n, 0);
	nodes_close(&s);
	free(workers);
}

/* --- addresses --- */

static struct addr at(const char *host, uint16_t port)
{
	struct addr a;
	assert_true(addr_parse(span_of(host), port, &a));
	return a;
}

static struct node_change look_up(struct node_record *n, const char *a, const char *b,
				  uint64_t now_ms)
{
	struct addr list[2] = { at(a, 0) };
	if (b)
		list[1] = at(b, 0);
	return node_take_addresses(n, list, b ? 2 : 1, now_ms);
}

/* As workers see it: "10.0.0.1:9200", those of second choice in brackets. */
static void assert_shared(struct node_record *n, const char *expected)
{
	struct node_addresses a;
	uint32_t seen = 0;
	char got[256] = "";
	assert_true(node_state_look(&n->state, &seen, &a));
	assert_false(node_state_look(&n->state, &seen, &a));
	for (unsigned i = 0; i < a.n; i++) {
		char one[ADDR_TEXT_BYTES], part[ADDR_TEXT_BYTES + 4];
		addr_text(&a.list[i], one);
		snprintf(part, sizeof part, a.spare >> i & 1 ? "[%s] " : "%s ", one);
		strncat(got, part, sizeof got - strlen(got) - 1);
	}
	assert_string_equal(got, expected);
}

static void new_addresses_are_seen_whatever_their_order(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://s:9200");
	struct node_record *n = s.list[0];
	assert_true(node_is_awaited(n));
	assert_true(look_up(n, "::1", "10.0.0.1", 0).any);
	assert_false(node_is_awaited(n));
	assert_shared(n, "[::1]:9200 10.0.0.1:9200 ");
	assert_false(look_up(n, "10.0.0.1", "::1", 1).any);
	nodes_close(&s);
}

static void a_name_whose_responses_rotate_loses_no_address(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://s:9200");
	struct node_record *n = s.list[0];
	assert_true(look_up(n, "10.0.0.1", NULL, 0).fresh);
	assert_true(look_up(n, "10.0.0.2", NULL, 1000).fresh);
	assert_shared(n, "[10.0.0.1:9200] 10.0.0.2:9200 ");
	for (uint64_t ms = 2000; ms < 4 * NODE_ADDRESS_KEEP_MS; ms += 1000) {
		assert_false(look_up(n, ms / 1000 % 2 ? "10.0.0.2" : "10.0.0.1", NULL, ms).fresh);
		assert_int_equal(n->address_n, 2);
	}
	nodes_close(&s);
}

static void an_address_that_stays_away_is_forgotten_after_a_while(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://s:9200");
	struct node_record *n = s.list[0];
	look_up(n, "10.0.0.1", "10.0.0.2", 0);
	look_up(n, "10.0.0.2", NULL, NODE_ADDRESS_KEEP_MS - 1);
	assert_shared(n, "[10.0.0.1:9200] 10.0.0.2:9200 ");
	struct node_change c = look_up(n, "10.0.0.2", NULL, NODE_ADDRESS_KEEP_MS);
	assert_true(c.any && !c.fresh);
	assert_shared(n, "- 10.0.0.2:9200 ");
	nodes_close(&s);
}

static void a_name_with_ever_new_addresses_keeps_the_newest(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://s:9200");
	struct node_record *n = s.list[0];
	char host[32];
	unsigned first_choice = 0;
	for (unsigned i = 0; i < 3 * NODE_ADDRESSES_MAX; i++) {
		snprintf(host, sizeof host, "10.0.%u.%u", i / 250, 1 + i % 250);
		assert_true(look_up(n, host, NULL, i).fresh);
	}
	assert_int_equal(n->address_n, NODE_ADDRESSES_MAX);
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++)
		first_choice += !(n->spare >> i & 1);
	assert_int_equal(first_choice, 1);
	nodes_close(&s);
}

static void an_address_that_comes_to_others_is_to_prove_itself(void **state)
{
	(void)state;
	struct nodes s;
	open_with(&s, "http://s:9200");
	struct node_record *n = s.list[0];
	look_up(n, "10.0.0.1", "10.0.0.2", 0);
	assert_int_equal(node_places_well(n), 3);
	look_up(n, "10.0.0.2", "10.0.0.3", 1);
	assert_int_equal(node_places_well(n), 3);
	assert_true(n->places[2]->unproven);
	/* With nobody else to serve it is as good as any. */
	node_set_ill(n, 0, true);
	node_set_ill(n, 1, true);
	look_up(n, "10.0.0.4", NULL, 2);
	assert_false(n->places[3]->unproven);
	assert_int_equal(node_places_well(n), 8);
	nodes_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_known_of_a_node_outlives_its_configuration),
		cmocka_unit_test(who_comes_to_others_is_to_prove_itself),
		cmocka_unit_test(another_scheme_is_another_node),
		cmocka_unit_test(a_number_is_given_again_when_no_plan_names_it),
		cmocka_unit_test(a_number_is_given_again_when_no_worker_holds_it),
		cmocka_unit_test(a_node_that_comes_back_soon_is_the_same),
		cmocka_unit_test(addresses_that_were_kept_are_taken_and_nonsense_is_not),
		cmocka_unit_test(numbers_that_are_all_in_use_refuse_a_change),
		cmocka_unit_test(new_addresses_are_seen_whatever_their_order),
		cmocka_unit_test(a_name_whose_responses_rotate_loses_no_address),
		cmocka_unit_test(an_address_that_stays_away_is_forgotten_after_a_while),
		cmocka_unit_test(a_name_with_ever_new_addresses_keeps_the_newest),
		cmocka_unit_test(an_address_that_comes_to_others_is_to_prove_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
