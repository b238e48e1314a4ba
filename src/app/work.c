#include "app/work.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/command.h"
#include "app/saved_config.h"
#include "app/process.h"
#include "app/stray_signals.h"
#include "app/worker_threads.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/config_read.h"
#include "control/control.h"
#include "control/local_socket.h"
#include "control/ownership.h"
#include "io/port_owner.h"

/* With fewer open files, a warning is logged: busy clusters have some thousand clients. */
#define FILES_COMFORTABLE 10000

/* Whether a keeper handles signals and this process dies with it, or it runs alone. */
enum work_under { UNDER_KEEPER, UNDER_NOBODY };

struct work {
	enum work_under under;
	const char *config_path;
	enum config_source source;
	int channel, board_fd, tickets_fd, saved_config_fd;
	pid_t keeper;
	struct config *config;
	struct board *board;
	const struct ticket_keys *tickets;
	struct saved_files kept; /* the configuration that was in force, if a crash came before */
	struct slab kept_chunks;
	struct arena kept_arena;
	struct control *control;
	struct worker_threads threads;
	/* The channel to the keeper, once this process serves. */
	struct sock *keeper_sock;
	struct io_op listen_to_keeper;
	struct channel_message heard;
	size_t heard_bytes;	   /* bytes of a message that has come in part */
	unsigned reloads;	   /* how many reloads the keeper was told about */
	uint64_t address_until_ns; /* until when to wait for addresses in use; 0: none was in use */
	struct stray_signals stray_signals;
	bool stopping; /* the keeper has sent CHANNEL_STOP */
	bool retiring; /* the keeper has sent CHANNEL_RETIRE, and the leader's lock is still held */
	/* Used until this process leads. */
	struct control_sockets admin;
	struct timer try_to_lead;
	struct timer lead_is_late;
	bool admin_served; /* the admin API is served */
};

/* --- becoming a working process --- */

/* If the keeper died before prctl(), this process has another parent by now. */
static void die_with_keeper(pid_t keeper)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(EXIT_NO);
}

static void *work_map(int fd, size_t bytes, int protection)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static bool map_shared(struct work *w)
{
	w->board = work_map(w->board_fd, sizeof *w->board, PROT_READ | PROT_WRITE);
	w->tickets = work_map(w->tickets_fd, sizeof *w->tickets, PROT_READ);
	if (w->board && w->tickets && board_fits(w->board)) {
		log_count_lost_in(&w->board->log_lost);
		return true;
	}
	log_line(LOG_ERROR, "the keeper's shared memory cannot be used: %s", strerror(errno));
	return false;
}

static bool read_arguments(struct work *w, int argc, char **argv)
{
	unsigned long long n[5];
	if (argc != 8)
		return false;
	for (int i = 0; i < 5; i++)
		if (!span_to_u64(span_of(argv[3 + i]), INT32_MAX, &n[i]) || (n[i] == 0 && i != 3))
			return false;
	w->config_path = argv[1];
	w->source = strcmp(argv[2], CONFIG_SOURCE_SAVED) == 0 ? CONFIG_SAVED : CONFIG_FROM_FILE;
	w->channel = (int)n[0];
	w->board_fd = (int)n[1];
	w->tickets_fd = (int)n[2];
	w->saved_config_fd = (int)n[3];
	w->keeper = (pid_t)n[4];
	for (int i = 0; i < 4; i++)
		if (n[i])
			keep_over_exec((int)n[i], false);
	return true;
}

/* --- what the configuration asks for --- */

static void diagnostics_say(struct diagnostics *c)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	if (!to)
		return;
	diagnostics_print(c, to);
	fclose(to);
	log_text(text);
	free(text);
}

/* The memory stays mapped, because the configuration refers to it. */
static bool read_kept(struct work *w)
{
	struct span bytes;
	return w->saved_config_fd && saved_config_map(w->saved_config_fd, &bytes) &&
	       saved_files_read(&w->kept, &w->kept_arena, bytes);
}

