#include "unit/control/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "control/audit.h"
#include "control/audit_look.h"
#include "control/state.h"

#include <xxhash.h>

#define FILE_BYTES (2 * STATE_SLOT_BYTES)

/* Where members of a slot stand. */
enum { VERSION = 16, EPOCH = 32, SUM_1 = 48, ROOM = 64, SUM = 504, SLOT_BYTES = 512 };

struct place {
	char directory[64], file[96];
};

static void place_open(struct place *p)
{
	kit_directory(p->directory);
	snprintf(p->file, sizeof p->file, "%s/weights", p->directory);
}

static struct state_values values(uint64_t epoch)
{
	return (struct state_values){ .epoch = epoch,
				      .weights = { (uint32_t)epoch % 900, 3 },
				      .wall_ns = 1000 * epoch,
				      .rolled_back = epoch % 2,
				      .owner = epoch % 3 ? ARM_TARGET : ARM_SOURCE,
				      .since = epoch / 2,
				      .phase = epoch % 4 ? BOARD_PHASE_OPEN : BOARD_PHASE_HOLD };
}

static void assert_same(const struct state_values *a, const struct state_values *b)
{
	assert_int_equal(a->epoch, b->epoch);
	assert_memory_equal(a->weights, b->weights, sizeof a->weights);
	assert_int_equal(a->wall_ns, b->wall_ns);
	assert_int_equal(a->rolled_back, b->rolled_back);
	assert_int_equal(a->owner, b->owner);
	assert_int_equal(a->since, b->since);
	assert_int_equal(a->phase, b->phase);
}

/* What a process that starts now would find. */
static struct state_values kept(const struct place *p, enum state_trouble *trouble)
{
	struct state s;
	struct state_values v;
	assert_true(state_open(&s, p->directory, &v, trouble));
	state_close(&s);
	return v;
}

static void read_file(const struct place *p, uint8_t bytes[FILE_BYTES])
{
	FILE *f = fopen(p->file, "r");
	assert_int_equal(fread(bytes, 1, FILE_BYTES, f), FILE_BYTES);
	fclose(f);
}

