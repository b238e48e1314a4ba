#include "control/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/listing.h"
#include "capture/recovery.h"
#include "capture/segment.h"
#include "capture/series.h"
#include "control/config_kafka.h"
#include "io/disk.h"
#include "io/own_file.h"

#define KEY_FILE "redact.key"

static bool read_key(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	static const uint8_t zero[REDACT_KEY_BYTES];
	int fd = own_file_open(directory, KEY_FILE, O_RDONLY, 0);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, key, REDACT_KEY_BYTES);
	close(fd);
	errno = n < 0 ? errno : EINVAL;
	/* One of zeros is what a lost file looks like, and hides nothing. */
	return n == REDACT_KEY_BYTES && memcmp(key, zero, sizeof zero) != 0;
}

static bool make_key(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	must(getrandom(key, REDACT_KEY_BYTES, 0) == REDACT_KEY_BYTES);
	int fd = own_file_open(directory, KEY_FILE, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return false;
	bool good = write(fd, key, REDACT_KEY_BYTES) == REDACT_KEY_BYTES && !fsync(fd);
	close(fd);
	return good;
}

/* With another key what was redacted before can be compared with nothing that comes. */
static void say_new_key(int directory)
{
	struct listing all;
	if (!listing_read(&all, directory))
		return;
	if (all.n)
		log_line(LOG_WARN, "capture: " KEY_FILE
				   " was not there, and is made anew: equal values are redacted to "
				   "others than before");
	listing_free(&all);
}

static bool take_key(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	if (read_key(directory, key))
		return true;
	if (errno != ENOENT || !make_key(directory, key))
		return false;
	say_new_key(directory);
	return true;
}

/* Before anything is put in order there. A key without a segment: it has begun, and was away. */
static void look_for_log(int directory, struct unrecorded_signs *to)
{
	struct listing all;
	struct stat key;
	to->expected = !fstatat(directory, KEY_FILE, &key, AT_SYMLINK_NOFOLLOW);
	if (to->expected)
		to->since_wall_ns = (uint64_t)key.st_mtim.tv_sec * 1000000000ull;
	if (!listing_read(&all, directory))
		return;
	to->expected |= all.n > 0;
	/* What another process is writing says nothing of when one before it ended. */
	for (size_t i = all.n; i-- > 0;) {
		char name[SERIES_NAME_BYTES];
		series_name(name, all.list[i].generation, all.list[i].index);
		if (segment_is_written(directory, name))
			continue;
		to->since_wall_ns = all.list[i].last_ns;
		break;
	}
	listing_free(&all);
}

static void open_taps(struct recorder *r, const uint8_t key[REDACT_KEY_BYTES])
{
	r->taps = calloc(r->worker_n, sizeof *r->taps);
	r->feeds = calloc(r->worker_n, sizeof(struct feed *));
	must(r->taps && r->feeds);
	for (unsigned i = 0; i < r->worker_n; i++) {
		taps_open(&r->taps[i], i);
		redactor_open(&r->taps[i].redactor, key);
		r->feeds[i] = &r->taps[i].feed;
	}
}

static void close_taps(struct recorder *r)
{
	for (unsigned i = 0; i < r->worker_n; i++) {
		taps_close(&r->taps[i]);
		redactor_close(&r->taps[i].redactor);
	}
	free(r->taps);
	free(r->feeds);
	free(r->directory);
	r->directory = NULL;
	r->taps = NULL;
	r->feeds = NULL;
}

/* Says what the last one has left, when it did not end well. */
static bool put_in_order(int directory, struct recovery *to)
{
	if (!recover(directory, to))
		return false;
	if (to->segments)
		log_line(
			LOG_WARN,
			"capture: %u segments had no end: the process before was killed; %llu torn "
			"bytes behind their last good frame were cut off",
			to->segments, (unsigned long long)to->torn_bytes);
	if (to->holes)
		log_line(LOG_ERROR,
			 "capture: %u holes with good frames behind them: `crossfade capture "
			 "gaps` "
			 "says which were damage",
			 to->holes);
	return true;
}

/* What a follower has passed is not written again under the same name. */
static bool choose_generation(int directory, uint64_t *generation)
{
	struct followers all;
	if (!series_next(directory, generation) || !followers_look(&all, directory))
		return false;
	for (size_t i = 0; i < all.n; i++) {
		const struct follower_seen *f = &all.list[i];
		if (f->position.passed >= *generation)
			*generation = f->position.passed + 1;
		if (f->damaged)
			log_line(LOG_ERROR,
				 "capture: %s.follower is damaged: that follower has passed "
				 "nothing, and all that is there is kept for it, and comes once "
				 "more",
				 f->name);
	}
	followers_free(&all);
	return true;
}

/* --- what passes unrecorded --- */

static bool take_over_losses(struct recorder *r)
{
	unsigned n = unrecorded_take_over(&r->unrecorded, clock_wall_ns());
	if (n)
		log_line(
			LOG_WARN,
			"capture: %u processes before this one ended before the log could say what "
			"had passed unrecorded: a gap will tell of it",
			n);
	return n;
}

static void mend_losses(int directory, const char *state, struct unrecorded_signs *s)
{
	s->wall_ns = clock_wall_ns();
	enum unrecorded_before before = unrecorded_mend(directory, s);
	if (before != UNRECORDED_WAS_GOOD)
		log_line(LOG_ERROR,
			 "capture: %.300s/" UNRECORDED_FILE " %s: what had passed unrecorded, and "
			 "no gap tells of, is not known; a gap says so, and counts begin anew",
			 state,
			 before == UNRECORDED_WAS_MISSING
				 ? "is gone"
				 : "is damaged, and kept as " UNRECORDED_DAMAGED);
}

/* Served without it, for it must not stop anybody; but not in silence. */
static void open_losses(struct recorder *r, const char *state, struct unrecorded_signs *s)
{
	int directory = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0)
		mend_losses(directory, state, s);
	bool good = unrecorded_open(&r->unrecorded, directory, r->generation, r->worker_n);
	r->counts_kept = good;
	if (!good)
		log_line(LOG_ERROR,
			 "capture: cannot use %.300s/" UNRECORDED_FILE ": %s; what passes "
			 "unrecorded is counted in memory, and goes with the process",
			 state, strerror(errno));
	if (directory >= 0)
		close(directory);
	for (unsigned i = 0; i < r->worker_n; i++)
		feed_count_in(r->feeds[i], r->unrecorded.own->lost[i]);
	take_over_losses(r);
}

