#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

/*
 * The weights and the owner of the writes, on disk. The file has two slots, which are overwritten
 * in turns and synced: a torn write leaves the other slot intact. The blocks of the file are
 * allocated when it is made, so that a rollback can be saved on a full disk.
 *
 * Versions work as for the board (proxy/board.h). A slot of a newer minor version is read, and the
 * contents of its `room` are saved again. A slot of a newer major version is not touched. Slots of
 * version 1 have no owner: the owner is the source, and always was.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/admin_body.h"
#include "proxy/board.h"

#define STATE_MAJOR 2
#define STATE_MINOR 0
#define STATE_ROOM 55 /* words */

/* The slots are far enough apart that no sector and no page has parts of both. */
#define STATE_SLOT_BYTES 4096

struct state_values {
	uint64_t epoch; /* 0: there are no values */
	uint32_t weights[ARMS];
	uint64_t wall_ns; /* the time of the change */
	bool rolled_back; /* the change was a rollback */
	enum arm owner;	  /* of the writes */
	uint64_t since;	  /* the epoch of the change to that owner; 0: there was none */
	/*
	 * Saved before writes are held. The log may then know epochs after this one that the state
	 * does not: those of a hold that ended without a change of owner. A process that starts
	 * holds no writes.
	 */
	enum board_phase phase;
};

/* Why a file that is not empty has no slot that can be used. */
enum state_trouble {
	STATE_FINE, /* it has a usable slot, or is empty */
	STATE_DAMAGED,
	STATE_NEWER, /* of a newer major version: never written to */
};

/*
 * The audit line of a change, kept with its weights. A process may be killed after it has saved the
 * weights and before it has written the line: without this note a change that is in force would
 * have no line.
 */
struct state_note {
	uint64_t epoch; /* of the change; 0: there is no note */
	uint32_t from[ARMS];
	uint64_t forced; /* 0 or 1 */
	char who[ADMIN_BODY_TEXT_BYTES],
		why[ADMIN_BODY_TEXT_BYTES]; /* why: "" when no reason was given */
	uint64_t checksum;		    /* XXH3 of all before it */
};

struct state {
	int fd;
	unsigned next; /* the slot to overwrite: never the newest valid one */
	/*
	 * Why the file is only read: errno of opening it for writing, or EPROTONOSUPPORT for
	 * STATE_NEWER. 0: it can be written.
	 */
	int sealed;
	struct state_note note;	   /* of the values that state_open() has found */
	uint16_t minor;		   /* of that slot; ours, where ours is newer */
	uint64_t room[STATE_ROOM]; /* of that slot: data of a newer minor version */
};

/*
 * Opens the file `weights` in `directory`, or makes it. `kept` gets its values, with epoch 0 when
 * it has none. A file that cannot be opened for writing is opened for reading: see s->sealed. False
 * with errno.
 */
bool state_open(struct state *s, const char *directory, struct state_values *kept,
		enum state_trouble *trouble);
void state_close(struct state *s);
/* Reads the same without making or changing a file. Epoch 0 also where there is no file. */
void state_peek(const char *directory, struct state_values *kept, struct state_note *note,
		enum state_trouble *trouble);
/* What has happened to the file, in words; NULL: nothing. */
const char *state_trouble_text(enum state_trouble trouble);

/* True when the values are on the disk. False with errno: the previous values are still valid. */
bool state_save(struct state *s, const struct state_values *v);
/* The same with a note; this computes the note's checksum. */
bool state_save_noted(struct state *s, const struct state_values *v, const struct state_note *n);

#endif
