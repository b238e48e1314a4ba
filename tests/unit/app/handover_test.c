#include "unit/app/kit.h"

#include "app/handover.h"
#include "app/saved_config.h"

#include <sys/mman.h>

/* Where members of the list stand; its format is fixed by HANDOVER_MAJOR. */
enum {
	MAJOR = 16,
	MINOR = 18,
	HEAD_BYTES = 20,
	RECORD_BYTES = 24,
	RECORD_N = 28,
	PROGRAM = 40,
	ROOM = 1064,
	RECORDS = 1192,
	KIND = 0, /* of a record */
	FD = 4,
	PID = 8,
	STATE = 12,
};

/* The records that it has here, in their order. */
enum {
	BOARD,
	TICKETS,
	KEPT,
	SOCKET,
	LOCAL_SOCKET,
	DIRECTORY_LOCK,
	LOCK,
	PROCESS,
	LOG_FROM,
	LOG_TO,
	ALL_RECORDS
};

struct stage {
	struct handover h;
	struct addr address;
	char directory[64];
	int list;
	uint32_t record_bytes;
};

static void put(const struct stage *s, size_t at, uint32_t value)
{
	assert_int_equal(pwrite(s->list, &value, sizeof value, (off_t)at), sizeof value);
}

static uint32_t get(const struct stage *s, size_t at)
{
	uint32_t value;
	assert_int_equal(pread(s->list, &value, sizeof value, (off_t)at), sizeof value);
	return value;
}

/* Of the record `i`, in the order in which they are written. */
static size_t in_record(const struct stage *s, unsigned i, size_t member)
{
	return RECORDS + i * (size_t)s->record_bytes + member;
}

static int open_stage(void **state)
{
	static struct stage s;
	int fds[WORKERS_MAX], fd;
	char path[80];
	unsigned n;
	s = (struct stage){ .h = { .rotate_ms = 4711,
				   .program = "/usr/bin/crossfade",
				   .log_from = dup(0),
				   .log_to = dup(1) } };
	processes_open(&s.h.processes);
	kit_directory(s.directory);
	snprintf(path, sizeof path, "%s/admin.sock", s.directory);
	s.address = kit_free_address();
	if (!inherited_open(&s.h.inherited))
		return -1;
	(void)inherited_keep(&s.h.inherited, saved_config_make(&(struct saved_files){ NULL }));
	if (s.h.inherited.saved_config_fd < 0 ||
	    inherited_listen(&s.h.inherited, &s.address, 1, fds, &n) ||
	    inherited_listen_local(&s.h.inherited, path, &fd) ||
	    inherited_lock(&s.h.inherited, s.directory, fds, &n))
		return -1;
	s.h.processes.list[2] = (struct process){
		.state = PROCESS_SERVING, .pid = 12, .channel = dup(0), .started_ms = 99
	};
	s.list = handover_write(&s.h);
	s.record_bytes = get(&s, RECORD_BYTES);
	*state = &s;
	return s.list < 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;
	char path[80];
	close(s->list);
	close(s->h.log_from);
	close(s->h.log_to);
	process_forget(&s->h.processes.list[2]);
	inherited_close(&s->h.inherited);
	snprintf(path, sizeof path, "%s/lock", s->directory);
	unlink(path);
	return rmdir(s->directory);
}

static void refuses(const struct stage *s, const char *why)
{
	struct handover h;
	char error[HANDOVER_ERROR_BYTES] = "";
	assert_false(handover_read(s->list, &h, error));
	if (!strstr(error, why))
		fail_msg("it says: %s", error);
	inherited_disown(&h.inherited);
}

