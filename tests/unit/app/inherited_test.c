#include "unit/app/kit.h"

#include "app/inherited.h"

static int open_inherited(void **state)
{
	static struct inherited h;
	*state = &h;
	return inherited_open(&h) ? 0 : -1;
}

static int close_inherited(void **state)
{
	inherited_close(*state);
	return 0;
}

static unsigned listen_on(struct inherited *h, const struct addr *a, unsigned count, int *fds)
{
	unsigned n = 0;
	assert_int_equal(inherited_listen(h, a, count, fds, &n), 0);
	return n;
}

static void the_board_and_the_keys_are_ready(void **state)
{
	const struct inherited *h = *state;
	assert_true(board_fits(h->board));
	assert_int_equal(board_read(h->board).epoch, 0);
	assert_int_equal(h->tickets->version, TICKET_KEYS_VERSION);
}

static void sockets_share_their_address(void **state)
{
	struct addr a = kit_free_address();
	int fds[WORKERS_MAX];
	assert_int_equal(listen_on(*state, &a, 3, fds), 3);
	assert_int_equal(kit_connect(&a), 0);
	assert_false(kit_is_same(fds[0], fds[1]));
}

static void who_asks_again_gets_the_same(void **state)
{
	struct addr a = kit_free_address();
	int fds[WORKERS_MAX], again[WORKERS_MAX];
	listen_on(*state, &a, 2, fds);
	assert_int_equal(listen_on(*state, &a, 2, again), 2);
	assert_memory_equal(fds, again, 2 * sizeof *fds);
	assert_int_equal(listen_on(*state, &a, 3, again), 3);
	assert_memory_equal(fds, again, 2 * sizeof *fds);
}

static void who_needs_fewer_gets_all(void **state)
{
	struct addr a = kit_free_address();
	int fds[WORKERS_MAX];
	listen_on(*state, &a, 3, fds);
	assert_int_equal(listen_on(*state, &a, 1, fds), 3);
}

static void another_that_shares_its_address_is_in_the_way(void **state)
{
	struct addr a = kit_free_address();
	struct inherited other;
	int fds[WORKERS_MAX];
	unsigned n;
	assert_true(inherited_open(&other));
	listen_on(&other, &a, 1, fds);
	assert_int_equal(inherited_listen(*state, &a, 1, fds, &n), EADDRINUSE);
	inherited_close(&other);
	assert_int_equal(inherited_listen(*state, &a, 1, fds, &n), 0);
}

/* --- working processes come and go --- */

static void what_the_next_process_does_not_ask_for_is_closed_when_it_serves(void **state)
{
	struct inherited *h = *state;
	struct addr old = kit_free_address(), both = kit_free_address();
	int fds[WORKERS_MAX];
	listen_on(h, &old, 1, fds);
	listen_on(h, &both, 1, fds);
	inherited_begin(h);
	listen_on(h, &both, 1, fds);
	assert_int_equal(kit_connect(&old), 0);
	inherited_close_old(h);
	assert_int_equal(h->socket_n, 1);
	assert_int_equal(kit_connect(&old), ECONNREFUSED);
	assert_int_equal(kit_connect(&both), 0);
}

static void what_only_a_process_that_died_asked_for_is_closed(void **state)
{
	struct inherited *h = *state;
	struct addr before = kit_free_address(), fresh = kit_free_address();
	int fds[WORKERS_MAX];
	listen_on(h, &before, 1, fds);
	inherited_close_old(h);
	inherited_begin(h);
	listen_on(h, &before, 2, fds);
	listen_on(h, &fresh, 1, fds);
	inherited_close_fresh(h);
	assert_int_equal(h->socket_n, 1);
	assert_int_equal(kit_connect(&before), 0);
	assert_int_equal(kit_connect(&fresh), ECONNREFUSED);
}

static void what_is_forgotten_is_closed(void **state)
{
	struct inherited *h = *state;
	struct addr a = kit_free_address(), b = kit_free_address();
	int fds[WORKERS_MAX];
	listen_on(h, &a, 2, fds);
	listen_on(h, &b, 1, fds);
	inherited_forget(h, &a);
	assert_int_equal(h->socket_n, 1);
	assert_int_equal(kit_connect(&a), ECONNREFUSED);
	assert_int_equal(kit_connect(&b), 0);
}

/* --- unix sockets --- */