static void write_file(const struct place *p, const uint8_t *bytes, size_t n)
{
	FILE *f = fopen(p->file, "w");
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void a_note_is_kept_with_its_weights_and_only_whole(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_note seen, note = { .epoch = 7, .from = { 1, 2 }, .who = "a", .why = "b" };
	struct state_values v = values(7);
	uint8_t bytes[FILE_BYTES];
	enum state_trouble trouble;
	place_open(&p);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	assert_int_equal(s.note.epoch, 0);
	v = values(7);
	assert_true(state_save_noted(&s, &v, &note));
	state_close(&s);
	state_peek(p.directory, &v, &seen, &trouble);
	assert_int_equal(seen.epoch, 7);
	assert_int_equal(seen.from[ARM_TARGET], 2);
	assert_string_equal(seen.who, "a");
	assert_string_equal(seen.why, "b");
	/* A write that is torn behind the weights leaves these. */
	read_file(&p, bytes);
	for (size_t i = SLOT_BYTES; i < STATE_SLOT_BYTES; i++)
		bytes[i] = 0;
	write_file(&p, bytes, sizeof bytes);
	state_peek(p.directory, &v, &seen, &trouble);
	assert_int_equal(v.epoch, 7);
	assert_int_equal(seen.epoch, 0);
	kit_remove(p.directory);
}

static void what_was_saved_last_is_kept(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	place_open(&p);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	assert_int_equal(v.epoch, 0);
	assert_int_equal(trouble, STATE_FINE);
	for (uint64_t epoch = 1; epoch < 10; epoch++) {
		v = values(epoch);
		assert_true(state_save(&s, &v));
		struct state_values now = kept(&p, &trouble);
		assert_same(&now, &v);
	}
	state_close(&s);
	kit_remove(p.directory);
}

/* The write of epoch 8 is cut after each number of its bytes. */
static void a_torn_write_leaves_the_one_before_it(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	uint8_t before[FILE_BYTES], after[FILE_BYTES], torn[FILE_BYTES];
	place_open(&p);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	for (uint64_t epoch = 6; epoch <= 7; epoch++) {
		v = values(epoch);
		assert_true(state_save(&s, &v));
	}
	read_file(&p, before);
	v = values(8);
	assert_true(state_save(&s, &v));
	state_close(&s);
	read_file(&p, after);
	unsigned at_8 = 0;
	for (size_t n = 0; n <= FILE_BYTES; n++) {
		memcpy(torn, before, sizeof torn);
		memcpy(torn, after, n);
		/* Beyond the slots all is the same. */
		if (n > SLOT_BYTES && n < STATE_SLOT_BYTES)
			continue;
		write_file(&p, torn, sizeof torn);
		uint64_t epoch = kept(&p, &trouble).epoch;
		assert_true(epoch == 7 || epoch == 8);
		assert_int_equal(trouble, STATE_FINE);
		at_8 += epoch == 8;
	}
	assert_true(at_8 > 0);
	/* And the other way round, for a disk that writes backwards. */
	for (size_t n = 0; n <= SLOT_BYTES; n++) {
		memcpy(torn, after, sizeof torn);
		memcpy(torn, before, n);
		write_file(&p, torn, sizeof torn);
		uint64_t epoch = kept(&p, &trouble).epoch;
		assert_true(epoch == 7 || epoch == 8);
	}
	kit_remove(p.directory);
}

static void each_flipped_byte_of_a_slot_is_seen(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	uint8_t whole[FILE_BYTES], bad[FILE_BYTES];
	place_open(&p);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	v = values(5);
	assert_true(state_save(&s, &v));
	state_close(&s);
	read_file(&p, whole);
	for (size_t i = 0; i < SLOT_BYTES; i++) {
		memcpy(bad, whole, sizeof bad);
		bad[i] ^= 0x40;
		write_file(&p, bad, sizeof bad);
		assert_int_equal(kept(&p, &trouble).epoch, 0);
		assert_int_equal(trouble, STATE_DAMAGED);
	}
	kit_remove(p.directory);
}

static void a_file_that_was_cut_short_is_made_whole(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	uint8_t whole[FILE_BYTES];
	place_open(&p);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	v = values(5);
	assert_true(state_save(&s, &v));
	state_close(&s);
	read_file(&p, whole);
	write_file(&p, whole, SLOT_BYTES + 100);
	assert_int_equal(kept(&p, &trouble).epoch, 5);
	struct stat st;
	assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(st.st_size, FILE_BYTES);
	assert_int_equal(st.st_mode & 0777, 0600);
	kit_remove(p.directory);
}

static void what_could_not_be_saved_does_not_come_back(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	place_open(&p);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	v = values(1);
	assert_true(state_save(&s, &v));
	int good = s.fd;
	s.fd = open(p.file, O_RDONLY | O_CLOEXEC);
	v = values(2);
	assert_false(state_save(&s, &v));
	assert_int_equal(kept(&p, &trouble).epoch, 1);
	close(s.fd);
	s.fd = good;
	v = values(3);
	assert_true(state_save(&s, &v));
	assert_int_equal(kept(&p, &trouble).epoch, 3);
	state_close(&s);
	kit_remove(p.directory);
}

/* --- versions --- */

static void seal(uint8_t *slot, size_t sum)
{
	uint64_t checksum = XXH3_64bits(slot, sum);
	memcpy(slot + sum, &checksum, sizeof checksum);
}

/* A file with the epochs 6 and 7, whose slots may be changed. */
static void keep_two(struct place *p, uint8_t bytes[FILE_BYTES])
{
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	place_open(p);
	assert_true(state_open(&s, p->directory, &v, &trouble));
	for (uint64_t epoch = 6; epoch <= 7; epoch++) {
		struct state_note note = { .epoch = epoch, .who = "before" };
		v = values(epoch);
		assert_true(state_save_noted(&s, &v, &note));
	}
	state_close(&s);
	read_file(p, bytes);
}

static uint8_t *slot_of(uint8_t bytes[FILE_BYTES], uint64_t epoch)
{
	uint64_t first;
	memcpy(&first, bytes + EPOCH, sizeof first);
	return bytes + (first == epoch ? 0 : STATE_SLOT_BYTES);
}

static void make_old(uint8_t *slot)
{
	const uint32_t version = 1;
	memcpy(slot + VERSION, &version, sizeof version);
	seal(slot, SUM_1);
	memset(slot + SUM_1 + 8, 0, SLOT_BYTES - SUM_1 - 8);
}

static void a_file_of_version_1_is_read_and_has_the_source_as_owner(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v, expected = values(7);
	enum state_trouble trouble;
	uint8_t bytes[FILE_BYTES];
	keep_two(&p, bytes);
	make_old(slot_of(bytes, 6));
	make_old(slot_of(bytes, 7));
	write_file(&p, bytes, sizeof bytes);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	expected.owner = ARM_SOURCE;
	expected.since = 0;
	expected.phase = BOARD_PHASE_OPEN;
	assert_same(&v, &expected);
	assert_int_equal(s.note.epoch, 7);
	assert_string_equal(s.note.who, "before");
	/* What is saved next stands beside one of version 1. */
	v = values(8);
	assert_true(state_save(&s, &v));
	state_close(&s);
	v = kept(&p, &trouble);
	expected = values(8);
	assert_same(&v, &expected);
	assert_int_equal(trouble, STATE_FINE);
	/* And of such a slot each byte counts, too. */
	uint8_t *slot = slot_of(bytes, 7);
	for (size_t i = 0; i < SUM_1 + 8; i++) {
		slot[i] ^= 0x40;
		write_file(&p, bytes, sizeof bytes);
		assert_int_equal(kept(&p, &trouble).epoch, 6);
		slot[i] ^= 0x40;
	}
	kit_remove(p.directory);
}

static void what_a_newer_minor_version_keeps_is_saved_again(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v, expected = values(7);
	enum state_trouble trouble;
	uint8_t bytes[FILE_BYTES], more[FILE_BYTES], *slot;
	const uint16_t minor = STATE_MINOR + 1;
	keep_two(&p, bytes);
	slot = slot_of(bytes, 7);
	memcpy(slot + VERSION + 2, &minor, sizeof minor);
	for (size_t i = ROOM; i < SUM; i++)
		slot[i] = (uint8_t)i;
	seal(slot, SUM);
	write_file(&p, bytes, sizeof bytes);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	assert_same(&v, &expected);
	for (uint64_t epoch = 8; epoch < 10; epoch++) {
		v = values(epoch);
		assert_true(state_save(&s, &v));
		read_file(&p, more);
		assert_memory_equal(slot_of(more, epoch) + ROOM, slot + ROOM, SUM - ROOM);
		assert_memory_equal(slot_of(more, epoch) + VERSION, slot + VERSION, 4);
	}
	state_close(&s);
	kit_remove(p.directory);
}

static void a_newer_major_version_is_left_alone(void **state)
{
	(void)state;
	struct place p;
	struct state s;
	struct state_values v;
	struct state_note note;
	enum state_trouble trouble;
	uint8_t bytes[FILE_BYTES], after[FILE_BYTES];
	const uint16_t major = STATE_MAJOR + 1;
	keep_two(&p, bytes);
	memcpy(slot_of(bytes, 7) + VERSION, &major, sizeof major);
	seal(slot_of(bytes, 7), SUM);
	write_file(&p, bytes, sizeof bytes);
	assert_true(state_open(&s, p.directory, &v, &trouble));
	assert_int_equal(trouble, STATE_NEWER);
	assert_int_equal(v.epoch, 0);
	v = values(8);
	assert_false(state_save(&s, &v));
	assert_int_equal(errno, EPROTONOSUPPORT);
	state_close(&s);
	state_peek(p.directory, &v, &note, &trouble);
	assert_int_equal(trouble, STATE_NEWER);
	assert_int_equal(note.epoch, 0);
	read_file(&p, after);
	assert_memory_equal(after, bytes, sizeof bytes);
	assert_non_null(strstr(state_trouble_text(trouble), "start that version"));
	/* One whose checksum is wrong is no version at all; one that was overtaken is the past. */
	slot_of(bytes, 7)[ROOM]++;
	write_file(&p, bytes, sizeof bytes);
	assert_int_equal(kept(&p, &trouble).epoch, 6);
	assert_int_equal(trouble, STATE_FINE);
	keep_two(&p, bytes);
	memcpy(slot_of(bytes, 6) + VERSION, &major, sizeof major);
	seal(slot_of(bytes, 6), SUM);
	write_file(&p, bytes, sizeof bytes);
	assert_int_equal(kept(&p, &trouble).epoch, 7);
	assert_int_equal(trouble, STATE_FINE);
	kit_remove(p.directory);
}

/* --- the audit --- */

static void the_audit_log_has_a_line_for_each_change(void **state)
{
	(void)state;
	struct place p;
	struct audit a;
	place_open(&p);
	assert_true(audit_open(&a, p.directory));
	struct audit_entry e = { .who = "alice",
				 .why = "canary \"1\"",
				 .from = { .epoch = 6, .weights = { 1, 0 } },
				 .to = { .epoch = 7, .weights = { 9, 1 } },
				 .saved = true };
	assert_true(audit_append(&a, &e));
	e.why = NULL;
	e.saved = false;
	assert_true(audit_append(&a, &e));
	e.who = "a\xffz";
	assert_true(audit_append(&a, &e));
	audit_close(&a);
	assert_string_equal(
		kit_read(p.directory, "audit.jsonl"),
		"{\"when\":\"1970-01-01T00:00:00.000Z\",\"who\":\"alice\",\"from\":{\"source\":1,"
		"\"target\":0},\"to\":{\"source\":9,\"target\":1},\"epoch\":7,\"why\":\"canary "
		"\\\"1\\\"\","
		"\"saved\":true,\"rollback\":false}\n"
		"{\"when\":\"1970-01-01T00:00:00.000Z\",\"who\":\"alice\",\"from\":{\"source\":1,"
		"\"target\":0},\"to\":{\"source\":9,\"target\":1},\"epoch\":7,\"why\":null,"
		"\"saved\":false,\"rollback\":false}\n"
		"{\"when\":\"1970-01-01T00:00:00.000Z\",\"who\":\"a\\\\xffz\",\"from\":{"
		"\"source\":1,\"target\":0},\"to\":{\"source\":9,\"target\":1},\"epoch\":7,"
		"\"why\":null,\"saved\":false,\"rollback\":false}\n");
	kit_remove(p.directory);
}

/* Drains, and a line that was torn, are behind the last change. */
static void the_audit_knows_the_last_change(void **state)
{
	(void)state;
	struct place p;
	struct audit a;
	struct audit_seen seen;
	place_open(&p);
	int directory = open(p.directory, O_RDONLY | O_DIRECTORY);
	audit_look(directory, &seen);
	assert_int_equal(seen.last.epoch, 0);
	assert_true(audit_open(&a, p.directory));
	for (uint64_t epoch = 2; epoch < 5; epoch++)
		assert_true(audit_append(
			&a, &(struct audit_entry){ .who = "alice", .to = { epoch, { 1, 9 } } }));
	audit_look(directory, &seen);
	assert_false(seen.drains);
	assert_true(audit_append_drain(
		&a, &(struct audit_drain){ .who = "a", .node = "n", .drain = true }));
	assert_int_equal(write(a.fd, "{\"epoch\":9,\"to\":{\"sour", 20), 20);
	audit_look(directory, &seen);
	assert_int_equal(seen.last.epoch, 4);
	assert_int_equal(seen.last.weights[ARM_TARGET], 9);
	assert_false(seen.last.rolled_back);
	assert_true(seen.drains);
	audit_close(&a);
	close(directory);
	kit_remove(p.directory);
}

/* A limit on the size of files stands for a disk that fills up in the midst of a line. */
static void a_line_that_did_not_fit_leaves_nothing_of_itself(void **state)
{
	(void)state;
	struct place p;
	struct audit a;
	struct rlimit before, small;
	place_open(&p);
	assert_true(audit_open(&a, p.directory));
	struct audit_entry e = {
		.who = "alice",
		.from = { .epoch = 6, .weights = { 1, 0 } },
		.to = { .epoch = 7, .weights = { 9, 1 } },
		.saved = true,
	};
	assert_true(audit_append(&a, &e));
	char *whole = strdup(kit_read(p.directory, "audit.jsonl"));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = strlen(whole) + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_false(audit_append(&a, &e));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_string_equal(kit_read(p.directory, "audit.jsonl"), whole);
	assert_true(audit_append(&a, &e));
	assert_int_equal(strlen(kit_read(p.directory, "audit.jsonl")), 2 * strlen(whole));
	free(whole);
	audit_close(&a);
	kit_remove(p.directory);
}

/* As after a power cut: what is torn is lost, and what follows is not. */
static void a_torn_last_line_does_not_take_the_next_one_along(void **state)
{
	(void)state;
	struct place p;
	struct audit a;
	struct audit_seen seen;
	place_open(&p);
	int directory = open(p.directory, O_RDONLY | O_DIRECTORY);
	const struct audit_entry e = { .who = "alice", .to = { 7, { 1, 9 } } };
	for (int opened = 0; opened < 2; opened++) {
		assert_true(audit_open(&a, p.directory));
		assert_int_equal(write(a.fd, "{\"epoch\":9,", 11), 11);
		if (opened) {
			audit_close(&a);
			assert_true(audit_open(&a, p.directory));
			const char *text = kit_read(p.directory, "audit.jsonl");
			assert_int_equal(text[strlen(text) - 1], '\n');
		}
		assert_true(audit_append(&a, &e));
		audit_close(&a);
		assert_non_null(strstr(kit_read(p.directory, "audit.jsonl"), "9,\n{\"when\""));
		audit_look(directory, &seen);
		assert_int_equal(seen.last.epoch, 7);
		assert_int_equal(unlinkat(directory, "audit.jsonl", 0), 0);
	}
	close(directory);
	kit_remove(p.directory);
}

static void an_audit_that_is_moved_or_removed_goes_on_under_its_name(void **state)
{
	(void)state;
	struct place p;
	struct audit a;
	struct audit_seen seen;
	place_open(&p);
	int directory = open(p.directory, O_RDONLY | O_DIRECTORY);
	struct audit_entry e = { .who = "alice", .to = { 7, { 1, 9 } } };
	assert_true(audit_open(&a, p.directory));
	assert_true(audit_append(&a, &e));
	assert_int_equal(renameat(directory, "audit.jsonl", directory, "audit.old"), 0);
	e.to.epoch = 8;
	assert_true(audit_append(&a, &e));
	assert_null(strstr(kit_read(p.directory, "audit.old"), "\"epoch\":8"));
	audit_look(directory, &seen);
	assert_int_equal(seen.last.epoch, 8);
	assert_int_equal(unlinkat(directory, "audit.jsonl", 0), 0);
	assert_true(audit_has_room(&a));
	assert_int_equal(faccessat(directory, "audit.jsonl", F_OK, 0), 0);
	assert_int_equal(unlinkat(directory, "audit.jsonl", 0), 0);
	assert_int_equal(mkdirat(directory, "audit.jsonl", 0700), 0);
	assert_false(audit_has_room(&a));
	assert_false(audit_append(&a, &e));
	assert_int_equal(unlinkat(directory, "audit.jsonl", AT_REMOVEDIR), 0);
	assert_true(audit_append(&a, &e));
	audit_close(&a);
	close(directory);
	kit_remove(p.directory);
}

#define LINE(epoch) "{\"when\":\"x\",\"to\":{\"source\":1,\"target\":9},\"epoch\":" #epoch "}\n"

static void an_audit_that_has_lost_something_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *text; /* NULL: it is not there */
		size_t n;	  /* 0: as long as the text */
		uint64_t epoch;
		const char *trouble; /* NULL: none */
	} rows[] = {
		{ NULL, 0, 0, NULL },
		{ NULL, 0, 1, "a new one begins" },
		{ "", 0, 1, NULL },
		{ "", 0, 2, "no change after epoch 0" },
		{ LINE(2) LINE(3), 0, 3, NULL },
		{ LINE(2) LINE(3), 0, 5, "no change after epoch 3" },
		/* As a power cut leaves it, ended or not. */
		{ LINE(2) "{\"when\":\"20\n" LINE(3), 0, 3, NULL },
		{ LINE(2) "{\"wh", 0, 2, NULL },
		{ "\0\0\0\0", 4, 1, "1 of its lines are damaged" },
		{ "xxxx\nxxx", 0, 1, "2 of its lines are damaged" },
		{ "xxxx\n" LINE(2), 0, 2, "1 of its lines are damaged" },
		{ "{\"when\":\"\0\0\n", 12, 1, "1 of its lines are damaged" },
		{ "[1]\n", 0, 1, "1 of its lines are damaged" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct place p;
		struct audit_seen seen;
		char text[AUDIT_TROUBLE_BYTES] = "";
		place_open(&p);
		int directory = open(p.directory, O_RDONLY | O_DIRECTORY);
		if (rows[i].text) {
			int fd = openat(directory, AUDIT_FILE, O_CREAT | O_WRONLY, 0600);
			size_t n = rows[i].n ? rows[i].n : strlen(rows[i].text);
			assert_int_equal(write(fd, rows[i].text, n), n);
			close(fd);
		}
		audit_look(directory, &seen);
		assert_int_equal(audit_trouble(&seen, rows[i].epoch, text),
				 rows[i].trouble != NULL);
		if (rows[i].trouble)
			assert_non_null(strstr(text, rows[i].trouble));
		close(directory);
		kit_remove(p.directory);
	}
}

