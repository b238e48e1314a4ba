#ifndef CAPTURE_CONSUMER_H
#define CAPTURE_CONSUMER_H

/*
 * A consumer reads the log in its order and makes something of it. It is the reader, a registered
 * follower's position, the rounds that are still in flight, and what wakes it. It does not poll:
 * inotify reports each change of the directory, by this process or another one, and a writer
 * touches its lease when more is durable.
 *
 *     consumer_open()
 *     consumer_next() ...     frames; what is made of them is in flight until it is acknowledged
 *     consumer_turn()         ends a round, and now and then takes the position
 *     consumer_settle()       saves positions before which nothing is in flight any more
 *     consumer_wait()
 *
 * One thread.
 */

#include "capture/follower.h"
#include "capture/lag.h"
#include "capture/reader.h"
#include "capture/inflight.h"
#include "io/waker.h"

/* Whose exchanges are wanted. Frames that belong to no exchange are always given. */
enum consumer_arm { CONSUMER_ALL, CONSUMER_SOURCE, CONSUMER_TARGET };

struct consumer_config {
	const char *directory; /* borrowed */
	/*
	 * The follower's name, borrowed. NULL: there is no follower, and frames that are not
	 * durable yet are read too.
	 */
	const char *name;
	enum consumer_arm arm;
	/*
	 * Not 0: each round has its position, and the last one that is passed is saved so often.
	 * 0: a position is taken each KAFKA_KEEP_MS, when the one before is saved.
	 */
	uint32_t keep_ms;
	bool times; /* consumer_until() is wanted: a wait also ends when that time moves on */
	/* borrowed: waking it ends a wait, too; NULL: only the log ends a wait */
	struct waker *waker;
	/*
	 * Adds to the position what must be known of open exchanges, and sorts it. NULL: only
	 * consumer_keep() saves positions.
	 */
	void (*add)(void *user, const struct reader *r, struct position *to);
	/* The writers' leases say that the follower has acknowledged more. May be NULL. */
	void (*acknowledged)(void *user);
	void *user;
};

struct consumer {
	struct consumer_config config;
	struct follower follower;
	struct reader *reader; /* owned */
	struct inflight inflight;
	struct waker own_waker;
	int watch;		/* inotify, owned; -1: not to be had */
	uint64_t to_catch_up;	/* frames that were there at the beginning, and are not read yet */
	struct lag lag;		/* as last measured */
	bool moved;		/* a frame was read since a position was taken */
	bool keeping;		/* a position was taken, and is not saved yet */
	bool unsaved;		/* `passed` is */
	struct position passed; /* of the last round that is passed and has one */
	size_t kept_n;		/* how many connections that position has */
	uint64_t kept_ns, saved_ns;
	uint64_t looked_ns, until_ns; /* what consumer_until() says */
	uint64_t looked_wall_ns, until_wall_ns;
};

/* Nothing is open unless it returns FOLLOWER_OPEN. FOLLOWER_ERROR: errno. */
enum follower_verdict consumer_open(struct consumer *c, const struct consumer_config *config);
void consumer_close(struct consumer *c);

/* Whether one more round can begin. If not, the caller must not read. */
bool consumer_has_room(const struct consumer *c);
/* As reader_next(). */
enum reader_verdict consumer_next(struct consumer *c, struct reading *to);
/*
 * All frames before this time were read or passed over, and no more of them will come; monotonic
 * and wall time. 0: not known yet.
 */
uint64_t consumer_until(const struct consumer *c, uint64_t *wall_ns);

/*
 * Something made of the frame that was read last is now in flight; returns the tag to acknowledge
 * it by.
 */
uintptr_t consumer_out(struct consumer *c);
void consumer_back(struct consumer *c, uintptr_t tag);

/*
 * Ends the round of what was read since the last call. The round is passed when all that is in
 * flight now is acknowledged.
 */
void consumer_turn(struct consumer *c);
/*
 * Saves the positions of the rounds that are passed; `all`: of the round that is being filled, too.
 * False with errno.
 */
bool consumer_settle(struct consumer *c, bool all);
/* How far the consumer has come. What `add` does not add, the caller adds, and sorts. */
void consumer_position(const struct consumer *c, struct position *to);
/* Saves the position durably. False with errno. */
bool consumer_keep(struct consumer *c, const struct position *to);
/* Takes the position, whether it is due or not; consumer_settle() saves it. */
void consumer_part(struct consumer *c);

/* How far the consumer is behind the log. */
struct lag consumer_lag(struct consumer *c);
/*
 * Waits until there may be more to read, or the waker is woken; at most `ms`. True: the log has
 * changed meanwhile.
 */
bool consumer_wait(struct consumer *c, int ms);
/* The directory was removed, or its path names another one now. */
bool consumer_is_lost(const struct consumer *c);

#endif
