#include "capture/assembly.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "capture/segment.h"
#include "capture/series.h"

struct assemblies {
	void *tree; /* of struct assembly, ordered by compare_assemblies() */
	size_t n;
	size_t kept_bytes; /* of their frames */
	uint64_t taken;	   /* beginnings and ends of exchanges, counted together */
};

/* --- names --- */

static int compare_assemblies(const void *a, const void *b)
{
	const struct assembly *x = a, *y = b;
	int c = compare_numbers(x->generation, y->generation);
	return c ? c : frame_compare_exchanges(&x->first, &y->first);
}

static struct assembly *assembly_find(const struct assemblies *all, const struct reading *r)
{
	struct assembly key = { .generation = r->segment->generation, .first = r->frame };
	struct assembly **found = tfind(&key, &all->tree, compare_assemblies);
	return found ? *found : NULL;
}

static struct assembly *assembly_begin(struct assemblies *all, const struct reading *r)
{
	struct assembly *a = calloc(1, sizeof *a);
	must(a);
	a->generation = r->segment->generation;
	a->first = r->frame;
	a->is_kept = true;
	a->began = ++all->taken;
	struct assembly **there = tsearch(a, &all->tree, compare_assemblies);
	must(there && *there == a);
	all->n++;
	return a;
}

static struct assembly *assemblies_take_out(struct assemblies *all, struct assembly *a)
{
	tdelete(a, &all->tree, compare_assemblies);
	all->n--;
	all->kept_bytes -= a->kept.n;
	a->ended = ++all->taken;
	return a;
}

/* --- places --- */

static enum assembly_side side_of(const struct frame *f)
{
	return f->type <= FRAME_REQUEST_TRAILERS ? ASSEMBLY_REQUEST : ASSEMBLY_RESPONSE;
}

static bool place_follows(const struct assembly *a, const struct reading *r)
{
	const struct assembly_place *last = &a->places[a->place_n - 1];
	return last->index == r->segment->index && last->side == side_of(&r->frame) &&
	       a->next_sequence == r->frame.sequence && a->next_at == r->at &&
	       last->frame_n < UINT32_MAX;
}

static void add_place(struct assembly *a, const struct reading *r)
{
	if (a->place_n == a->place_room) {
		a->place_room = a->place_room ? 2 * a->place_room : 4;
		a->places = realloc(a->places, a->place_room * sizeof *a->places);
		must(a->places);
	}
	a->places[a->place_n++] = (struct assembly_place){ .index = r->segment->index,
							   .sequence = r->frame.sequence,
							   .at = r->at,
							   .frame_n = 1,
							   .side = (uint8_t)side_of(&r->frame) };
}

static void note_place(struct assembly *a, const struct reading *r)
{
	if (a->place_n && place_follows(a, r))
		a->places[a->place_n - 1].frame_n++;
	else
		add_place(a, r);
	a->next_sequence = r->frame.sequence + 1;
	a->next_at = r->at + frame_bytes(&r->frame);
}

/* --- frames --- */

static void assembly_keep_frame(struct assemblies *all, struct assembly *a, const struct reading *r)
{
	size_t n = sizeof r->frame + r->payload.n;
	if (!a->is_kept)
		return;
	a->is_kept = a->kept.n + n <= ASSEMBLY_KEPT_BYTES &&
		     all->kept_bytes + n <= ASSEMBLIES_KEPT_BYTES;
	if (!a->is_kept) {
		all->kept_bytes -= a->kept.n;
		bytes_free(&a->kept);
		return;
	}
	all->kept_bytes += n;
	bytes_add(&a->kept, (struct span){ (const char *)&r->frame, sizeof r->frame });
	bytes_add(&a->kept, r->payload);
}

