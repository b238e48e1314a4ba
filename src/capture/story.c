#include "capture/story.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

struct stories {
	void *tree; /* of struct story, by what names it */
	bool bodies, bulks;
	uint64_t open_n, orphans;
};

/* --- texts --- */

static void append(struct story_text *t, struct span s)
{
	if (!t->at || t->n + s.n + 1 > t->room) {
		t->room = 2 * t->room > t->n + s.n + 1 ? 2 * t->room : t->n + s.n + 1;
		t->at = realloc(t->at, t->room);
		must(t->at);
	}
	if (s.n)
		memcpy(t->at + t->n, s.at, s.n);
	t->n += s.n;
	t->at[t->n] = 0;
}

/* The part of `s` from `at` on, of `n` bytes at most. */
static struct span part(struct span s, size_t at, size_t n)
{
	at = at < s.n ? at : s.n;
	return (struct span){ s.at + at, n < s.n - at ? n : s.n - at };
}

/* --- names --- */

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_stories(const void *a, const void *b)
{
	const struct story *x = a, *y = b;
	int c = compare(x->generation, y->generation);
	c = c ? c : compare(x->first.worker, y->first.worker);
	c = c ? c : compare(x->first.connection, y->first.connection);
	return c ? c : compare(x->first.ordinal, y->first.ordinal);
}

static struct story *find(const struct stories *s, const struct reading *r)
{
	struct story key = { .generation = r->segment->generation, .first = r->frame };
	struct story **found = tfind(&key, &s->tree, compare_stories);
	return found ? *found : NULL;
}

/* --- frames --- */

static void begin(struct stories *s, const struct reading *r)
{
	struct story *n = calloc(1, sizeof *n);
	must(n);
	n->generation = r->segment->generation;
	n->first = r->frame;
	memcpy(n->node, r->segment->node, sizeof n->node);
	if (r->payload.n >= sizeof n->request)
		memcpy(&n->request, r->payload.at, sizeof n->request);
	append(&n->request_head, part(r->payload, sizeof n->request, n->request.text_n));
	append(&n->listener, part(r->payload, sizeof n->request + n->request.text_n, SIZE_MAX));
	n->request_whole = r->frame.flags & FRAME_END;
	struct story **there = tsearch(n, &s->tree, compare_stories);
	must(there && *there == n);
	s->open_n++;
}

static void look_at_bulk(struct story *s)
{
	struct span head = { s->answer_heads.at + s->answer_at, s->answer_heads.n - s->answer_at };
	bulk_close(s->bulk);
	s->bulk = story_status(s) == 200 && bulk_is(story_target(s)) ? bulk_open(head) : NULL;
}

static void take_answer(struct story *s, const struct reading *r, bool bulks)
{
	struct record_answer a = { 0 };
	if (r->payload.n >= sizeof a)
		memcpy(&a, r->payload.at, sizeof a);
	s->answer_at = s->answer_heads.n;
	append(&s->answer_heads, part(r->payload, sizeof a, a.text_n));
	if (bulks)
		look_at_bulk(s);
}

static void take_outcome(struct story *s, const struct reading *r)
{
	struct record_outcome *o = &s->outcome;
	if (r->payload.n < sizeof *o)
		return;
	memcpy(o, r->payload.at, sizeof *o);
	append(&s->back, part(r->payload, sizeof *o, o->node_n));
	append(&s->why, part(r->payload, sizeof *o + o->node_n, o->why));
	s->told = true;
}

static void take(struct story *s, const struct reading *r, const struct stories *in)
{
	bool bodies = in->bodies;
	bool end = r->frame.flags & FRAME_END;
	switch ((enum frame_type)r->frame.type) {
	case FRAME_REQUEST_BODY:
		s->request_bytes += r->payload.n;
		if (bodies)
			append(&s->request_body, r->payload);
		s->request_whole |= end;
		return;
	case FRAME_REQUEST_TRAILERS:
		append(&s->request_trailers, r->payload);
		s->request_whole = true;
		return;
	case FRAME_ANSWER_HEAD:
		take_answer(s, r, in->bulks);
		s->answer_whole |= end;
		return;
	case FRAME_ANSWER_BODY:
		s->answer_bytes += r->payload.n;
		if (bodies)
			append(&s->answer_body, r->payload);
		if (s->bulk)
			bulk_take(s->bulk, r->payload);
		s->answer_whole |= end;
		return;
	case FRAME_ANSWER_TRAILERS:
		append(&s->answer_trailers, r->payload);
		s->answer_whole = true;
		return;
	case FRAME_OUTCOME:
		take_outcome(s, r);
		return;
	case FRAME_REQUEST_HEAD:
	case FRAME_GAP:
	case FRAME_COMMIT:
	case FRAME_CLOSE:
	case FRAME_SEAL:
	case FRAME_TYPES:
		return;
	}
}

