#ifndef REPLAY_REPLAY_PRIVATE_H
#define REPLAY_REPLAY_PRIVATE_H

/*
 * What the files of replay/replay.h share. replay.c, replay_seen.c and replay_reader.c have what is
 * the same for each kind of work; replay_copies.c, replay_take.c and replay_copied.c copy
 * documents; replay_requests.c sends requests.
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

/* What is made of recorded writes. On the copying thread, but for what says otherwise. */
struct replay_work {
	/* What a write becomes, on the reading thread; how often the position is saved, 0: as ever.
	 */
	void (*play)(struct log_reader *r, struct assembly *a);
	uint32_t keep_ms;
	void (*open)(struct replay *r);
	void (*open_upkeep)(struct replay *r, struct upkeep_config *c); /* adds what it needs */
	/* The marks were read. */
	void (*begin)(struct replay *r);
	/* Nothing that an earlier process has sent can act any more. */
	bool (*may_send)(struct replay *r);
	/* replay->tuning is in force now. Each turn, before all others but open(). */
	void (*tune)(struct replay *r);
	/* `on`: something may be sent. */
	void (*turn)(struct replay *r, bool on);
	uint64_t (*due_ms)(struct replay *r, bool on);
	/* Something that was handed over. False: there is no room; it is taken later. */
	bool (*take)(struct replay *r, struct handed *h);
	/* The tag is one of its own, and no place in the log. */
	bool (*has_tag)(struct replay *r, uintptr_t tag);
	/* No further work begins; what is in flight is broken off. */
	void (*stop)(struct replay *r);
	void (*break_off)(struct replay *r);
	bool (*is_quiet)(const struct replay *r);
	/* All that was sent was heard of. */
	bool (*has_heard_all)(const struct replay *r);
	void (*close)(struct replay *r);
	/* The wall time of the oldest write that the replica has not; UINT64_MAX: it has all. */
	uint64_t (*oldest_ns)(const struct replay *r);
	bool (*is_stopped)(const struct replay *r);
	const char *(*trouble)(const struct replay *r);
	/* Under the lock. */
	void (*see)(struct replay *r, struct replay_seen *s);
	/* Its member of replay_upkeep_json(): the name, and a new reference. */
	const char *listed;
	json_t *(*list)(struct replay *r);
	/* The reading thread: reads beside the log, true: there may be more at once; and the end.
	 */
	bool (*read)(struct replay *r);
	void (*leave_log)(struct replay *r);
};

extern const struct replay_work replay_copies, replay_requests;

struct replay {
	struct replay_config config;
	const struct replay_work *work;
	struct tuning tuning; /* in force */
	struct loop *loop;    /* borrowed: the worker's */
	struct subrequests subrequests;
	struct upkeep upkeep;
	bool begun;	 /* with what the marks say */
	uint64_t urgent; /* change of the marks for which the reading thread was woken */
	struct handoff handoff;
	struct handed_batch batch; /* taken from the handoff, and not all of it by the work yet */
	size_t at;
	uint64_t until_wall_ns; /* the log was read up to this time */
	uint64_t over_wall_ns;	/* and then all writes that began before this one were over */
	/* replay_copies. */
	struct unheard unheard;
	struct keys *keys;
	struct copier *copier;
	struct jobs *jobs;
	struct objects objects;
	struct compare *compare;
	struct later *later, **later_end;
	uint64_t later_n, left_out;
	/* replay_requests. */
	struct recorded_feed feed;
	struct resend *resend;
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
	json_t *listed; /* owned: replay_work.list */
};

/* --- replay.c --- */

/* For keys_config.back and others: the tag's key needs it no more. */
void replay_tag_back(void *user, uintptr_t tag);
/* The same of one that upkeep has kept. */
void replay_tag_settle(void *user, uintptr_t tag);
void replay_handed(void *user);

/* --- replay_take.c: effects become keys, on the copying thread --- */

/* As replay_work.take. */
bool replay_take(struct replay *r, struct handed *h);
/* Uncertain writes that can act no longer: their keys are copied once more. */
void replay_look_later(struct replay *r);
/* Copies and requests are wanted, if nothing else is against them. */
bool replay_is_on(const struct replay *r);
/* Whether the index is replayed; `user` is the replay. */
bool replay_belongs(void *user, struct span index);

/* --- replay_seen.c: what others see of it --- */

/* Now and then: what replay_see() gets. */
void replay_show(struct replay *r);
/* Up to which wall time all writes that were over are at the replica. */
uint64_t replay_watermark(const struct replay *r);

/* --- replay_copied.c: the same of copies --- */

uint64_t replay_copies_oldest_ns(const struct replay *r);
json_t *replay_copies_parked(struct replay *r);
void replay_copies_see(struct replay *r, struct replay_seen *s);
/*
 * For compare: up to which wall time all writes are at the replica; `begun`: those too that had
 * only begun by then.
 */
uint64_t replay_copied(void *user, bool begun);
/* What stands in the way, in words; "": nothing does. */
const char *replay_trouble(void *user);
const char *replay_copies_trouble(const struct replay *r);

#endif
