#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"

struct arena_chunk {
	struct arena_chunk *next;
	void *unused;
};

struct arena_large {
	struct arena_large *next;
	size_t bytes;
};

static size_t arena_rounded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

void arena_open(struct arena *a, struct slab *chunks)
{
	must(chunks->object_bytes >= 512);
	*a = (struct arena){ .chunks = chunks };
}

void arena_close(struct arena *a)
{
	while (a->newest) {
		struct arena_chunk *c = a->newest;
		a->newest = c->next;
		slab_give(a->chunks, c);
	}
	while (a->large) {
		struct arena_large *l = a->large;
		a->large = l->next;
		free(l);
	}
	a->at = a->end = NULL;
	a->large_bytes = 0;
}

void arena_check(const struct arena *a)
{
	size_t bytes = 0;
	must(!a->newest == !a->at && a->at <= a->end);
	if (a->newest)
		must(a->end == (char *)a->newest + a->chunks->object_bytes &&
		     a->at >= (char *)(a->newest + 1));
	for (const struct arena_large *l = a->large; l; l = l->next)
		bytes += l->bytes;
	must(bytes == a->large_bytes);
}

static void *take_large(struct arena *a, size_t bytes)
{
	struct arena_large *l = malloc(sizeof *l + bytes);
	must(l);
	*l = (struct arena_large){ .next = a->large, .bytes = bytes };
	a->large = l;
	a->large_bytes += bytes;
	return l + 1;
}

static void add_chunk(struct arena *a)
{
	struct arena_chunk *c = slab_take(a->chunks);
	c->next = a->newest;
	a->newest = c;
	a->at = (char *)(c + 1);
	a->end = (char *)c + a->chunks->object_bytes;
}

void *arena_take(struct arena *a, size_t bytes)
{
	bytes = arena_rounded(bytes);
	if (bytes > a->chunks->object_bytes - sizeof(struct arena_chunk))
		return take_large(a, bytes);
	if (bytes > (size_t)(a->end - a->at))
		add_chunk(a);
	void *piece = a->at;
	a->at += bytes;
	checks(arena_check(a));
	return piece;
}

void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t bytes)
{
	must(bytes >= old_bytes && (old || !old_bytes));
	size_t more = arena_rounded(bytes) - arena_rounded(old_bytes);
	if (old && (char *)old + arena_rounded(old_bytes) == a->at &&
	    more <= (size_t)(a->end - a->at)) {
		a->at += more;
		return old;
	}
	void *piece = arena_take(a, bytes);
	if (old_bytes)
		memcpy(piece, old, old_bytes);
	return piece;
}
