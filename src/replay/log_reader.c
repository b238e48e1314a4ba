#include "replay/log_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/bytes.h"
#include "capture/head_text.h"
#include "capture/kafka_limits.h"

#define OPENED_MAX (1u << 18)
#define HOLE_WHY "the capture log has a hole: the replica lacks the writes in it"

/* --- one side of an exchange --- */

struct body_side {
	struct assembly_cursor *cursor; /* owned; NULL: it could not be opened */
	struct bytes head;		/* owned: a copy of the last head */
	struct span rest;		/* of the frame at hand, not used yet */
	struct bytes joined;		/* owned: `rest`, where it is of two frames */
	bool ended;			/* no frame follows */
	bool end_given;			/* and the effects know it */
	bool lost;			/* a frame could not be read */
};

static void body_side_take_head(struct body_side *s, const struct frame *f, struct span payload)
{
	struct record_request q;
	struct record_response p;
	size_t before = f->type == FRAME_REQUEST_HEAD ? sizeof q : sizeof p;
	if (payload.n < before)
		return;
	memcpy(f->type == FRAME_REQUEST_HEAD ? (void *)&q : (void *)&p, payload.at, before);
	size_t n = f->type == FRAME_REQUEST_HEAD ? q.text_n : p.text_n;
	if (n > payload.n - before)
		return;
	s->head.n = 0;
	bytes_add(&s->head, (struct span){ payload.at + before, n });
}

/* To the next piece of the body, past heads and trailers. False: there is none. */
static bool body_side_next(struct body_side *s)
{
	struct frame f;
	struct span payload;
	while (!s->ended) {
		enum assembly_verdict v =
			s->cursor ? assembly_next(s->cursor, &f, &payload) : ASSEMBLY_END;
		s->ended = v != ASSEMBLY_FRAME;
		s->lost = v == ASSEMBLY_GONE || v == ASSEMBLY_ERROR;
		if (s->ended)
			return false;
		if (f.type == FRAME_REQUEST_HEAD || f.type == FRAME_RESPONSE_HEAD)
			body_side_take_head(s, &f, payload);
		else if (f.type == FRAME_REQUEST_BODY || f.type == FRAME_RESPONSE_BODY) {
			if (!payload.n)
				continue;
			s->rest = payload;
			return true;
		}
	}
	return false;
}

static void body_side_open(struct body_side *s, const struct assembly *a, int directory,
			   enum assembly_side side)
{
	*s = (struct body_side){ .cursor = assembly_read(a, directory, side) };
	body_side_next(s);
}

static void body_side_close(struct body_side *s)
{
	if (s->cursor)
		assembly_close(s->cursor);
	bytes_free(&s->head);
	bytes_free(&s->joined);
}

static struct span body_side_head(const struct body_side *s)
{
	return s->head.n ? (struct span){ s->head.at, s->head.n } : (struct span){ "", 0 };
}

/* --- effects of an exchange --- */

static_assert(KAFKA_INFLIGHT <= 1u << LOG_READER_OPENED_SHIFT, "a run's tag has its bits");

static uintptr_t log_reader_tag(struct log_reader *r)
{
	return r->opened << LOG_READER_OPENED_SHIFT | consumer_out(&r->consumer);
}

static void log_reader_told(void *user, const struct effect *e)
{
	struct log_reader *r = user;
	atomic_fetch_add_explicit(&r->config.counts->effects[e->kind], 1, memory_order_relaxed);
	struct effect one = *e;
	/* An uncertain write is copied at once, and once more when it can act no longer. */
	if (e->kind == EFFECT_KEY && e->uncertain) {
		one.uncertain = false;
		handed_add(&r->batch, &one, log_reader_tag(r), &r->exchange);
	}
	handed_add(&r->batch, e, log_reader_tag(r), &r->exchange);
}

/* The next piece of the body stands behind what is left of this one. */
static void body_side_join(struct body_side *s)
{
	struct bytes joined = { 0 };
	bytes_add(&joined, s->rest);
	if (body_side_next(s))
		bytes_add(&joined, s->rest);
	bytes_free(&s->joined);
	s->joined = joined;
	s->rest = (struct span){ joined.at, joined.n };
}

typedef size_t body_side_give(struct effects *e, struct span bytes, bool end);