/* On the log's thread. */
static void durable(void *recorder)
{
	struct recorder *r = recorder;
	struct kafka *k = atomic_load(&r->kafka);
	if (k)
		kafka_wake(k);
}

/* What workers count and put goes there from now on. False with errno. */
static bool open_writer(struct recorder *r, struct writer_config *w)
{
	w->unrecorded = &r->unrecorded;
	if (!writer_open(&r->writer, w)) {
		int error = errno;
		unrecorded_close(&r->unrecorded);
		close_taps(r);
		errno = error;
		return false;
	}
	for (unsigned i = 0; i < r->worker_n; i++)
		feed_attach(r->feeds[i], r->writer.journal);
	return true;
}

static bool begin(struct recorder *r, const struct config *config, int directory)
{
	const struct config_capture *c = &config->capture;
	uint8_t key[REDACT_KEY_BYTES];
	struct unrecorded_signs signs = { 0 };
	struct recovery found;
	r->directory = strdup(c->directory);
	must(r->directory);
	struct writer_config w = {
		.directory = r->directory,
		.commit_ns = c->commit_ms * 1000000ull,
		.segment_bytes = c->segment_bytes,
		.queue_bytes = LOG_QUEUE_BYTES,
	};
	if (c->kafka.head.at != NOWHERE && !follower_register(directory, FOLLOWER_KAFKA))
		return false;
	look_for_log(directory, &signs);
	if (!take_key(directory, key) || !put_in_order(directory, &found) ||
	    !choose_generation(directory, &w.generation))
		return false;
	open_taps(r, key);
	r->generation = w.generation;
	if (c->durable_at == DURABLE_AT_KAFKA) {
		w.acknowledged = true;
		w.durable = durable;
		w.user = r;
	}
	w.damages = found.damages;
	w.damage_n = found.damage_n;
	open_losses(r, config->state, &signs);
	if (!open_writer(r, &w))
		return false;
	r->packs = c->compress;
	if (r->packs)
		packer_open(&r->packer, r->directory, &journal_counts(r->writer.journal)->segments);
	return true;
}

