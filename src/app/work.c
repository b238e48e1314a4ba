#include "app/work.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/command.h"
#include "app/worker_threads.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/control.h"

struct work {
	const char *config_path;
	int channel, board_fd, tickets_fd;
	pid_t keeper;
	struct config *config;
	struct board *board;
	const struct ticket_keys *tickets;
	struct control *control;
	struct worker_threads threads;
	/* What the keeper says, once we serve. */
	struct sock *keeper_sock;
	struct io_op listen_to_keeper;
	struct channel_message heard;
	size_t heard_bytes; /* of a message that is coming in */
	unsigned reloads;   /* that the keeper was told of */
};

/* --- becoming a working process --- */

/* A keeper that died before the signal was set is seen by our having another parent. */
static void die_with_keeper(pid_t keeper)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(EXIT_NO);
}

/* The keeper hears signals and says what they mean: `kill` by name must not skip the drain. */
static void leave_signals_to_keeper(void)
{
	static const int theirs[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
		signal(theirs[i], SIG_IGN);
}

static void raise_descriptor_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_line(LOG_WARN, "cannot raise the limit of open files: %s", strerror(errno));
}

static void *map(int fd, size_t bytes, int protection)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static bool map_shared(struct work *w)
{
	w->board = map(w->board_fd, sizeof *w->board, PROT_READ | PROT_WRITE);
	w->tickets = map(w->tickets_fd, sizeof *w->tickets, PROT_READ);
	if (w->board && w->tickets && board_fits(w->board))
		return true;
	log_line(LOG_ERROR, "the keeper's shared memory cannot be used: %s", strerror(errno));
	return false;
}

static bool read_arguments(struct work *w, int argc, char **argv)
{
	unsigned long long n[4];
	if (argc != 6)
		return false;
	for (int i = 0; i < 4; i++)
		if (!span_to_u64(span_of(argv[2 + i]), INT32_MAX, &n[i]) || n[i] == 0)
			return false;
	w->config_path = argv[1];
	w->channel = (int)n[0];
	w->board_fd = (int)n[1];
	w->tickets_fd = (int)n[2];
	w->keeper = (pid_t)n[3];
	return fcntl(w->channel, F_SETFD, FD_CLOEXEC) == 0;
}

/* --- what the configuration asks for --- */

static bool read_config(struct work *w)
{
	w->config = config_open(w->config_path);
	if (w->config->complaints.n == 0)
		return true;
	complaints_print(&w->config->complaints, stderr);
	return false;
}

/* The descriptor stays open, and the lock with it, until we and the keeper have both gone. */
static bool lock_state(struct work *w)
{
	struct channel_message ask = { .word = CHANNEL_LOCK };
	const char *state = w->config->state;
	int lock;
	if (mkdir(state, 0700) < 0 && errno != EEXIST) {
		log_line(LOG_ERROR, "cannot make the state directory %s: %s", state,
			 strerror(errno));
		return false;
	}
	int error = ENAMETOOLONG;
	if ((size_t)snprintf(ask.path, sizeof ask.path, "%s", state) < sizeof ask.path)
		error = channel_ask(w->channel, &ask, &lock, 1);
	if (error == EWOULDBLOCK)
		log_line(LOG_ERROR, "another balancer is running on the state directory %s", state);
	else if (error)
		log_line(LOG_ERROR, "cannot lock the state directory %s: %s", state,
			 strerror(error));
	return error == 0;
}

static bool open_control(struct work *w)
{
	char error[WEIGHTS_TEXT_BYTES];
	w->control = control_open(w->config, w->board, w->tickets, error);
	if (w->control)
		return true;
	complaints_print(&w->config->complaints, stderr);
	if (error[0])
		log_line(LOG_ERROR, "%s", error);
	return false;
}

/* --- sockets --- */

/*
 * The sockets of a balancer that was killed a moment ago may still be there: the kernel takes an
 * io_uring's accepts back in its own time.
 */
static int ask_patiently(struct work *w, const struct channel_message *ask, int *to)
{
	static const struct timespec pause = { .tv_nsec = 20 * 1000000 };
	uint64_t give_up_ns = clock_monotonic_ns() + ADDRESS_WAIT_MS * 1000000ull;
	int error;
	while ((error = channel_ask(w->channel, ask, to, ask->count)) == EADDRINUSE &&
	       clock_monotonic_ns() < give_up_ns)
		nanosleep(&pause, NULL);
	return error;
}

static int listen_on(void *self, const struct addr *a, unsigned count, int list[WORKERS_MAX],
		     unsigned *given)
{
	struct channel_message ask = { .word = CHANNEL_LISTEN, .count = count, .addr = *a };
	*given = count;
	return ask_patiently(self, &ask, list);
}

static void forget(void *self, const struct addr *a)
{
	struct work *w = self;
	channel_forget(w->channel, a);
}

/* --- serving --- */

