#include "unit/cmocka_all.h"

#include <string.h>

#include "proxy/retry.h"

#define SECOND_NS 1000000000ull

/* --- the rules --- */

static void the_rules_say_who_may_go_again(void **state)
{
	(void)state;
	const enum err why = ERR_BACK_RESET;
	const struct {
		struct attempt_facts facts;
		bool right;
	} rows[] = {
		/* Nothing was sent: whatever it is. */
		{ { .attempts = 1, .why = why }, true },
		{ { .attempts = 1, .why = ERR_CONNECT_TIMEOUT }, true },
		{ { .attempts = CONNECT_ATTEMPTS_MAX - 1, .why = why }, true },
		{ { .attempts = CONNECT_ATTEMPTS_MAX, .why = why }, false },
		{ { .attempts = 1, .lost = true, .why = why }, false },
		/* It was. */
		{ { .attempts = 1, .sent = true, .why = why }, false },
		{ { .attempts = 1, .sent = true, .repeatable = true, .why = why }, true },
		{ { .attempts = 1, .sent = true, .repeatable = true, .heard = true, .why = why },
		  false },
		{ { .attempts = 1, .sent = true, .repeatable = true, .lost = true, .why = why },
		  false },
		{ { .attempts = CONNECT_ATTEMPTS_MAX,
		    .sent = true,
		    .repeatable = true,
		    .why = why },
		  false },
		/* The node still works on it. */
		{ { .attempts = 1, .sent = true, .repeatable = true, .why = ERR_RESPONSE_TIMEOUT },
		  false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (retry_is_right(&rows[i].facts) != rows[i].right)
			fail_msg("row %zu", i);
}

/* --- the budget --- */

static unsigned take_all(struct retry_budget *b, uint64_t now_ns)
{
	unsigned n = 0;
	while (retry_budget_take(b, now_ns))
		n++;
	return n;
}

static void ask(struct retry_budget *b, unsigned n, uint64_t now_ns)
{
	for (unsigned i = 0; i < n; i++)
		retry_budget_asked(b, now_ns);
}

static void a_few_retries_are_always_allowed(void **state)
{
	(void)state;
	struct retry_budget b = { 0 };
	assert_int_equal(take_all(&b, 7 * SECOND_NS), RETRIES_MIN);
	ask(&b, 100 / RETRY_SHARE_PERCENT - 1, 7 * SECOND_NS);
	assert_false(retry_budget_take(&b, 7 * SECOND_NS));
	ask(&b, 1, 7 * SECOND_NS);
	assert_int_equal(take_all(&b, 7 * SECOND_NS), 1);
}

static void the_rest_is_a_share_of_the_requests(void **state)
{
	(void)state;
	struct retry_budget b = { 0 };
	for (unsigned i = 0; i < RETRY_WINDOW_S; i++)
		ask(&b, 100, (50 + i) * SECOND_NS);
	uint64_t now_ns = (50 + RETRY_WINDOW_S - 1) * SECOND_NS;
	assert_int_equal(take_all(&b, now_ns), RETRIES_MIN + RETRY_WINDOW_S * RETRY_SHARE_PERCENT);
}

static void what_is_older_than_the_window_counts_no_more(void **state)
{
	(void)state;
	struct retry_budget b = { 0 };
	ask(&b, 1000, 50 * SECOND_NS);
	assert_int_equal(take_all(&b, 51 * SECOND_NS), RETRIES_MIN + 10 * RETRY_SHARE_PERCENT);
	/* The requests are forgotten first, then the retries. */
	assert_int_equal(take_all(&b, (50 + RETRY_WINDOW_S) * SECOND_NS), 0);
	assert_int_equal(take_all(&b, (51 + RETRY_WINDOW_S) * SECOND_NS - 1), 0);
	assert_int_equal(take_all(&b, (51 + RETRY_WINDOW_S) * SECOND_NS), RETRIES_MIN);
	assert_int_equal(take_all(&b, 100000 * SECOND_NS), RETRIES_MIN);
}

/* --- a body --- */

struct body {
	struct bufs bufs;
	struct budget front;
	struct account *client;
	struct retry retry;
};

static void open_body(struct body *b)
{
	*b = (struct body){ 0 };
	bufs_open(&b->bufs);
	budget_open(&b->front, SIZE_MAX);
	b->client = account_open(&b->bufs.accounts, &b->front, b);
	retry_hold(&b->retry);
}

static void close_body(struct body *b)
{
	retry_close(&b->retry);
	account_close(b->client);
	budget_close(&b->front);
	bufs_close(&b->bufs);
}

/* A piece comes and goes on to the node, which is done with it. */
static void come(struct body *b, size_t n)
{
	struct chain c = { 0 };
	while (n) {
		struct block *k = block_take(&b->bufs, BLOCK_LARGE, b->client);
		size_t now = n < k->size ? n : k->size;
		memset(k->data, 'x', now);
		chain_add(&c, k, k->data, now);
		n -= now;
	}
	retry_keep(&b->retry, &c);
	chain_drop(&c);
}

static void a_body_is_held_whole_and_charged_to_its_client(void **state)
{
	(void)state;
	struct body b;
	open_body(&b);
	come(&b, 10);
	come(&b, RETRY_BODY_BYTES - 10);
	assert_true(b.retry.holds && !b.retry.lost);
	assert_true(b.client->used >= RETRY_BODY_BYTES);
	for (int i = 0; i < 2; i++) {
		retry_rewind(&b.retry);
		assert_int_equal(b.retry.pending.bytes, RETRY_BODY_BYTES);
	}
	assert_int_equal(b.retry.held.bytes, RETRY_BODY_BYTES);
	close_body(&b);
}

static void a_body_that_is_too_large_is_not_held(void **state)
{
	(void)state;
	struct body b;
	open_body(&b);
	come(&b, RETRY_BODY_BYTES);
	come(&b, 1);
	assert_true(!b.retry.holds && b.retry.lost);
	assert_int_equal(b.front.used, 0);
	close_body(&b);
}

static void what_comes_after_letting_go_is_lost_and_no_body_is_not(void **state)
{
	(void)state;
	struct body b;
	open_body(&b);
	retry_let_go(&b.retry);
	come(&b, 0);
	assert_false(b.retry.lost);
	come(&b, 1);
	assert_true(b.retry.lost);
	close_body(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_say_who_may_go_again),
		cmocka_unit_test(a_few_retries_are_always_allowed),
		cmocka_unit_test(the_rest_is_a_share_of_the_requests),
		cmocka_unit_test(what_is_older_than_the_window_counts_no_more),
		cmocka_unit_test(a_body_is_held_whole_and_charged_to_its_client),
		cmocka_unit_test(a_body_that_is_too_large_is_not_held),
		cmocka_unit_test(what_comes_after_letting_go_is_lost_and_no_body_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