static bool is_of_a_story(const struct frame *f)
{
	return f->type >= FRAME_REQUEST_HEAD && f->type <= FRAME_OUTCOME;
}

struct story *stories_take(struct stories *s, const struct reading *r)
{
	if (!is_of_a_story(&r->frame))
		return NULL;
	struct story *there = find(s, r);
	if (!there && r->frame.type == FRAME_REQUEST_HEAD) {
		begin(s, r);
		return NULL;
	}
	if (!there) {
		s->orphans++;
		return NULL;
	}
	take(there, r, s);
	if (!there->told)
		return NULL;
	tdelete(there, &s->tree, compare_stories);
	s->open_n--;
	return there;
}

/* --- what it says --- */

const char *outcome_word(const struct story *s)
{
	static const char *const words[OUTCOMES] = { "unknown", "accepted", "rejected",
						     "failed",	"unknown",  "not_sent" };
	struct bulk_counts counts;
	if (s->goes_on)
		return "open";
	if (story_is_partly_accepted(s, &counts))
		return "partly_accepted";
	return words[s->outcome.outcome < OUTCOMES ? s->outcome.outcome : OUTCOME_NONE];
}

bool story_is_partly_accepted(const struct story *s, struct bulk_counts *counts)
{
	return s->told && s->outcome.outcome == OUTCOME_ACCEPTED && s->bulk && s->answer_whole &&
	       bulk_has_refused(s->bulk, counts);
}

static struct span word(struct span s, unsigned n)
{
	for (; n; n--) {
		const char *blank = s.n ? memchr(s.at, ' ', s.n) : NULL;
		size_t skip = blank ? (size_t)(blank - s.at) + 1 : s.n;
		s = (struct span){ s.at + skip, s.n - skip };
	}
	const char *end = s.n ? memchr(s.at, ' ', s.n) : NULL;
	return (struct span){ s.at, end ? (size_t)(end - s.at) : s.n };
}

struct span story_method(const struct story *s)
{
	return word((struct span){ s->request_head.at, s->request_head.n }, 0);
}

struct span story_target(const struct story *s)
{
	return word((struct span){ s->request_head.at, s->request_head.n }, 1);
}

unsigned story_status(const struct story *s)
{
	unsigned long long status = 0;
	if (s->told && s->outcome.status)
		return s->outcome.status;
	if (!s->answer_heads.n)
		return 0;
	struct span head = { s->answer_heads.at + s->answer_at, s->answer_heads.n - s->answer_at };
	span_to_u64(word(head, 1), 999, &status);
	return (unsigned)status;
}

uint64_t story_answer_bytes(const struct story *s)
{
	return s->told ? s->outcome.answer_bytes : s->answer_bytes;
}

/* --- a life --- */

struct stories *stories_open(bool bodies)
{
	struct stories *s = calloc(1, sizeof *s);
	must(s);
	s->bodies = bodies;
	return s;
}

void stories_look_at_bulks(struct stories *s)
{
	s->bulks = true;
}

void story_free(struct story *s)
{
	struct story_text *texts[] = { &s->listener,	 &s->request_head, &s->request_trailers,
				       &s->answer_heads, &s->request_body, &s->answer_trailers,
				       &s->answer_body,	 &s->back,	   &s->why };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free(texts[i]->at);
	bulk_close(s->bulk);
	free(s);
}

static void free_node(void *story)
{
	story_free(story);
}

void stories_close(struct stories *s)
{
	tdestroy(s->tree, free_node);
	free(s);
}

uint64_t stories_open_n(const struct stories *s)
{
	return s->open_n;
}

uint64_t stories_orphans(const struct stories *s)
{
	return s->orphans;
}

struct walk {
	const struct reader *reader;
	void (*each)(void *user, const struct story *s);
	void *user;
};

static void visit(const void *node, VISIT which, void *closure)
{
	const struct walk *w = closure;
	struct story *s = *(struct story *const *)node;
	if (which != postorder && which != leaf)
		return;
	s->goes_on = w->reader && !reader_is_over(w->reader, s->generation);
	w->each(w->user, s);
}

void stories_each_open(const struct stories *s, const struct reader *r,
		       void (*each)(void *user, const struct story *s), void *user)
{
	struct walk w = { r, each, user };
	twalk_r(s->tree, visit, &w);
}

struct open_ones {
	const struct reader *reader;
	struct position *to;
};

static void add_open(void *user, const struct story *s)
{
	struct open_ones *o = user;
	if (!reader_is_over(o->reader, s->generation))
		position_add_connection(o->to,
					(struct position_connection){ .generation = s->generation,
								      .number = s->first.connection,
								      .worker = s->first.worker,
								      .from = s->first.sequence });
}

void stories_position(const struct stories *s, const struct reader *r, struct position *to)
{
	struct open_ones o = { r, to };
	stories_each_open(s, r, add_open, &o);
	position_sort(to);
}