/* Nothing is written: what is to be kept from being read is of no account. */
static bool begin_refusing(struct recorder *r, const struct config *config, int why)
{
	const struct config_capture *c = &config->capture;
	uint8_t key[REDACT_KEY_BYTES] = { 0 };
	r->directory = strdup(c->directory);
	must(r->directory);
	open_taps(r, key);
	r->generation = 1;
	/* Who went by this crash has counted. */
	open_losses(r, config->state, &(struct unrecorded_signs){ .expected = true });
	struct writer_config w = {
		.directory = r->directory,
		.refuses = why,
		.generation = r->generation,
		.segment_bytes = c->segment_bytes,
		.queue_bytes = LOG_QUEUE_BYTES,
	};
	if (!open_writer(r, &w))
		return false;
	r->refuses = why;
	log_line(LOG_ERROR,
		 "capture: after a crash its directory %.300s cannot be used: %s; `unavailable` "
		 "says "
		 "what becomes of requests until it can",
		 r->directory, strerror(why));
	return true;
}

/* --- what is kept --- */

/* Once, when it begins. */
static void say_held(struct recorder *r)
{
	if (r->retained.held_for[0] && strcmp(r->retained.held_for, r->held_for) != 0)
		log_line(LOG_WARN,
			 "capture: more is kept than `retain` says: the follower %s has not passed "
			 "it yet (`crossfade capture followers`)",
			 r->retained.held_for);
	memcpy(r->held_for, r->retained.held_for, sizeof r->held_for);
}

/* Who cannot say how far he is has passed nothing. */
static bool look_into(struct recorder *r, int directory)
{
	const struct journal_counts *c = journal_counts(r->writer.journal);
	followers_free(&r->followers);
	r->looked_sequence = counter_read(&c->durable_sequence);
	r->looked_wall_ns = counter_read(&c->durable_wall_ns);
	r->retained.removed = 0;
	return followers_look(&r->followers, directory) &&
	       retain(directory, &r->retention, clock_wall_ns(), &r->followers, &r->retained);
}

