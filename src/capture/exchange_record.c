#include "capture/exchange_record.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "capture/head_text.h"
#include "base/least.h"

struct exchange_records {
	void *tree; /* of struct exchange_record, ordered by compare_exchange_records() */
	bool bodies, bulks;
	uint64_t open_n, orphans;
};

/* --- texts --- */

static void text_append(struct exchange_record_text *t, struct span s)
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
static struct span payload_part(struct span s, size_t at, size_t n)
{
	at = at < s.n ? at : s.n;
	return (struct span){ s.at + at, n < s.n - at ? n : s.n - at };
}

/* --- names --- */

static int compare_exchange_records(const void *a, const void *b)
{
	const struct exchange_record *x = a, *y = b;
	int c = compare_numbers(x->generation, y->generation);
	return c ? c : frame_compare_exchanges(&x->first, &y->first);
}

static struct exchange_record *exchange_records_find(const struct exchange_records *s,
						     const struct reading *r)
{
	struct exchange_record key = { .generation = r->segment->generation, .first = r->frame };
	struct exchange_record **found = tfind(&key, &s->tree, compare_exchange_records);
	return found ? *found : NULL;
}

/* --- frames --- */

static void exchange_records_begin(struct exchange_records *s, const struct reading *r)
{
	struct exchange_record *n = calloc(1, sizeof *n);
	must(n);
	n->generation = r->segment->generation;
	n->first = r->frame;
	memcpy(n->node, r->segment->node, sizeof n->node);
	if (r->payload.n >= sizeof n->request)
		memcpy(&n->request, r->payload.at, sizeof n->request);
	text_append(&n->request_head,
		    payload_part(r->payload, sizeof n->request, n->request.text_n));
	text_append(&n->listener,
		    payload_part(r->payload, sizeof n->request + n->request.text_n, SIZE_MAX));
	n->request_whole = r->frame.flags & FRAME_END;
	struct exchange_record **there = tsearch(n, &s->tree, compare_exchange_records);
	must(there && *there == n);
	s->open_n++;
}

static void look_at_bulk(struct exchange_record *s)
{
	struct span head = { s->response_heads.at + s->response_at,
			     s->response_heads.n - s->response_at };
	bulk_close(s->bulk);
	s->bulk = exchange_record_status(s) == 200 && bulk_is(exchange_record_target(s))
			  ? bulk_open(head)
			  : NULL;
}

static void exchange_record_take_response(struct exchange_record *s, const struct reading *r,
					  bool bulks)
{
	struct record_response a = { 0 };
	if (r->payload.n >= sizeof a)
		memcpy(&a, r->payload.at, sizeof a);
	s->response_at = s->response_heads.n;
	text_append(&s->response_heads, payload_part(r->payload, sizeof a, a.text_n));
	if (bulks)
		look_at_bulk(s);
}

static void exchange_record_take_outcome(struct exchange_record *s, const struct reading *r)
{
	struct record_outcome *o = &s->outcome;
	if (r->payload.n < sizeof *o)
		return;
	memcpy(o, r->payload.at, sizeof *o);
	text_append(&s->back, payload_part(r->payload, sizeof *o, o->node_n));
	text_append(&s->why, payload_part(r->payload, sizeof *o + o->node_n, o->why));
	s->has_outcome = true;
}

static void exchange_record_take(struct exchange_record *s, const struct reading *r,
				 const struct exchange_records *in)
{
	bool bodies = in->bodies;
	bool end = r->frame.flags & FRAME_END;
	switch ((enum frame_type)r->frame.type) {
	case FRAME_REQUEST_BODY:
		s->request_bytes += r->payload.n;
		if (bodies)
			text_append(&s->request_body, r->payload);
		s->request_whole |= end;
		return;
	case FRAME_REQUEST_TRAILERS:
		text_append(&s->request_trailers, r->payload);
		s->request_whole = true;
		return;
	case FRAME_RESPONSE_HEAD:
		exchange_record_take_response(s, r, in->bulks);
		s->response_whole |= end;
		return;
	case FRAME_RESPONSE_BODY:
		s->response_bytes += r->payload.n;
		if (bodies)
			text_append(&s->response_body, r->payload);
		if (s->bulk)
			bulk_take(s->bulk, r->payload);
		s->response_whole |= end;
		return;
	case FRAME_RESPONSE_TRAILERS:
		text_append(&s->response_trailers, r->payload);
		s->response_whole = true;
		return;
	case FRAME_OUTCOME:
		exchange_record_take_outcome(s, r);
		return;
	case FRAME_REQUEST_HEAD:
	case FRAME_GAP:
	case FRAME_COMMIT:
	case FRAME_CLOSE:
	case FRAME_SEAL:
	case FRAME_OWNER:
	case FRAME_DRAINED:
	case FRAME_TYPES:
		return;
	}
}

static bool exchange_record_has_frame(const struct frame *f)
{
	return f->type >= FRAME_REQUEST_HEAD && f->type <= FRAME_OUTCOME;
}

