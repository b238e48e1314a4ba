#include "control/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/own_file.h"

#define SLOTS 2
#define STATE_FILE "weights"

struct slot {
	char magic[16];
	uint32_t version;
	uint32_t weights[ARMS];
	uint32_t rolled_back; /* 0 or 1 */
	uint64_t epoch;
	uint64_t wall_ns;
	uint64_t checksum; /* XXH3 of all before it */
};
static_assert(sizeof(struct slot) == 56, "the layout on disk has no holes");
static_assert(sizeof(struct state_note) == 32 + 2 * ASKED_TEXT_BYTES, "nor has a note");

/* Behind it, in a sector of its own: who knows no notes reads the slot alone. */
#define NOTE_AT 512
struct noted_slot {
	struct slot slot;
	char blank[NOTE_AT - sizeof(struct slot)];
	struct state_note note;
};
static_assert(sizeof(struct noted_slot) <= STATE_SLOT_BYTES, "it has room in its blocks");

static const char magic[16] = "crossfade state";

static uint64_t checksum(const struct slot *s)
{
	return XXH3_64bits(s, offsetof(struct slot, checksum));
}

static struct slot slot_make(const struct state_values *v)
{
	struct slot s = {
		.version = 1,
		.weights = { v->weights[ARM_SOURCE], v->weights[ARM_TARGET] },
		.rolled_back = v->rolled_back,
		.epoch = v->epoch,
		.wall_ns = v->wall_ns,
	};
	memcpy(s.magic, magic, sizeof magic);
	s.checksum = checksum(&s);
	return s;
}

static bool slot_is_good(const struct slot *s)
{
	return !memcmp(s->magic, magic, sizeof magic) && s->version == 1 &&
	       s->checksum == checksum(s) && s->epoch > 0 && s->rolled_back <= 1 &&
	       s->weights[ARM_SOURCE] <= WEIGHT_MAX && s->weights[ARM_TARGET] <= WEIGHT_MAX &&
	       (s->weights[ARM_SOURCE] || s->weights[ARM_TARGET]);
}

static uint64_t note_checksum(const struct state_note *n)
{
	return XXH3_64bits(n, offsetof(struct state_note, checksum));
}

static bool note_is_good(const struct state_note *n, uint64_t epoch)
{
	return n->epoch == epoch && n->checksum == note_checksum(n) && n->forced <= 1 &&
	       memchr(n->who, 0, sizeof n->who) && memchr(n->why, 0, sizeof n->why);
}

static bool is_blank(const struct slot *s)
{
	static const struct slot blank;
	return !memcmp(s, &blank, sizeof blank);
}

/* Writes every block once: a file system may promise space that it does not have at the first
 * write. */
static bool preallocate(int fd)
{
	static const char zeros[STATE_SLOT_BYTES];
	off_t have = lseek(fd, 0, SEEK_END);
	if (have < 0)
		return false;
	for (off_t at = have / STATE_SLOT_BYTES * STATE_SLOT_BYTES; at < SLOTS * STATE_SLOT_BYTES;
	     at += STATE_SLOT_BYTES) {
		/* A slot that was cut short keeps its beginning: it may be the good one. */
		size_t there = at < have ? (size_t)(have - at) : 0;
		ssize_t n = pwrite(fd, zeros, sizeof zeros - there, at + (off_t)there);
		if (n >= 0 && (size_t)n < sizeof zeros - there)
			errno = ENOSPC;
		if (n < 0 || (size_t)n < sizeof zeros - there)
			return false;
	}
	return have >= SLOTS * STATE_SLOT_BYTES || fsync(fd) == 0;
}

static bool read_slots(struct state *s, struct state_values *kept, bool *damaged)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct noted_slot both = { 0 };
		const struct slot *slot = &both.slot;
		if (pread(s->fd, &both, sizeof both, i * STATE_SLOT_BYTES) < 0)
			return false;
		*damaged |= !is_blank(slot) && !slot_is_good(slot);
		if (!slot_is_good(slot) || slot->epoch <= kept->epoch)
			continue;
		*kept = (struct state_values){ slot->epoch,
					       { slot->weights[0], slot->weights[1] },
					       slot->wall_ns,
					       slot->rolled_back };
		s->next = 1 - i;
		s->note = both.note;
		if (!note_is_good(&s->note, slot->epoch))
			s->note.epoch = 0;
	}
	*damaged &= kept->epoch == 0;
	return true;
}

/* A file system that was made one to read says EROFS; a file that is another user's, EACCES. */
static bool open_file(struct state *s, const char *directory)
{
	s->fd = own_file_open_in(directory, STATE_FILE, O_RDWR | O_CREAT, 0600);
	if (s->fd >= 0 || (errno != EROFS && errno != EACCES && errno != EPERM))
		return s->fd >= 0;
	int why = errno;
	s->fd = own_file_open_in(directory, STATE_FILE, O_RDONLY, 0);
	s->sealed = why;
	errno = why;
	return s->fd >= 0;
}

bool state_open(struct state *s, const char *directory, struct state_values *kept, bool *damaged)
{
	*s = (struct state){ .fd = -1 };
	*kept = (struct state_values){ 0 };
	*damaged = false;
	if (!open_file(s, directory))
		return false;
	if ((s->sealed || (preallocate(s->fd) && own_directory_sync(directory))) &&
	    read_slots(s, kept, damaged))
		return true;
	int why = errno;
	state_close(s);
	errno = why;
	return false;
}

void state_peek(const char *directory, struct state_values *kept, struct state_note *note,
		bool *damaged)
{
	struct state s = { .fd = own_file_open_in(directory, STATE_FILE, O_RDONLY, 0) };
	*kept = (struct state_values){ 0 };
	*damaged = false;
	if (s.fd >= 0)
		read_slots(&s, kept, damaged);
	*note = s.note;
	state_close(&s);
}

void state_close(struct state *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static bool write_slot(struct state *s, const struct noted_slot *both)
{
	ssize_t n = pwrite(s->fd, both, sizeof *both, s->next * STATE_SLOT_BYTES);
	if (n >= 0 && n < (ssize_t)sizeof *both)
		errno = EIO;
	if (n == (ssize_t)sizeof *both && fdatasync(s->fd) == 0) {
		s->next = 1 - s->next;
		return true;
	}
	/* What was refused must not come back after a restart, should it have reached the disk. */
	static const struct slot blank;
	int why = errno;
	(void)!pwrite(s->fd, &blank, sizeof blank, s->next * STATE_SLOT_BYTES);
	errno = why;
	return false;
}

bool state_save_noted(struct state *s, const struct state_values *v, const struct state_note *n)
{
	struct noted_slot both = { .slot = slot_make(v) };
	if (s->sealed) {
		errno = s->sealed;
		return false;
	}
	both.note = *n;
	both.note.checksum = note_checksum(&both.note);
	return write_slot(s, &both);
}

bool state_save(struct state *s, const struct state_values *v)
{
	return state_save_noted(s, v, &(struct state_note){ 0 });
}