static void what_is_written_is_read_again(void **state)
{
	struct stage *s = *state;
	struct handover h;
	char error[HANDOVER_ERROR_BYTES];
	assert_true(handover_read(s->list, &h, error));
	assert_int_equal(h.rotate_ms, 4711);
	assert_string_equal(h.program, "/usr/bin/crossfade");
	assert_int_equal(h.inherited.board_fd, s->h.inherited.board_fd);
	assert_int_equal(h.inherited.tickets_fd, s->h.inherited.tickets_fd);
	assert_int_equal(h.inherited.saved_config_fd, s->h.inherited.saved_config_fd);
	assert_memory_equal(h.inherited.tickets, s->h.inherited.tickets,
			    sizeof *h.inherited.tickets);
	assert_int_equal(h.inherited.socket_n, 2);
	assert_true(addr_is(&h.inherited.sockets[0].addr, &s->address));
	assert_string_equal(h.inherited.sockets[0].path, "");
	assert_string_equal(h.inherited.sockets[1].path, s->h.inherited.sockets[1].path);
	assert_int_equal(h.inherited.sockets[1].fd, s->h.inherited.sockets[1].fd);
	assert_int_equal(h.inherited.sockets[0].state, HELD_OLD);
	assert_int_equal(h.inherited.lock_n, LOCK_DESCRIPTORS);
	for (size_t i = 0; i < LOCK_DESCRIPTORS; i++)
		assert_string_equal(h.inherited.locks[i].path, s->h.inherited.locks[i].path);
	assert_int_equal(h.log_from, s->h.log_from);
	assert_int_equal(h.log_to, s->h.log_to);
	assert_int_equal(processes_n(&h.processes), 1);
	const struct process *p = processes_of_pid(&h.processes, 12);
	assert_int_equal(p->state, PROCESS_SERVING);
	assert_int_equal(p->started_ms, 99);
	assert_int_equal(p->channel, s->h.processes.list[2].channel);
	inherited_disown(&h.inherited);
}

/* Both see what the other writes. */
static void the_board_is_the_same_memory(void **state)
{
	struct stage *s = *state;
	struct handover h;
	char error[HANDOVER_ERROR_BYTES];
	assert_true(handover_read(s->list, &h, error));
	board_publish(h.inherited.board, &(struct board_values){ .epoch = 7, .weights = { 3, 4 } });
	assert_int_equal(board_read(s->h.inherited.board).epoch, 7);
	inherited_disown(&h.inherited);
}

static void what_no_keeper_wrote_is_refused(void **state)
{
	struct stage *s = *state;
	put(s, 0, 0);
	refuses(s, "is not a keeper's hand-over list");
	assert_int_equal(ftruncate(s->list, 0), 0);
	refuses(s, "is not a keeper's hand-over list");
}