/* False: no more bytes can bring the effects to their end. */
static bool body_side_feed(struct body_side *s, struct effects *e, body_side_give *give)
{
	enum effects_want before = effects_want(e);
	if (!s->rest.n && !s->ended)
		body_side_next(s);
	size_t used = give(e, s->rest, s->ended);
	must(used <= s->rest.n);
	s->rest.at += used;
	s->rest.n -= used;
	if (used || effects_want(e) != before)
		return true;
	bool again = !s->end_given;
	s->end_given = s->ended;
	if (!s->ended)
		body_side_join(s);
	return again;
}

/* A lost side is as one that was not recorded: the effects say rather too much. */
static struct effects_facts log_reader_facts(const struct assembly *a,
					     const struct body_side *request,
					     const struct body_side *response)
{
	struct span q = body_side_head(request), p = body_side_head(response);
	struct span target = head_word(q, 1);
	return (struct effects_facts){
		.method = method_find(head_word(q, 0)),
		.target = target.n ? target : SPAN("/"),
		.request_type = head_value(q, SPAN("content-type")),
		.request_coding = head_value(q, SPAN("content-encoding")),
		.response_type = head_value(p, SPAN("content-type")),
		.response_coding = head_value(p, SPAN("content-encoding")),
		.outcome = (enum outcome)a->outcome.outcome,
		.status = a->outcome.status,
		.request_recorded = !request->lost && a->request_bytes == a->outcome.request_bytes,
		.response_recorded =
			!response->lost && a->response_bytes == a->outcome.response_bytes,
	};
}

void log_reader_play_effects(struct log_reader *r, struct assembly *a)
{
	struct body_side request, response;
	int directory = r->consumer.follower.directory;
	body_side_open(&request, a, directory, ASSEMBLY_REQUEST);
	body_side_open(&response, a, directory, ASSEMBLY_RESPONSE);
	if (request.lost || response.lost)
		atomic_fetch_add(&r->config.counts->lost, 1);
	const struct effects_facts facts = log_reader_facts(a, &request, &response);
	effects_open(r->effects, &facts);
	bool goes_on = true;
	for (enum effects_want w; goes_on && (w = effects_want(r->effects)) != EFFECTS_DONE;)
		goes_on = w == EFFECTS_REQUEST
				  ? body_side_feed(&request, r->effects, effects_request)
				  : body_side_feed(&response, r->effects, effects_response);
	body_side_close(&request);
	body_side_close(&response);
	assembly_free(a);
}

/* --- a request that is sent once more --- */

/* A refusal of the owner's has changed nothing (RFC 9110, 15.5), nor has what no node has got. */
void log_reader_play_request(struct log_reader *r, struct assembly *a)
{
	bool rejected = a->outcome.outcome == OUTCOME_REJECTED;
	if (rejected || a->outcome.outcome == OUTCOME_NOT_SENT) {
		atomic_fetch_add(&r->config.counts->rejected, rejected);
		assembly_free(a);
		return;
	}
	struct recorded *q = recorded_make(a, r->consumer.follower.directory, r->exchange.wall_ns);
	if (!q->whole)
		atomic_fetch_add(&r->config.counts->lost, 1);
	q->tag = log_reader_tag(r);
	handed_add_request(&r->batch, q);
	/* The position can be between any two requests: what is done is not sent again. */
	consumer_turn(&r->consumer);
}

/* --- which exchanges --- */

/* Writes to the owner since it is that. */
static bool log_reader_wants(const struct log_reader *r, const struct assembly *a, uint64_t wall_ns)
{
	enum arm arm = a->first.flags & FRAME_TARGET ? ARM_TARGET : ARM_SOURCE;
	return a->first.flags & FRAME_WRITE && arm == r->config.owner &&
	       wall_ns >= r->config.from_ns && a->first.epoch >= r->config.since;
}

static void log_reader_over(struct log_reader *r, struct assembly *a, uint64_t wall_ns)
{
	r->exchange = (struct handed_exchange){
		.wall_ns = wall_ns,
		.origin = { .sequence = a->first.sequence, .series = (uint32_t)a->generation },
	};
	if (log_reader_wants(r, a, wall_ns)) {
		atomic_fetch_add_explicit(&r->config.counts->exchanges, 1, memory_order_relaxed);
		r->config.play(r, a);
		return;
	}
	if (a->first.flags & FRAME_WRITE)
		atomic_fetch_add_explicit(&r->config.counts->passed, 1, memory_order_relaxed);
	assembly_free(a);
}