static void assembly_note_frame(struct assemblies *all, struct assembly *a, const struct reading *r)
{
	bool end = r->frame.flags & FRAME_END;
	assembly_keep_frame(all, a, r);
	note_place(a, r);
	if (side_of(&r->frame) == ASSEMBLY_REQUEST)
		a->request_whole |= end;
	else
		a->response_whole |= end;
	if (r->frame.type == FRAME_REQUEST_BODY)
		a->request_bytes += r->payload.n;
	if (r->frame.type == FRAME_RESPONSE_BODY)
		a->response_bytes += r->payload.n;
}

static bool assembly_note_outcome(struct assembly *a, const struct reading *r)
{
	if (r->payload.n < sizeof a->outcome)
		return false;
	memcpy(&a->outcome, r->payload.at, sizeof a->outcome);
	a->outcome_sequence = r->frame.sequence;
	a->outcome_mono_ns = r->frame.mono_ns;
	return true;
}

struct assembly *assemblies_take(struct assemblies *all, const struct reading *r)
{
	const struct frame *f = &r->frame;
	if (f->type < FRAME_REQUEST_HEAD || f->type > FRAME_OUTCOME)
		return NULL;
	struct assembly *a = assembly_find(all, r);
	if (!a && f->type == FRAME_REQUEST_HEAD)
		a = assembly_begin(all, r);
	if (!a)
		return NULL;
	if (f->type == FRAME_OUTCOME)
		return assembly_note_outcome(a, r) ? assemblies_take_out(all, a) : NULL;
	assembly_note_frame(all, a, r);
	return NULL;
}

/* --- open exchanges --- */

struct walk {
	const struct reader *reader;
	struct position *to;
	uint64_t generation, oldest;
	uint64_t oldest_write_ns;
	struct assembly *over;
};

static void assembly_visit(const void *node, VISIT which, void *closure)
{
	struct assembly *a = *(struct assembly *const *)node;
	struct walk *w = closure;
	if (which != postorder && which != leaf)
		return;
	if (w->reader && !w->over && reader_is_over(w->reader, a->generation))
		w->over = a;
	if (a->generation == w->generation && a->first.sequence < w->oldest)
		w->oldest = a->first.sequence;
	if (a->first.flags & FRAME_WRITE)
		w->oldest_write_ns = least(w->oldest_write_ns, a->first.wall_ns);
	if (w->to)
		position_add_connection(w->to,
					(struct position_connection){ .generation = a->generation,
								      .worker = a->first.worker,
								      .number = a->first.connection,
								      .ordinal = a->first.ordinal,
								      .from = a->first.sequence });
}

struct assembly *assemblies_take_unknown(struct assemblies *all, const struct reader *r)
{
	struct walk w = { .reader = r };
	twalk_r(all->tree, assembly_visit, &w);
	if (!w.over)
		return NULL;
	w.over->outcome.outcome = OUTCOME_UNKNOWN;
	return assemblies_take_out(all, w.over);
}

size_t assemblies_open_n(const struct assemblies *all)
{
	return all->n;
}

uint64_t assemblies_oldest(const struct assemblies *all, uint64_t generation)
{
	struct walk w = { .generation = generation, .oldest = UINT64_MAX };
	twalk_r(all->tree, assembly_visit, &w);
	return w.oldest;
}

uint64_t assemblies_oldest_write_ns(const struct assemblies *all)
{
	struct walk w = { .oldest_write_ns = UINT64_MAX };
	twalk_r(all->tree, assembly_visit, &w);
	return w.oldest_write_ns;
}

void assemblies_position(const struct assemblies *all, struct position *to)
{
	struct walk w = { .to = to };
	twalk_r(all->tree, assembly_visit, &w);
	position_sort(to);
}

size_t assembly_bytes(const struct assembly *a)
{
	return sizeof *a + a->place_room * sizeof *a->places + a->kept.room;
}

/* --- reading --- */

struct assembly_cursor {
	const struct assembly *assembly;
	int directory;
	enum assembly_side side;
	size_t kept_at;	  /* of a kept exchange: the next frame */
	size_t place;	  /* the place that is read */
	uint32_t frame_n; /* how many of its frames were read */
	bool open;
	struct segment segment;
};

