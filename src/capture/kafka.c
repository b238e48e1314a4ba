#include "capture/kafka.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/consumer.h"
#include "capture/kafka_limits.h"
#include "capture/traffic.h"

struct kafka {
	struct kafka_config config;
	struct trafficstream_user user;
	pthread_t thread;
	struct waker waker;
	atomic_bool stop, finish;
	/* Of the thread. */
	bool open; /* all of the next three */
	struct consumer consumer;
	struct traffic *traffic;
	struct producer *producer;
	bool failed;
	struct lag lag; /* as last measured */
	char error[PRODUCER_ERROR_BYTES];
	/* The topic refused a record of this size, and no record as large was delivered since. */
	size_t refused_bytes;
	char refusal[PRODUCER_ERROR_BYTES];
	/* Seen by other threads. */
	pthread_mutex_t lock;
	struct kafka_seen seen; /* without lag_ns, which is since lag_wall_ns */
	uint64_t lag_wall_ns;
};

/* --- status --- */

static void kafka_measure(struct kafka *k)
{
	if (k->open)
		k->lag = consumer_lag(&k->consumer);
}

static uint64_t since_ns(uint64_t wall_ns)
{
	uint64_t now_ns = clock_wall_ns();
	return wall_ns && now_ns > wall_ns ? now_ns - wall_ns : 0;
}

/* A broker that goes away while nothing is to be delivered is no trouble to report. */
static void listen_to_error(struct kafka *k)
{
	bool late = since_ns(k->lag.wall_ns) >= KAFKA_LATE_MS * 1000000ull;
	if (!k->open || k->failed)
		return;
	const char *error = late ? producer_error(k->producer) : "";
	if (!error[0] && k->refused_bytes)
		error = k->refusal;
	snprintf(k->error, sizeof k->error, "%s", error);
}

static void say_change(const struct kafka *k, enum kafka_state state)
{
	if (state == KAFKA_FAILING && strcmp(k->seen.error, k->error) != 0)
		log_line(LOG_WARN,
			 "kafka: %s (recording goes on; the log keeps all records on the disk "
			 "until then)",
			 k->error);
	else if (k->seen.state == KAFKA_FAILING && state == KAFKA_FOLLOWING)
		log_line(LOG_INFO, "kafka: delivery goes on");
}

static void kafka_show(struct kafka *k)
{
	kafka_measure(k);
	listen_to_error(k);
	enum kafka_state state = k->error[0] ? KAFKA_FAILING
				 : k->open   ? KAFKA_FOLLOWING
					     : KAFKA_WAITING;
	say_change(k, state);
	pthread_mutex_lock(&k->lock);
	k->seen.state = state;
	snprintf(k->seen.error, sizeof k->seen.error, "%s", k->error);
	k->seen.lag_records = k->lag.records;
	k->lag_wall_ns = k->lag.wall_ns;
	pthread_mutex_unlock(&k->lock);
}

void kafka_look(struct kafka *k, struct kafka_seen *to)
{
	pthread_mutex_lock(&k->lock);
	*to = k->seen;
	to->lag_ns = since_ns(k->lag_wall_ns);
	pthread_mutex_unlock(&k->lock);
}

/* --- rounds --- */

static void kafka_fail(struct kafka *k, const char *what)
{
	snprintf(k->error, sizeof k->error, "%s", what);
	k->failed = true;
}

static void kafka_settle(struct kafka *k, bool all)
{
	if (!k->failed && !consumer_settle(&k->consumer, all))
		kafka_fail(k, strerror(errno));
}

static void kafka_delivered(void *user, uintptr_t tag, size_t bytes)
{
	struct kafka *k = user;
	consumer_back(&k->consumer, tag);
	if (bytes >= k->refused_bytes)
		k->refused_bytes = 0;
	pthread_mutex_lock(&k->lock);
	k->seen.records++;
	k->seen.bytes += bytes;
	pthread_mutex_unlock(&k->lock);
}

/*
 * Where the topic's limit is not known, or does not explain the refusal, batches shrink until each
 * record goes alone.
 */
static void make_batches_smaller(struct kafka *k, const struct producer_refusal *r)
{
	unsigned *bytes = &k->config.producer.batch_bytes;
	unsigned before = *bytes ? *bytes : KAFKA_RECORD_BYTES;
	if (r->limit_bytes && r->limit_bytes < before)
		*bytes = r->limit_bytes;
	else if (r->record_bytes <= r->limit_bytes || !r->limit_bytes)
		*bytes = before >= KAFKA_BATCH_BYTES_MIN ? before / 4 : 1;
	else
		*bytes = before;
}

