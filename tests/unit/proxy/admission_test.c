#include "unit/proxy/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "proxy/admission.h"

/* 10.0.0.0/8 may come. */
struct fixture {
	struct sample sample;
	struct sample_states states;
	struct counters counters;
	struct range room[NETWORK_RANGES];
	struct networks allow;
	struct admission admission;
	size_t client_n; /* that the worker has, with all listeners */
	FILE *log;	 /* in place of standard error */
	int standard_error;
};

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	sample_states_init(&f->states);
	sample_init(&f->sample, &f->states, 1);
	f->allow.ranges = f->room;
	networks_add(&f->allow, SPAN("10.0.0.0/8"));
	f->admission.counters = &f->counters;
	f->log = tmpfile();
	f->standard_error = dup(STDERR_FILENO);
	dup2(fileno(f->log), STDERR_FILENO);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	dup2(f->standard_error, STDERR_FILENO);
	close(f->standard_error);
	fclose(f->log);
	free(f);
	return 0;
}

static enum err ask(struct fixture *f, const char *host)
{
	struct addr peer = address_of(host, 5555);
	return admission_ask(&f->admission, &f->sample.plan, &f->sample.listeners[WEIGHTED], &peer,
			     f->client_n);
}

static const char *logged(struct fixture *f)
{
	static char text[4096];
	ssize_t n = pread(fileno(f->log), text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void who_may_come_in_is_let_in(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "192.0.2.7"), ERR_NONE);
	f->sample.listeners[WEIGHTED].allow = &f->allow;
	assert_int_equal(ask(f, "192.0.2.7"), ERR_NOT_ALLOWED);
	assert_int_equal(ask(f, "10.1.2.3"), ERR_NONE);
	assert_int_equal(ask(f, "::ffff:10.1.2.3"), ERR_NONE);
	assert_int_equal(ask(f, "::1"), ERR_NOT_ALLOWED);
}

/* Of seven connections three workers have three, two and two. */
static void each_worker_has_its_share_of_the_connections(void **state)
{
	struct fixture *f = *state;
	static const unsigned share[] = { 3, 2, 2 };
	f->sample.plan.worker_n = f->sample.plan.accepting_n = 3;
	f->sample.listeners[WEIGHTED].connections_max = 7;
	for (unsigned worker = 0; worker < 3; worker++) {
		f->admission.worker = worker;
		for (unsigned open = 0; open <= share[worker]; open++) {
			counter_set(&f->counters.connections_open[WEIGHTED], open);
			/* Those of another section do not count. */
			counter_set(&f->counters.connections_open[SOURCE], 100);
			assert_int_equal(ask(f, "10.1.2.3"), open < share[worker]
								     ? ERR_NONE
								     : ERR_TOO_MANY_CONNECTIONS);
		}
	}
}

static void addresses_of_one_listener_share_its_limit(void **state)
{
	struct fixture *f = *state;
	f->sample.listeners[WEIGHTED].connections_max = 2;
	f->sample.listeners[SOURCE].section = f->sample.listeners[WEIGHTED].section;
	counter_set(&f->counters.connections_open[WEIGHTED], 1);
	assert_int_equal(ask(f, "10.1.2.3"), ERR_NONE);
	counter_set(&f->counters.connections_open[SOURCE], 1);
	assert_int_equal(ask(f, "10.1.2.3"), ERR_TOO_MANY_CONNECTIONS);
}

/* However many its listeners may have. */
static void clients_leave_to_others_what_is_left_of_the_open_files(void **state)
{
	struct fixture *f = *state;
	f->sample.listeners[WEIGHTED].connections_max = 100;
	f->sample.plan.clients_max = 10;
	f->client_n = 9;
	assert_int_equal(ask(f, "10.1.2.3"), ERR_NONE);
	f->client_n = 10;
	assert_int_equal(ask(f, "10.1.2.3"), ERR_OUT_OF_HANDLES);
	f->client_n = 5;
	f->sample.listeners[WEIGHTED].connections_max = 0;
	f->sample.listeners[WEIGHTED].room = 5;
	counter_set(&f->counters.connections_open[WEIGHTED], 5);
	assert_int_equal(ask(f, "10.1.2.3"), ERR_OUT_OF_HANDLES);
}

static void an_accept_that_fails_is_said_once_a_second(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < 5; i++)
		admission_is_stuck(&f->admission, &f->sample.listeners[WEIGHTED], EMFILE,
				   1000 + 100 * i);
	assert_int_equal(lines(logged(f)), 1);
	assert_non_null(strstr(logged(f),
			       "listener weighted cannot accept connections, and goes on "
			       "trying: Too many open files\n"));
	assert_int_equal(counter_read(&f->counters.accept_failures), 5);
}

static void who_is_turned_away_is_said_once_a_second(void **state)
{
	struct fixture *f = *state;
	struct addr peer = address_of("192.0.2.7", 5555);
	const struct listener *l = &f->sample.listeners[WEIGHTED];
	for (unsigned i = 0; i < 5; i++)
		admission_turn_away(&f->admission, l, &peer, ERR_NOT_ALLOWED, 1000);
	admission_turn_away(&f->admission, l, &peer, ERR_NOT_ALLOWED,
			    1000 + TURNED_AWAY_LOG_MS - 1);
	assert_int_equal(lines(logged(f)), 1);
	assert_non_null(strstr(logged(f),
			       "worker 0: listener weighted turned 192.0.2.7 away: The client's "
			       "address is not in a network that may connect here. "
			       "(not_allowed; 0 more since the last line)\n"));
	admission_turn_away(&f->admission, l, &peer, ERR_TOO_MANY_CONNECTIONS,
			    1000 + TURNED_AWAY_LOG_MS);
	assert_int_equal(lines(logged(f)), 2);
	assert_non_null(strstr(logged(f), "(too_many_connections; 5 more since the last line)\n"));
	assert_int_equal(counter_read(&f->counters.rejected[ERR_NOT_ALLOWED]), 6);
	assert_int_equal(counter_read(&f->counters.rejected[ERR_TOO_MANY_CONNECTIONS]), 1);
}

/* Standard error is a pipe that nobody empties. */
static void a_log_that_takes_nothing_stops_nobody(void **state)
{
	struct fixture *f = *state;
	int pipes[2];
	char much[65536] = { 0 };
	struct addr peer = address_of("192.0.2.7", 5555);
	assert_int_equal(pipe(pipes), 0);
	fcntl(pipes[1], F_SETFL, O_NONBLOCK);
	while (write(pipes[1], much, sizeof much) > 0)
		;
	fcntl(pipes[1], F_SETFL, 0);
	dup2(pipes[1], STDERR_FILENO);
	admission_turn_away(&f->admission, &f->sample.listeners[WEIGHTED], &peer, ERR_NOT_ALLOWED,
			    1000);
	assert_int_equal(counter_read(&f->counters.rejected[ERR_NOT_ALLOWED]), 1);
	close(pipes[0]);
	close(pipes[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(who_may_come_in_is_let_in),
		TEST(each_worker_has_its_share_of_the_connections),
		TEST(addresses_of_one_listener_share_its_limit),
		TEST(clients_leave_to_others_what_is_left_of_the_open_files),
		TEST(an_accept_that_fails_is_said_once_a_second),
		TEST(who_is_turned_away_is_said_once_a_second),
		TEST(a_log_that_takes_nothing_stops_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
