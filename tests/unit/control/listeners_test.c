#include "unit/control/kit.h"

#include <errno.h>
#include <fcntl.h>

#include "control/listeners.h"

#define WORKERS 2

/* A source of sockets that are none, and remembers what it was told. */
struct source {
	struct socket_source is;
	unsigned extra; /* more than it was asked for */
	int error;	/* of the address with this port: */
	uint16_t port;
	unsigned asked, forgotten;
	struct addr last_forgotten;
};

static int give(void *self, const struct addr *a, unsigned count, int list[WORKERS_MAX],
		unsigned *given)
{
	struct source *s = self;
	s->asked++;
	if (s->error && addr_port(a) == s->port)
		return s->error;
	*given = count + s->extra;
	for (unsigned i = 0; i < *given; i++)
		list[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void forget(void *self, const struct addr *a)
{
	struct source *s = self;
	s->forgotten++;
	s->last_forgotten = *a;
}

struct world {
	struct listeners listeners;
	struct source source;
	struct config *config;
};

static struct config *with_listeners(const char *listeners)
{
	char text[2048];
	snprintf(text, sizeof text,
		 "listeners: { %s }\nsource: { nodes: [ http://s ] }\n"
		 "target: { nodes: [ http://t ] }\nstate: s\n",
		 listeners);
	return kit_config(text);
}

#define ON(kind, port) #kind ": { address: 127.0.0.1:" #port ", tls: off }"

static bool change_with(struct world *w, const char *to, const bool named[LISTENERS_MAX])
{
	struct config *c = with_listeners(to);
	bool good = listeners_add(&w->listeners, c, named) &&
		    listeners_listen(&w->listeners, c, WORKERS, &w->source.is);
	listeners_retire(&w->listeners, good ? c : w->config, &w->source.is);
	if (good) {
		config_close(w->config);
		w->config = config_hold(c);
	}
	config_close(c);
	return good;
}

static bool change(struct world *w, const char *to)
{
	return change_with(w, to, (bool[LISTENERS_MAX]){ false });
}

static void world_open(struct world *w, const char *listeners)
{
	*w = (struct world){ .source = { .is = { &w->source, give, forget } } };
	listeners_open(&w->listeners);
	w->config = with_listeners("source: { address: 127.0.0.1:65535, tls: off }");
	assert_true(change(w, listeners));
}

static void world_close(struct world *w)
{
	listeners_close(&w->listeners);
	config_close(w->config);
}

static struct listener_record *record(struct world *w, enum config_listener_kind kind,
				      uint16_t port)
{
	struct addr a;
	assert_true(addr_parse(SPAN("127.0.0.1"), port, &a));
	return listeners_find(&w->listeners, kind, &a);
}

/* --- claims --- */

static void sockets_are_asked_for_once(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, ON(source, 1));
	assert_int_equal(w.source.asked, 1);
	assert_true(change(&w, ON(source, 1) ", " ON(target, 2)));
	assert_int_equal(w.source.asked, 2);
	const struct listener_sockets *s = &record(&w, LISTENER_TARGET, 2)->sockets;
	assert_int_equal(s->n, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_true(atomic_load(&s->list[i]) >= 0);
	assert_true(change(&w, ON(source, 1)));
	assert_int_equal(w.source.forgotten, 1);
	assert_int_equal(addr_port(&w.source.last_forgotten), 2);
	/* What no worker had taken is closed. */
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(atomic_load(&s->list[i]), -1);
	world_close(&w);
}

static void all_sockets_that_are_given_are_passed_on(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, ON(source, 1));
	w.source.extra = 3;
	assert_true(change(&w, ON(source, 1) ", " ON(target, 2)));
	assert_int_equal(record(&w, LISTENER_TARGET, 2)->sockets.n, WORKERS + 3);
	world_close(&w);
}

static void a_change_that_fails_leaves_all_as_it_was(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, ON(source, 1));
	w.source.error = EADDRINUSE;
	w.source.port = 3;
	assert_false(change(&w, ON(source, 1) ", " ON(target, 2) ", " ON(weighted, 3)));
	assert_null(record(&w, LISTENER_TARGET, 2));
	assert_null(record(&w, LISTENER_WEIGHTED, 3));
	assert_non_null(record(&w, LISTENER_SOURCE, 1));
	assert_int_equal(w.source.forgotten, 1);
	assert_int_equal(addr_port(&w.source.last_forgotten), 2);
	w.source.error = 0;
	assert_true(change(&w, ON(source, 1) ", " ON(target, 2) ", " ON(weighted, 3)));
	world_close(&w);
}

static void an_address_that_another_listener_takes_over_is_not_forgotten(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, ON(source, 1) ", " ON(target, 2));
	assert_true(change(&w, ON(source, 2) ", " ON(target, 1)));
	assert_int_equal(w.source.forgotten, 0);
	assert_non_null(record(&w, LISTENER_SOURCE, 2));
	world_close(&w);
}

static void an_address_has_its_number_again(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, ON(source, 1));
	const struct listener_record *first = record(&w, LISTENER_SOURCE, 1);
	assert_true(change(&w, ON(source, 2)));
	assert_ptr_not_equal(record(&w, LISTENER_SOURCE, 2), first);
	assert_true(change(&w, ON(source, 1)));
	assert_ptr_equal(record(&w, LISTENER_SOURCE, 1), first);
	world_close(&w);
}

/* Counts of a number go on: those of one kind must not become another's. */
static void each_kind_has_numbers_of_its_own(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, ON(source, 1));
	for (unsigned i = 0; i < 2 * LISTENERS_MAX; i++) {
		char to[128];
		const char *kind = i % 2 ? "source" : "target";
		snprintf(to, sizeof to, "%s: { address: 127.0.0.1:%u, tls: off }", kind, i + 2);
		assert_true(change(&w, to));
		enum config_listener_kind k = i % 2 ? LISTENER_SOURCE : LISTENER_TARGET;
		uint32_t number = listeners_number(&w.listeners, record(&w, k, (uint16_t)(i + 2)));
		assert_int_equal(number / LISTENER_NUMBERS_MAX, k);
	}
	world_close(&w);
}

static void numbers_that_are_all_in_use_refuse_a_change(void **state)
{
	(void)state;
	struct world w;
	bool named[LISTENERS_MAX];
	memset(named, true, sizeof named);
	world_open(&w, ON(source, 1));
	named[listeners_number(&w.listeners, record(&w, LISTENER_SOURCE, 1)) + 7] = false;
	assert_true(change_with(&w, ON(source, 2), named));
	named[listeners_number(&w.listeners, record(&w, LISTENER_SOURCE, 2))] = true;
	assert_false(change_with(&w, ON(source, 3), named));
	/* One that comes back has its own. */
	assert_true(change_with(&w, ON(source, 1), named));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_asked_for_once),
		cmocka_unit_test(all_sockets_that_are_given_are_passed_on),
		cmocka_unit_test(a_change_that_fails_leaves_all_as_it_was),
		cmocka_unit_test(an_address_that_another_listener_takes_over_is_not_forgotten),
		cmocka_unit_test(an_address_has_its_number_again),
		cmocka_unit_test(each_kind_has_numbers_of_its_own),
		cmocka_unit_test(numbers_that_are_all_in_use_refuse_a_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
