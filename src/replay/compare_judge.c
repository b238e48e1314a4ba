#include "replay/compare_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/least.h"
#include "base/plain.h"
#include "replay/mget.h"

enum look_found { LOOK_ABSENT, LOOK_THERE, LOOK_LATER, LOOK_UNREADABLE };

/* What a cluster said of one document. */
struct look {
	uint8_t found; /* enum look_found */
	uint64_t seq_no, primary_term;
};

/* A key that waits, or is in a lane. */
struct judged {
	struct list link;
	uint64_t due_ms;
	unsigned rounds;
	bool of_replica, is_touched;
	uint32_t number;
	bool deep; /* a difference was seen: all writes that had begun must be over */
	struct look owner, replica; /* as they were then */
	uint32_t index_n, id_n, routing_n;
	char text[];
};

enum judge_lane_state {
	JUDGE_LANE_IDLE,
	JUDGE_LANE_OWNER,
	JUDGE_LANE_WAITS, /* for the replica to have what the owner had */
	JUDGE_LANE_REPLICA,
	JUDGE_LANE_AGAIN, /* the owner again */
};

/* The replica's document. */
struct held {
	struct look look;
	struct bytes source; /* owned; without text: it was too much for the batch */
	size_t routing_n;
	char routing[REPLAY_ROUTING_BYTES];
	char why[96]; /* of UNREADABLE */
};

struct judge_lane {
	struct judge *judge;
	enum judge_lane_state state;
	struct subrequest ask;
	struct mget mget;
	enum mget_step step;
	bool deep;
	bool failed;	  /* the response was no success */
	uint64_t wall_ns; /* of the first look */
	uint64_t waits_ms, not_before_ms;
	size_t n, at, held_bytes;
	struct judged *keys[COMPARE_BATCH]; /* owned; NULL: it was told of, or waits again */
	struct copy copies[COMPARE_BATCH];
	struct look owner[COMPARE_BATCH];
	struct held *held; /* owned: COMPARE_BATCH */
};

struct judge {
	struct judge_config config;
	struct list fresh, again;
	size_t n;    /* keys, with those in lanes */
	size_t most; /* keys of a batch */
	struct judge_lane lanes[COMPARE_LANES];
	uint64_t failing_ms[ARMS]; /* since when; 0: it responds */
	uint64_t copied_ns, stuck_ms;
	char trouble[ARMS][160];
	char failure[320];
};

static uint64_t judge_now_ms(const struct judge *j)
{
	return loop_now_ms(j->config.subrequests->loop);
}

static struct judge_lane *lane_of(struct subrequest *s)
{
	return list_entry(s, struct judge_lane, ask);
}

static enum arm lane_arm(const struct judge_lane *l)
{
	enum arm owner = l->judge->config.owner;
	return l->state == JUDGE_LANE_REPLICA ? arm_other(owner) : owner;
}

static const char *judge_name_of(enum arm arm)
{
	return arm_name(arm);
}

/* --- keys --- */

static struct judge_key judged_key(const struct judged *k)
{
	return (struct judge_key){ .index = { k->text, k->index_n },
				   .id = { k->text + k->index_n, k->id_n },
				   .routing = { k->text + k->index_n + k->id_n, k->routing_n },
				   .of_replica = k->of_replica,
				   .is_touched = k->is_touched,
				   .number = k->number };
}

bool judge_has_room(const struct judge *j)
{
	return j->n < COMPARE_QUEUE_MAX;
}

bool judge_add(struct judge *j, const struct judge_key *k)
{
	if (!judge_has_room(j))
		return false;
	struct judged *one = malloc(sizeof *one + k->index.n + k->id.n + k->routing.n);
	must(one);
	*one = (struct judged){ .of_replica = k->of_replica,
				.is_touched = k->is_touched,
				.number = k->number,
				.index_n = (uint32_t)k->index.n,
				.id_n = (uint32_t)k->id.n,
				.routing_n = (uint32_t)k->routing.n };
	memcpy(one->text, k->index.at, k->index.n);
	memcpy(one->text + k->index.n, k->id.at, k->id.n);
	if (k->routing.n)
		memcpy(one->text + k->index.n + k->id.n, k->routing.at, k->routing.n);
	list_add_tail(&j->fresh, &one->link);
	j->n++;
	return true;
}