static void obey(struct work *w, enum channel_word word)
{
	if (word == CHANNEL_STOP)
		control_stop(w->control);
	else if (word == CHANNEL_RELOAD)
		control_reload(w->control);
}

/* A message may come in pieces, and several at once. */
static void heard(struct io_op *op)
{
	struct work *w = list_entry(op, struct work, listen_to_keeper);
	if (op->result <= 0)
		return;
	for (size_t at = 0, n; at < (size_t)op->result; at += n) {
		n = sizeof w->heard - w->heard_bytes;
		if (n > (size_t)op->result - at)
			n = (size_t)op->result - at;
		memcpy((char *)&w->heard + w->heard_bytes, op->block->data + at, n);
		w->heard_bytes += n;
		if (w->heard_bytes < sizeof w->heard)
			break;
		w->heard_bytes = 0;
		obey(w, (enum channel_word)w->heard.word);
	}
	block_drop(op->block);
	io_recv(w->control->loop.io, op, w->keeper_sock, BLOCK_SMALL);
}

/* The keeper's supervisor waits for the end of a reload, good or bad. */
static void tell_of_reloads(struct work *w)
{
	const struct reload *r = &w->control->reload;
	if (w->reloads == r->good_n + r->bad_n)
		return;
	w->reloads = r->good_n + r->bad_n;
	channel_tell(w->channel, CHANNEL_READY);
}

static void listen_to_keeper(struct work *w)
{
	struct io *io = w->control->loop.io;
	w->keeper_sock = io_adopt(io, w->channel);
	io_op_init(&w->listen_to_keeper, heard);
	io_recv(io, &w->listen_to_keeper, w->keeper_sock, BLOCK_SMALL);
}

static void stop_listening_to_keeper(struct work *w)
{
	io_cancel(w->control->loop.io, &w->listen_to_keeper);
	while (io_op_busy(&w->listen_to_keeper))
		control_turn(w->control);
	io_close(w->control->loop.io, w->keeper_sock, false);
}

static void say_serving(const struct work *w)
{
	const struct board_values v = board_read(w->board);
	log_line(LOG_INFO,
		 "crossfade %s serves: %u workers on %s, weights source %u, target %u (epoch %llu)",
		 CROSSFADE_VERSION, w->control->worker_n, w->control->backend,
		 v.weights[ARM_SOURCE], v.weights[ARM_TARGET], (unsigned long long)v.epoch);
	control_say_risks(w->control);
}

static bool attach_control(struct work *w)
{
	int fds[LISTENERS_MAX];
	size_t n = 0;
	char error[WEIGHTS_TEXT_BYTES];
	for (const struct config_address *a = w->config->admin.addresses; a && n < LISTENERS_MAX;
	     a = a->next) {
		struct channel_message ask = { .word = CHANNEL_LISTEN,
					       .count = 1,
					       .addr = a->addr };
		int why = ask_patiently(w, &ask, &fds[n++]);
		if (why)
			listeners_complain(w->config, a, why);
	}
	if (w->config->complaints.n) {
		complaints_print(&w->config->complaints, stderr);
		return false;
	}
	if (control_attach(w->control, fds, n, error))
		return true;
	log_line(LOG_ERROR, "%s", error);
	return false;
}

static bool start_serving(struct work *w)
{
	const struct socket_source source = { w, listen_on, forget };
	if (!control_listen(w->control, &source)) {
		complaints_print(&w->config->complaints, stderr);
		return false;
	}
	if (!attach_control(w))
		return false;
	int error = worker_threads_start(&w->threads, w->control);
	if (error)
		log_line(LOG_ERROR, "cannot start the workers%s: %s",
			 w->config->io == CONFIG_IO_URING ? " on io_uring" : "", strerror(error));
	return error == 0;
}

static void serve(struct work *w)
{
	say_serving(w);
	channel_tell(w->channel, CHANNEL_READY);
	listen_to_keeper(w);
	while (!control_is_over(w->control)) {
		control_turn(w->control);
		tell_of_reloads(w);
	}
	stop_listening_to_keeper(w);
	worker_threads_join(&w->threads);
	control_close(w->control);
	config_close(w->config);
	log_line(LOG_INFO, "stopped");
}

int work_main(int argc, char **argv)
{
	struct work w = { 0 };
	prctl(PR_SET_NAME, "crossfade");
	if (!read_arguments(&w, argc, argv)) {
		fprintf(stderr, "crossfade " WORK_COMMAND ": is started by `crossfade run` only\n");
		return EXIT_USAGE;
	}
	die_with_keeper(w.keeper);
	leave_signals_to_keeper();
	raise_descriptor_limit();
	/* With threads under way there is no tearing down: the process ends, and all with it. */
	if (!map_shared(&w) || !read_config(&w) || !lock_state(&w) || !open_control(&w) ||
	    !start_serving(&w))
		_exit(EXIT_NO);
	serve(&w);
	return EXIT_OK;
}