struct exchange_record *exchange_records_take(struct exchange_records *s, const struct reading *r)
{
	if (!exchange_record_has_frame(&r->frame))
		return NULL;
	struct exchange_record *there = exchange_records_find(s, r);
	if (!there && r->frame.type == FRAME_REQUEST_HEAD) {
		exchange_records_begin(s, r);
		return NULL;
	}
	if (!there) {
		s->orphans++;
		return NULL;
	}
	exchange_record_take(there, r, s);
	if (!there->has_outcome)
		return NULL;
	tdelete(there, &s->tree, compare_exchange_records);
	s->open_n--;
	return there;
}

/* --- what a record says --- */

const char *outcome_word(const struct exchange_record *s)
{
	static const char *const words[OUTCOMES] = { "unknown", "accepted", "rejected",
						     "failed",	"unknown",  "not_sent" };
	struct bulk_counts counts;
	if (s->goes_on)
		return "open";
	if (exchange_record_is_partly_accepted(s, &counts))
		return "partly_accepted";
	return words[s->outcome.outcome < OUTCOMES ? s->outcome.outcome : OUTCOME_NONE];
}

bool exchange_record_is_partly_accepted(const struct exchange_record *s, struct bulk_counts *counts)
{
	return s->has_outcome && s->outcome.outcome == OUTCOME_ACCEPTED && s->bulk &&
	       s->response_whole && bulk_has_refused(s->bulk, counts);
}

struct span exchange_record_method(const struct exchange_record *s)
{
	return head_word((struct span){ s->request_head.at, s->request_head.n }, 0);
}

struct span exchange_record_target(const struct exchange_record *s)
{
	return head_word((struct span){ s->request_head.at, s->request_head.n }, 1);
}

unsigned exchange_record_status(const struct exchange_record *s)
{
	unsigned long long status = 0;
	if (s->has_outcome && s->outcome.status)
		return s->outcome.status;
	if (!s->response_heads.n)
		return 0;
	struct span head = { s->response_heads.at + s->response_at,
			     s->response_heads.n - s->response_at };
	span_to_u64(head_word(head, 1), 999, &status);
	return (unsigned)status;
}

const char *exchange_record_protocol(const struct exchange_record *s)
{
	static const char *const words[PROTOCOLS] = { "", "HTTP/1.0", "HTTP/1.1", "HTTP/2" };
	return s->request.protocol < PROTOCOLS ? words[s->request.protocol] : "";
}

const char *exchange_record_cluster(const struct exchange_record *s)
{
	return s->first.flags & FRAME_TARGET ? "target" : "source";
}

const char *exchange_record_scheme(const struct exchange_record *s)
{
	return s->request.scheme == SCHEME_HTTPS ? "https" : "http";
}

uint64_t exchange_record_response_bytes(const struct exchange_record *s)
{
	return s->has_outcome ? s->outcome.response_bytes : s->response_bytes;
}

/* --- open and close --- */

struct exchange_records *exchange_records_open(bool bodies)
{
	struct exchange_records *s = calloc(1, sizeof *s);
	must(s);
	s->bodies = bodies;
	return s;
}

void exchange_records_look_at_bulks(struct exchange_records *s)
{
	s->bulks = true;
}

void exchange_record_free(struct exchange_record *s)
{
	struct exchange_record_text *texts[] = {
		&s->listener,	    &s->request_head, &s->request_trailers,
		&s->response_heads, &s->request_body, &s->response_trailers,
		&s->response_body,  &s->back,	      &s->why
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free(texts[i]->at);
	bulk_close(s->bulk);
	free(s);
}

static void exchange_record_free_node(void *exchange_record)
{
	exchange_record_free(exchange_record);
}

void exchange_records_close(struct exchange_records *s)
{
	tdestroy(s->tree, exchange_record_free_node);
	free(s);
}

uint64_t exchange_records_open_n(const struct exchange_records *s)
{
	return s->open_n;
}

uint64_t exchange_records_orphans(const struct exchange_records *s)
{
	return s->orphans;
}

struct walk {
	const struct reader *reader;
	void (*each)(void *user, const struct exchange_record *s);
	void *user;
};

static void exchange_record_visit(const void *node, VISIT which, void *closure)
{
	const struct walk *w = closure;
	struct exchange_record *s = *(struct exchange_record *const *)node;
	if (which != postorder && which != leaf)
		return;
	s->goes_on = w->reader && !reader_is_over(w->reader, s->generation);
	w->each(w->user, s);
}

void exchange_records_each_open(const struct exchange_records *s, const struct reader *r,
				void (*each)(void *user, const struct exchange_record *s),
				void *user)
{
	struct walk w = { r, each, user };
	twalk_r(s->tree, exchange_record_visit, &w);
}

struct open_ones {
	const struct reader *reader;
	struct position *to;
};

static void add_open(void *user, const struct exchange_record *s)
{
	struct open_ones *o = user;
	if (!reader_is_over(o->reader, s->generation))
		position_add_connection(o->to,
					(struct position_connection){ .generation = s->generation,
								      .number = s->first.connection,
								      .worker = s->first.worker,
								      .ordinal = s->first.ordinal,
								      .from = s->first.sequence });
}

void exchange_records_position(const struct exchange_records *s, const struct reader *r,
			       struct position *to)
{
	struct open_ones o = { r, to };
	exchange_records_each_open(s, r, add_open, &o);
	position_sort(to);
}