static void lane_tell(struct judge_lane *l, size_t i, enum judge_verdict verdict, const char *what)
{
	struct judge *j = l->judge;
	struct judged *k = l->keys[i];
	const struct judge_key key = judged_key(k);
	l->keys[i] = NULL;
	j->n--;
	j->config.told(j->config.user, &key, verdict, what);
	free(k);
}

/* It waits again, as if it had not been looked at. */
static void lane_put_back(struct judge_lane *l, size_t i)
{
	struct judged *k = l->keys[i];
	l->keys[i] = NULL;
	k->due_ms = 0;
	list_add(k->deep ? &l->judge->again : &l->judge->fresh, &k->link);
}

/* It changes: once more, a little later. */
static void lane_look_again(struct judge_lane *l, size_t i)
{
	struct judge *j = l->judge;
	struct judged *k = l->keys[i];
	if (k->rounds == COMPARE_ROUNDS) {
		lane_tell(l, i, JUDGE_MOVING, "it was written at each look");
		return;
	}
	k->due_ms = judge_now_ms(j) + ((uint64_t)COMPARE_PAUSE_MS << k->rounds) / 2;
	k->rounds++;
	k->deep = true;
	l->keys[i] = NULL;
	list_add_tail(&j->again, &k->link);
}

/* --- one document --- */

static bool looks_are_one(const struct look *a, const struct look *b)
{
	return a->found == b->found &&
	       (a->found != LOOK_THERE ||
		(a->seq_no == b->seq_no && a->primary_term == b->primary_term));
}

static struct look look_of(const struct mget_document *d)
{
	static const enum look_found found[] = { [MGET_FOUND] = LOOK_THERE,
						 [MGET_ABSENT] = LOOK_ABSENT,
						 [MGET_NO_SOURCE] = LOOK_THERE,
						 [MGET_TOO_LONG] = LOOK_THERE,
						 [MGET_ERROR] = LOOK_UNREADABLE };
	struct look look = { (uint8_t)found[d->found], d->seq_no, d->primary_term };
	if (d->found != MGET_ERROR)
		return look;
	if (span_is(cluster_error_type(&d->error), SPAN("index_not_found_exception")))
		look.found = LOOK_ABSENT;
	else if (cluster_error_passes(&d->error))
		look.found = LOOK_LATER;
	return look;
}

static void look_say_why(const struct mget_document *d, enum arm arm, char *why, size_t bytes)
{
	struct span type = cluster_error_type(&d->error);
	snprintf(why, bytes, "the %s does not give the document: %.*s", judge_name_of(arm),
		 (int)type.n, type.at);
}

static void look_say_routing(struct span ours, struct span theirs, char where[COMPARE_WHERE_BYTES])
{
	static const struct span none = SPAN_INIT("none");
	char text[COMPARE_WHERE_BYTES];
	ours = ours.n ? ours : none;
	theirs = theirs.n ? theirs : none;
	snprintf(text, sizeof text, "_routing: %.*s / %.*s", (int)least(ours.n, 100), ours.at,
		 (int)least(theirs.n, 100), theirs.at);
	plain_copy(where, COMPARE_WHERE_BYTES, text);
}

/* A difference is believed when it was there before, and nobody has written it since. */
static void lane_differs(struct judge_lane *l, size_t i, enum judge_verdict verdict,
			 const char *what)
{
	struct judged *k = l->keys[i];
	const struct held *h = &l->held[i];
	if (l->deep && looks_are_one(&k->owner, &l->owner[i]) &&
	    looks_are_one(&k->replica, &h->look)) {
		lane_tell(l, i, verdict, what);
		return;
	}
	k->owner = l->owner[i];
	k->replica = h->look;
	lane_look_again(l, i);
}