static void a_unix_socket_is_there_until_the_end(void **state)
{
	struct inherited *h = *state;
	struct addr a = kit_free_address();
	struct stat st;
	char directory[64], path[80];
	int fds[WORKERS_MAX], local, again;
	kit_directory(directory);
	snprintf(path, sizeof path, "%s/admin.sock", directory);
	listen_on(h, &a, 1, fds);
	assert_int_equal(inherited_listen_local(h, path, &local), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(inherited_listen_local(h, path, &again), 0);
	assert_int_equal(again, local);
	/* Who drains is still asked how it goes. */
	inherited_stop_listening(h);
	assert_int_equal(h->socket_n, 1);
	assert_int_equal(kit_connect(&a), ECONNREFUSED);
	assert_true(kit_is_open(local));
	inherited_close(h);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(rmdir(directory), 0);
}

static void a_unix_socket_that_was_removed_is_made_again(void **state)
{
	struct stat st;
	char directory[64], path[80];
	int local;
	kit_directory(directory);
	snprintf(path, sizeof path, "%s/admin.sock", directory);
	assert_int_equal(inherited_listen_local(*state, path, &local), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(inherited_listen_local(*state, path, &local), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void the_path_of_a_unix_socket_has_107_bytes_at_most(void **state)
{
	char path[109] = "/tmp/";
	int local;
	memset(path + 5, 'x', 103);
	assert_int_equal(strlen(path), 108);
	assert_int_equal(inherited_listen_local(*state, path, &local), ENAMETOOLONG);
	path[107] = 0;
	assert_int_equal(inherited_listen_local(*state, path, &local), 0);
}

/* --- locks --- */

static void a_directory_is_locked_once(void **state)
{
	struct inherited other;
	char directory[64], path[80];
	int lock[LOCK_DESCRIPTORS], again[LOCK_DESCRIPTORS];
	unsigned n;
	kit_directory(directory);
	assert_int_equal(inherited_lock(*state, directory, lock, &n), 0);
	assert_int_equal(inherited_lock(*state, directory, again, &n), 0);
	assert_int_equal(lock[0], again[0]);
	assert_true(inherited_open(&other));
	assert_int_equal(inherited_lock(&other, directory, again, &n), EWOULDBLOCK);
	inherited_close(*state);
	assert_int_equal(inherited_lock(&other, directory, again, &n), 0);
	inherited_close(&other);
	snprintf(path, sizeof path, "%s/lock", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* Somebody tidies up what looks left behind, or all of the directory. */
static void a_directory_stays_locked_without_its_file(void **state)
{
	struct inherited other;
	char directory[64], path[80];
	int lock[LOCK_DESCRIPTORS], again[LOCK_DESCRIPTORS];
	unsigned n;
	kit_directory(directory);
	assert_int_equal(inherited_lock(*state, directory, lock, &n), 0);
	assert_int_equal(n, LOCK_DESCRIPTORS);
	snprintf(path, sizeof path, "%s/lock", directory);
	assert_int_equal(unlink(path), 0);
	assert_true(inherited_open(&other));
	assert_int_equal(inherited_lock(&other, directory, again, &n), EWOULDBLOCK);
	assert_int_equal(access(path, F_OK), -1);
	inherited_close(&other);
	assert_int_equal(rmdir(directory), 0);
}

static void a_lock_says_who_holds_it_and_is_one_by_any_path(void **state)
{
	char directory[64], path[128], text[32] = "";
	int lock[LOCK_DESCRIPTORS], again[LOCK_DESCRIPTORS];
	unsigned n;
	kit_directory(directory);
	assert_int_equal(inherited_lock(*state, directory, lock, &n), 0);
	assert_true(pread(lock[0], text, sizeof text - 1, 0) > 0);
	assert_int_equal(atoi(text), getpid());
	snprintf(path, sizeof path, "%s/./", directory);
	assert_int_equal(inherited_lock(*state, path, again, &n), 0);
	assert_int_equal(lock[0], again[0]);
	snprintf(path, sizeof path, "%s/lock", directory);
	assert_int_equal(unlink(path), 0);
	/* Taken away, and made again. */
	assert_int_equal(inherited_lock(*state, directory, again, &n), 0);
	assert_int_not_equal(lock[0], again[0]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void a_directory_that_is_not_there_has_no_lock(void **state)
{
	int lock[LOCK_DESCRIPTORS];
	unsigned n;
	assert_int_equal(inherited_lock(*state, "/nowhere/at/all", lock, &n), ENOENT);
}

#define with_inherited(f) cmocka_unit_test_setup_teardown(f, open_inherited, close_inherited)

/* Of a working process of a newer version. */
static void a_question_that_is_not_known_is_answered(void **state)
{
	struct channel_reply response;
	int ends[2];
	assert_true(channel_open(ends));
	inherited_reply(*state, &(struct channel_message){ .word = 99, .count = 1 }, ends[0]);
	assert_int_equal(read(ends[1], &response, sizeof response), sizeof response);
	assert_int_equal(response.error, EINVAL);
	assert_int_equal(response.count, 0);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_inherited(the_board_and_the_keys_are_ready),
		with_inherited(a_lock_says_who_holds_it_and_is_one_by_any_path),
		with_inherited(sockets_share_their_address),
		with_inherited(who_asks_again_gets_the_same),
		with_inherited(who_needs_fewer_gets_all),
		with_inherited(another_that_shares_its_address_is_in_the_way),
		with_inherited(what_the_next_process_does_not_ask_for_is_closed_when_it_serves),
		with_inherited(what_only_a_process_that_died_asked_for_is_closed),
		with_inherited(what_is_forgotten_is_closed),
		with_inherited(a_unix_socket_is_there_until_the_end),
		with_inherited(a_unix_socket_that_was_removed_is_made_again),
		with_inherited(the_path_of_a_unix_socket_has_107_bytes_at_most),
		with_inherited(a_directory_is_locked_once),
		with_inherited(a_directory_stays_locked_without_its_file),
		with_inherited(a_directory_that_is_not_there_has_no_lock),
		with_inherited(a_question_that_is_not_known_is_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