/* Once, when it begins. */
static void look_for_file(struct recorder *r)
{
	int directory = open(r->config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool kept = directory >= 0 && unrecorded_is_kept(&r->unrecorded, directory);
	if (r->counts_kept && !kept)
		log_line(LOG_ERROR,
			 "capture: %.300s/" UNRECORDED_FILE
			 " was moved or removed: what passes unrecorded is counted in memory, and "
			 "goes with the process",
			 r->config->state);
	r->counts_kept = kept;
	if (directory >= 0)
		close(directory);
}

static void look_after_losses(struct recorder *r)
{
	look_for_file(r);
	if (take_over_losses(r))
		writer_wake(&r->writer);
	/* The log's thread does it too, unless its disk hangs. */
	if (unrecorded_has_more(r->unrecorded.own))
		unrecorded_keep(&r->unrecorded);
}

/*
 * Until the next look. What is seen of a segment that is being written is its whole size, so that
 * much more is allowed: at a limit that is not reached nobody is refused.
 */
static uint64_t allowed(const struct recorder *r)
{
	if (!r->limit_bytes)
		return UINT64_MAX;
	if (r->retained.bytes >= r->limit_bytes)
		return 0;
	return r->limit_bytes - r->retained.bytes + r->segment_bytes;
}

static void look(struct recorder *r)
{
	int directory = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = directory >= 0 && look_into(r, directory);
	if (!good)
		log_line(LOG_ERROR, "capture: cannot look after %.300s: %s", r->directory,
			 strerror(errno));
	if (r->retained.removed)
		log_line(LOG_INFO, "capture: %u segments were taken away, as `retain` says",
			 r->retained.removed);
	say_held(r);
	if (directory >= 0)
		close(directory);
	journal_limit(r->writer.journal, allowed(r));
}

/* By making a file, for a directory may let itself be read alone. */
static bool could_be_used(const struct recorder *r)
{
	int directory = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = directory < 0 ? -1
			       : openat(directory, DISK_SPARE "found",
					O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		unlinkat(directory, DISK_SPARE "found", 0);
		close(fd);
	}
	if (directory >= 0)
		close(directory);
	return fd >= 0;
}

static void look_is_due(struct timer *t)
{
	struct recorder *r = list_entry(t, struct recorder, look);
	look_after_losses(r);
	if (r->refuses) {
		r->found = could_be_used(r);
		timer_set(r->wheel, t, r->wheel->now_ms + RECORDER_FIND_MS);
		return;
	}
	look(r);
	timer_set(r->wheel, t, r->wheel->now_ms + RECORDER_LOOK_MS);
}

void recorder_attach(struct recorder *r, struct wheel *wheel)
{
	if (!r->taps)
		return;
	r->wheel = wheel;
	timer_init(&r->look, look_is_due);
	timer_set(wheel, &r->look,
		  wheel->now_ms + (r->refuses ? RECORDER_FIND_MS : RECORDER_FIRST_MS));
}

bool recorder_open(struct recorder *r, struct config *config, unsigned worker_n,
		   char error[RECORDER_ERROR_BYTES])
{
	const struct config_capture *c = &config->capture;
	*r = (struct recorder){ .worker_n = worker_n,
				.retention = { c->retain.size_bytes,
					       c->retain.age_ms * 1000000ull },
				.limit_bytes = c->limit_bytes,
				.segment_bytes = c->segment_bytes };
	if (c->head.at == NOWHERE)
		return true;
	bool good = !mkdir(c->directory, 0700) || errno == EEXIST;
	int directory = good ? open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	good = directory >= 0 && begin(r, config, directory);
	if (!good)
		snprintf(error, RECORDER_ERROR_BYTES,
			 "capture: cannot use the directory %.300s: %s", c->directory,
			 strerror(errno));
	int why = errno;
	if (directory >= 0)
		close(directory);
	if (!good && config->kept) {
		free(r->directory);
		r->directory = NULL;
		good = begin_refusing(r, config, why);
	}
	if (good) {
		r->config = config_hold(config);
	} else {
		free(r->directory);
		r->directory = NULL;
	}
	return good;
}

/* --- Kafka --- */

/* On the follower's thread. */
static void acknowledged(void *recorder)
{
	struct recorder *r = recorder;
	writer_wake(&r->writer);
}

void recorder_lead(struct recorder *r)
{
	const struct config_capture *capture = r->taps ? &r->config->capture : NULL;
	if (!capture || capture->kafka.head.at == NOWHERE || r->kafka || r->refuses)
		return;
	struct kafka_config c = { .directory = r->directory,
				  .producer = kafka_producer(&capture->kafka) };
	if (capture->durable_at == DURABLE_AT_KAFKA) {
		/* What may be waited for, a piece of a request too, is on its way at once. */
		c.flush = FLUSH_PIECES;
		c.producer.linger_ms = 0;
		c.acknowledged = acknowledged;
		c.user = r;
	}
	r->kafka = kafka_open(&c);
	if (!r->kafka)
		log_line(LOG_ERROR, "kafka: cannot start its thread: %s", strerror(errno));
}

void recorder_retire(struct recorder *r)
{
	if (r->kafka)
		kafka_stop(r->kafka);
}

void recorder_close(struct recorder *r)
{
	if (!r->taps)
		return;
	if (r->wheel)
		timer_clear(&r->look);
	if (r->packs)
		packer_close(&r->packer);
	writer_stop(&r->writer);
	if (r->kafka) {
		kafka_finish(r->kafka);
		kafka_close(r->kafka);
	}
	writer_close(&r->writer);
	unrecorded_close(&r->unrecorded);
	followers_free(&r->followers);
	close_taps(r);
	config_close(r->config);
}

struct taps *recorder_taps(const struct recorder *r, unsigned worker)
{
	return r->taps ? &r->taps[worker] : NULL;
}
