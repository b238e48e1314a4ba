#include "unit/app/kit.h"

#include "app/channel.h"

struct pair {
	int ours, keepers;
};

static int open_pair(void **state)
{
	static struct pair p;
	int ends[2];
	if (!channel_open(ends))
		return -1;
	p = (struct pair){ ends[0], ends[1] };
	*state = &p;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *p = *state;
	close(p->ours);
	if (p->keepers >= 0)
		close(p->keepers);
	return 0;
}

/* A keeper that hears one question and does with it what it is told here; its end tells whether the
 * question was `expected`. */
static pid_t keep(struct pair *p, enum channel_word expected, void (*then)(int reply))
{
	pid_t child = fork();
	if (child == 0) {
		struct channel_message m;
		int reply;
		close(p->ours);
		bool right =
			channel_hear(p->keepers, &m, &reply) && reply >= 0 && m.word == expected;
		if (right)
			then(reply);
		_exit(right ? 0 : 1);
	}
	close(p->keepers);
	p->keepers = -1;
	return child;
}

static void is_over(pid_t child)
{
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void give_two(int reply)
{
	int list[2] = { open("/dev/null", O_RDONLY), open("/dev/zero", O_RDONLY) };
	channel_reply(reply, 0, list, 2);
}

static void refuse(int reply)
{
	channel_reply(reply, EADDRINUSE, NULL, 0);
}

static void say_nothing(int reply)
{
	(void)reply;
}

static void a_response_brings_its_descriptors(void **state)
{
	struct pair *p = *state;
	struct channel_message ask = { .word = CHANNEL_LISTEN, .count = 2 };
	int given[WORKERS_MAX];
	unsigned n;
	pid_t keeper = keep(p, CHANNEL_LISTEN, give_two);
	assert_int_equal(channel_ask(p->ours, &ask, given, &n), 0);
	assert_int_equal(n, 2);
	char byte = 1;
	assert_int_equal(read(given[0], &byte, 1), 0);
	assert_int_equal(read(given[1], &byte, 1), 1);
	assert_int_equal(byte, 0);
	assert_true(fcntl(given[0], F_GETFD) & FD_CLOEXEC);
	close(given[0]);
	close(given[1]);
	is_over(keeper);
}

/* An earlier process may have had more workers. */
static void more_than_were_asked_for_are_given(void **state)
{
	struct pair *p = *state;
	struct channel_message ask = { .word = CHANNEL_LISTEN, .count = 1 };
	int given[WORKERS_MAX];
	unsigned n;
	pid_t keeper = keep(p, CHANNEL_LISTEN, give_two);
	assert_int_equal(channel_ask(p->ours, &ask, given, &n), 0);
	assert_int_equal(n, 2);
	close(given[0]);
	close(given[1]);
	is_over(keeper);
}

static void fewer_than_were_asked_for_are_an_error_and_closed(void **state)
{
	struct pair *p = *state;
	struct channel_message ask = { .word = CHANNEL_LISTEN, .count = 3 };
	int given[WORKERS_MAX], before = dup(p->ours);
	unsigned n;
	close(before);
	pid_t keeper = keep(p, CHANNEL_LISTEN, give_two);
	assert_int_equal(channel_ask(p->ours, &ask, given, &n), EMFILE);
	assert_int_equal(n, 0);
	int after = dup(p->ours);
	close(after);
	/* The lowest that is free is what it was, or lower by the keeper's end. */
	assert_true(after <= before);
	is_over(keeper);
}

static void an_errno_is_passed_on(void **state)
{
	struct pair *p = *state;
	struct channel_message ask = { .word = CHANNEL_LOCK, .count = 1 };
	int given[WORKERS_MAX];
	unsigned n;
	pid_t keeper = keep(p, CHANNEL_LOCK, refuse);
	assert_int_equal(channel_ask(p->ours, &ask, given, &n), EADDRINUSE);
	assert_int_equal(n, 0);
	is_over(keeper);
}

static void a_keeper_that_dies_over_a_question_is_seen(void **state)
{
	struct pair *p = *state;
	struct channel_message ask = { .word = CHANNEL_LOCK, .count = 1 };
	int given[WORKERS_MAX];
	unsigned n;
	pid_t keeper = keep(p, CHANNEL_LOCK, say_nothing);
	assert_int_equal(channel_ask(p->ours, &ask, given, &n), ECONNRESET);
	is_over(keeper);
}

static void a_word_is_no_question(void **state)
{
	struct pair *p = *state;
	struct channel_message m;
	int reply = 0;
	assert_true(channel_tell(p->ours, CHANNEL_READY));
	assert_true(channel_hear(p->keepers, &m, &reply));
	assert_int_equal(m.word, CHANNEL_READY);
	assert_int_equal(reply, -1);
}

static void a_text_comes_with_its_word(void **state)
{
	struct pair *p = *state;
	struct channel_message m;
	int reply;
	assert_true(channel_say(p->ours, CHANNEL_UPGRADE_FAILED, "refused: it stops"));
	assert_true(channel_hear(p->keepers, &m, &reply));
	assert_int_equal(m.word, CHANNEL_UPGRADE_FAILED);
	assert_string_equal(m.path, "refused: it stops");
}

static void an_address_to_forget_comes_whole(void **state)
{
	struct pair *p = *state;
	struct addr a = kit_free_address();
	struct channel_message m;
	int reply;
	assert_true(channel_forget(p->ours, &a));
	assert_true(channel_hear(p->keepers, &m, &reply));
	assert_int_equal(m.word, CHANNEL_FORGET);
	assert_true(addr_is(&m.addr, &a));
}

static void a_path_always_has_an_end(void **state)
{
	struct pair *p = *state;
	struct channel_message m;
	int reply;
	memset(&m, 'x', sizeof m);
	assert_int_equal(send(p->ours, &m, sizeof m, 0), sizeof m);
	assert_true(channel_hear(p->keepers, &m, &reply));
	assert_int_equal(strlen(m.path), sizeof m.path - 1);
}

static void the_others_end_is_seen(void **state)
{
	struct pair *p = *state;
	struct channel_message m;
	int reply = 0;
	shutdown(p->ours, SHUT_WR);
	assert_false(channel_hear(p->keepers, &m, &reply));
	assert_int_equal(reply, -1);
}

static void half_a_message_is_an_end(void **state)
{
	struct pair *p = *state;
	struct channel_message m = { 0 };
	int reply;
	assert_int_equal(send(p->ours, &m, sizeof m / 2, 0), sizeof m / 2);
	shutdown(p->ours, SHUT_WR);
	assert_false(channel_hear(p->keepers, &m, &reply));
}

static void who_tells_never_waits(void **state)
{
	struct pair *p = *state;
	unsigned n = 0;
	while (channel_tell(p->ours, CHANNEL_LOOK))
		assert_true(++n < 1000000);
	assert_int_equal(errno, EAGAIN);
	/* What was taken is whole. */
	struct channel_message m;
	int reply;
	for (; n; n--)
		assert_true(channel_hear(p->keepers, &m, &reply));
}

static void who_has_gone_is_told_nothing(void **state)
{
	struct pair *p = *state;
	close(p->keepers);
	p->keepers = -1;
	assert_false(channel_tell(p->ours, CHANNEL_STOP));
	assert_int_equal(errno, EPIPE);
}

#define with_pair(f) cmocka_unit_test_setup_teardown(f, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pair(a_response_brings_its_descriptors),
		with_pair(more_than_were_asked_for_are_given),
		with_pair(fewer_than_were_asked_for_are_an_error_and_closed),
		with_pair(an_errno_is_passed_on),
		with_pair(a_keeper_that_dies_over_a_question_is_seen),
		with_pair(a_word_is_no_question),
		with_pair(a_text_comes_with_its_word),
		with_pair(an_address_to_forget_comes_whole),
		with_pair(a_path_always_has_an_end),
		with_pair(the_others_end_is_seen),
		with_pair(half_a_message_is_an_end),
		with_pair(who_tells_never_waits),
		with_pair(who_has_gone_is_told_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