/* --- reading --- */

static void log_reader_take_back(struct log_reader *r)
{
	uintptr_t *tags;
	size_t n = handoff_take_back(r->config.handoff, &tags);
	for (size_t i = 0; i < n; i++)
		if (tags[i] >> LOG_READER_OPENED_SHIFT == r->opened)
			consumer_back(&r->consumer,
				      tags[i] & ((1u << LOG_READER_OPENED_SHIFT) - 1));
	free(tags);
}

static void log_reader_hand_over(struct log_reader *r)
{
	uint64_t until_wall_ns;
	consumer_until(&r->consumer, &until_wall_ns);
	r->batch.until_wall_ns = until_wall_ns;
	r->batch.over_wall_ns = least(until_wall_ns, assemblies_oldest_write_ns(r->assemblies));
	r->full = (r->batch.n || until_wall_ns) && !handoff_put(r->config.handoff, &r->batch);
}

/*
 * An exchange of a process that has ended without its outcome. No node has got more of the request
 * than the log has, and its end only when that was durable. Where the log is damaged it says
 * nothing: then the bodies count as not recorded.
 */
static void log_reader_conclude(const struct log_reader *r, struct assembly *a)
{
	if (r->damaged)
		return;
	a->outcome.request_bytes = a->request_bytes;
	a->outcome.response_bytes = a->response_bytes;
	if (!a->request_whole)
		a->outcome.outcome = OUTCOME_NOT_SENT;
}

/* At the end of what is there. */
static void log_reader_end(struct log_reader *r)
{
	for (struct assembly *a;
	     (a = assemblies_take_unknown(r->assemblies, r->consumer.reader));) {
		log_reader_conclude(r, a);
		log_reader_over(r, a, clock_wall_ns());
	}
}

static void log_reader_count(struct log_reader *r)
{
	atomic_store_explicit(&r->config.counts->behind, consumer_lag(&r->consumer).records,
			      memory_order_relaxed);
}

/* Where each request has a round of its own, no more of them are read than there are rounds. */
static bool log_reader_has_room(const struct log_reader *r)
{
	return !r->config.keep_ms || consumer_has_room(&r->consumer);
}

/* --- what is not in the log --- */

/* Who copies learns of it before the position passes it. */
static void log_reader_lose(struct log_reader *r, const char *why)
{
	r->exchange = (struct handed_exchange){ .wall_ns = clock_wall_ns() };
	log_reader_told(r, &(struct effect){ .kind = EFFECT_LOST, .name = span_of(why) });
}

/* A loss, if frames that follow say that it had been durable: power failures leave others. */
static void log_reader_hole(struct log_reader *r, const struct reading *hole)
{
	if (hole->lost == LOST_TABLE)
		return;
	atomic_fetch_add(&r->config.counts->holes, 1);
	r->damaged = true;
	if (hole->lost == LOST_HEAD)
		log_reader_lose(r, HOLE_WHY);
	else if (!r->hole || r->hole_generation != hole->segment->generation)
		r->hole = hole->missing_first ? hole->missing_first : 1;
	r->hole_generation = hole->segment->generation;
}

static void log_reader_commit(struct log_reader *r, const struct reading *frame)
{
	struct record_commit commit;
	if (!r->hole || frame->segment->generation != r->hole_generation ||
	    frame->payload.n < sizeof commit)
		return;
	memcpy(&commit, frame->payload.at, sizeof commit);
	if (r->hole > commit.durable_sequence)
		return;
	r->hole = 0;
	log_reader_lose(r, HOLE_WHY);
}

static bool log_reader_lost_records(const struct reading *frame)
{
	struct record_damage damage;
	if (frame->payload.n < sizeof damage)
		return true;
	memcpy(&damage, frame->payload.at, sizeof damage);
	return damage.kind == DAMAGE_LOST || damage.kind == DAMAGE_HEAD || damage.places > 1;
}

