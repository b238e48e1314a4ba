#include "unit/cmocka_all.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

static int open_bufs(void **state)
{
	static struct bufs bufs;
	bufs_open(&bufs);
	*state = &bufs;
	return 0;
}

static int close_bufs(void **state)
{
	bufs_close(*state);
	return 0;
}

static void assert_bytes(const struct chain *c, const char *expected)
{
	char got[256];
	assert_int_equal(c->bytes, strlen(expected));
	chain_peek(c, got, c->bytes);
	assert_memory_equal(got, expected, c->bytes);
}

static void add_text(struct chain *c, struct bufs *b, const char *text)
{
	struct block *k = block_take(b, BLOCK_SMALL, NULL);
	memcpy(k->data, text, strlen(text));
	chain_add(c, k, k->data, strlen(text));
}

static void moved_bytes_are_not_copied(void **state)
{
	struct chain a = { 0 }, b = { 0 };
	add_text(&a, *state, "hello ");
	add_text(&a, *state, "world");
	const char *where = chain_front(&a).at;
	chain_move_some(&b, &a, 3);
	assert_ptr_equal(chain_front(&b).at, where);
	assert_ptr_equal(chain_front(&a).at, where + 3);
	assert_bytes(&b, "hel");
	assert_bytes(&a, "lo world");
	chain_move(&b, &a);
	assert_true(chain_empty(&a));
	assert_bytes(&b, "hello world");
	chain_drop(&b);
}

static void a_few_bytes_move_into_a_free_end(void **state)
{
	struct chain a = { 0 }, b = { 0 };
	for (int i = 0; i < 1000; i++) {
		add_text(&a, *state, "x");
		chain_move(&b, &a);
		assert_true(chain_empty(&a));
	}
	assert_int_equal(b.bytes, 1000);
	assert_ptr_equal(b.first, b.last);
	chain_drop(&b);
}

static void a_shared_block_and_a_transfer_are_not_copied_into(void **state)
{
	struct chain a = { 0 }, b = { 0 }, shared = { 0 };
	add_text(&b, *state, "xx");
	chain_move_some(&shared, &b, 1);
	add_text(&a, *state, "y");
	const char *where = chain_front(&a).at;
	chain_move(&b, &a);
	assert_ptr_equal(b.last->at, where);
	struct block *k = block_take(*state, BLOCK_SMALL, NULL);
	memset(k->data, 'z', BYTES_COPIED + 1);
	chain_add(&a, k, k->data, BYTES_COPIED + 1);
	chain_move(&b, &a);
	assert_ptr_equal(b.last->at, k->data);
	chain_drop(&shared);
	chain_drop(&b);
}

static void gathered_pieces_are_one_slice(void **state)
{
	struct chain from = { 0 }, to = { 0 };
	add_text(&from, *state, "1a1b3cde1f1");
	add_text(&from, *state, "gh");
	static const size_t pieces[] = { 1, 1, 3, 1 };
	for (size_t i = 0; i < 4; i++) {
		chain_skip(&from, 1);
		chain_gather(&to, &from, pieces[i]);
	}
	assert_ptr_equal(to.first, to.last);
	assert_bytes(&to, "abcdef");
	chain_skip(&from, 1);
	chain_gather(&to, &from, 2);
	assert_bytes(&to, "abcdefgh");
	assert_true(chain_empty(&from));
	chain_drop(&to);
}

static void every_way_to_cut_a_chain_keeps_its_bytes(void **state)
{
	for (size_t cut = 0; cut <= 9; cut++) {
		struct chain a = { 0 }, b = { 0 };
		add_text(&a, *state, "abc");
		add_text(&a, *state, "d");
		add_text(&a, *state, "efghi");
		chain_move_some(&b, &a, cut);
		assert_int_equal(b.bytes, cut);
		chain_skip(&b, cut / 2);
		char rest[16];
		chain_peek(&b, rest, b.bytes);
		assert_memory_equal(rest, &"abcdefghi"[cut / 2], b.bytes);
		chain_drop(&a);
		chain_drop(&b);
	}
}

static void copies_fill_blocks_to_their_end(void **state)
{
	struct chain c = { 0 };
	static char text[3 * BLOCK_SMALL_BYTES];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7);
	for (size_t at = 0; at < sizeof text; at += 100) {
		size_t n = sizeof text - at < 100 ? sizeof text - at : 100;
		chain_copy_in(&c, *state, text + at, n);
	}
	static char got[sizeof text];
	chain_peek(&c, got, sizeof text);
	assert_memory_equal(got, text, sizeof text);
	unsigned slices = 0;
	for (struct slice *s = c.first; s; s = s->next)
		slices++;
	assert_int_equal(slices, 4);
	chain_drop(&c);
}

/* Somebody else may still read behind the last slice of a shared block. */
static void a_shared_block_is_not_written_to(void **state)
{
	struct chain a = { 0 }, b = { 0 };
	add_text(&a, *state, "abcdef");
	chain_move_some(&b, &a, 3);
	chain_copy_in(&b, *state, "XYZ", 3);
	assert_bytes(&b, "abcXYZ");
	assert_bytes(&a, "def");
	chain_drop(&a);
	chain_drop(&b);
}

static void pulling_makes_bytes_contiguous(void **state)
{
	struct chain c = { 0 };
	add_text(&c, *state, "ab");
	add_text(&c, *state, "cd");
	add_text(&c, *state, "efg");
	assert_memory_equal(chain_pull(&c, 5), "abcde", 5);
	assert_true(chain_front(&c).n >= 5);
	assert_bytes(&c, "abcdefg");
	const uint8_t *same = chain_pull(&c, 2);
	assert_ptr_equal(same, chain_front(&c).at);
	chain_drop(&c);
}

