#include "unit/cmocka_all.h"

#include "io/port_owner.h"

#include <stdio.h>
#include <unistd.h>

/* Listens there, at a port that the kernel chooses. */
static int listen_at(const char *host, struct addr *a)
{
	socklen_t n = sizeof *a;
	assert_true(addr_parse(span_of(host), 0, a));
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &a->any, addr_bytes(a)) < 0)
		skip();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, &a->any, &n), 0);
	return fd;
}

static struct port_owner owner_of(const char *host, const struct addr *like)
{
	struct addr a;
	struct port_owner o;
	assert_true(addr_parse(span_of(host), addr_port(like), &a));
	port_owner_find(&a, &o);
	return o;
}

static void who_listens_is_found(void **state)
{
	static const struct {
		const char *at, *wanted;
		bool found;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "0.0.0.0", true },
		{ "0.0.0.0", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "::1", "::1", true },
		{ "::1", "::", true },
		{ "::", "127.0.0.1", true },
		{ "::1", "127.0.0.1", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct addr a;
		int fd = listen_at(rows[i].at, &a);
		struct port_owner o = owner_of(rows[i].wanted, &a);
		if (o.listens != rows[i].found)
			print_error("%s, %s\n", rows[i].at, rows[i].wanted);
		assert_int_equal(o.listens, rows[i].found);
		assert_int_equal(o.pid, rows[i].found ? getpid() : 0);
		assert_int_equal(o.parent, rows[i].found ? getppid() : 0);
		close(fd);
	}
}

static void who_has_gone_is_nobody(void **state)
{
	struct addr a;
	(void)state;
	close(listen_at("127.0.0.1", &a));
	assert_false(owner_of("127.0.0.1", &a).listens);
}

static void what_is_known_is_said(void **state)
{
	char text[PORT_OWNER_TEXT_BYTES];
	(void)state;
	port_owner_text(&(struct port_owner){ true, 4711, 1, 0, "java" }, text);
	assert_string_equal(text, " (process 4711, java, listens there)");
	port_owner_text(&(struct port_owner){ .listens = true, .uid = 33 }, text);
	assert_string_equal(
		text, " (a process of user 33, which is not visible from here, listens there)");
	port_owner_text(&(struct port_owner){ .listens = false }, text);
	assert_string_equal(text, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_listens_is_found),
		cmocka_unit_test(who_has_gone_is_nobody),
		cmocka_unit_test(what_is_known_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