static void log_reader_gap(struct log_reader *r, const struct reading *frame)
{
	struct record_gap gap;
	if (frame->payload.n < sizeof gap)
		return;
	memcpy(&gap, frame->payload.at, sizeof gap);
	if (gap.last_wall_ns < r->config.from_ns)
		return;
	if (gap.reason == GAP_TUNNEL)
		log_reader_lose(r, "a connection passed that cannot be recorded");
	else if (gap.reason == GAP_DAMAGE && log_reader_lost_records(frame))
		log_reader_lose(r, HOLE_WHY);
	else if (gap.reason != GAP_DAMAGE && gap.writes)
		log_reader_lose(r, "writes passed while the capture log could not be written");
}

static void log_reader_frame(struct log_reader *r, const struct reading *frame)
{
	if (frame->frame.type == FRAME_GAP)
		log_reader_gap(r, frame);
	if (frame->frame.type == FRAME_COMMIT)
		log_reader_commit(r, frame);
	struct assembly *a = assemblies_take(r->assemblies, frame);
	if (a)
		log_reader_over(r, a, frame->frame.wall_ns);
}

/* True: what was there is read. */
static bool log_reader_read(struct log_reader *r)
{
	uint64_t end_ns = clock_monotonic_ns() + LOG_READER_TURN_MS * 1000000ull;
	struct reading frame;
	while (r->batch.n < LOG_READER_EFFECTS && clock_monotonic_ns() < end_ns &&
	       log_reader_has_room(r)) {
		enum reader_verdict v = consumer_next(&r->consumer, &frame);
		if (v == READER_HOLE)
			log_reader_hole(r, &frame);
		if (v == READER_END || v == READER_ERROR)
			return true;
		if (v == READER_FRAME)
			log_reader_frame(r, &frame);
	}
	return false;
}

bool log_reader_step(struct log_reader *r)
{
	log_reader_take_back(r);
	bool end = true, reads = !r->full && log_reader_has_room(r);
	if (reads)
		end = log_reader_read(r);
	if (end && reads)
		log_reader_end(r);
	consumer_turn(&r->consumer);
	log_reader_hand_over(r);
	if (!consumer_settle(&r->consumer, false))
		log_line(LOG_ERROR, "replay: its position in the capture log cannot be saved: %s",
			 strerror(errno));
	log_reader_count(r);
	return end || r->full;
}

void log_reader_wait(struct log_reader *r, int ms)
{
	consumer_wait(&r->consumer, ms);
}

bool log_reader_save(struct log_reader *r)
{
	log_reader_take_back(r);
	consumer_part(&r->consumer);
	return consumer_settle(&r->consumer, true);
}

/* --- a life --- */

static void log_reader_add(void *user, const struct reader *reader, struct position *to)
{
	const struct log_reader *r = user;
	(void)reader;
	assemblies_position(r->assemblies, to);
}

static void log_reader_free(struct log_reader *r)
{
	consumer_close(&r->consumer);
	assemblies_close(r->assemblies);
	effects_free(r->effects);
	handed_free(&r->batch);
}

bool log_reader_is_new(const struct log_reader *r)
{
	const struct position *p = &r->consumer.follower.position;
	return !p->passed && !p->series_n;
}

enum follower_verdict log_reader_restart(struct log_reader *r, uint64_t from_ns)
{
	struct position nothing = { 0 };
	struct log_reader_config c = r->config;
	uintptr_t opened = (r->opened + 1) % OPENED_MAX;
	bool good = consumer_keep(&r->consumer, &nothing);
	int why = errno;
	log_reader_free(r);
	if (!good) {
		errno = why;
		return FOLLOWER_ERROR;
	}
	c.from_ns = from_ns;
	enum follower_verdict v = log_reader_open(r, &c);
	r->opened = opened;
	return v;
}

enum follower_verdict log_reader_open(struct log_reader *r, const struct log_reader_config *c)
{
	*r = (struct log_reader){ .config = *c };
	const struct consumer_config consumer = {
		.directory = c->directory,
		.name = c->follower,
		.arm = c->owner == ARM_TARGET ? CONSUMER_TARGET : CONSUMER_SOURCE,
		.keep_ms = c->keep_ms,
		.times = true,
		.waker = c->waker,
		.add = log_reader_add,
		.user = r,
	};
	enum follower_verdict v = consumer_open(&r->consumer, &consumer);
	if (v != FOLLOWER_OPEN)
		return v;
	r->assemblies = assemblies_open();
	r->effects = effects_make(log_reader_told, r);
	return v;
}

void log_reader_close(struct log_reader *r)
{
	log_reader_free(r);
}
