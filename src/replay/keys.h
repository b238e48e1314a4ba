#ifndef REPLAY_KEYS_H
#define REPLAY_KEYS_H

/*
 * The keys that replay has to copy: which wait, in which order, and which are in flight. A key is
 * the name of a concrete index and the id of a document. By two routings the owner may have two
 * documents of one id, in two shards, or one: a key has an entry for each routing that was named.
 * It is in flight at one place at a time.
 *
 *     keys_add()         the log says that a document may have changed
 *     keys_take()        a batch takes the oldest ones: they are in flight
 *     keys_done(), keys_again(), keys_set_aside()
 *                        what became of each of them
 *
 * Each key that waits or is in flight holds one tag, a reference to its place in the log, of 32
 * bits at most. Tags go back by a callback, in which no function of the table may be called.
 *
 * An index that takes nothing is parked: its keys wait apart. A fence, the deletion of indices,
 * divides the keys of these indices: those from before the fence are done first, and those that
 * were added behind it wait until it is lifted.
 *
 * Times come in by argument. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "replay/origin.h"

struct keys;
struct keys_fence;

/*
 * A tag with this bit holds no place in the log. Where a key has such a one, the tag of a later
 * write of it takes its place: the loose one goes back instead.
 */
#define KEYS_LOOSE ((uintptr_t)1 << 31)

struct keys_config {
	uint64_t seed; /* random: clients choose ids, and must not choose where they are kept */
	void (*back)(void *user, uintptr_t tag); /* the tag's key needs it no more */
	void *user;
};

struct keys *keys_open(const struct keys_config *config);
/* Tags of keys that are left do not go back. */
void keys_close(struct keys *k);

/* --- keys come --- */

struct keys_write {
	struct span index, id; /* borrowed for the call, as the routing is */
	struct span routing;   /* empty: none is known */
	uint8_t marks;	       /* the caller's bits: keys_taken has those of all writes of it */
	uintptr_t tag;
	/* When it was answered. Of one index the times are expected not to go back; keys_count()
	 * tells of the first key's. */
	uint64_t time_ns;
	struct origin origin;
};

enum keys_added {
	KEYS_ADDED,
	/* It waits already, by this routing. It keeps its place and its tag; the new tag has gone
	 * back. Marks are taken over. */
	KEYS_REPLACED,
	/* Of the following the tag stays the caller's. */
	KEYS_FULL,	  /* nothing more is to be read until there are fewer keys */
	KEYS_PARKED_FULL, /* its index is parked and takes no more: it is not exact from now on */
	KEYS_ILLEGAL, /* no cluster has such an index, id, or (for us) routing: too long, empty */
};

/*
 * A key in flight, before a fence, or of another routing gets a further entry behind that, of
 * REPLAY_KEY_ENTRIES_MAX.
 */
enum keys_added keys_add(struct keys *k, const struct keys_write *w /* tag moved in */);

/* --- keys go --- */

struct keys_taken {
	uint32_t key;			/* its name until it is done, comes again or is set aside */
	struct span index, id, routing; /* borrowed for as long */
	uint8_t marks;
	uint64_t time_ns;
	struct origin origin; /* of the write whose tag it holds */
};

struct keys_ask {
	uint64_t now_ms;  /* of the clock of keys_again() */
	size_t n_max;	  /* > 0: room at `to` */
	size_t bytes_max; /* of names, ids and routings together; the first key is taken anyway */
};

/*
 * The oldest keys that may go, in order: how many. Of an index those that have come again, and
 * whose time has come, go before those that were never taken.
 */
size_t keys_take(struct keys *k, const struct keys_ask *ask, struct keys_taken *to);
/*
 * When keys_take() has something: `now_ms` for at once; UINT64_MAX: not before a key is added,
 * ends, or something is lifted.
 */
uint64_t keys_due_ms(struct keys *k, uint64_t now_ms);

/* The replica has acknowledged its write; the tag goes back. */
void keys_done(struct keys *k, uint32_t key);
/* Of one in flight: it has these marks too. */
void keys_mark(struct keys *k, uint32_t key, uint8_t marks);
/* It waits again, at its place, and not to be taken before that time. What waited next behind it is
 * one with it, if it has the same routing and no fence is between them. */
void keys_again(struct keys *k, uint32_t key, uint64_t not_before_ms);
/* The replica refuses it, and the caller has kept that. As keys_done(), and counted. */
void keys_set_aside(struct keys *k, uint32_t key);

/* --- indices --- */

/*
 * Keys of the index wait apart from now on, those also that come again. False: there is no room for
 * them; they may be dropped, and the index is not exact.
 */
bool keys_park(struct keys *k, struct span index);
void keys_resume(struct keys *k, struct span index);
bool keys_is_parked(const struct keys *k, struct span index);
/* Forgets the keys that wait before the index' first fence, and gives back their tags: how many. */
size_t keys_drop(struct keys *k, struct span index);

struct keys_index_count {
	struct span name; /* borrowed for the call */
	size_t waiting, in_flight;
	uint64_t oldest_ns; /* 0: there are no keys */
	bool parked;
};

/* In no order. The table is not to be changed in it. */
void keys_each_index(const struct keys *k,
		     void (*see)(void *user, const struct keys_index_count *i), void *user);

/* --- fences --- */

/*
 * `indices` is an expression as in a request's path: names and patterns with '*', in a list with
 * commas; `_all` or nothing are all. Exclusions are not looked at, and date math is taken for all
 * indices: keys may wait without need. NULL: there are too many fences; nothing more is to be read
 * until one is lifted.
 */
struct keys_fence *keys_fence(struct keys *k, struct span indices);
/* All from before it is done, and fences before it, of indices that both may mean, are lifted. */
bool keys_fence_is_clear(const struct keys *k, const struct keys_fence *f);
/*
 * Of parked indices that it means: what waits from before it is dropped, as keys_drop(), and they
 * are parked no more. What is deleted needs no copy, and must not hold up its own deletion.
 */
void keys_fence_drop_parked(struct keys *k, const struct keys_fence *f);
/* Clear; what is behind it may go. */
void keys_fence_lift(struct keys *k, struct keys_fence *f /* moved in */);

/* --- how much --- */

struct keys_count {
	size_t waiting; /* without those of parked indices */
	size_t in_flight, parked, fences;
	uint64_t set_aside; /* since the table was opened */
	uint64_t oldest_ns; /* of waiting and in flight; 0: there are none */
	size_t bytes;	    /* all memory of the table */
};

/* Those that wait and are in flight, without parked indices'; looks at none. */
size_t keys_n(const struct keys *k);
/* Of all indices. */
size_t keys_in_flight_n(const struct keys *k);
/* Looks at each index. */
void keys_count(const struct keys *k, struct keys_count *to);

/* Looks at the first `n_max` keys of each list. */
void keys_check(const struct keys *k, size_t n_max);

#endif