static void an_account_counts_blocks_until_the_last_reference(void **state)
{
	struct bufs *bufs = *state;
	struct budget budget;
	budget_open(&budget, 100000);
	struct account *first = account_open(&bufs->accounts, &budget, bufs);
	struct account *second = account_open(&bufs->accounts, &budget, bufs);
	struct chain a = { 0 }, b = { 0 };
	struct block *k = block_take(bufs, BLOCK_SMALL, first);
	assert_int_equal(first->used, k->size);
	block_charge(k, second);
	assert_int_equal(first->used, 0);
	assert_int_equal(second->used, k->size);
	chain_add(&a, k, k->data, 10);
	chain_move_some(&b, &a, 4);
	chain_drop(&a);
	assert_int_equal(budget.used, second->used);
	account_close(first);
	account_close(second);
	assert_int_equal(bufs->accounts.taken, 1);
	chain_drop(&b);
	assert_int_equal(bufs->accounts.taken, 0);
	budget_close(&budget);
}

/* As a client sends it: each piece in a receive of its own, all of them kept twice. */
static void pieces_of_one_byte_do_not_hold_a_block_each(void **state)
{
	struct bufs *bufs = *state;
	struct budget budget;
	budget_open(&budget, 100000);
	struct account *account = account_open(&bufs->accounts, &budget, bufs);
	struct chain held = { 0 }, pending = { 0 };
	enum { BYTES = 64 * 1024 };
	for (unsigned i = 0; i < BYTES; i++) {
		struct chain piece = { 0 };
		struct block *k = block_take(bufs, i % 2 ? BLOCK_LARGE : BLOCK_SMALL, account);
		k->data[0] = (uint8_t)i;
		chain_add(&piece, k, k->data, 1);
		chain_pack(&piece, account);
		chain_refer(&held, &piece);
		chain_move(&pending, &piece);
	}
	assert_true(budget.used < BYTES + BYTES / 64 + PACK_FROM_BYTES + BLOCK_LARGE_BYTES);
	assert_true(bufs->slices.taken < 200);
	assert_int_equal(pending.bytes, BYTES);
	uint8_t got[256];
	for (unsigned i = 0; i < BYTES; i += sizeof got) {
		chain_peek(&pending, got, sizeof got);
		for (unsigned j = 0; j < sizeof got; j++)
			assert_int_equal(got[j], j);
		chain_skip(&pending, sizeof got);
	}
	chain_drop(&held);
	assert_null(account->packed);
	account_close(account);
	budget_close(&budget);
}

static void what_fills_its_block_well_is_not_packed(void **state)
{
	struct bufs *bufs = *state;
	struct budget budget;
	budget_open(&budget, 100000);
	struct account *account = account_open(&bufs->accounts, &budget, bufs);
	for (unsigned i = 0; i < 2; i++) {
		struct chain piece = { 0 };
		struct block *k = block_take(bufs, BLOCK_LARGE, account);
		chain_add(&piece, k, k->data, BLOCK_LARGE_BYTES / PACK_SHARE - i);
		chain_pack(&piece, account);
		assert_int_equal(piece.first->block == k, i == 0);
		chain_drop(&piece);
	}
	account_close(account);
	budget_close(&budget);
}

/* A head stands there already; the line of a chunk follows. */
static void a_block_of_nobodys_becomes_theirs_whose_bytes_are_copied_into_it(void **state)
{
	struct bufs *bufs = *state;
	struct budget budget;
	budget_open(&budget, 100000);
	struct account *account = account_open(&bufs->accounts, &budget, bufs);
	struct chain out = { 0 }, piece = { 0 };
	static char much[2 * BLOCK_SMALL_BYTES];
	chain_copy_in(&out, bufs, "head", 4);
	struct block *k = block_take(bufs, BLOCK_SMALL, account);
	k->data[0] = 'x';
	chain_add(&piece, k, k->data, 1);
	chain_move(&out, &piece);
	assert_bytes(&out, "headx");
	assert_int_equal(account->used, out.last->block->size);
	chain_copy_in(&out, bufs, much, sizeof much);
	assert_int_equal(account->used, bufs->bytes_out);
	chain_drop(&out);
	account_close(account);
	budget_close(&budget);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(moved_bytes_are_not_copied, open_bufs, close_bufs),
		cmocka_unit_test_setup_teardown(a_few_bytes_move_into_a_free_end, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(a_shared_block_and_a_transfer_are_not_copied_into,
						open_bufs, close_bufs),
		cmocka_unit_test_setup_teardown(gathered_pieces_are_one_slice, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(every_way_to_cut_a_chain_keeps_its_bytes, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(copies_fill_blocks_to_their_end, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(a_shared_block_is_not_written_to, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(pulling_makes_bytes_contiguous, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(an_account_counts_blocks_until_the_last_reference,
						open_bufs, close_bufs),
		cmocka_unit_test_setup_teardown(pieces_of_one_byte_do_not_hold_a_block_each,
						open_bufs, close_bufs),
		cmocka_unit_test_setup_teardown(what_fills_its_block_well_is_not_packed, open_bufs,
						close_bufs),
		cmocka_unit_test_setup_teardown(
			a_block_of_nobodys_becomes_theirs_whose_bytes_are_copied_into_it, open_bufs,
			close_bufs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
