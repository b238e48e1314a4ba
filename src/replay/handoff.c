#include "replay/handoff.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

/* --- a batch --- */

static struct handed_text handed_text_add(struct handed_batch *b, struct span s)
{
	uint32_t at = (uint32_t)b->text.n;
	bytes_add(&b->text, s);
	must(b->text.n <= UINT32_MAX);
	return (struct handed_text){ at, (uint32_t)s.n };
}

static void handed_grow(struct handed_batch *b, size_t n)
{
	if (b->n + n <= b->room)
		return;
	b->room = 2 * b->room + n;
	b->list = realloc(b->list, b->room * sizeof *b->list);
	must(b->list);
}

static uint8_t handed_marks(const struct effect *e)
{
	return (uint8_t)((e->by_request ? HANDED_BY_REQUEST : 0) |
			 (e->external_version ? HANDED_EXTERNAL : 0) |
			 (e->uncertain ? HANDED_UNCERTAIN : 0) | (e->is_task ? HANDED_TASK : 0) |
			 (e->is_stream ? HANDED_STREAM : 0));
}

void handed_add(struct handed_batch *b, const struct effect *e, uintptr_t tag,
		const struct handed_exchange *of)
{
	handed_grow(b, 1);
	b->list[b->n++] = (struct handed){
		.kind = e->kind,
		.marks = handed_marks(e),
		.index = handed_text_add(b, e->index),
		.id = handed_text_add(b, e->id),
		.routing = handed_text_add(b, e->routing),
		.query = handed_text_add(b, e->query),
		.name = handed_text_add(b, e->is_task ? e->task : e->name),
		.tag = tag,
		.wall_ns = of->wall_ns,
		.origin = of->origin,
	};
}

void handed_add_request(struct handed_batch *b, struct recorded *request)
{
	handed_grow(b, 1);
	b->list[b->n++] = (struct handed){ .kind = EFFECT_KINDS,
					   .tag = request->tag,
					   .wall_ns = request->wall_ns,
					   .request = request };
	b->request_bytes += recorded_bytes(request);
}

void handed_clear(struct handed_batch *b)
{
	b->n = b->text.n = 0;
	b->request_bytes = 0;
	b->until_wall_ns = 0;
}

void handed_free(struct handed_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->list[i].request)
			recorded_free(b->list[i].request);
	free(b->list);
	bytes_free(&b->text);
	*b = (struct handed_batch){ 0 };
}

static size_t handed_bytes(const struct handed_batch *b)
{
	return b->n * sizeof *b->list + b->text.n + b->request_bytes;
}

/* Appends all of `from` to `to`. */
static void handed_join(struct handed_batch *to, const struct handed_batch *from)
{
	uint32_t base = handed_text_add(to, (struct span){ from->text.at, from->text.n }).at;
	handed_grow(to, from->n);
	for (size_t i = 0; i < from->n; i++) {
		struct handed h = from->list[i];
		h.index.at += base;
		h.id.at += base;
		h.routing.at += base;
		h.query.at += base;
		h.name.at += base;
		to->list[to->n++] = h;
	}
	to->request_bytes += from->request_bytes;
	to->until_wall_ns = from->until_wall_ns;
	to->over_wall_ns = from->over_wall_ns;
}

/* --- the handoff --- */

void handoff_open(struct handoff *h, void (*wake)(void *user), void *user)
{
	*h = (struct handoff){ .wake = wake, .user = user };
	must(!pthread_mutex_init(&h->lock, NULL));
}

void handoff_close(struct handoff *h)
{
	pthread_mutex_destroy(&h->lock);
	handed_free(&h->waiting);
	free(h->back);
}

void handoff_forget_until(struct handoff *h)
{
	pthread_mutex_lock(&h->lock);
	h->waiting.until_wall_ns = 0;
	pthread_mutex_unlock(&h->lock);
}

bool handoff_put(struct handoff *h, struct handed_batch *b)
{
	pthread_mutex_lock(&h->lock);
	bool empty = !h->waiting.n, fits = handed_bytes(&h->waiting) < HANDOFF_BYTES_MAX;
	if (empty) {
		struct handed_batch taken = h->waiting;
		h->waiting = *b;
		*b = taken;
	} else if (fits) {
		handed_join(&h->waiting, b);
	}
	pthread_mutex_unlock(&h->lock);
	if (!fits)
		return false;
	handed_clear(b);
	h->wake(h->user);
	return true;
}

bool handoff_take(struct handoff *h, struct handed_batch *b)
{
	must(!b->n);
	pthread_mutex_lock(&h->lock);
	struct handed_batch taken = h->waiting;
	h->waiting = *b;
	pthread_mutex_unlock(&h->lock);
	*b = taken;
	return b->n || b->until_wall_ns;
}

void handoff_back(struct handoff *h, const uintptr_t *tags, size_t n)
{
	pthread_mutex_lock(&h->lock);
	if (h->back_n + n > h->back_room) {
		h->back_room = 2 * h->back_room + n;
		h->back = realloc(h->back, h->back_room * sizeof *h->back);
		must(h->back);
	}
	memcpy(h->back + h->back_n, tags, n * sizeof *tags);
	h->back_n += n;
	pthread_mutex_unlock(&h->lock);
}

size_t handoff_take_back(struct handoff *h, uintptr_t **tags)
{
	pthread_mutex_lock(&h->lock);
	size_t n = h->back_n;
	*tags = h->back;
	h->back = NULL;
	h->back_n = h->back_room = 0;
	pthread_mutex_unlock(&h->lock);
	return n;
}