static bool read_config(struct work *w)
{
	slab_open(&w->kept_chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&w->kept_arena, &w->kept_chunks);
	if (w->source == CONFIG_SAVED && !read_kept(w))
		w->source = CONFIG_FROM_FILE;
	w->config = w->source == CONFIG_SAVED ? config_open_saved(w->config_path, &w->kept)
					      : config_open(w->config_path);
	if (w->config->diagnostics.n == 0)
		return true;
	diagnostics_say(&w->config->diagnostics);
	return false;
}

/* Returns the process id that the keeper wrote into the lock file; 0: not known. */
static long holder_of(const char *directory)
{
	char path[1024 + sizeof "/lock"], text[32] = "";
	snprintf(path, sizeof path, "%s/lock", directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 ? strtol(text, NULL, 10) : 0;
}

static void say_holder(const char *what, const char *directory)
{
	long holder = holder_of(directory);
	char named[32] = "";
	if (holder)
		snprintf(named, sizeof named, ": process %ld", holder);
	log_line(LOG_ERROR, "another balancer is running on the %s directory %s%s", what, directory,
		 named);
}

/*
 * The descriptors, and with them the locks, stay open until this process and the keeper have ended.
 */
static bool lock_directory(struct work *w, const char *what, const char *directory)
{
	struct channel_message ask = { .word = CHANNEL_LOCK, .count = 1 };
	int lock[WORKERS_MAX];
	unsigned n;
	if (mkdir(directory, 0700) < 0 && errno != EEXIST && w->source != CONFIG_SAVED) {
		log_line(LOG_ERROR, "cannot make the %s directory %s: %s", what, directory,
			 strerror(errno));
		return false;
	}
	int error = ENAMETOOLONG;
	if ((size_t)snprintf(ask.path, sizeof ask.path, "%s", directory) < sizeof ask.path)
		error = channel_ask(w->channel, &ask, lock, &n);
	if (error == EWOULDBLOCK)
		say_holder(what, directory);
	else if (error)
		log_line(LOG_ERROR, "cannot lock the %s directory %s: %s", what, directory,
			 strerror(error));
	/*
	 * After a crash the keeper still has the lock, if only of a directory that was replaced
	 * since.
	 */
	return error == 0 || (w->source == CONFIG_SAVED && error != EWOULDBLOCK);
}

static bool lock_directories(struct work *w)
{
	const struct config_capture *c = &w->config->capture;
	if (w->source != CONFIG_SAVED)
		ownership_check(w->config, true);
	if (w->config->diagnostics.n) {
		diagnostics_say(&w->config->diagnostics);
		return false;
	}
	return lock_directory(w, "state", w->config->state) &&
	       (c->head.at == NOWHERE || lock_directory(w, "capture", c->directory));
}

static bool open_control(struct work *w)
{
	char error[WEIGHTS_TEXT_BYTES];
	w->control = control_open(w->config, w->board, w->tickets, error);
	if (w->control)
		return true;
	diagnostics_say(&w->config->diagnostics);
	if (error[0])
		log_line(LOG_ERROR, "%s", error);
	return false;
}

/* --- sockets --- */

/*
 * True for a balancer that was killed a moment ago, and for our own processes, which may be about
 * to close the address. Other programs will not close it.
 */
static bool may_be_ending(const struct work *w, const struct port_owner *o)
{
	return !o->pid || !strcmp(o->name, "crossfade") || o->pid == w->keeper ||
	       o->parent == w->keeper;
}

/*
 * The sockets of a killed balancer may live on after its process: the kernel cancels the accepts of
 * an io_uring later. All addresses together are waited for once.
 */
static bool is_worth_waiting(struct work *w, const struct addr *a)
{
	struct port_owner o;
	char at[ADDR_TEXT_BYTES], owner[PORT_OWNER_TEXT_BYTES];
	port_owner_find(a, &o);
	if (!may_be_ending(w, &o))
		return false;
	addr_text(a, at);
	port_owner_text(&o, owner);
	if (!w->address_until_ns)
		w->address_until_ns = clock_monotonic_ns() + ADDRESS_WAIT_MS * 1000000ull;
	if (clock_monotonic_ns() < w->address_until_ns)
		log_line(LOG_INFO,
			 "address %s is in use%s: waiting up to %d s, for a balancer that has just "
			 "ended to release it",
			 at, owner, ADDRESS_WAIT_MS / 1000);
	return true;
}

static int work_ask_patiently(struct work *w, const struct channel_message *ask,
			      int to[WORKERS_MAX], unsigned *given)
{
	static const struct timespec pause = { .tv_nsec = 20 * 1000000 };
	int error = channel_ask(w->channel, ask, to, given);
	if (error != EADDRINUSE || !is_worth_waiting(w, &ask->addr))
		return error;
	while (error == EADDRINUSE && clock_monotonic_ns() < w->address_until_ns) {
		nanosleep(&pause, NULL);
		error = channel_ask(w->channel, ask, to, given);
	}
	return error;
}

static int work_listen_on(void *self, const struct addr *a, unsigned count, int list[WORKERS_MAX],
			  unsigned *given)
{
	struct channel_message ask = { .word = CHANNEL_LISTEN, .count = count, .addr = *a };
	return work_ask_patiently(self, &ask, list, given);
}

static void work_forget_address(void *self, const struct addr *a)
{
	struct work *w = self;
	channel_forget(w->channel, a);
}

/* Makes the directory of a socket, such as /run/crossfade, if its parent exists. */
static void make_directory_of(const char *path)
{
	char directory[4096];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return;
	snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
	(void)mkdir(directory, 0755);
}

static bool open_local_socket(struct work *w)
{
	struct channel_message ask = { .word = CHANNEL_LISTEN_LOCAL, .count = 1 };
	w->admin.local = -1;
	const char *path = w->config->admin.socket;
	int fds[WORKERS_MAX], error = ENAMETOOLONG;
	unsigned n;
	make_directory_of(path);
	if ((size_t)snprintf(ask.path, sizeof ask.path, "%s", path) < sizeof ask.path)
		error = channel_ask(w->channel, &ask, fds, &n);
	if (!error)
		w->admin.local = fds[0];
	else
		log_line(LOG_ERROR, "cannot listen on the admin socket %s: %s", path,
			 local_socket_trouble(error));
	/*
	 * To serve without an admin socket is better than not to serve: after a crash, and on a
	 * read-only file system.
	 */
	return error == 0 || w->source == CONFIG_SAVED || error == EROFS;
}

static bool open_admin_sockets(struct work *w)
{
	struct control_sockets *s = &w->admin;
	for (const struct config_address *a = w->config->admin.addresses;
	     a && s->tcp_n < LISTENERS_MAX; a = a->next) {
		int fds[WORKERS_MAX];
		unsigned n;
		int error = work_listen_on(w, &a->addr, 1, fds, &n);
		if (error)
			listeners_complain(w->config, a, error);
		else
			s->tcp[s->tcp_n++] = fds[0];
	}
	if (w->config->diagnostics.n)
		diagnostics_say(&w->config->diagnostics);
	return w->config->diagnostics.n == 0 && open_local_socket(w);
}

/* --- leading --- */

/*
 * One process at a time changes weights and serves the admin API: the newest one that serves. It
 * holds a lock on the board, which the kernel releases when the process ends, in whatever way.
 */
static bool set_leader_lock(const struct work *w, short type)
{
	return fcntl(w->board_fd, F_SETLK, &(struct flock){ .l_type = type }) == 0;
}

static void let_others_look(void *self)
{
	const struct work *w = self;
	channel_tell(w->channel, CHANNEL_LOOK);
}

static bool signal_keeper(void *self, int number)
{
	const struct work *w = self;
	return kill(w->keeper, number) == 0;
}

static void work_serve_admin(struct work *w)
{
	if (w->admin_served || !control_is_open(w->control))
		return;
	control_respond(w->control, &w->admin);
	w->admin_served = true;
}

static void work_led(void *self, const char *error)
{
	struct work *w = self;
	struct wheel *wheel = &w->control->loop.wheel;
	timer_clear(&w->lead_is_late);
	if (!error) {
		work_serve_admin(w);
		return;
	}
	log_line(LOG_ERROR, "%s", error);
	timer_set(wheel, &w->try_to_lead, wheel->now_ms + LEAD_RETRY_MS);
}

/* The admin API is served meanwhile, so that its status shows the trouble. */
static void work_lead_is_late(struct timer *t)
{
	log_line(LOG_ERROR, "the state directory does not answer: nothing can be changed until it "
			    "does");
	work_serve_admin(list_entry(t, struct work, lead_is_late));
}

static struct leader_peers peers_of(struct work *w)
{
	return (struct leader_peers){ let_others_look, w, signal_keeper, work_led };
}

static bool work_lead(struct work *w)
{
	char error[WEIGHTS_TEXT_BYTES];
	const struct leader_peers peers = peers_of(w);
	w->admin_served = control_lead(w->control, &w->admin, &peers, error);
	if (w->admin_served)
		return true;
	log_line(LOG_ERROR, "%s", error);
	return false;
}

static void work_try_to_lead(struct timer *t)
{
	struct work *w = list_entry(t, struct work, try_to_lead);
	struct wheel *wheel = &w->control->loop.wheel;
	const struct leader_peers peers = peers_of(w);
	if (!set_leader_lock(w, F_WRLCK)) {
		timer_set(wheel, t, wheel->now_ms + LEAD_PAUSE_MS);
		return;
	}
	timer_set(wheel, &w->lead_is_late, wheel->now_ms + LEAD_LATE_MS);
	leader_lead_soon(&w->control->leader, &peers);
}

/*
 * The first process leads before it serves. After an upgrade, the process before leads until this
 * one serves.
 */
static bool lead_or_wait(struct work *w)
{
	timer_init(&w->try_to_lead, work_try_to_lead);
	timer_init(&w->lead_is_late, work_lead_is_late);
	if (set_leader_lock(w, F_WRLCK))
		return work_lead(w);
	timer_set(&w->control->loop.wheel, &w->try_to_lead,
		  loop_now_ms(&w->control->loop) + LEAD_PAUSE_MS);
	return true;
}

static void work_retire(struct work *w)
{
	timer_clear(&w->try_to_lead);
	timer_clear(&w->lead_is_late);
	control_retire(w->control);
	w->retiring = true;
}

/* Releases the lock only when all changes are on the disk, where the next leader reads them. */
static void look_at_retiring(struct work *w)
{
	if (!w->retiring || !leader_has_retired(&w->control->leader))
		return;
	set_leader_lock(w, F_UNLCK);
	w->retiring = false;
}

/* --- serving --- */

static void work_obey(struct work *w, enum channel_word word)
{
	switch (word) {
	case CHANNEL_STOP:
		w->stopping = true;
		control_stop(w->control);
		break;
	case CHANNEL_RETIRE:
		work_retire(w);
		break;
	case CHANNEL_RELOAD:
		control_reload(w->control);
		break;
	case CHANNEL_LOOK:
		leader_look(&w->control->leader);
		break;
	case CHANNEL_REOPEN:
		control_reopen_logs(w->control);
		break;
	case CHANNEL_UPGRADE_FAILED:
		leader_upgrade_failed(&w->control->leader, w->heard.path);
		break;
	case CHANNEL_LISTEN:
	case CHANNEL_LISTEN_LOCAL:
	case CHANNEL_FORGET:
	case CHANNEL_LOCK:
	case CHANNEL_READY:
	case CHANNEL_KEEP:
	case CHANNEL_RENEW:
	case CHANNEL_LEFT:
		break; /* sent only by this process, or words of a newer keeper */
	}
}

/* A message may come in several parts, and several messages in one part. */
static void work_heard(struct io_op *op)
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
		w->heard.path[sizeof w->heard.path - 1] = 0;
		work_obey(w, (enum channel_word)w->heard.word);
	}
	block_drop(op->block);
	io_recv(w->control->loop.io, op, w->keeper_sock, BLOCK_SMALL);
}