static void lane_compare(struct judge_lane *l, size_t i, const struct mget_document *d)
{
	char where[COMPARE_WHERE_BYTES];
	struct held *h = &l->held[i];
	struct span ours = { d->source.text.at, d->source.text.n },
		    theirs = { h->source.at, h->source.n };
	struct span routing = { d->routing, d->routing_n }, other = { h->routing, h->routing_n };
	if (!span_is(routing, other)) {
		look_say_routing(routing, other, where);
		lane_differs(l, i, JUDGE_DIFFERENT, where);
		return;
	}
	switch (compare_json(ours, theirs, where)) {
	case COMPARE_EQUAL:
		lane_tell(l, i, JUDGE_EQUAL, "");
		break;
	case COMPARE_DIFFERENT:
		lane_differs(l, i, JUDGE_DIFFERENT, where);
		break;
	case COMPARE_UNKNOWN:
		lane_differs(l, i, JUDGE_UNKNOWN, where);
		break;
	}
}

/* The second look at the owner. */
static void lane_judge(struct judge_lane *l, size_t i, const struct mget_document *d)
{
	struct held *h = &l->held[i];
	struct look now = look_of(d);
	char why[96];
	if (now.found == LOOK_UNREADABLE) {
		look_say_why(d, lane_arm(l), why, sizeof why);
		lane_tell(l, i, JUDGE_UNKNOWN, why);
	} else if (h->look.found == LOOK_UNREADABLE) {
		lane_tell(l, i, JUDGE_UNKNOWN, h->why);
	} else if (now.found == LOOK_LATER || h->look.found == LOOK_LATER ||
		   !looks_are_one(&l->owner[i], &now)) {
		lane_look_again(l, i);
	} else if (now.found == LOOK_ABSENT && h->look.found == LOOK_ABSENT) {
		lane_tell(l, i, JUDGE_EQUAL, "");
	} else if (h->look.found == LOOK_ABSENT) {
		lane_differs(l, i, JUDGE_MISSING, "the replica does not have it");
	} else if (now.found == LOOK_ABSENT) {
		lane_differs(l, i, JUDGE_EXTRA, "the owner does not have it");
	} else if (d->found != MGET_FOUND) {
		lane_tell(l, i, JUDGE_UNKNOWN, "the owner does not give its text");
	} else if (!h->source.n) {
		lane_put_back(l, i);
	} else {
		lane_compare(l, i, d);
	}
}

static void lane_hold(struct judge_lane *l, size_t i, struct mget_document *d)
{
	struct held *h = &l->held[i];
	h->look = look_of(d);
	h->source.n = 0;
	h->routing_n = d->routing_n;
	memcpy(h->routing, d->routing, d->routing_n);
	if (h->look.found == LOOK_UNREADABLE)
		look_say_why(d, lane_arm(l), h->why, sizeof h->why);
	if (h->look.found != LOOK_THERE)
		return;
	if (d->found != MGET_FOUND) {
		h->look.found = LOOK_UNREADABLE;
		snprintf(h->why, sizeof h->why, "the replica does not give its text");
		return;
	}
	size_t n = d->source.text.n;
	if (l->held_bytes && l->held_bytes + n > COMPARE_HELD_BYTES)
		return;
	l->held_bytes += n;
	bytes_add(&h->source, (struct span){ d->source.text.at, n });
}

static void lane_take_document(struct judge_lane *l, struct mget_document *d)
{
	size_t i = l->at++;
	if (l->state == JUDGE_LANE_OWNER)
		l->owner[i] = look_of(d);
	else if (l->state == JUDGE_LANE_REPLICA)
		lane_hold(l, i, d);
	else
		lane_judge(l, i, d);
}

