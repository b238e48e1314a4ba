#ifndef REPLAY_KEYS_PRIVATE_H
#define REPLAY_KEYS_PRIVATE_H

/* What the files of the table of keys share. Keys and indices are named by numbers; 0 is none. */

#include "base/limits.h"
#include "base/list.h"
#include "replay/key_store.h"
#include "replay/keys.h"

enum keys_state {
	KEYS_FRESH,    /* never taken; stands at or behind its index' `fresh` */
	KEYS_HELD,     /* `fresh` has passed it, because it has an elder */
	KEYS_RETURNED, /* in its index' heap */
	KEYS_IN_FLIGHT,
};

struct keys_entry {
	uint64_t time_ns;
	uint64_t sequence; /* with `series` the origin of the write that has the tag */
	uint32_t tag, series;
	uint32_t chain, hash;	 /* the next one of its bucket, which is older if it is the same key
				  */
	uint32_t older, younger; /* of its index */
	uint32_t index;
	uint32_t heap_at; /* while it is RETURNED */
	uint16_t id_n, routing_n;
	uint8_t state; /* enum keys_state */
	uint8_t marks;
	uint8_t generation; /* of its index, when it was added */
	bool has_elder;	    /* an entry of the same key that is older */
	char text[];	    /* the id, and then the routing */
};

static_assert(sizeof(struct keys_entry) == 56, "as REPLAY_KEY_BYTES has it");

struct keys_returned {
	uint64_t not_before_ms;
	uint32_t key;
};

/*
 * Generations count fences, modulo 256: keys of `open` may go, `newest` is that of keys that are
 * added. The difference is the number of fences that mean the index.
 */
struct keys_index {
	char *name; /* owned; NULL: the number is not in use */
	uint32_t name_n;
	uint32_t chain, hash;		/* the next one of its bucket, or unused number */
	uint32_t oldest, youngest;	/* of all its keys */
	uint32_t fresh;			/* the oldest that is FRESH */
	struct keys_returned *returned; /* owned; a heap, what goes first is at the top */
	uint32_t returned_n, returned_room;
	uint32_t n, in_flight_n;
	size_t bytes;	    /* of its keys' slots */
	uint32_t active_at; /* its place in keys->active; KEYS_NOT_ACTIVE */
	uint8_t open, newest;
	bool parked;
};

#define KEYS_NOT_ACTIVE UINT32_MAX
#define KEYS_INDEX_BUCKETS 4096u

struct keys_fence {
	struct list link;
	char *pattern; /* owned */
	size_t pattern_n;
	size_t blocking_n; /* indices that have keys from before it */
};

/* Buckets of chains, in segments: one more with each key, so that no add takes long. */
struct keys_table {
	uint32_t **segments; /* owned, and each of them */
	uint32_t segment_room;
	uint32_t bucket_n, low_n; /* low_n: the largest power of two that is not above */
	uint32_t n;
};

/* The next key of an index, while keys_take() looks for the oldest. */
struct keys_candidate {
	uint64_t time_ns;
	uint32_t index, key;
};

struct keys {
	struct keys_config config;
	struct key_store store;
	struct keys_table table;
	struct keys_index *indices; /* owned; the first is none */
	uint32_t index_n, index_room, index_unused;
	size_t index_bytes; /* of names and heaps */
	uint32_t index_buckets[KEYS_INDEX_BUCKETS];
	uint32_t *active; /* owned: indices of which something may be taken */
	uint32_t active_n;
	struct keys_candidate *candidates; /* owned; has room for all that are active */
	uint32_t active_room;		   /* of both */
	struct list fences;
	size_t fence_n;
	size_t n, bytes;	       /* of keys whose index is not parked, */
	size_t parked_n, parked_bytes; /* and of the others */
	size_t in_flight_n;	       /* of all */
	uint64_t set_aside_n;
};

/* Keys of each list, and indices, that are looked at behind each call: tests add a million keys. */
#define KEYS_CHECKED 6

static inline struct keys_entry *keys_entry(const struct keys *k, uint32_t key)
{
	return key_store_at(&k->store, key);
}

static inline struct span keys_id(const struct keys_entry *e)
{
	return (struct span){ e->text, e->id_n };
}

static inline struct origin keys_origin(const struct keys_entry *e)
{
	return (struct origin){ e->sequence, e->series };
}

static inline struct span keys_routing(const struct keys_entry *e)
{
	return (struct span){ e->text + e->id_n, e->routing_n };
}

static inline struct span keys_index_name(const struct keys_index *x)
{
	return (struct span){ x->name, x->name_n };
}

/* --- keys_table.c --- */

void keys_table_open(struct keys_table *t);
void keys_table_close(struct keys_table *t);
size_t keys_table_bytes(const struct keys_table *t);
uint32_t keys_table_hash(const struct keys *k, uint32_t index, struct span id);
/* The youngest entry of the key. */
uint32_t keys_table_find(const struct keys *k, uint32_t index, struct span id, uint32_t hash);
void keys_table_add(struct keys *k, uint32_t key);
/* The entry of the same key that is next younger is what it returns. */
uint32_t keys_table_remove(struct keys *k, uint32_t key);
uint32_t keys_table_younger(const struct keys *k, uint32_t key);
/* The entry of the same key that is next older; 0: there is none. */
uint32_t keys_table_older(const struct keys *k, uint32_t key);

/* --- keys_index.c --- */

uint32_t keys_index_find(const struct keys *k, struct span name);
/* Makes it where it is missing. 0: there are too many. */
uint32_t keys_index_get(struct keys *k, struct span name);
/* It was changed: it is active or is not, and goes where it is needed no more. */
void keys_index_settle(struct keys *k, uint32_t index);
/* Into its list, at the end; out of it. */
void keys_index_add(struct keys *k, uint32_t key);
void keys_index_remove(struct keys *k, uint32_t key);
/* The key is RETURNED; it is so no more. */
void keys_index_return(struct keys *k, uint32_t key, uint64_t not_before_ms);
void keys_index_take_returned(struct keys *k, uint32_t key);
/* What goes next of it; 0: nothing does. */
uint32_t keys_index_next(struct keys *k, uint32_t index, uint64_t now_ms);
void keys_indices_free(struct keys *k);

/* --- keys_fence.c --- */

/* How many fences mean an index of this name. */
uint8_t keys_fences_of(const struct keys *k, struct span name);
/* The index' oldest key was of the generation `before`, and is none of that any more. */
void keys_fences_passed(struct keys *k, const struct keys_index *x, uint8_t before);

#endif
