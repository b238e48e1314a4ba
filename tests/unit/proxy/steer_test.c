#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "proxy/split.h"
#include "proxy/steer.h"

#define KEYS 100000

/* 10.0.0.0/8 may override. */
struct fixture {
	struct slab chunks;
	struct arena arena;
	struct msg request;
	struct plan plan;
	struct range room[NETWORK_RANGES];
	struct networks allow;
	struct addr client;
	struct board_values values;
};

static void new_request(struct fixture *f)
{
	msg_open(&f->request, &f->arena, MSG_REQUEST);
	msg_set_request(&f->request, SPAN("GET"), SPAN("/"));
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	slab_open(&f->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&f->arena, &f->chunks);
	new_request(f);
	f->allow.ranges = f->room;
	networks_add(&f->allow, SPAN("10.0.0.0/8"));
	f->plan.override_allow = &f->allow;
	addr_parse(SPAN("10.1.2.3"), 5555, &f->client);
	f->values = (struct board_values){ .epoch = 1, .weights = { 1, 0 } };
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

static enum steering ask(struct fixture *f, enum arm *arm)
{
	return steer(&f->request, &f->plan, &f->client, &f->values, arm);
}

/* --- keys --- */

static uint64_t hash_of(unsigned key)
{
	struct sticky s = { .by = STICKY_ADDRESS, .seed = 7 };
	struct addr a = { .v4.sin_family = AF_INET };
	uint64_t hash;
	a.v4.sin_addr.s_addr = htonl(10u << 24 | key);
	assert_true(sticky_hash(&s, NULL, &a, &hash));
	return hash;
}

static void growing_moves_exactly_those_who_have_to_move(void **state)
{
	(void)state;
	static const uint32_t steps[][ARMS] = {
		{ 1, 0 }, { 99, 1 },	{ 9, 1 }, { 80, 20 }, { 70, 30 },
		{ 7, 3 }, { 500, 499 }, { 1, 1 }, { 1, 998 }, { 0, 1 },
	};
	bool *on_target = calloc(KEYS, sizeof *on_target);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		double share = (double)steps[i][ARM_TARGET] /
			       (steps[i][ARM_SOURCE] + steps[i][ARM_TARGET]);
		unsigned there = 0;
		for (unsigned key = 0; key < KEYS; key++) {
			bool target = sticky_arm(hash_of(key), steps[i]) == ARM_TARGET;
			if (on_target[key] && !target)
				fail_msg("key %u comes back at step %zu", key, i);
			on_target[key] = target;
			there += target;
		}
		/* Five standard deviations: as good as never more. */
		double off = there - share * KEYS;
		assert_true(off * off <= 25 * share * (1 - share) * KEYS);
	}
	free(on_target);
}

/* And back again: it is the same keys at the same weights, whatever was between. */
static void the_same_weights_have_the_same_keys(void **state)
{
	(void)state;
	static const uint32_t twenty[ARMS] = { 80, 20 }, same[ARMS] = { 4, 1 };
	for (unsigned key = 0; key < KEYS; key++)
		assert_int_equal(sticky_arm(hash_of(key), twenty), sticky_arm(hash_of(key), same));
}

static void a_threshold_is_exact(void **state)
{
	(void)state;
	static const uint32_t half[ARMS] = { 1, 1 }, none[ARMS] = { 1, 0 }, all[ARMS] = { 0, 1 },
			      least[ARMS] = { WEIGHT_MAX, 1 };
	assert_int_equal(sticky_arm(0, half), ARM_TARGET);
	assert_int_equal(sticky_arm(UINT64_MAX / 2, half), ARM_TARGET);
	assert_int_equal(sticky_arm(UINT64_MAX / 2 + 1, half), ARM_SOURCE);
	assert_int_equal(sticky_arm(0, none), ARM_SOURCE);
	assert_int_equal(sticky_arm(UINT64_MAX, all), ARM_TARGET);
	assert_int_equal(sticky_arm(UINT64_MAX / 1000, least), ARM_TARGET);
	assert_int_equal(sticky_arm(UINT64_MAX / 1000 + 1, least), ARM_SOURCE);
}

