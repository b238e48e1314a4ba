#include "capture/owed.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"

static struct owed_name owed_name_of(const struct frame *f)
{
	return (struct owed_name){ .worker = f->worker,
				   .ordinal = f->ordinal,
				   .connection = f->connection };
}

static int compare_names(const void *a, const void *b)
{
	const struct owed_name *x = a, *y = b;
	int c = compare_numbers(x->connection, y->connection);
	c = c ? c : compare_numbers(x->ordinal, y->ordinal);
	return c ? c : compare_numbers(x->worker, y->worker);
}

static const struct frame *frame_at(const struct batch *b, unsigned i)
{
	return (const void *)(b->bytes + b->frames[i]);
}

static void add_unwritten(struct owed *o, struct owed_name name)
{
	if (o->unwritten_n == o->unwritten_room) {
		o->unwritten_room = o->unwritten_room ? 2 * o->unwritten_room : 64;
		o->unwritten = realloc(o->unwritten, o->unwritten_room * sizeof *o->unwritten);
		must(o->unwritten);
	}
	o->unwritten[o->unwritten_n++] = name;
}

static void note_unwritten(struct owed *o, const struct batch *first)
{
	size_t before = o->unwritten_n;
	for (const struct batch *b = first; b; b = b->next)
		for (unsigned i = 0; i < b->frame_n; i++)
			if (frame_at(b, i)->type == FRAME_REQUEST_HEAD)
				add_unwritten(o, owed_name_of(frame_at(b, i)));
	if (o->unwritten_n > before)
		qsort(o->unwritten, o->unwritten_n, sizeof *o->unwritten, compare_names);
}

static bool is_unwritten(const struct owed *o, const struct frame *f)
{
	struct owed_name key = owed_name_of(f);
	return o->unwritten_n &&
	       bsearch(&key, o->unwritten, o->unwritten_n, sizeof key, compare_names);
}

/* The payload stands behind the head in the batch: an outcome has no body. */
static void owed_add(struct owed *o, const struct frame *f)
{
	static const char padding[FRAME_ALIGN];
	struct frame late = *f;
	late.flags |= FRAME_LATE;
	bytes_add(&o->frames, (struct span){ (const char *)&late, sizeof late });
	bytes_add(&o->frames, (struct span){ (const char *)(f + 1), f->payload_n });
	bytes_add(&o->frames, (struct span){ padding, frame_padded(f->payload_n) - f->payload_n });
}

void owed_note(struct owed *o, const struct batch *first, bool in_log)
{
	if (!in_log)
		note_unwritten(o, first);
	for (const struct batch *b = first; b; b = b->next)
		for (unsigned i = 0; i < b->frame_n; i++) {
			const struct frame *f = frame_at(b, i);
			if (f->type == FRAME_OUTCOME && !is_unwritten(o, f))
				owed_add(o, f);
		}
}

void owed_each(struct owed *o, uint64_t mono_ns, uint64_t wall_ns,
	       void (*number)(void *user, struct frame *f), void *user)
{
	for (size_t at = 0; at < o->frames.n;) {
		struct frame *f = (struct frame *)(void *)(o->frames.at + at);
		f->mono_ns = mono_ns;
		f->wall_ns = wall_ns;
		number(user, f);
		at += frame_bytes(f);
	}
}

/* Outcomes that are put from here on belong to exchanges that began when the log was there. */
void owed_paid(struct owed *o)
{
	owed_free(o);
}

void owed_free(struct owed *o)
{
	bytes_free(&o->frames);
	free(o->unwritten);
	*o = (struct owed){ 0 };
}