static void another_format_is_refused(void **state)
{
	struct stage *s = *state;
	/* Both numbers at once: as lists were before they had two, and as they may be. */
	static const struct {
		uint32_t version;
		const char *error;
	} rows[] = {
		{ 3, "the running version hands over in format 3, but this one reads format 5: "
		     "stop the" },
		{ 4, "in format 4" },
		{ HANDOVER_MAJOR + 1, "in format 6" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put(s, MAJOR, rows[i].version);
		refuses(s, rows[i].error);
	}
	put(s, MAJOR, HANDOVER_MAJOR);
	put(s, HEAD_BYTES, RECORDS + 8);
	refuses(s, "hands over in format");
	put(s, HEAD_BYTES, RECORDS);
	put(s, RECORD_BYTES, s->record_bytes - 1);
	refuses(s, "hands over in format");
}

static void a_list_that_ends_early_is_refused(void **state)
{
	struct stage *s = *state;
	assert_int_equal(ftruncate(s->list, (off_t)in_record(s, ALL_RECORDS, 0) - 1), 0);
	refuses(s, "ends early");
	put(s, RECORD_N, UINT32_MAX);
	refuses(s, "is damaged");
}

static void a_program_without_an_end_is_refused(void **state)
{
	struct stage *s = *state;
	char program[1024];
	memset(program, 'x', sizeof program);
	assert_int_equal(pwrite(s->list, program, sizeof program, PROGRAM), sizeof program);
	refuses(s, "is damaged");
}

static void an_unknown_kind_is_refused(void **state)
{
	put(*state, in_record(*state, LOCK, KIND), 77);
	refuses(*state, "unknown kind 77");
}

/* It gives what we do not know, in a kind of record and in the room of others. */
static void a_newer_minor_version_is_taken_without_what_is_not_known(void **state)
{
	struct stage *s = *state;
	struct handover h;
	char error[HANDOVER_ERROR_BYTES] = "";
	int unknown = dup(0), known = s->h.inherited.locks[0].fd;
	put(s, MAJOR, HANDOVER_MAJOR | (HANDOVER_MINOR + 1) << 16);
	put(s, ROOM, 4711);
	s->h.inherited.board->minor++;
	put(s, in_record(s, SOCKET, s->record_bytes - 8), 4711);
	put(s, in_record(s, LOCK, KIND), 77);
	put(s, in_record(s, LOCK, FD), (uint32_t)unknown);
	assert_true(handover_read(s->list, &h, error));
	assert_int_equal(h.inherited.lock_n, LOCK_DESCRIPTORS - 1);
	assert_int_equal(h.inherited.socket_n, 2);
	assert_int_equal(fcntl(unknown, F_GETFD), -1);
	assert_true(fcntl(known, F_GETFD) >= 0);
	inherited_disown(&h.inherited);
	/* One that has no descriptor says so, or nothing; and what is refused closes nothing. */
	for (int fd = -1; fd <= 0; fd++) {
		put(s, in_record(s, LOCK, FD), (uint32_t)fd);
		assert_true(handover_read(s->list, &h, error));
		assert_true(fcntl(0, F_GETFD) >= 0);
		inherited_disown(&h.inherited);
	}
	unknown = dup(0);
	put(s, in_record(s, LOCK, FD), (uint32_t)unknown);
	put(s, in_record(s, BOARD, FD), UINT32_MAX);
	refuses(s, "has another size");
	assert_true(fcntl(unknown, F_GETFD) >= 0);
	close(unknown);
}

static void a_socket_must_listen(void **state)
{
	struct stage *s = *state;
	put(s, in_record(s, SOCKET, FD), (uint32_t)s->h.inherited.board_fd);
	refuses(s, "is not a listening socket");
	put(s, in_record(s, SOCKET, FD), UINT32_MAX);
	refuses(s, "is not a listening socket");
}

static void a_lock_must_be_open(void **state)
{
	put(*state, in_record(*state, LOCK, FD), 1 << 20);
	refuses(*state, "is not a lock");
}

static void a_process_has_a_pid_and_a_state(void **state)
{
	struct stage *s = *state;
	put(s, in_record(s, PROCESS, PID), 0);
	refuses(s, "does not fit");
	put(s, in_record(s, PROCESS, PID), 12);
	put(s, in_record(s, PROCESS, STATE), PROCESS_RETIRED + 1);
	refuses(s, "does not fit");
	put(s, in_record(s, PROCESS, STATE), PROCESS_NONE);
	refuses(s, "does not fit");
}

static void a_board_has_its_size(void **state)
{
	struct stage *s = *state;
	put(s, in_record(s, BOARD, FD), (uint32_t)s->h.inherited.tickets_fd);
	refuses(s, "has another size");
	put(s, in_record(s, BOARD, FD), UINT32_MAX);
	refuses(s, "has another size");
}

static void what_is_kept_must_be_open(void **state)
{
	put(*state, in_record(*state, KEPT, FD), UINT32_MAX);
	refuses(*state, "is not open");
}

static void a_board_has_its_version(void **state)
{
	struct stage *s = *state;
	s->h.inherited.board->major++;
	refuses(s, "have another version");
	s->h.inherited.board->major--;
	s->h.inherited.tickets->version++;
	refuses(s, "have another version");
}

/* --- over exec --- */

static bool stays(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

static void only_when_it_is_said_all_stays_open(void **state)
{
	struct stage *s = *state;
	const struct inherited *h = &s->h.inherited;
	const int all[] = { s->list,
			    h->board_fd,
			    h->tickets_fd,
			    h->saved_config_fd,
			    h->sockets[0].fd,
			    h->sockets[1].fd,
			    h->locks[0].fd,
			    h->locks[1].fd,
			    s->h.processes.list[2].channel };
	for (int keep = 1; keep >= 0; keep--) {
		handover_keep(&s->h, s->list, keep);
		for (size_t i = 0; i < sizeof all / sizeof *all; i++)
			assert_int_equal(stays(all[i]), keep);
	}
}

#define with_stage(f) cmocka_unit_test_setup_teardown(f, open_stage, close_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_stage(what_is_written_is_read_again),
		with_stage(the_board_is_the_same_memory),
		with_stage(what_no_keeper_wrote_is_refused),
		with_stage(another_format_is_refused),
		with_stage(a_list_that_ends_early_is_refused),
		with_stage(a_program_without_an_end_is_refused),
		with_stage(an_unknown_kind_is_refused),
		with_stage(a_newer_minor_version_is_taken_without_what_is_not_known),
		with_stage(a_socket_must_listen),
		with_stage(a_lock_must_be_open),
		with_stage(what_is_kept_must_be_open),
		with_stage(a_process_has_a_pid_and_a_state),
		with_stage(a_board_has_its_size),
		with_stage(a_board_has_its_version),
		with_stage(only_when_it_is_said_all_stays_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