/* --- a batch --- */

static void lane_ask(struct judge_lane *l, enum judge_lane_state state);

static void lane_end(struct judge_lane *l)
{
	struct judge *j = l->judge;
	/* The last one first, so that they stand in their order again. */
	for (size_t i = l->n; i-- > 0;) {
		if (l->keys[i])
			lane_put_back(l, i);
		/* Memory for a large document goes back. */
		if (l->held[i].source.room > COMPARE_HELD_BYTES / COMPARE_BATCH)
			bytes_free(&l->held[i].source);
	}
	bool spoiled = l->step == MGET_BAD && !l->failed;
	if (spoiled || l->held_bytes > COMPARE_HELD_BYTES / 2)
		j->most = j->most > 1 ? j->most / 2 : 1;
	else if (!l->failed)
		j->most = least(2 * j->most, COMPARE_BATCH);
	mget_rest(&l->mget, COMPARE_HELD_BYTES / COMPARE_BATCH);
	l->n = 0;
	l->state = JUDGE_LANE_IDLE;
}

/* A response that nobody can read: fewer keys at a time, down to the one that it is. */
static void lane_spoiled(struct judge_lane *l)
{
	char why[96];
	if (l->n == 1 && l->keys[0]) {
		snprintf(why, sizeof why, "the response of the %s cannot be read",
			 judge_name_of(lane_arm(l)));
		lane_tell(l, 0, JUDGE_UNKNOWN, why);
	}
	lane_end(l);
}

/* Of the keys that the replica has shown, those stay that the owner does not have. */
static void lane_pass(struct judge_lane *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (l->keys[i]->of_replica && l->owner[i].found == LOOK_THERE) {
			lane_tell(l, i, JUDGE_PASSED, "");
			continue;
		}
		l->keys[n] = l->keys[i];
		l->owner[n] = l->owner[i];
		l->copies[n++] = l->copies[i];
	}
	l->n = n;
}

static void lane_next(struct judge_lane *l)
{
	if (l->state == JUDGE_LANE_OWNER) {
		lane_pass(l);
		l->waits_ms = judge_now_ms(l->judge);
		if (l->n)
			l->state = JUDGE_LANE_WAITS;
		else
			lane_end(l);
	} else if (l->state == JUDGE_LANE_REPLICA) {
		lane_ask(l, JUDGE_LANE_AGAIN);
	} else {
		lane_end(l);
	}
}

/* --- asking --- */

static void lane_read(struct judge_lane *l, struct span bytes, bool last)
{
	while (l->step == MGET_MORE || l->step == MGET_DOCUMENT) {
		l->step = mget_read(&l->mget, &bytes, last);
		if (l->step == MGET_DOCUMENT)
			lane_take_document(l, &l->mget.document);
		if (l->step == MGET_MORE)
			break;
	}
}

static size_t lane_data(struct subrequest *s, struct span bytes)
{
	struct judge_lane *l = lane_of(s);
	if (s->status == 200)
		lane_read(l, bytes, false);
	return bytes.n;
}

static void judge_note(struct judge *j, enum arm arm, unsigned status, enum err why)
{
	if (!j->failing_ms[arm])
		j->failing_ms[arm] = judge_now_ms(j);
	if (why == ERR_NONE)
		snprintf(j->trouble[arm], sizeof j->trouble[arm], "status %u", status);
	else
		snprintf(j->trouble[arm], sizeof j->trouble[arm], "%s", err_sentence(why));
}

static void lane_over(struct subrequest *s, enum err why)
{
	struct judge_lane *l = lane_of(s);
	struct judge *j = l->judge;
	why = why == ERR_NONE ? s->local : why;
	l->failed = why != ERR_NONE || s->status != 200;
	if (l->failed) {
		judge_note(j, lane_arm(l), s->status, why);
		l->not_before_ms = judge_now_ms(j) + COMPARE_RETRY_MS;
		return;
	}
	lane_read(l, SPAN(""), true);
	j->failing_ms[lane_arm(l)] = 0;
	l->wall_ns = l->state == JUDGE_LANE_OWNER ? clock_wall_ns() : l->wall_ns;
}

