#include "replay/key_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"

static const uint16_t slot_bytes[KEY_STORE_SIZES] = {
	64,  72,  80,  88,  96,	 104, 112, 120, 128, 144, 160,
	184, 208, 240, 272, 312, 360, 416, 512, 640, 832, REPLAY_KEY_BYTES,
};

static_assert(REPLAY_KEY_BYTES > 832 && REPLAY_KEY_BYTES % 8 == 0, "the largest slot is the last");

static unsigned key_store_size(size_t bytes)
{
	unsigned size = 0;
	while (size < KEY_STORE_SIZES && slot_bytes[size] < bytes)
		size++;
	must(size < KEY_STORE_SIZES);
	return size;
}

size_t key_store_room(size_t bytes)
{
	return slot_bytes[key_store_size(bytes)];
}

/* --- chunks --- */

/* The number of a chunk that is not in use. */
static uint32_t key_store_number(struct key_store *s)
{
	uint32_t number = s->unused;
	if (number) {
		s->unused = s->chunks[number].next;
		return number;
	}
	if (s->chunk_n == s->chunk_room) {
		s->bytes += s->chunk_room * sizeof *s->chunks;
		s->chunk_room *= 2;
		s->chunks = realloc(s->chunks, s->chunk_room * sizeof *s->chunks);
		must(s->chunks && s->chunk_room <= UINT32_MAX >> KEY_STORE_SLOTS_LOG2);
	}
	return s->chunk_n++;
}

/* The chunk has room: its size's next record goes there. */
static void key_store_link(struct key_store *s, unsigned size, uint32_t number)
{
	struct key_store_chunk *c = &s->chunks[number];
	c->previous = 0;
	c->next = s->partial[size];
	if (c->next)
		s->chunks[c->next].previous = number;
	s->partial[size] = number;
}

static void key_store_unlink(struct key_store *s, unsigned size, uint32_t number)
{
	struct key_store_chunk *c = &s->chunks[number];
	if (c->previous)
		s->chunks[c->previous].next = c->next;
	else
		s->partial[size] = c->next;
	if (c->next)
		s->chunks[c->next].previous = c->previous;
	c->next = c->previous = 0;
}

static void key_store_add_chunk(struct key_store *s, unsigned size)
{
	uint32_t number = key_store_number(s);
	struct key_store_chunk *c = &s->chunks[number];
	*c = (struct key_store_chunk){ .slot_bytes = slot_bytes[size], .free = KEY_STORE_SLOTS };
	c->at = malloc((size_t)KEY_STORE_SLOTS * slot_bytes[size]);
	must(c->at);
	s->bytes += (size_t)KEY_STORE_SLOTS * slot_bytes[size];
	key_store_link(s, size, number);
}

static void key_store_drop_chunk(struct key_store *s, unsigned size, uint32_t number)
{
	struct key_store_chunk *c = &s->chunks[number];
	key_store_unlink(s, size, number);
	free(c->at);
	c->at = NULL;
	c->next = s->unused;
	s->unused = number;
	s->bytes -= (size_t)KEY_STORE_SLOTS * slot_bytes[size];
}

/* --- records --- */

/* A free slot holds the number of the next free one. */
static uint16_t key_store_take_slot(struct key_store_chunk *c)
{
	uint16_t slot = c->free;
	if (slot == KEY_STORE_SLOTS)
		slot = c->touched++;
	else
		memcpy(&c->free, c->at + (size_t)slot * c->slot_bytes, sizeof c->free);
	c->used++;
	return slot;
}

uint32_t key_store_take(struct key_store *s, size_t bytes)
{
	unsigned size = key_store_size(bytes);
	if (!s->partial[size])
		key_store_add_chunk(s, size);
	uint32_t number = s->partial[size];
	struct key_store_chunk *c = &s->chunks[number];
	uint16_t slot = key_store_take_slot(c);
	if (c->used == KEY_STORE_SLOTS)
		key_store_unlink(s, size, number);
	return number << KEY_STORE_SLOTS_LOG2 | slot;
}

/* One empty chunk of a size stays while it is the only one with room: the next record needs it. */
void key_store_give(struct key_store *s, uint32_t record)
{
	uint32_t number = record >> KEY_STORE_SLOTS_LOG2;
	uint16_t slot = record & (KEY_STORE_SLOTS - 1);
	must(number > 0 && number < s->chunk_n && s->chunks[number].at);
	struct key_store_chunk *c = &s->chunks[number];
	unsigned size = key_store_size(c->slot_bytes);
	must(c->used > 0 && slot < c->touched);
	memcpy(c->at + (size_t)slot * c->slot_bytes, &c->free, sizeof c->free);
	c->free = slot;
	if (c->used-- == KEY_STORE_SLOTS)
		key_store_link(s, size, number);
	if (!c->used && (c->next || c->previous))
		key_store_drop_chunk(s, size, number);
}

/* --- a life --- */

#define CHUNKS_AT_FIRST 16

void key_store_open(struct key_store *s)
{
	*s = (struct key_store){ .chunk_n = 1, .chunk_room = CHUNKS_AT_FIRST };
	s->chunks = calloc(s->chunk_room, sizeof *s->chunks);
	must(s->chunks);
	s->bytes = s->chunk_room * sizeof *s->chunks;
}

void key_store_close(struct key_store *s)
{
	for (uint32_t i = 1; i < s->chunk_n; i++)
		free(s->chunks[i].at);
	free(s->chunks);
	*s = (struct key_store){ 0 };
}

void key_store_check(const struct key_store *s)
{
	must(s->chunk_n >= 1 && s->chunk_n <= s->chunk_room && !s->chunks[0].at);
	for (unsigned size = 0; size < KEY_STORE_SIZES; size++) {
		uint32_t number = s->partial[size];
		for (unsigned n = 0; number && n < CHECKED_MAX; n++) {
			const struct key_store_chunk *c = &s->chunks[number];
			must(c->at && c->slot_bytes == slot_bytes[size]);
			must(c->used < KEY_STORE_SLOTS && c->used <= c->touched);
			must(!c->next || s->chunks[c->next].previous == number);
			number = c->next;
		}
	}
}
