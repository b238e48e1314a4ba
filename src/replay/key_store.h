#ifndef REPLAY_KEY_STORE_H
#define REPLAY_KEY_STORE_H

/*
 * Memory for a million small records of different sizes. A record is named by a number of 32 bits,
 * half of a pointer, and lies in a slot of the next larger size; the slots of one size lie in
 * chunks. A chunk without records goes back to the system. One thread.
 */

#include <stddef.h>
#include <stdint.h>

/* No record. */
#define KEY_STORE_NONE 0u
/* The slots' sizes: at most an eighth of a slot is unused, but where it is a few bytes. */
#define KEY_STORE_SIZES 22

struct key_store_chunk {
	char *at; /* owned; NULL: the chunk's number is not in use */
	uint16_t slot_bytes, used;
	uint16_t free;		 /* the first slot that is free; KEY_STORE_SLOTS: there is none */
	uint16_t touched;	 /* slots from this one on were never used */
	uint32_t next, previous; /* of those of its size that have room; or of unused numbers */
};

struct key_store {
	struct key_store_chunk *chunks; /* owned; the first is none */
	uint32_t chunk_n, chunk_room;
	uint32_t unused; /* a chunk's number that is not in use; 0: there is none */
	uint32_t partial[KEY_STORE_SIZES]; /* a chunk with room, of each size; 0: there is none */
	size_t bytes;			   /* all that is held */
};

#define KEY_STORE_SLOTS_LOG2 8
#define KEY_STORE_SLOTS (1u << KEY_STORE_SLOTS_LOG2)

/* Empty. The store may move until a record is taken, its records never. */
void key_store_open(struct key_store *s);
/* Whatever is in it goes, too. */
void key_store_close(struct key_store *s);

/* What a slot for `bytes` has room for; `bytes` is at most that of the largest. */
size_t key_store_room(size_t bytes);
/* A record of `bytes`, not zeroed, aligned to 8 bytes. */
uint32_t key_store_take(struct key_store *s, size_t bytes);
void key_store_give(struct key_store *s, uint32_t record);

static inline void *key_store_at(const struct key_store *s, uint32_t record)
{
	const struct key_store_chunk *c = &s->chunks[record >> KEY_STORE_SLOTS_LOG2];
	return c->at + (size_t)(record & (KEY_STORE_SLOTS - 1)) * c->slot_bytes;
}

void key_store_check(const struct key_store *s);

#endif