/* Of a long one the end is read, from the midst of a line on. */
static void the_end_of_a_long_audit_is_read(void **state)
{
	(void)state;
	struct place p;
	struct audit_seen seen;
	char text[AUDIT_TROUBLE_BYTES];
	place_open(&p);
	int directory = open(p.directory, O_RDONLY | O_DIRECTORY);
	int fd = openat(directory, AUDIT_FILE, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "xxxx\n", 5), 5);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(write(fd, LINE(7), sizeof LINE(7) - 1), sizeof LINE(7) - 1);
	close(fd);
	audit_look(directory, &seen);
	assert_int_equal(seen.last.epoch, 7);
	assert_false(audit_trouble(&seen, 7, text));
	close(directory);
	kit_remove(p.directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_is_kept_with_its_weights_and_only_whole),
		cmocka_unit_test(what_was_saved_last_is_kept),
		cmocka_unit_test(a_torn_write_leaves_the_one_before_it),
		cmocka_unit_test(each_flipped_byte_of_a_slot_is_seen),
		cmocka_unit_test(a_file_that_was_cut_short_is_made_whole),
		cmocka_unit_test(what_could_not_be_saved_does_not_come_back),
		cmocka_unit_test(a_file_of_version_1_is_read_and_has_the_source_as_owner),
		cmocka_unit_test(what_a_newer_minor_version_keeps_is_saved_again),
		cmocka_unit_test(a_newer_major_version_is_left_alone),
		cmocka_unit_test(the_audit_log_has_a_line_for_each_change),
		cmocka_unit_test(the_audit_knows_the_last_change),
		cmocka_unit_test(an_audit_that_has_lost_something_is_told),
		cmocka_unit_test(the_end_of_a_long_audit_is_read),
		cmocka_unit_test(a_line_that_did_not_fit_leaves_nothing_of_itself),
		cmocka_unit_test(a_torn_last_line_does_not_take_the_next_one_along),
		cmocka_unit_test(an_audit_that_is_moved_or_removed_goes_on_under_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