static void balancers_with_one_seed_agree_and_others_do_not(void **state)
{
	struct fixture *f = *state;
	struct sticky s = { .by = STICKY_ADDRESS };
	uint64_t plain, mapped, seeded;
	assert_true(sticky_hash(&s, NULL, &f->client, &plain));
	/* As it has always been: who restarts with a newer version stays where they are. */
	assert_int_equal(plain, 0x526e52698d278bb9);
	addr_parse(SPAN("::ffff:10.1.2.3"), 77, &f->client);
	assert_true(sticky_hash(&s, NULL, &f->client, &mapped));
	assert_int_equal(plain, mapped);
	s.seed = 1;
	assert_true(sticky_hash(&s, NULL, &f->client, &seeded));
	assert_int_not_equal(plain, seeded);
	f->client = (struct addr){ .any.sa_family = AF_UNIX };
	assert_false(sticky_hash(&s, NULL, &f->client, &plain));
}

static bool has_key(struct fixture *f, const struct sticky *s, const char *expected)
{
	uint64_t hash, other;
	struct msg m;
	struct sticky plain = { .by = STICKY_HEADER, .field = NAME_USER_AGENT };
	if (!sticky_hash(s, &f->request, &f->client, &hash))
		return !expected;
	msg_open(&m, &f->arena, MSG_REQUEST);
	msg_set_request(&m, SPAN("GET"), SPAN("/"));
	msg_add(&m, NAME_USER_AGENT, span_of(expected ? expected : ""));
	return sticky_hash(&plain, &m, &f->client, &other) && other == hash;
}

static void a_key_stands_in_a_header_or_a_cookie(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum sticky_by by;
		const char *name, *field, *value, *second, *key;
	} rows[] = {
		{ STICKY_HEADER, "X-User", "x-user", "alice", NULL, "alice" },
		{ STICKY_HEADER, "X-User", "X-Users", "alice", NULL, NULL },
		{ STICKY_HEADER, "X-User", "X-User", "", NULL, NULL },
		{ STICKY_HEADER, "X-User", "X-User", "", "bob", "bob" },
		{ STICKY_HEADER, "X-User", "X-User", "alice", "bob", "alice" },
		{ STICKY_HEADER, "authorization", "Authorization", "Basic x", NULL, "Basic x" },
		{ STICKY_HEADER, "Authorization", "X-User", "x", NULL, NULL },
		{ STICKY_COOKIE, "sid", "Cookie", "sid=7", NULL, "7" },
		{ STICKY_COOKIE, "sid", "Cookie", "a=1; sid=7; b=2", NULL, "7" },
		{ STICKY_COOKIE, "sid", "Cookie", "a=1;sid=7", NULL, "7" },
		{ STICKY_COOKIE, "sid", "Cookie", "a=1", "sid=7", "7" },
		{ STICKY_COOKIE, "sid", "Cookie", "sid=7; sid=8", NULL, "7" },
		{ STICKY_COOKIE, "sid", "Cookie", "sid=a=b", NULL, "a=b" },
		{ STICKY_COOKIE, "sid", "Cookie", "SID=7", NULL, NULL },
		{ STICKY_COOKIE, "sid", "Cookie", "xsid=7; sidx=8; sid", NULL, NULL },
		{ STICKY_COOKIE, "sid", "Cookie", "sid=", NULL, NULL },
		{ STICKY_COOKIE, "sid", "Cookie", ";;; ", NULL, NULL },
		{ STICKY_COOKIE, "sid", "Cookies", "sid=7", NULL, NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		new_request(f);
		struct sticky s = {
			.by = rows[i].by,
			.name = span_of(rows[i].name),
			.field = rows[i].by == STICKY_HEADER ? name_find(span_of(rows[i].name))
							     : NAME_COOKIE,
		};
		msg_add_named(&f->request, span_of(rows[i].field), span_of(rows[i].value));
		if (rows[i].second)
			msg_add_named(&f->request, span_of(rows[i].field), span_of(rows[i].second));
		if (!has_key(f, &s, rows[i].key))
			fail_msg("row %zu", i);
	}
}

