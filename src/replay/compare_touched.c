#include "replay/compare_touched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "capture/kafka_limits.h"
#include "replay/keys.h"

enum touched_order {
	TOUCHED_REST, /* the log is closed, or to be closed as it is */
	TOUCHED_READ,
	TOUCHED_HOLD, /* no further */
	TOUCHED_KEEP, /* the position is saved, and the log closed */
};

/* Indices that are compared as a whole. */
struct whole {
	struct whole *next;
	char *indices; /* owned */
};

struct touched {
	struct touched_config config;
	struct touched_wish wish;
	struct handoff handoff;
	struct handed_batch batch; /* taken, and not all in the table yet */
	size_t at;
	struct keys *keys; /* owned; NULL: nothing is read */
	struct whole *whole;
	/* Of what was compared as a whole, and of what nobody compares: how often each tag is out.
	 */
	uint64_t held[KAFKA_INFLIGHT];
	bool caught_up;
	uint64_t writes;
	/* Shared. */
	_Atomic int order; /* enum touched_order */
	_Atomic int error; /* errno; EBUSY: another process has the follower's place */
	atomic_bool open;  /* the log is, or will be */
	/* The reading thread's. */
	struct log_reader reader;
	struct log_reader_counts counts;
	bool reading;
};

static void touched_order(struct touched *t, enum touched_order order)
{
	atomic_store(&t->order, order);
	waker_wake(t->config.waker);
}

/* --- the reading thread --- */

static void touched_handed(void *user)
{
	struct touched *t = user;
	t->config.wake(t->config.user);
}

static bool touched_reader_open(struct touched *t)
{
	const struct log_reader_config c = { .play = log_reader_play_effects,
					     .directory = t->config.directory,
					     .follower = COMPARE_FOLLOWER,
					     .handoff = &t->handoff,
					     .waker = t->config.waker,
					     .owner = t->config.owner,
					     .since = t->config.since,
					     .counts = &t->counts };
	if (t->reading)
		return true;
	enum follower_verdict v = log_reader_open(&t->reader, &c);
	t->reading = v == FOLLOWER_OPEN;
	atomic_store(&t->error, v == FOLLOWER_OPEN ? 0 : v == FOLLOWER_BUSY ? EBUSY : errno);
	return t->reading;
}

static void touched_reader_close(struct touched *t, bool keep)
{
	if (t->reading && keep && !log_reader_save(&t->reader))
		atomic_store(&t->error, errno);
	if (t->reading)
		log_reader_close(&t->reader);
	t->reading = false;
	if (!atomic_exchange(&t->open, false))
		return;
	t->config.wake(t->config.user);
}

bool touched_read(struct touched *t)
{
	switch ((enum touched_order)atomic_load(&t->order)) {
	case TOUCHED_READ:
		return touched_reader_open(t) && !log_reader_step(&t->reader);
	case TOUCHED_HOLD:
		break;
	case TOUCHED_KEEP:
		touched_reader_close(t, true);
		break;
	case TOUCHED_REST:
		touched_reader_close(t, false);
		break;
	}
	return false;
}

void touched_leave(struct touched *t)
{
	atomic_store(&t->order, TOUCHED_REST);
	touched_reader_close(t, false);
}

/* --- effects --- */

static void touched_back(void *user, uintptr_t tag)
{
	struct touched *t = user;
	handoff_back(&t->handoff, &tag, 1);
}

static void touched_add_whole(struct touched *t, struct span indices)
{
	/* No name is all of them. */
	indices = indices.n ? indices : SPAN("*");
	for (const struct whole *w = t->whole; w; w = w->next)
		if (span_is(indices, span_of(w->indices)))
			return;
	struct whole *w = malloc(sizeof *w);
	must(w);
	*w = (struct whole){ .next = t->whole, .indices = strndup(indices.at, indices.n) };
	must(w->indices);
	t->whole = w;
}

/* False: the table is full. */
static bool touched_take_key(struct touched *t, const struct handed *h)
{
	const struct keys_write w = { .index = handed_span(&t->batch, h->index),
				      .id = handed_span(&t->batch, h->id),
				      .routing = handed_span(&t->batch, h->routing),
				      .tag = h->tag,
				      .time_ns = h->wall_ns };
	t->writes++;
	if (!t->wish.wants(t->wish.user, w.index)) {
		t->held[h->tag]++;
		return true;
	}
	if (h->marks & HANDED_BY_REQUEST && !t->wish.knows(t->wish.user, w.index)) {
		touched_add_whole(t, w.index);
		t->held[h->tag]++;
		return true;
	}
	enum keys_added added = keys_add(t->keys, &w);
	t->writes -= added == KEYS_FULL;
	if (added == KEYS_ILLEGAL || added == KEYS_PARKED_FULL)
		t->held[h->tag]++;
	return added != KEYS_FULL;
}

