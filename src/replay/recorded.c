#include "replay/recorded.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/plain.h"
#include "replay/recorded_head.h"

/* --- a request --- */

/* Without the query, which may have secrets. */
static void recorded_set_name(struct recorded *r, const struct msg *m)
{
	struct span target = msg_target(m), method = msg_method(m);
	const char *mark = memchr(target.at, '?', target.n);
	char text[RECORDED_NAME_BYTES];
	snprintf(text, sizeof text, "%.*s %.*s", (int)least(method.n, 32), method.at,
		 (int)least(mark ? (size_t)(mark - target.at) : target.n, sizeof text), target.at);
	plain_copy(r->name, sizeof r->name, text);
}

static void recorded_take_head(struct recorded *r, const struct frame *f, struct span payload)
{
	struct record_request q;
	if (f->type != FRAME_REQUEST_HEAD || payload.n < sizeof q)
		return;
	memcpy(&q, payload.at, sizeof q);
	if (q.text_n <= payload.n - sizeof q)
		bytes_add(&r->head, (struct span){ payload.at + sizeof q, q.text_n });
}

/* False: it is no head that can be sent. */
static bool recorded_look_at_head(struct recorded *r)
{
	struct slab chunks;
	struct arena arena;
	struct msg m;
	slab_open(&chunks, ARENA_CHUNK_BYTES, 1);
	arena_open(&arena, &chunks);
	msg_open(&m, &arena, MSG_REQUEST);
	bool good = r->head.n && recorded_head_read(&m, (struct span){ r->head.at, r->head.n });
	if (good) {
		recorded_set_name(r, &m);
		r->method = (enum method)m.method;
		r->has_length = m.body == BODY_LENGTH;
		good = (!r->has_length || m.length == r->body_n) && !recorded_hides(&m);
	}
	arena_close(&arena);
	slab_close(&chunks);
	return good;
}

static void recorded_end_reading(struct recorded *r)
{
	if (r->cursor)
		assembly_close(r->cursor);
	r->cursor = NULL;
	r->read_n = 0;
}

/* The head, and the next piece of the body, which is put behind what `piece` has. */
static void recorded_read(struct recorded *r, int directory)
{
	struct frame f;
	struct span payload;
	if (!r->cursor)
		r->cursor = assembly_read(r->assembly, directory, ASSEMBLY_REQUEST);
	enum assembly_verdict v;
	while ((v = assembly_next(r->cursor, &f, &payload)) == ASSEMBLY_FRAME) {
		if (!r->head.n)
			recorded_take_head(r, &f, payload);
		if (f.type == FRAME_REQUEST_BODY && payload.n)
			break;
		if (!r->body_n && r->head.n)
			break;
	}
	size_t n = v == ASSEMBLY_FRAME && f.type == FRAME_REQUEST_BODY ? payload.n : 0;
	bytes_add(&r->piece, (struct span){ payload.at, n });
	r->read_n += n;
	r->came = v != ASSEMBLY_FRAME || r->read_n > r->body_n ? RECORDED_LOST
		  : r->read_n == r->body_n		       ? RECORDED_LAST
							       : RECORDED_PIECE;
}

/* An outcome that the log does not have says nothing of bytes. */
static bool recorded_has_all(const struct assembly *a)
{
	return a->request_whole &&
	       (!a->outcome_sequence || a->request_bytes == a->outcome.request_bytes);
}

struct recorded *recorded_make(struct assembly *a, int directory, uint64_t wall_ns)
{
	struct recorded *r = calloc(1, sizeof *r);
	must(r);
	*r = (struct recorded){ .order = { .began = a->began, .ended = a->ended },
				.generation = a->generation,
				.sequence = a->first.sequence,
				.wall_ns = wall_ns,
				.certain = a->outcome.outcome == OUTCOME_ACCEPTED,
				.body_n = a->request_bytes,
				.assembly = a };
	bool comes_along = a->request_bytes <= RECORDED_ALONG_BYTES;
	snprintf(r->name, sizeof r->name, "a request whose head cannot be read");
	do
		recorded_read(r, directory);
	while (comes_along && r->came == RECORDED_PIECE);
	r->whole = recorded_look_at_head(r) && recorded_has_all(a) && r->came != RECORDED_LOST;
	recorded_end_reading(r);
	if (comes_along || !r->whole) {
		assembly_free(a);
		r->assembly = NULL;
	} else {
		bytes_free(&r->piece);
	}
	return r;
}

void recorded_free(struct recorded *r)
{
	recorded_end_reading(r);
	if (r->assembly)
		assembly_free(r->assembly);
	bytes_free(&r->head);
	bytes_free(&r->piece);
	free(r);
}

size_t recorded_bytes(const struct recorded *r)
{
	return sizeof *r + r->head.room + r->piece.room +
	       (r->assembly ? assembly_bytes(r->assembly) : 0);
}

/* --- pieces of bodies --- */

void recorded_feed_open(struct recorded_feed *f, const char *path, struct waker *waker,
			void (*wake)(void *user), void *user)
{
	*f = (struct recorded_feed){
		.path = path, .directory = -1, .waker = waker, .wake = wake, .user = user
	};
	list_init(&f->wanted);
	list_init(&f->come);
	must(!pthread_mutex_init(&f->lock, NULL));
}

void recorded_feed_close(struct recorded_feed *f)
{
	must(list_empty(&f->wanted) && list_empty(&f->come));
	if (f->directory >= 0)
		close(f->directory);
	pthread_mutex_destroy(&f->lock);
}

void recorded_feed_want(struct recorded_feed *f, struct recorded *r, bool anew)
{
	if (anew)
		recorded_end_reading(r);
	pthread_mutex_lock(&f->lock);
	list_add_tail(&f->wanted, &r->link);
	pthread_mutex_unlock(&f->lock);
	waker_wake(f->waker);
}

static struct recorded *recorded_feed_move(struct recorded_feed *f, struct list *from)
{
	pthread_mutex_lock(&f->lock);
	struct list *at = list_take_first(from);
	pthread_mutex_unlock(&f->lock);
	return at ? list_entry(at, struct recorded, link) : NULL;
}

struct recorded *recorded_feed_take(struct recorded_feed *f)
{
	return recorded_feed_move(f, &f->come);
}

void recorded_feed_turn(struct recorded_feed *f)
{
	for (struct recorded *r; (r = recorded_feed_move(f, &f->wanted));) {
		if (f->directory < 0)
			f->directory = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r->piece.n = 0;
		recorded_read(r, f->directory);
		pthread_mutex_lock(&f->lock);
		list_add_tail(&f->come, &r->link);
		pthread_mutex_unlock(&f->lock);
		f->wake(f->user);
	}
}
