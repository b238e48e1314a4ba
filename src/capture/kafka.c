#include "capture/kafka.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/lag.h"
#include "capture/reader.h"
#include "capture/rounds.h"
#include "capture/traffic.h"

struct kafka {
	struct kafka_config config;
	struct trafficstream_user user;
	pthread_t thread;
	struct waker waker;
	atomic_bool stop, finish;
	/* The thread's. */
	bool open; /* all of: */
	struct follower follower;
	struct reader *reader;
	struct traffic *traffic;
	struct producer *producer;
	struct rounds rounds;
	uint64_t to_catch_up; /* frames that were there when it began */
	bool moved;	      /* since a position was taken */
	bool keeping;	      /* one was taken and is not kept yet */
	bool failed;
	size_t kept_n; /* connections of that position */
	uint64_t kept_ns, looked_ns;
	struct lag lag; /* as last known */
	char error[PRODUCER_ERROR_BYTES];
	/* The topic took no record so large; none that is as large was delivered since. */
	size_t refused_bytes;
	char refusal[PRODUCER_ERROR_BYTES];
	/* What others see. */
	pthread_mutex_t lock;
	struct kafka_seen seen;
};

/* --- what is seen --- */

static void measure(struct kafka *k)
{
	if (!k->open)
		return;
	uint64_t unread = reader_behind(k->reader);
	k->lag.records =
		rounds_frames(&k->rounds) + (unread > k->to_catch_up ? unread : k->to_catch_up);
	k->lag.wall_ns = rounds_oldest(&k->rounds)->wall_ns;
}

static uint64_t since_ns(uint64_t wall_ns)
{
	uint64_t now_ns = clock_wall_ns();
	return wall_ns && now_ns > wall_ns ? now_ns - wall_ns : 0;
}

/* A broker that goes while nothing is to be delivered is nobody's trouble. */
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
		log_line(LOG_WARN, "kafka: %s (the log goes on, and waits for it on the disk)",
			 k->error);
	else if (k->seen.state == KAFKA_FAILING && state == KAFKA_FOLLOWING)
		log_line(LOG_INFO, "kafka: it goes on");
}

static void show(struct kafka *k)
{
	measure(k);
	listen_to_error(k);
	enum kafka_state state = k->error[0] ? KAFKA_FAILING
				 : k->open   ? KAFKA_FOLLOWING
					     : KAFKA_WAITING;
	say_change(k, state);
	pthread_mutex_lock(&k->lock);
	k->seen.state = state;
	snprintf(k->seen.error, sizeof k->seen.error, "%s", k->error);
	k->seen.lag_records = k->lag.records;
	k->seen.lag_ns = since_ns(k->lag.wall_ns);
	pthread_mutex_unlock(&k->lock);
}

void kafka_look(struct kafka *k, struct kafka_seen *to)
{
	pthread_mutex_lock(&k->lock);
	*to = k->seen;
	pthread_mutex_unlock(&k->lock);
}

/* --- rounds --- */

static void fail(struct kafka *k, const char *what)
{
	snprintf(k->error, sizeof k->error, "%s", what);
	k->failed = true;
}

static void keep(struct kafka *k, struct round *r)
{
	if (!follower_save(&k->follower, &r->position))
		fail(k, strerror(errno));
	k->keeping = false;
}

/* The oldest rounds that the brokers have; the one that is being filled only when it is full. */
static void settle(struct kafka *k, bool all)
{
	for (struct round *r; !k->failed && (r = rounds_settled(&k->rounds, all));) {
		if (r->frames)
			reader_acknowledge(k->reader, r->generation, r->sequence);
		if (r->keeps)
			keep(k, r);
		rounds_drop_oldest(&k->rounds);
		if (k->config.acknowledged)
			k->config.acknowledged(k->config.user);
	}
}

static void delivered(void *user, uintptr_t tag, size_t bytes)
{
	struct kafka *k = user;
	must(k->rounds.list[tag].out > 0);
	k->rounds.list[tag].out--;
	if (bytes >= k->refused_bytes)
		k->refused_bytes = 0;
	pthread_mutex_lock(&k->lock);
	k->seen.records++;
	k->seen.bytes += bytes;
	pthread_mutex_unlock(&k->lock);
}

/* Where the limit is not known or explains nothing, at last each record goes alone. */
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