static void lane_gone(struct subrequest *s)
{
	struct judge_lane *l = lane_of(s);
	if (l->state == JUDGE_LANE_IDLE)
		return;
	if (l->failed)
		lane_end(l);
	else if (l->step == MGET_END)
		lane_next(l);
	else
		lane_spoiled(l);
}

static const struct subrequest_user lane_user = { .data = lane_data,
						  .over = lane_over,
						  .gone = lane_gone };

static void lane_ask(struct judge_lane *l, enum judge_lane_state state)
{
	struct bytes body = { 0 };
	l->state = state;
	l->at = 0;
	l->held_bytes = state == JUDGE_LANE_REPLICA ? 0 : l->held_bytes;
	l->step = MGET_MORE;
	l->failed = false;
	struct span path =
		state == JUDGE_LANE_OWNER ? SPAN("/_mget?_source=false") : SPAN("/_mget");
	if (!subrequest_begin(&l->ask, lane_arm(l), SPAN("POST"), path)) {
		judge_note(l->judge, lane_arm(l), 0, ERR_NO_ADDRESS);
		l->failed = true;
		l->not_before_ms = judge_now_ms(l->judge) + COMPARE_RETRY_MS;
		lane_end(l);
		return;
	}
	mget_begin(&l->mget, l->copies, l->n);
	mget_write(&body, l->copies, l->n);
	subrequest_write(&l->ask, body.at, body.n);
	bytes_free(&body);
	subrequest_send(&l->ask, SPAN("application/json"), COMPARE_TIMEOUT_MS);
}

/* --- turns --- */

static void lane_take(struct judge_lane *l, struct list *from)
{
	uint64_t now_ms = judge_now_ms(l->judge);
	for (struct list *at = from->next, *next; at != from && l->n < l->judge->most; at = next) {
		struct judged *k = list_entry(at, struct judged, link);
		const struct judge_key key = judged_key(k);
		next = at->next;
		if (k->due_ms > now_ms)
			continue;
		list_remove(&k->link);
		l->copies[l->n] = (struct copy){
			.of = { .index = key.index, .id = key.id, .routing = key.routing }
		};
		l->keys[l->n++] = k;
	}
}

static void lane_begin(struct judge_lane *l)
{
	l->n = l->held_bytes = 0;
	lane_take(l, &l->judge->again);
	l->deep = l->n > 0;
	if (!l->n)
		lane_take(l, &l->judge->fresh);
	if (l->n)
		lane_ask(l, JUDGE_LANE_OWNER);
}

static bool judge_waits(const struct judge *j)
{
	for (unsigned i = 0; i < COMPARE_LANES; i++)
		if (j->lanes[i].state == JUDGE_LANE_WAITS)
			return true;
	return false;
}

/* How far replay is, and since when it is there. */
static void judge_look_at_replay(struct judge *j)
{
	uint64_t copied_ns = j->config.copied(j->config.user, false);
	if (copied_ns != j->copied_ns || !j->stuck_ms)
		j->stuck_ms = judge_now_ms(j);
	j->copied_ns = copied_ns;
}

/* Nobody knows whether a write that is not over will change these. */
static void lane_give_up(struct judge_lane *l)
{
	for (size_t i = 0; i < l->n; i++)
		lane_tell(l, i, JUDGE_MOVING, "a write that began before is not over yet");
	lane_end(l);
}

static void lane_wait(struct judge_lane *l)
{
	struct judge *j = l->judge;
	uint64_t copied_ns = l->deep ? j->config.copied(j->config.user, true) : j->copied_ns;
	if (copied_ns > l->wall_ns)
		lane_ask(l, JUDGE_LANE_REPLICA);
	else if (l->deep && j->copied_ns > l->wall_ns &&
		 judge_now_ms(j) - l->waits_ms > COMPARE_STUCK_MS)
		lane_give_up(l);
}