static bool touched_take(struct touched *t, const struct handed *h)
{
	if (h->kind == EFFECT_KEY && t->wish.keys)
		return touched_take_key(t, h);
	if (h->kind == EFFECT_SCAN || h->kind == EFFECT_SWEEP || h->kind == EFFECT_WALK ||
	    h->kind == EFFECT_LOST)
		touched_add_whole(t, handed_span(&t->batch, h->index));
	t->held[h->tag]++;
	return true;
}

static void touched_take_all(struct touched *t)
{
	if (t->caught_up || (t->at == t->batch.n && !handoff_take(&t->handoff, &t->batch)))
		return;
	while (t->at < t->batch.n && touched_take(t, &t->batch.list[t->at]))
		t->at++;
	if (t->at < t->batch.n)
		return;
	t->caught_up = t->batch.until_wall_ns >= t->wish.until_wall_ns;
	handed_clear(&t->batch);
	t->at = 0;
	if (t->caught_up)
		touched_order(t, TOUCHED_HOLD);
}

/* --- judging --- */

bool touched_turn(struct touched *t, struct judge *j)
{
	struct keys_taken k;
	const struct keys_ask one = { .n_max = 1, .bytes_max = REPLAY_KEY_BYTES };
	if (!t->keys)
		return true;
	touched_take_all(t);
	while (judge_has_room(j) && keys_take(t->keys, &one, &k) > 0)
		judge_add(j, &(struct judge_key){ .index = k.index,
						  .id = k.id,
						  .routing = k.routing,
						  .is_touched = true,
						  .number = k.key });
	/*
	 * A table that is full of keys that differ takes no more. And a key that differs is not
	 * done: what waits behind it is the same one.
	 */
	return (t->caught_up || t->at < t->batch.n) && judge_is_done(j);
}

void touched_done(struct touched *t, uint32_t number)
{
	keys_done(t->keys, number);
	waker_wake(t->config.waker);
}

char *touched_take_whole(struct touched *t)
{
	struct whole *w = t->whole;
	if (!w)
		return NULL;
	char *indices = w->indices;
	t->whole = w->next;
	free(w);
	return indices;
}

/* --- a life --- */

void touched_begin(struct touched *t, const struct touched_wish *w)
{
	must(!t->keys && touched_is_over(t));
	t->wish = *w;
	t->keys = keys_open(
		&(struct keys_config){ .seed = t->config.seed, .back = touched_back, .user = t });
	handoff_open(&t->handoff, touched_handed, t);
	t->caught_up = false;
	t->writes = 0;
	memset(t->held, 0, sizeof t->held);
	atomic_store(&t->error, 0);
	atomic_store(&t->open, true);
	touched_order(t, TOUCHED_READ);
}

static void touched_release(struct touched *t)
{
	for (uintptr_t tag = 0; tag < KAFKA_INFLIGHT; tag++)
		for (; t->held[tag]; t->held[tag]--)
			handoff_back(&t->handoff, &tag, 1);
}

void touched_end(struct touched *t, bool equal)
{
	if (!t->keys)
		return;
	if (equal)
		touched_release(t);
	touched_order(t, t->caught_up ? TOUCHED_KEEP : TOUCHED_REST);
}

bool touched_is_over(const struct touched *t)
{
	return !atomic_load(&t->open);
}

uint64_t touched_writes(const struct touched *t)
{
	return t->writes;
}

const char *touched_failure(const struct touched *t)
{
	int error = atomic_load(&t->error);
	if (!error || !t->keys)
		return NULL;
	return error == EBUSY ? "another process compares" : strerror(error);
}

struct touched *touched_open(const struct touched_config *c)
{
	struct touched *t = calloc(1, sizeof *t);
	must(t);
	t->config = *c;
	return t;
}

/* After the reading thread has closed the log. */
void touched_forget(struct touched *t)
{
	if (!t->keys)
		return;
	keys_close(t->keys);
	t->keys = NULL;
	handoff_close(&t->handoff);
	handed_free(&t->batch);
	t->at = 0;
	for (char *indices; (indices = touched_take_whole(t));)
		free(indices);
}

void touched_close(struct touched *t)
{
	must(touched_is_over(t));
	touched_forget(t);
	free(t);
}