static void break_off(struct kafka *k)
{
	struct producer_refusal r;
	bool too_large = producer_was_too_large(k->producer, &r);
	fail(k, producer_error(k->producer));
	if (!too_large)
		return;
	make_batches_smaller(k, &r);
	k->refused_bytes = r.record_bytes;
	snprintf(k->refusal, sizeof k->refusal, "%s", k->error);
}

/* What the producer has to tell. */
static void listen_to_producer(struct kafka *k)
{
	if (!k->failed && !producer_turn(k->producer))
		break_off(k);
	settle(k, false);
	show(k);
}

/*
 * What cannot be handed over stays counted as being out, so that nothing behind it is kept. Until
 * there is room again nothing more is read: the log waits on the disk.
 */
static void put(void *user, struct span connection, struct span record)
{
	struct kafka *k = user;
	struct round *r = rounds_last(&k->rounds);
	r->out++;
	while (!k->failed && !atomic_load(&k->stop)) {
		enum producer_verdict v =
			producer_put(k->producer, connection, record, rounds_tag(&k->rounds, r));
		if (v == PRODUCER_TAKEN)
			return;
		if (v == PRODUCER_FULL)
			waker_sleep(&k->waker, KAFKA_POLL_MS);
		listen_to_producer(k);
	}
}

/* --- reading --- */

static bool has_room(const struct kafka *k)
{
	return rounds_have_room(&k->rounds) && !k->failed && !atomic_load(&k->stop);
}

static void take(struct kafka *k, const struct reading *reading)
{
	struct round *r = rounds_last(&k->rounds);
	if (r->frames && r->generation != reading->segment->generation) {
		r = rounds_begin(&k->rounds);
	}
	if (!r->frames++)
		r->wall_ns = reading->frame.wall_ns;
	r->generation = reading->segment->generation;
	r->sequence = reading->frame.sequence;
	k->moved = true;
	if (k->to_catch_up)
		k->to_catch_up--;
	traffic_take(k->traffic, reading);
}

static enum reader_verdict read_round(struct kafka *k)
{
	struct reading reading;
	enum reader_verdict v = READER_FRAME;
	for (unsigned i = 0; i < KAFKA_ROUND_FRAMES && has_room(k); i++) {
		v = reader_next(k->reader, &reading);
		if (v == READER_FRAME)
			take(k, &reading);
		else if (v != READER_HOLE)
			break;
	}
	if (v == READER_ERROR)
		fail(k, strerror(errno));
	return v;
}

/* When all that is out now is delivered, this is how far it has come. */
static void take_position(struct kafka *k)
{
	struct round *r = rounds_last(&k->rounds);
	reader_position(k->reader, &r->position);
	traffic_position(k->traffic, k->reader, &r->position);
	r->keeps = k->keeping = true;
	k->moved = false;
	k->kept_n = r->position.connection_n;
	k->kept_ns = clock_monotonic_ns();
}

/* The more connections it tells of, the larger its file is, and the less often it is written. */
static bool position_is_due(const struct kafka *k)
{
	uint64_t pause_ms = KAFKA_KEEP_MS + k->kept_n / KAFKA_KEEP_CONNECTIONS;
	return k->moved && !k->keeping && clock_monotonic_ns() - k->kept_ns >= pause_ms * 1000000;
}