void judge_turn(struct judge *j)
{
	if (judge_waits(j))
		judge_look_at_replay(j);
	else
		j->stuck_ms = 0;
	for (unsigned i = 0; i < COMPARE_LANES; i++) {
		struct judge_lane *l = &j->lanes[i];
		if (l->state == JUDGE_LANE_WAITS)
			lane_wait(l);
		else if (l->state == JUDGE_LANE_IDLE && subrequest_is_idle(&l->ask) &&
			 l->not_before_ms <= judge_now_ms(j))
			lane_begin(l);
	}
}

uint64_t judge_due_ms(const struct judge *j)
{
	return j->n ? judge_now_ms(j) + COMPARE_LOOK_MS : UINT64_MAX;
}

const char *judge_failure(struct judge *j)
{
	uint64_t now_ms = judge_now_ms(j);
	for (enum arm arm = 0; arm < ARMS; arm++) {
		if (!j->failing_ms[arm] || now_ms - j->failing_ms[arm] < COMPARE_TROUBLE_MS)
			continue;
		snprintf(j->failure, sizeof j->failure,
			 "the %s (the %s) does not respond to _mget as it should: %s",
			 arm == j->config.owner ? "owner" : "replica", judge_name_of(arm),
			 j->trouble[arm]);
		return j->failure;
	}
	if (!j->stuck_ms || now_ms - j->stuck_ms < COMPARE_STUCK_MS)
		return NULL;
	snprintf(
		j->failure, sizeof j->failure,
		"replay has not come nearer to what clients wrote for %d s: what it has not copied "
		"cannot be compared",
		COMPARE_STUCK_MS / 1000);
	return j->failure;
}

/* --- a life --- */

bool judge_is_done(const struct judge *j)
{
	return !j->n;
}

static void judge_clear(struct judge *j, struct list *keys)
{
	for (struct list *at; (at = list_take_first(keys));) {
		free(list_entry(at, struct judged, link));
		j->n--;
	}
}

void judge_stop(struct judge *j)
{
	for (unsigned i = 0; i < COMPARE_LANES; i++) {
		struct judge_lane *l = &j->lanes[i];
		l->failed = true;
		if (l->state != JUDGE_LANE_IDLE)
			lane_end(l);
		subrequest_stop(&l->ask);
		l->not_before_ms = 0;
	}
	judge_clear(j, &j->fresh);
	judge_clear(j, &j->again);
	memset(j->failing_ms, 0, sizeof j->failing_ms);
	j->stuck_ms = 0;
}

bool judge_is_quiet(const struct judge *j)
{
	for (unsigned i = 0; i < COMPARE_LANES; i++)
		if (!subrequest_is_idle(&j->lanes[i].ask))
			return false;
	return true;
}

struct judge *judge_open(const struct judge_config *c)
{
	struct judge *j = calloc(1, sizeof *j);
	must(j);
	j->config = *c;
	j->most = COMPARE_BATCH;
	list_init(&j->fresh);
	list_init(&j->again);
	for (unsigned i = 0; i < COMPARE_LANES; i++) {
		struct judge_lane *l = &j->lanes[i];
		l->judge = j;
		l->held = calloc(COMPARE_BATCH, sizeof *l->held);
		must(l->held);
		mget_open(&l->mget);
		subrequest_init(&l->ask, c->subrequests, &lane_user);
	}
	return j;
}

void judge_close(struct judge *j)
{
	judge_stop(j);
	for (unsigned i = 0; i < COMPARE_LANES; i++) {
		struct judge_lane *l = &j->lanes[i];
		for (size_t k = 0; k < COMPARE_BATCH; k++)
			bytes_free(&l->held[k].source);
		free(l->held);
		mget_close(&l->mget);
	}
	free(j);
}
