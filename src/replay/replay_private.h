#ifndef REPLAY_REPLAY_PRIVATE_H
#define REPLAY_REPLAY_PRIVATE_H

/* What the files of replay/replay.h share: replay.c, replay_take.c, replay_seen.c, replay_reader.c.
 */

#include <pthread.h>

#include "ends/loop.h"
#include "replay/objects.h"
#include "replay/replay.h"

/* A key that is copied once more when what was uncertain can act no longer. */
struct later {
	struct later *next;
	uint64_t due_ms;
	uintptr_t tag;
	uint64_t wall_ns;
	struct origin origin;
	uint32_t index_n, id_n, routing_n;
	uint8_t marks; /* of keys_write */
	char text[];
};

struct replay {
	struct replay_config config;
	struct tuning tuning; /* in force */
	struct loop *loop;    /* borrowed: the worker's */
	struct subrequests subrequests;
	struct unheard unheard;
	struct keys *keys;
	struct copier *copier;
	struct jobs *jobs;
	struct objects objects;
	struct upkeep upkeep;
	bool begun;	 /* with what the marks say */
	uint64_t urgent; /* change of the marks for which the reading thread was woken */
	struct compare *compare;
	struct handoff handoff;
	struct handed_batch batch; /* taken, and not all in the table yet */
	size_t at;
	uint64_t until_wall_ns; /* the log was read up to this time */
	uint64_t over_wall_ns;	/* and then all writes that began before this one were over */
	struct later *later, **later_end;
	uint64_t later_n, left_out;
	uintptr_t *back; /* owned: tags to give back */
	size_t back_n, back_room;
	bool stopping;
	uint64_t shown_ns;
	/* The reading thread's. */
	struct log_reader reader;
	struct log_reader_counts log_counts;
	struct waker waker;
	bool reading;	     /* the reader is open */
	atomic_bool placed;  /* this process has the follower's place */
	atomic_bool quiet;   /* what was in flight has ended, and nothing begins any more */
	atomic_bool over;    /* the reading thread does nothing any more */
	atomic_bool end;     /* and is to end */
	_Atomic int trouble; /* errno of the log; 0: none */
	_Atomic int busy;    /* another process has the follower's place */
	/* Shared. */
	pthread_mutex_t lock;
	struct replay_seen seen;
	json_t *parked; /* owned */
};

/* --- replay_take.c: effects become keys, on the copying thread --- */

/* For keys_config.back and others: the tag's key needs it no more. */
void replay_tag_back(void *user, uintptr_t tag);
/* The same of one that upkeep has kept. */
void replay_tag_settle(void *user, uintptr_t tag);
/* The reading thread gets the tags that came back. */
void replay_give_back(struct replay *r);
/* As many of the effects that were handed over as there is room for. */
void replay_take_all(struct replay *r);
/* Uncertain writes that can act no longer: their keys are copied once more. */
void replay_look_later(struct replay *r);
/* Whether the index is replayed; `user` is the replay. */
bool replay_belongs(void *user, struct span index);

/* --- replay_seen.c: what others see of it --- */

/* Now and then: what replay_see() gets. */
void replay_show(struct replay *r);
/*
 * For compare: up to which wall time all writes are at the replica; `begun`: those too that had
 * only begun by then.
 */
uint64_t replay_copied(void *user, bool begun);
/* What stands in the way, in words; "": nothing does. */
const char *replay_trouble(void *user);

#endif
