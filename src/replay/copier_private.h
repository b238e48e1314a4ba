#ifndef REPLAY_COPIER_PRIVATE_H
#define REPLAY_COPIER_PRIVATE_H

/*
 * What the files of replay/copier.h share. A lane takes a batch from its beginning to its end:
 * lane_begin.c, lane_read.c, copier_look.c (indices and places, for all lanes), lane_write.c,
 * lane_end.c.
 */

#include "replay/copier.h"
#include "replay/parked.h"
#include "replay/places.h"

enum lane_state {
	LANE_IDLE,
	LANE_PLACES,	   /* where documents of streams are is asked */
	LANE_READING,	   /* the owner's _mget is under way */
	LANE_WAITING,	   /* a bulk waits for a look at its indices, which has not begun */
	LANE_SURROUNDINGS, /* a bulk waits until its indices are at the replica */
	LANE_WRITING,	   /* the replica's _bulk is under way */
	LANE_UNHEARD,	   /* the _bulk was not heard of, and may act still */
	LANE_ENDING,	   /* what became of the keys is known; the _mget has not gone yet */
};

enum lane_read { READ_ON, READ_RESTS, READ_WHOLE, READ_BAD };

struct lane {
	struct copier *copier;
	enum lane_state state;
	enum lane_read read; /* of the owner's response */
	bool streams; /* the look is for the data streams of its keys, before they are read */
	bool results; /* the bulk's response was read to its end */
	bool unheard; /* the bulk was not heard of */
	bool again;   /* the batch ends here: what is not done is copied again */
	/* It was made for so many keys, and bulks of so many bytes. */
	uint32_t operations; /* 0: it has none of the next four */
	size_t bulk_bytes;
	struct copy_batch *batch;    /* owned */
	struct keys_taken *taken;    /* owned */
	struct place_wanted *wanted; /* owned: of each of them */
	size_t *copies;		     /* owned: up to which copy of the batch they are its own */
	struct places places;
	size_t n;
	struct subrequest get, put;
	char id[UNHEARD_ID_BYTES]; /* of the bulk */
	struct unheard_wait wait;
	uint64_t number;	/* of the batch */
	unsigned failures;	/* one after the other */
	uint64_t not_before_ms; /* it begins no batch before this */
};

struct copier {
	struct copier_config config;
	struct tuning tuning;
	struct surroundings surroundings;
	struct parked parked;
	size_t recheck; /* of the indices that are known, those from here on are looked at */
	bool paused;
	uint64_t begun;
	struct lane *lanes; /* owned: REPLAY_IN_FLIGHT_MAX; the first ones begin batches */
	struct copier_counts counts;
	size_t most;	   /* keys of the next batch */
	uint64_t since_ms; /* keys wait for others since then; 0: none do */
	double tokens;	   /* of the rate */
	uint64_t tokens_ms;
	char trouble[COPIER_TROUBLE_BYTES];
};

static inline uint64_t copier_now_ms(const struct copier *c)
{
	return loop_now_ms(c->config.subrequests->loop);
}

/* What a cluster said that is no success. */
void copier_note(struct copier *c, enum arm arm, const char *what, unsigned status, enum err why);
/* For lanes that wait for a look at their indices. */
void copier_look(struct copier *c);

/* As few memory as a lane needs that begins no batch. It is idle. */
void lane_empty(struct lane *l);
/*
 * What became of its i-th key, which may have several copies: one that is not done, if there is
 * such a one.
 */
const struct copy *lane_copy(const struct lane *l, size_t i);
/* An idle lane takes keys, if there are some that may go. */
void lane_begin(struct lane *l);
/* Where documents of streams, and those of unknown routing, stand; then it reads. */
void lane_look_for_places(struct lane *l);
/* The index, or the data stream, of its i-th key. */
struct span lane_index(const struct lane *l, size_t i);

void lane_read(struct lane *l);
/* All of the owner's response has come: a batch that wants more is bad. */
void lane_read_end(struct lane *l);
extern const struct subrequest_user lane_get_user;

/* A bulk is complete: the indices of its documents first. */
void lane_prepare(struct lane *l);
void lane_write(struct lane *l);
extern const struct subrequest_user lane_put_user;

/* When both requests are idle: the keys go, and the lane may begin anew. */
void lane_end(struct lane *l);
/* The same; what is not done is copied again. */
void lane_fail(struct lane *l);

#endif
