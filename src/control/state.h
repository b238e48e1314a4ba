#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

/*
 * The weights on disk. The file holds two slots that are overwritten in turns and synced, so that a
 * write that is torn leaves the one before it; and its blocks are there from the beginning, so that
 * a full disk is no reason not to go back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/asked.h"
#include "proxy/plan.h"

/* Apart, so that no sector and no page holds both. */
#define STATE_SLOT_BYTES 4096

struct state_values {
	uint64_t epoch; /* 0: none */
	uint32_t weights[ARMS];
	uint64_t wall_ns; /* of the change */
	bool rolled_back; /* it was a rollback */
};

/*
 * What the audit is to say of a change, kept beside its weights: between the two a process may be
 * killed, and a change that is in force would have no line.
 */
struct state_note {
	uint64_t epoch; /* of the change; 0: there is none */
	uint32_t from[ARMS];
	uint64_t forced;				   /* 0 or 1 */
	char who[ASKED_TEXT_BYTES], why[ASKED_TEXT_BYTES]; /* why: "" when nobody said */
	uint64_t checksum;				   /* XXH3 of all before it */
};

struct state {
	int fd;
	unsigned next; /* the slot to overwrite: never the newest good one */
	int sealed; /* errno of opening it for writing: it can only be read; 0: it is open for both
		     */
	struct state_note note; /* of what state_open() found to be kept */
};

/*
 * Opens, or makes, the file `weights` in `directory`; `kept` gets what it holds, epoch 0 when that
 * is nothing. Where it cannot be written it is read alone: s->sealed. False with errno. `damaged`:
 * it holds something, and no slot of it is good.
 */
bool state_open(struct state *s, const char *directory, struct state_values *kept, bool *damaged);
void state_close(struct state *s);
/* The same without making or changing anything: epoch 0 where there is no file, too. */
void state_peek(const char *directory, struct state_values *kept, struct state_note *note,
		bool *damaged);

/* True when it is on the disk. False with errno: what was kept before is still good. */
bool state_save(struct state *s, const struct state_values *v);
/* The same with a note; its checksum is made here. */
bool state_save_noted(struct state *s, const struct state_values *v, const struct state_note *n);

#endif
