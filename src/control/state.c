#include "control/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/least.h"
#include "io/own_file.h"

#define SLOTS 2
#define STATE_FILE "weights"

/* In all versions from 2 on, magic, version, epoch and checksum have these places. */
struct slot {
	char magic[16];
	uint16_t major, minor;
	uint32_t weights[ARMS];
	uint32_t rolled_back; /* 0 or 1 */
	uint64_t epoch;
	uint64_t wall_ns;
	uint32_t owner; /* enum arm */
	uint32_t phase; /* enum board_phase */
	uint64_t since;
	uint64_t room[STATE_ROOM];
	uint64_t checksum; /* XXH3 of all before it */
};

/* Version 1 ended here, with its checksum. */
#define SLOT_1_BYTES offsetof(struct slot, owner)

/* The note follows the slot in a sector of its own: a version without notes reads the slot only. */
#define NOTE_AT 512
struct noted_slot {
	struct slot slot;
	struct state_note note;
};
static_assert(sizeof(struct slot) == NOTE_AT, "a slot is one sector");
static_assert(SLOT_1_BYTES == 48, "the layout on disk has no holes");
static_assert(sizeof(struct state_note) == 32 + 2 * ADMIN_BODY_TEXT_BYTES,
	      "a note on disk has no holes");
static_assert(sizeof(struct noted_slot) <= STATE_SLOT_BYTES, "a slot with its note fits its block");

static const char magic[16] = "crossfade state";

static uint64_t slot_checksum(const struct slot *s)
{
	return XXH3_64bits(s, offsetof(struct slot, checksum));
}

static struct slot slot_make(const struct state *of, const struct state_values *v)
{
	struct slot s = {
		.major = STATE_MAJOR,
		.minor = of->minor,
		.weights = { v->weights[ARM_SOURCE], v->weights[ARM_TARGET] },
		.rolled_back = v->rolled_back,
		.epoch = v->epoch,
		.wall_ns = v->wall_ns,
		.owner = v->owner,
		.phase = v->phase,
		.since = v->since,
	};
	memcpy(s.magic, magic, sizeof magic);
	memcpy(s.room, of->room, sizeof s.room);
	s.checksum = slot_checksum(&s);
	return s;
}

/* --- reading --- */

/* Converts a slot of version 1 to the present version. */
static void slot_renew(struct slot *s)
{
	uint64_t sum;
	memcpy(&sum, (const char *)s + SLOT_1_BYTES, sizeof sum);
	if (memcmp(s->magic, magic, sizeof magic) != 0 || s->major != 1 || s->minor ||
	    sum != XXH3_64bits(s, SLOT_1_BYTES))
		return;
	memset((char *)s + SLOT_1_BYTES, 0, sizeof *s - SLOT_1_BYTES);
	s->major = STATE_MAJOR;
	s->checksum = slot_checksum(s);
}

static bool slot_is_whole(const struct slot *s)
{
	return !memcmp(s->magic, magic, sizeof magic) && s->major >= STATE_MAJOR &&
	       s->checksum == slot_checksum(s) && s->epoch > 0;
}