static void keep_config(struct work *w)
{
	struct slab chunks;
	struct arena arena;
	struct saved_files files = { NULL };
	slab_open(&chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&arena, &chunks);
	control_keep(w->control, &files, &arena);
	int fd = saved_config_make(&files);
	if (fd < 0 || !channel_give(w->channel, CHANNEL_KEEP, fd))
		log_line(LOG_ERROR,
			 "cannot keep the configuration in force for a crash; after a crash the "
			 "balancer would go on with an older one: %s",
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	arena_close(&arena);
	slab_close(&chunks);
}

/* The keeper's supervisor waits for the end of a reload, whether it succeeds or fails. */
static void tell_of_reloads(struct work *w)
{
	const struct reload *r = &w->control->reload;
	if (control_is_to_be_kept(w->control) && w->control->workers.state == WORKERS_SERVING)
		keep_config(w);
	if (control_is_to_be_renewed(w->control))
		channel_tell(w->channel, CHANNEL_RENEW);
	if (w->reloads == r->good_n + r->bad_n)
		return;
	w->reloads = r->good_n + r->bad_n;
	w->address_until_ns = 0;
	channel_tell(w->channel, CHANNEL_READY);
}

/* Without its channel, the process could not be told to stop. */
static void listen_to_keeper(struct work *w)
{
	struct io *io = w->control->loop.io;
	w->keeper_sock = io_adopt(io, w->channel);
	if (!w->keeper_sock) {
		log_line(LOG_ERROR, "cannot read from the keeper's channel: %s", strerror(errno));
		_exit(EXIT_NO);
	}
	io_op_init(&w->listen_to_keeper, work_heard);
	io_recv(io, &w->listen_to_keeper, w->keeper_sock, BLOCK_SMALL);
}

static void stop_listening_to_keeper(struct work *w)
{
	io_cancel(w->control->loop.io, &w->listen_to_keeper);
	while (io_op_busy(&w->listen_to_keeper))
		control_turn(w->control);
	io_close(w->control->loop.io, w->keeper_sock, false);
}

static void say_files(const struct work *w)
{
	const struct plan *p = publisher_newest(&w->control->workers.publisher);
	unsigned long long most = w->control->workers.files;
	log_line(most < FILES_COMFORTABLE ? LOG_WARN : LOG_INFO,
		 "at most %llu open files: room for %llu clients and %llu connections to nodes%s",
		 most, (unsigned long long)p->clients_max * p->worker_n,
		 (unsigned long long)p->node_sockets_max * p->worker_n,
		 most < FILES_COMFORTABLE ? " (raise the hard limit: LimitNOFILE=, ulimit -Hn)"
					  : "");
}

static void say_root(void)
{
	if (geteuid() == 0)
		log_line(LOG_WARN, "it runs as root, but needs no right of root except "
				   "CAP_NET_BIND_SERVICE for "
				   "ports below 1024: run it as a user of its own, as "
				   "deploy/crossfade.service does");
}

static void say_serving(const struct work *w)
{
	const struct board_values v = board_read(w->board);
	log_line(LOG_INFO,
		 "crossfade %s serves: %u workers on %s, weights source %u, target %u (epoch %llu)",
		 CROSSFADE_VERSION, w->control->workers.n, w->control->workers.backend,
		 v.weights[ARM_SOURCE], v.weights[ARM_TARGET], (unsigned long long)v.epoch);
	log_line(LOG_INFO, "%u workers: %s", w->control->workers.n, w->control->workers.cores.from);
	say_files(w);
	say_root();
	workers_say_risks(&w->control->workers);
}

static bool attach_control(struct work *w)
{
	char error[WEIGHTS_TEXT_BYTES];
	if (control_attach(w->control, error))
		return true;
	log_line(LOG_ERROR, "%s", error);
	return false;
}

static bool start_workers(struct work *w)
{
	if (!workers_take_slots(&w->control->workers)) {
		log_line(LOG_ERROR, "the board has no room for %u more workers",
			 w->control->workers.n);
		return false;
	}
	int error = worker_threads_start(&w->threads, &w->control->workers);
	if (error)
		log_line(LOG_ERROR, "cannot start the workers%s: %s",
			 w->config->io == CONFIG_IO_URING ? " on io_uring" : "", strerror(error));
	return error == 0;
}

static bool open_capture(struct work *w)
{
	char error[RECORDER_ERROR_BYTES];
	if (workers_record(&w->control->workers, error))
		return true;
	log_line(LOG_ERROR, "%s", error);
	return false;
}

static bool start_serving(struct work *w)
{
	const struct socket_source source = { w, work_listen_on, work_forget_address };
	if (!workers_listen(&w->control->workers, &source)) {
		diagnostics_say(&w->config->diagnostics);
		return false;
	}
	return open_admin_sockets(w) && attach_control(w) && open_capture(w) && lead_or_wait(w) &&
	       start_workers(w);
}

static void work_serve(struct work *w)
{
	say_serving(w);
	if (w->source == CONFIG_SAVED)
		reload_compare(&w->control->reload, &w->control->workers);
	(void)control_is_to_be_kept(w->control);
	keep_config(w);
	channel_tell(w->channel, CHANNEL_READY);
	w->address_until_ns = 0;
	listen_to_keeper(w);
	if (w->under == UNDER_KEEPER)
		stray_signals_open(&w->stray_signals, &w->control->loop.wheel, w->keeper,
				   &w->stopping);
	bool open = true;
	while (!control_is_over(w->control)) {
		control_turn(w->control);
		if (open && !control_is_open(w->control))
			channel_tell(w->channel, CHANNEL_LEFT);
		open = control_is_open(w->control);
		look_at_retiring(w);
		tell_of_reloads(w);
	}
	timer_clear(&w->try_to_lead);
	timer_clear(&w->lead_is_late);
	if (w->under == UNDER_KEEPER)
		stray_signals_close(&w->stray_signals);
	stop_listening_to_keeper(w);
	worker_threads_join(&w->threads);
	control_close(w->control);
	config_close(w->config);
	arena_close(&w->kept_arena);
	slab_close(&w->kept_chunks);
	log_line(LOG_INFO, "stopped");
}

/* Once threads run, a failed start cannot be undone step by step: the process exits. */
static int work_run(struct work *w)
{
	if (!map_shared(w) || !read_config(w) || !lock_directories(w) || !open_control(w) ||
	    !start_serving(w))
		_exit(EXIT_NO);
	work_serve(w);
	return EXIT_OK;
}

int work_main(int argc, char **argv)
{
	struct work w = { 0 };
	prctl(PR_SET_NAME, "crossfade");
	if (!read_arguments(&w, argc, argv)) {
		fprintf(stderr,
			"crossfade " WORK_COMMAND ": only `crossfade run` starts this command\n");
		return EXIT_USAGE;
	}
	stray_signals_hold();
	process_forbid_cores();
	die_with_keeper(w.keeper);
	process_raise_files();
	return work_run(&w);
}

int work_alone(const char *config, int channel, int board_fd, int tickets_fd)
{
	struct work w = { .under = UNDER_NOBODY,
			  .config_path = config,
			  .source = CONFIG_FROM_FILE,
			  .channel = channel,
			  .board_fd = board_fd,
			  .tickets_fd = tickets_fd,
			  .keeper = getpid() };
	return work_run(&w);
}