static enum assembly_verdict cursor_gone(int error)
{
	errno = error;
	return ASSEMBLY_GONE;
}

static void cursor_let_go(struct assembly_cursor *c)
{
	if (c->open)
		segment_close(&c->segment);
	c->open = false;
}

/* The segment may be compressed by now: offsets in it stay the same. */
static enum assembly_verdict cursor_enter(struct assembly_cursor *c, const struct assembly_place *p)
{
	char name[SERIES_NAME_BYTES];
	if (c->open && c->segment.head.index != p->index)
		cursor_let_go(c);
	if (!c->open) {
		series_name(name, c->assembly->generation, p->index);
		enum segment_verdict v = segment_open(&c->segment, c->directory, name);
		if (v == SEGMENT_ERROR)
			return errno == ENOENT ? ASSEMBLY_GONE : ASSEMBLY_ERROR;
		if (v == SEGMENT_END)
			return cursor_gone(EIO);
		c->open = true;
	}
	segment_jump(&c->segment, p->at, p->sequence);
	return ASSEMBLY_FRAME;
}

static const struct assembly_place *next_place(struct assembly_cursor *c)
{
	const struct assembly *a = c->assembly;
	while (c->place < a->place_n && a->places[c->place].side != (uint8_t)c->side)
		c->place++;
	return c->place < a->place_n ? &a->places[c->place] : NULL;
}

static enum assembly_verdict cursor_next_kept(struct assembly_cursor *c, struct frame *f,
					      struct span *payload)
{
	const struct bytes *kept = &c->assembly->kept;
	while (c->kept_at < kept->n) {
		memcpy(f, kept->at + c->kept_at, sizeof *f);
		*payload = (struct span){ kept->at + c->kept_at + sizeof *f, f->payload_n };
		c->kept_at += sizeof *f + f->payload_n;
		if (side_of(f) == c->side)
			return ASSEMBLY_FRAME;
	}
	return ASSEMBLY_END;
}

static enum assembly_verdict cursor_next_placed(struct assembly_cursor *c, struct frame *f,
						struct span *payload)
{
	const struct assembly_place *p = next_place(c);
	if (!p)
		return ASSEMBLY_END;
	enum assembly_verdict entered = c->frame_n ? ASSEMBLY_FRAME : cursor_enter(c, p);
	if (entered != ASSEMBLY_FRAME)
		return entered;
	enum segment_verdict v = segment_next(&c->segment, f, payload);
	if (v == SEGMENT_ERROR)
		return ASSEMBLY_ERROR;
	if (v == SEGMENT_END || f->sequence != p->sequence + c->frame_n)
		return cursor_gone(EIO);
	c->frame_n++;
	if (c->frame_n == p->frame_n) {
		c->place++;
		c->frame_n = 0;
	}
	return ASSEMBLY_FRAME;
}

enum assembly_verdict assembly_next(struct assembly_cursor *c, struct frame *f,
				    struct span *payload)
{
	return c->assembly->is_kept ? cursor_next_kept(c, f, payload)
				    : cursor_next_placed(c, f, payload);
}

struct assembly_cursor *assembly_read(const struct assembly *a, int directory,
				      enum assembly_side side)
{
	struct assembly_cursor *c = calloc(1, sizeof *c);
	must(c);
	*c = (struct assembly_cursor){ .assembly = a, .directory = directory, .side = side };
	return c;
}

void assembly_close(struct assembly_cursor *c)
{
	cursor_let_go(c);
	free(c);
}

/* --- open and close --- */

void assembly_free(struct assembly *a)
{
	bytes_free(&a->kept);
	free(a->places);
	free(a);
}

static void assembly_free_node(void *assembly)
{
	assembly_free(assembly);
}

struct assemblies *assemblies_open(void)
{
	struct assemblies *all = calloc(1, sizeof *all);
	must(all);
	return all;
}

void assemblies_close(struct assemblies *all)
{
	tdestroy(all->tree, assembly_free_node);
	free(all);
}