static bool slot_is_good(const struct slot *s)
{
	return slot_is_whole(s) && s->major == STATE_MAJOR && s->rolled_back <= 1 &&
	       s->weights[ARM_SOURCE] <= WEIGHT_MAX && s->weights[ARM_TARGET] <= WEIGHT_MAX &&
	       (s->weights[ARM_SOURCE] || s->weights[ARM_TARGET]) && s->owner < ARMS &&
	       s->since <= s->epoch;
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

static bool slot_is_blank(const struct slot *s)
{
	static const struct slot blank;
	return !memcmp(s, &blank, sizeof blank);
}

/*
 * Writes every block once: a file system may promise space that it does not have at the first
 * write.
 */
static bool state_preallocate(int fd)
{
	static const char zeros[STATE_SLOT_BYTES];
	off_t have = lseek(fd, 0, SEEK_END);
	if (have < 0)
		return false;
	for (off_t at = have / STATE_SLOT_BYTES * STATE_SLOT_BYTES; at < SLOTS * STATE_SLOT_BYTES;
	     at += STATE_SLOT_BYTES) {
		/* A slot that was cut short keeps its beginning, which may be the valid one. */
		size_t there = at < have ? (size_t)(have - at) : 0;
		ssize_t n = pwrite(fd, zeros, sizeof zeros - there, at + (off_t)there);
		if (n >= 0 && (size_t)n < sizeof zeros - there)
			errno = ENOSPC;
		if (n < 0 || (size_t)n < sizeof zeros - there)
			return false;
	}
	return have >= SLOTS * STATE_SLOT_BYTES || fsync(fd) == 0;
}

static void state_take_slot(struct state *s, struct state_values *kept,
			    const struct noted_slot *from)
{
	const struct slot *slot = &from->slot;
	*kept = (struct state_values){ .epoch = slot->epoch,
				       .weights = { slot->weights[0], slot->weights[1] },
				       .wall_ns = slot->wall_ns,
				       .rolled_back = slot->rolled_back,
				       .owner = (enum arm)slot->owner,
				       .since = slot->since,
				       .phase = (enum board_phase)slot->phase };
	s->minor = slot->minor > STATE_MINOR ? slot->minor : STATE_MINOR;
	memcpy(s->room, slot->room, sizeof s->room);
	s->note = from->note;
	if (!note_is_good(&s->note, slot->epoch))
		s->note.epoch = 0;
}

/* If the newest slot is of a newer major version, the values of the other slot are outdated. */
static bool state_read_slots(struct state *s, struct state_values *kept,
			     enum state_trouble *trouble)
{
	bool damaged = false;
	uint64_t newer = 0;
	s->minor = STATE_MINOR;
	for (unsigned i = 0; i < SLOTS; i++) {
		struct noted_slot both = { 0 };
		struct slot *slot = &both.slot;
		if (pread(s->fd, &both, sizeof both, i * STATE_SLOT_BYTES) < 0)
			return false;
		slot_renew(slot);
		if (slot_is_whole(slot) && slot->major > STATE_MAJOR)
			newer = most(newer, slot->epoch);
		else if (!slot_is_good(slot))
			damaged |= !slot_is_blank(slot);
		else if (slot->epoch > kept->epoch) {
			state_take_slot(s, kept, &both);
			s->next = 1 - i;
		}
	}
	*trouble = damaged && !kept->epoch ? STATE_DAMAGED : STATE_FINE;
	if (newer > kept->epoch) {
		*kept = (struct state_values){ 0 };
		s->note.epoch = 0;
		s->sealed = s->sealed ? s->sealed : EPROTONOSUPPORT;
		*trouble = STATE_NEWER;
	}
	return true;
}

const char *state_trouble_text(enum state_trouble trouble)
{
	switch (trouble) {
	case STATE_FINE:
		return NULL;
	case STATE_DAMAGED:
		return "the file is damaged";
	case STATE_NEWER:
		return "a newer version of crossfade wrote the file: start that version, or move "
		       "the file away";
	}
	return NULL;
}

/* EROFS: the file system became read-only; EACCES: the file belongs to another user. */
static bool state_open_file(struct state *s, const char *directory)
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

bool state_open(struct state *s, const char *directory, struct state_values *kept,
		enum state_trouble *trouble)
{
	*s = (struct state){ .fd = -1 };
	*kept = (struct state_values){ 0 };
	*trouble = STATE_FINE;
	if (!state_open_file(s, directory))
		return false;
	if ((s->sealed || (state_preallocate(s->fd) && own_directory_sync(directory))) &&
	    state_read_slots(s, kept, trouble)) {
		/*
		 * What was read will be published. A killed process may have left it in the page
		 * cache only: so it is synced first.
		 */
		if (!s->sealed && fdatasync(s->fd) < 0)
			s->sealed = errno;
		return true;
	}
	int why = errno;
	state_close(s);
	errno = why;
	return false;
}

void state_peek(const char *directory, struct state_values *kept, struct state_note *note,
		enum state_trouble *trouble)
{
	struct state s = { .fd = own_file_open_in(directory, STATE_FILE, O_RDONLY, 0) };
	*kept = (struct state_values){ 0 };
	*trouble = STATE_FINE;
	if (s.fd >= 0)
		state_read_slots(&s, kept, trouble);
	*note = s.note;
	state_close(&s);
}

void state_close(struct state *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static bool state_write_slot(struct state *s, const struct noted_slot *both)
{
	ssize_t n = pwrite(s->fd, both, sizeof *both, s->next * STATE_SLOT_BYTES);
	if (n >= 0 && n < (ssize_t)sizeof *both)
		errno = EIO;
	if (n == (ssize_t)sizeof *both && fdatasync(s->fd) == 0) {
		s->next = 1 - s->next;
		return true;
	}
	/*
	 * If the refused slot has reached the disk after all, it must not be used after a restart:
	 * it is overwritten.
	 */
	static const struct slot blank;
	int why = errno;
	(void)!pwrite(s->fd, &blank, sizeof blank, s->next * STATE_SLOT_BYTES);
	errno = why;
	return false;
}

bool state_save_noted(struct state *s, const struct state_values *v, const struct state_note *n)
{
	struct noted_slot both = { .slot = slot_make(s, v) };
	if (s->sealed) {
		errno = s->sealed;
		return false;
	}
	both.note = *n;
	both.note.checksum = note_checksum(&both.note);
	return state_write_slot(s, &both);
}

bool state_save(struct state *s, const struct state_values *v)
{
	return state_save_noted(s, v, &(struct state_note){ 0 });
}
