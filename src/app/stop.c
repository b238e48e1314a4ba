#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/order.h"
#include "app/terminal.h"

/* What `stop` knows about the balancer while that ends. */
struct ending {
	struct order order;
	int keeper; /* a pidfd of the keeper, if it is a process of this machine; otherwise -1 */
	bool now;   /* --now: do not wait for requests */
	const char *told_in; /* the state in which the balancer was last told to stop */
	long long in_flight; /* as of the last look */
	unsigned silent;     /* how many looks in a row got no response */
};

/* The process that made the socket, as this process's PID namespace numbers it; 0: not known. */
static pid_t socket_owner(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ucred who = { 0 };
	socklen_t n = sizeof who;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		who.pid = 0;
	close(fd);
	return who.pid;
}

/* Returns a pidfd; -1: the balancer runs on another machine or in another container. */
static int stop_open_keeper(const struct client_options *options, const struct command *c)
{
	struct client t;
	int code;
	if (!client_open(&t, c, options, &code))
		return -1;
	pid_t pid = t.socket[0] ? socket_owner(t.socket) : 0;
	client_close(&t);
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/* Without a pidfd: the balancer has ended when it does not respond any more. */
static bool keeper_has_ended(struct ending *e, const json_t *now)
{
	struct pollfd keeper = { .fd = e->keeper, .events = POLLIN };
	e->silent = now ? 0 : e->silent + 1;
	return e->keeper >= 0 ? poll(&keeper, 1, 0) > 0 : e->silent > 1;
}

static long long status_in_flight(const json_t *status)
{
	long long sum = 0;
	size_t i;
	const json_t *c;
	json_array_foreach(json_object_get(status, "clusters"), i, c)
		sum += order_integer(c, "in_flight");
	return sum;
}

static const char *known_state(const json_t *status)
{
	static const char *const states[] = { "serving", "leaving", "draining" };
	const char *word = json_string_value(json_object_get(status, "state"));
	for (size_t i = 0; word && i < sizeof states / sizeof states[0]; i++)
		if (!strcmp(word, states[i]))
			return states[i];
	return NULL;
}

/* Each further order ends the state that the balancer is in: leaving, then draining. */
static void stop_hurry(struct ending *e, const json_t *now)
{
	const char *state = known_state(now);
	if (!state || state == e->told_in)
		return;
	e->told_in = state;
	order_tell(&e->order, "/v1/stop");
}

static int say_stopped(const struct ending *e)
{
	long long keeper = order_integer(e->order.before, "keeper");
	if (e->order.client.json)
		printf("{\"ok\": true, \"keeper\": %lld}\n", keeper);
	else
		printf("The balancer, process %lld, has stopped.\n", keeper);
	return EXIT_OK;
}

static int say_late(const struct ending *e)
{
	char text[128];
	snprintf(text, sizeof text, "it has not stopped (%lld requests in flight; --now cuts them)",
		 e->in_flight);
	return order_is_late(&e->order, text);
}

static int wait_for_end(struct ending *e)
{
	json_t *now;
	while (order_look(&e->order, &now)) {
		bool over = keeper_has_ended(e, now);
		if (now)
			e->in_flight = status_in_flight(now);
		if (!over && now && e->now)
			stop_hurry(e, now);
		json_decref(now);
		if (over)
			return say_stopped(e);
	}
	return say_late(e);
}

int command_stop(const struct command *c, int argc, char **argv)
{
	struct order_options o = { 0 };
	struct ending e = { .told_in = "serving" };
	const struct command_option options[] = { ORDER_OPTIONS(&o), { 0, "now", NULL, &e.now } };
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	e.keeper = stop_open_keeper(&o.client, c);
	if (order_open(&e.order, c, &o, "/v1/stop", &code)) {
		e.told_in = known_state(e.order.before);
		code = wait_for_end(&e);
		order_close(&e.order);
	}
	if (e.keeper >= 0)
		close(e.keeper);
	return code;
}