static void who_has_no_key_is_left_to_the_weights(void **state)
{
	struct fixture *f = *state;
	enum arm arm;
	f->plan.sticky =
		(struct sticky){ .by = STICKY_COOKIE, .field = NAME_COOKIE, .name = SPAN("a") };
	f->values.weights[ARM_TARGET] = 1;
	assert_int_equal(ask(f, &arm), STEER_NOT);
	msg_add(&f->request, NAME_COOKIE, SPAN("a=1"));
	assert_int_equal(ask(f, &arm), STEER_STICKY);
}

/* --- the override --- */

static void a_client_may_say_the_arm(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *client, *value, *second;
		bool rolled_back;
		enum steering steering;
		enum arm arm;
	} rows[] = {
		{ "10.1.2.3", "source", NULL, false, STEER_OVERRIDE, ARM_SOURCE },
		/* Though its weight is 0: so one looks at it before anybody goes there. */
		{ "10.1.2.3", "target", NULL, false, STEER_OVERRIDE, ARM_TARGET },
		{ "::ffff:10.1.2.3", "target", NULL, false, STEER_OVERRIDE, ARM_TARGET },
		{ "10.1.2.3", "Target", NULL, false, STEER_BAD, 0 },
		{ "10.1.2.3", "", NULL, false, STEER_BAD, 0 },
		{ "10.1.2.3", "target", "target", false, STEER_BAD, 0 },
		{ "10.1.2.3", "source", "target", false, STEER_BAD, 0 },
		/* Who may not say it is not heard, and told nothing. */
		{ "192.0.2.7", "target", NULL, false, STEER_NOT, 0 },
		{ "192.0.2.7", "what", NULL, false, STEER_NOT, 0 },
		{ "10.1.2.3", "target", NULL, true, STEER_NOT, 0 },
		{ "10.1.2.3", "source", NULL, true, STEER_NOT, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum arm arm;
		new_request(f);
		addr_parse(span_of(rows[i].client), 5555, &f->client);
		f->values.rolled_back = rows[i].rolled_back;
		msg_add(&f->request, NAME_X_CROSSFADE_CLUSTER, span_of(rows[i].value));
		if (rows[i].second)
			msg_add(&f->request, NAME_X_CROSSFADE_CLUSTER, span_of(rows[i].second));
		if (ask(f, &arm) != rows[i].steering)
			fail_msg("row %zu", i);
		if (rows[i].steering == STEER_OVERRIDE)
			assert_int_equal(arm, rows[i].arm);
	}
	f->plan.override_allow = NULL;
	enum arm arm;
	assert_int_equal(ask(f, &arm), STEER_NOT);
}

static void an_override_goes_before_a_sticky_key(void **state)
{
	struct fixture *f = *state;
	enum arm arm;
	f->plan.sticky.by = STICKY_ADDRESS;
	assert_int_equal(ask(f, &arm), STEER_STICKY);
	assert_int_equal(arm, ARM_SOURCE);
	msg_add(&f->request, NAME_X_CROSSFADE_CLUSTER, SPAN("target"));
	assert_int_equal(ask(f, &arm), STEER_OVERRIDE);
	assert_int_equal(arm, ARM_TARGET);
	/* After a rollback its key is what is left, and that is with the source. */
	f->values.rolled_back = true;
	assert_int_equal(ask(f, &arm), STEER_STICKY);
	assert_int_equal(arm, ARM_SOURCE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(growing_moves_exactly_those_who_have_to_move),
		cmocka_unit_test(the_same_weights_have_the_same_keys),
		cmocka_unit_test(a_threshold_is_exact),
		TEST(balancers_with_one_seed_agree_and_others_do_not),
		TEST(a_key_stands_in_a_header_or_a_cookie),
		TEST(who_has_no_key_is_left_to_the_weights),
		TEST(a_client_may_say_the_arm),
		TEST(an_override_goes_before_a_sticky_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