static void kafka_break_off(struct kafka *k)
{
	struct producer_refusal r;
	bool too_large = producer_was_too_large(k->producer, &r);
	kafka_fail(k, producer_error(k->producer));
	if (!too_large)
		return;
	make_batches_smaller(k, &r);
	k->refused_bytes = r.record_bytes;
	snprintf(k->refusal, sizeof k->refusal, "%s", k->error);
}

/* Takes what the producer has to report. */
static void listen_to_producer(struct kafka *k)
{
	if (!k->failed && !producer_turn(k->producer))
		kafka_break_off(k);
	kafka_settle(k, false);
	kafka_show(k);
}

/*
 * A record that cannot be handed over stays counted as in flight, so that no position behind it is
 * saved. Nothing more is read until there is room again: the log waits on the disk.
 */
static void kafka_put(void *user, struct span connection, struct span record)
{
	struct kafka *k = user;
	uintptr_t tag = consumer_out(&k->consumer);
	while (!k->failed && !atomic_load(&k->stop)) {
		enum producer_verdict v = producer_put(k->producer, connection, record, tag);
		if (v == PRODUCER_TAKEN)
			return;
		if (v == PRODUCER_FULL)
			waker_sleep(&k->waker, KAFKA_POLL_MS);
		listen_to_producer(k);
	}
}

/* --- reading --- */

static bool kafka_has_room(const struct kafka *k)
{
	return consumer_has_room(&k->consumer) && !k->failed && !atomic_load(&k->stop);
}

static enum reader_verdict kafka_read_round(struct kafka *k)
{
	struct reading reading;
	enum reader_verdict v = READER_FRAME;
	for (unsigned i = 0; i < KAFKA_ROUND_FRAMES && kafka_has_room(k); i++) {
		v = consumer_next(&k->consumer, &reading);
		if (v == READER_FRAME)
			traffic_take(k->traffic, &reading);
		else if (v != READER_HOLE)
			break;
	}
	if (v == READER_ERROR)
		kafka_fail(k, strerror(errno));
	return v;
}

static void add_connections(void *user, const struct reader *r, struct position *to)
{
	struct kafka *k = user;
	traffic_position(k->traffic, r, to);
}

static void kafka_acknowledged(void *user)
{
	struct kafka *k = user;
	if (k->config.acknowledged)
		k->config.acknowledged(k->config.user);
}

/* True: there may be more to read at once. */
static bool kafka_follow(struct kafka *k)
{
	enum reader_verdict v = READER_END;
	if (kafka_has_room(k)) {
		v = kafka_read_round(k);
		if (!k->failed)
			consumer_turn(&k->consumer);
	}
	listen_to_producer(k);
	/* The directory was removed and made anew: what was read in the old one is gone. */
	if (consumer_is_lost(&k->consumer))
		kafka_fail(k, "the log's directory was removed");
	return v == READER_FRAME && kafka_has_room(k);
}

/* --- beginning and ending --- */

static bool kafka_begin(struct kafka *k)
{
	const struct producer_user user = { kafka_delivered, k };
	k->producer = producer_open(&k->config.producer, &user, &k->waker, k->error);
	if (!k->producer)
		return false;
	k->traffic = traffic_open(&k->user);
	traffic_restore(k->traffic, &k->consumer.follower.position);
	return true;
}

static void kafka_let_go(struct kafka *k)
{
	if (k->traffic)
		traffic_close(k->traffic);
	if (k->producer)
		producer_close(k->producer);
	k->traffic = NULL;
	k->producer = NULL;
	consumer_close(&k->consumer);
	k->open = false;
}

static void try_to_begin(struct kafka *k)
{
	const struct consumer_config c = { .directory = k->config.directory,
					   .name = FOLLOWER_KAFKA,
					   .waker = &k->waker,
					   .add = add_connections,
					   .acknowledged = kafka_acknowledged,
					   .user = k };
	switch (consumer_open(&k->consumer, &c)) {
	case FOLLOWER_BUSY:
		k->error[0] = 0;
		return;
	case FOLLOWER_ERROR:
		kafka_fail(k, strerror(errno));
		return;
	case FOLLOWER_OPEN:
		break;
	}
	k->error[0] = 0;
	k->failed = false;
	k->open = kafka_begin(k);
	if (!k->open)
		kafka_let_go(k);
}