/* The directory may have been taken away and made anew: what is read there is gone. */
static bool is_same_directory(const struct kafka *k)
{
	struct stat ours, there;
	return !fstat(k->follower.directory, &ours) && !stat(k->config.directory, &there) &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

static void look_around(struct kafka *k)
{
	uint64_t now_ns = clock_monotonic_ns();
	if (now_ns - k->looked_ns < KAFKA_KEEP_MS * 1000000ull)
		return;
	k->looked_ns = now_ns;
	if (!is_same_directory(k))
		fail(k, "the log's directory has been taken away");
}

/* True: there may be more at once. */
static bool follow(struct kafka *k)
{
	enum reader_verdict v = READER_END;
	if (has_room(k)) {
		v = read_round(k);
		if (position_is_due(k) && has_room(k))
			take_position(k);
		const struct round *r = rounds_last(&k->rounds);
		if ((r->frames || r->keeps) && rounds_have_room(&k->rounds))
			rounds_begin(&k->rounds);
	}
	listen_to_producer(k);
	look_around(k);
	return v == READER_FRAME && has_room(k);
}

/* --- beginning and letting go --- */

static bool begin(struct kafka *k)
{
	const struct producer_user user = { delivered, k };
	struct lag there;
	k->reader = reader_open(k->config.directory);
	if (!k->reader || !lag_look(k->follower.directory, &k->follower.position, &there)) {
		fail(k, strerror(errno));
		return false;
	}
	k->producer = producer_open(&k->config.producer, &user, &k->waker, k->error);
	if (!k->producer)
		return false;
	reader_follow(k->reader, &k->follower.position);
	k->traffic = traffic_open(&k->user);
	traffic_restore(k->traffic, &k->follower.position);
	k->to_catch_up = there.records;
	k->lag = there;
	k->kept_ns = k->looked_ns = clock_monotonic_ns();
	k->moved = k->keeping = false;
	rounds_open(&k->rounds);
	return true;
}

static void let_go(struct kafka *k)
{
	if (k->traffic)
		traffic_close(k->traffic);
	if (k->producer)
		producer_close(k->producer);
	if (k->reader)
		reader_close(k->reader);
	k->traffic = NULL;
	k->producer = NULL;
	k->reader = NULL;
	rounds_close(&k->rounds);
	follower_close(&k->follower);
	k->open = false;
}

static void try_to_begin(struct kafka *k)
{
	switch (follower_open(&k->follower, k->config.directory, FOLLOWER_KAFKA)) {
	case FOLLOWER_BUSY:
		k->error[0] = 0;
		return;
	case FOLLOWER_ERROR:
		fail(k, strerror(errno));
		return;
	case FOLLOWER_OPEN:
		break;
	}
	k->error[0] = 0;
	k->failed = false;
	k->open = begin(k);
	if (!k->open)
		let_go(k);
}

/* What was delivered up to now is kept, so that the next one need not deliver it again. */
static void part(struct kafka *k)
{
	uint64_t until_ns = clock_monotonic_ns() + KAFKA_STOP_MS * 1000000ull;
	if (rounds_have_room(&k->rounds) && !k->failed) {
		if (rounds_last(&k->rounds)->keeps)
			rounds_begin(&k->rounds);
		take_position(k);
	}
	while (k->rounds.n && !k->failed && clock_monotonic_ns() < until_ns) {
		producer_turn(k->producer);
		settle(k, true);
		if (k->rounds.n)
			waker_sleep(&k->waker, 10);
	}
	let_go(k);
}

/* --- the thread --- */

static bool is_delivered(const struct kafka *k)
{
	const struct round *r = rounds_oldest(&k->rounds);
	return k->open && k->rounds.n == 1 && !r->frames && !r->out;
}

static void turn(struct kafka *k)
{
	if (!k->open) {
		try_to_begin(k);
		show(k);
		if (!k->open)
			waker_sleep(&k->waker, k->error[0] ? KAFKA_RETRY_MS : KAFKA_POLL_MS);
		return;
	}
	if (!follow(k))
		waker_sleep(&k->waker, KAFKA_POLL_MS);
	if (!k->failed)
		return;
	pthread_mutex_lock(&k->lock);
	k->seen.failures++;
	pthread_mutex_unlock(&k->lock);
	show(k);
	let_go(k);
	waker_sleep(&k->waker, KAFKA_RETRY_MS);
}

static void *run(void *argument)
{
	struct kafka *k = argument;
	uint64_t until_ns = 0;
	pthread_setname_np(pthread_self(), "kafka");
	while (!atomic_load(&k->stop)) {
		turn(k);
		if (!atomic_load(&k->finish))
			continue;
		/* What was written last is read in the turn after this. */
		uint64_t now_ns = clock_monotonic_ns();
		bool first = !until_ns;
		until_ns = first ? now_ns + KAFKA_FINISH_MS * 1000000ull : until_ns;
		if (k->error[0] || (!first && is_delivered(k)) || now_ns >= until_ns)
			atomic_store(&k->stop, true);
	}
	if (k->open)
		part(k);
	return NULL;
}

/* --- a life --- */

struct kafka *kafka_open(const struct kafka_config *c)
{
	struct kafka *k = calloc(1, sizeof *k);
	must(k);
	k->config = *c;
	k->user = (struct trafficstream_user){
		.record = put, .user = k, .record_bytes = KAFKA_RECORD_BYTES, .flush = c->flush
	};
	must(waker_open(&k->waker));
	pthread_mutex_init(&k->lock, NULL);
	int error = pthread_create(&k->thread, NULL, run, k);
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