/*
 * Saves the position of what was delivered up to now, so that the next process does not deliver it
 * again.
 */
static void kafka_part(struct kafka *k)
{
	uint64_t until_ns = clock_monotonic_ns() + KAFKA_STOP_MS * 1000000ull;
	if (!k->failed)
		consumer_part(&k->consumer);
	while (k->consumer.inflight.n && !k->failed && clock_monotonic_ns() < until_ns) {
		producer_turn(k->producer);
		kafka_settle(k, true);
		if (k->consumer.inflight.n)
			waker_sleep(&k->waker, 10);
	}
	kafka_let_go(k);
}

/* --- the thread --- */

static bool is_delivered(const struct kafka *k)
{
	const struct inflight *all = &k->consumer.inflight;
	const struct inflight_run *r = inflight_oldest(all);
	return k->open && all->n == 1 && !r->frames && !r->out;
}

/* While records are in flight it polls; else it sleeps until the log, or kafka_wake(), wakes it. */
static int rest_ms(const struct kafka *k)
{
	bool idle =
		is_delivered(k) && !k->consumer.moved && !k->error[0] && !atomic_load(&k->finish);
	return idle ? KAFKA_IDLE_MS : KAFKA_POLL_MS;
}

static void kafka_turn(struct kafka *k)
{
	if (!k->open) {
		try_to_begin(k);
		kafka_show(k);
		if (!k->open)
			waker_sleep(&k->waker, k->error[0] ? KAFKA_RETRY_MS : KAFKA_POLL_MS);
		return;
	}
	/*
	 * Where nobody waits, records gather for KAFKA_POLL_MS: one batch is for more than one
	 * commit.
	 */
	if (!kafka_follow(k) && !k->failed && consumer_wait(&k->consumer, rest_ms(k)) &&
	    k->config.flush != FLUSH_PIECES)
		waker_sleep(&k->waker, KAFKA_POLL_MS);
	if (!k->failed)
		return;
	pthread_mutex_lock(&k->lock);
	k->seen.failures++;
	pthread_mutex_unlock(&k->lock);
	kafka_show(k);
	kafka_let_go(k);
	waker_sleep(&k->waker, KAFKA_RETRY_MS);
}

static void *kafka_run(void *argument)
{
	struct kafka *k = argument;
	uint64_t until_ns = 0;
	pthread_setname_np(pthread_self(), "kafka");
	while (!atomic_load(&k->stop)) {
		kafka_turn(k);
		if (!atomic_load(&k->finish))
			continue;
		/* The first turn after `finish` was set reads what was written last. */
		uint64_t now_ns = clock_monotonic_ns();
		bool first = !until_ns;
		until_ns = first ? now_ns + KAFKA_FINISH_MS * 1000000ull : until_ns;
		if (k->error[0] || (!first && is_delivered(k)) || now_ns >= until_ns)
			atomic_store(&k->stop, true);
	}
	if (k->open)
		kafka_part(k);
	return NULL;
}

/* --- open and close --- */

struct kafka *kafka_open(const struct kafka_config *c)
{
	struct kafka *k = calloc(1, sizeof *k);
	must(k);
	k->config = *c;
	k->user = (struct trafficstream_user){ .record = kafka_put,
					       .user = k,
					       .record_bytes = KAFKA_RECORD_BYTES,
					       .flush = c->flush };
	must(waker_open(&k->waker));
	pthread_mutex_init(&k->lock, NULL);
	int error = pthread_create(&k->thread, NULL, kafka_run, k);
	if (!error)
		return k;
	waker_close(&k->waker);
	pthread_mutex_destroy(&k->lock);
	free(k);
	errno = error;
	return NULL;
}

void kafka_wake(struct kafka *k)
{
	waker_wake(&k->waker);
}

void kafka_stop(struct kafka *k)
{
	atomic_store(&k->stop, true);
	waker_wake(&k->waker);
}

void kafka_finish(struct kafka *k)
{
	atomic_store(&k->finish, true);
	waker_wake(&k->waker);
}

void kafka_close(struct kafka *k)
{
	pthread_join(k->thread, NULL);
	waker_close(&k->waker);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
