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
#include "base/limits.h"
#include "base/log.h"
#include "capture/listing.h"
#include "capture/recovery.h"
#include "capture/segment.h"
#include "capture/series.h"
#include "control/config_kafka.h"
#include "io/disk.h"
#include "io/own_file.h"

#define KEY_FILE "redact.key"

static bool redact_key_read(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	static const uint8_t zero[REDACT_KEY_BYTES];
	int fd = own_file_open(directory, KEY_FILE, O_RDONLY, 0);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, key, REDACT_KEY_BYTES);
	close(fd);
	errno = n < 0 ? errno : EINVAL;
	/* A key of zeros is what a lost file looks like. It would hide nothing. */
	return n == REDACT_KEY_BYTES && memcmp(key, zero, sizeof zero) != 0;
}

static bool redact_key_make(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	must(getrandom(key, REDACT_KEY_BYTES, 0) == REDACT_KEY_BYTES);
	int fd = own_file_open(directory, KEY_FILE, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return false;
	bool good = write(fd, key, REDACT_KEY_BYTES) == REDACT_KEY_BYTES && !fsync(fd);
	close(fd);
	return good;
}

/*
 * With a new key, values that were redacted before no longer match the same values in new records.
 */
static void redact_key_log_new(int directory)
{
	struct listing all;
	if (!listing_read(&all, directory))
		return;
	if (all.n)
		log_line(LOG_WARN,
			 "capture: " KEY_FILE " was missing, and a new one was made: the same "
			 "values are now redacted differently than before");
	listing_free(&all);
}

static bool redact_key_take(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	if (redact_key_read(directory, key))
		return true;
	if (errno != ENOENT || !redact_key_make(directory, key))
		return false;
	redact_key_log_new(directory);
	return true;
}

/*
 * Called before the directory is put in order. A key without a segment: the log was begun, and is
 * missing.
 */
static void recorder_look_for_log(int directory, struct unrecorded_signs *to)
{
	struct listing all;
	struct stat key;
	to->expected = !fstatat(directory, KEY_FILE, &key, AT_SYMLINK_NOFOLLOW);
	if (to->expected)
		to->since_wall_ns = (uint64_t)key.st_mtim.tv_sec * 1000000000ull;
	if (!listing_read(&all, directory))
		return;
	to->expected |= all.n > 0;
	/*
	 * Skips a segment that another process is writing: its time does not tell when an earlier
	 * process ended.
	 */
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

static void recorder_open_taps(struct recorder *r, const uint8_t key[REDACT_KEY_BYTES])
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

static void recorder_close_taps(struct recorder *r)
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

/* Repairs the log, and logs what the last process has left if it did not end cleanly. */
static bool recorder_recover(int directory, struct recovery *to)
{
	if (!recover(directory, to))
		return false;
	if (to->segments)
		log_line(LOG_WARN,
			 "capture: %u segments had no end, because the previous process was "
			 "killed; %llu torn bytes after their last good frame were cut off",
			 to->segments, (unsigned long long)to->torn_bytes);
	if (to->holes)
		log_line(LOG_ERROR,
			 "capture: %u holes have good frames after them: `crossfade capture gaps` "
			 "shows which of them are damage",
			 to->holes);
	return true;
}

/* A generation that a follower has passed is not used again. */
static bool recorder_choose_generation(int directory, uint64_t *generation)
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
				 "capture: %s.follower is damaged: that follower begins again at "
				 "the start, and all segments are kept for it",
				 f->name);
	}
	followers_free(&all);
	return true;
}

/* --- unrecorded requests --- */

void recorder_log_predecessors(unsigned n)
{
	if (n)
		log_line(LOG_WARN,
			 "capture: %u earlier processes ended before their unrecorded requests "
			 "were in the log: a gap record will count them",
			 n);
}

static void recorder_mend_losses(int directory, const char *state, struct unrecorded_signs *s)
{
	s->wall_ns = clock_wall_ns();
	enum unrecorded_before before = unrecorded_mend(directory, s);
	if (before != UNRECORDED_WAS_GOOD)
		log_line(LOG_ERROR,
			 "capture: %.300s/" UNRECORDED_FILE
			 " %s: how many unrecorded requests have no gap record is not known; a gap "
			 "record says so, and counting starts again",
			 state,
			 before == UNRECORDED_WAS_MISSING
				 ? "is missing"
				 : "is damaged, and kept as " UNRECORDED_DAMAGED);
}

/* The file must not stop the balancer from serving, but its absence is logged. */
static void recorder_open_losses(struct recorder *r, const char *state, struct unrecorded_signs *s)
{
	int directory = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0)
		recorder_mend_losses(directory, state, s);
	bool good = unrecorded_open(&r->unrecorded, directory, r->generation, r->worker_n);
	r->counts_kept = good;
	if (!good)
		log_line(LOG_ERROR,
			 "capture: cannot use %.300s/" UNRECORDED_FILE
			 ": %s; unrecorded requests are counted in memory, and the counts are lost "
			 "when the process ends",
			 state, strerror(errno));
	if (directory >= 0)
		close(directory);
	for (unsigned i = 0; i < r->worker_n; i++)
		feed_count_in(r->feeds[i], r->unrecorded.own->lost[i]);
	recorder_log_predecessors(unrecorded_take_over(&r->unrecorded, clock_wall_ns()));
}

/* On the log's thread. */
static void recorder_durable(void *recorder)
{
	struct recorder *r = recorder;
	struct kafka *k = atomic_load(&r->kafka);
	if (k)
		kafka_wake(k);
}

/*
 * From now on the workers' counts and records go to `unrecorded` and to the journal. False with
 * errno.
 */
static bool recorder_open_writer(struct recorder *r, struct writer_config *w)
{
	w->unrecorded = &r->unrecorded;
	if (!writer_open(&r->writer, w)) {
		int error = errno;
		unrecorded_close(&r->unrecorded);
		recorder_close_taps(r);
		errno = error;
		return false;
	}
	for (unsigned i = 0; i < r->worker_n; i++)
		feed_attach(r->feeds[i], r->writer.journal);
	return true;
}

static bool recorder_begin(struct recorder *r, const struct config *config, int directory)
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
	recorder_look_for_log(directory, &signs);
	if (!redact_key_take(directory, key) || !recorder_recover(directory, &found) ||
	    !recorder_choose_generation(directory, &w.generation))
		return false;
	recorder_open_taps(r, key);
	r->generation = w.generation;
	if (c->durable_at == DURABLE_AT_KAFKA) {
		w.acknowledged = true;
		w.durable = recorder_durable;
		w.user = r;
	}
	w.damages = found.damages;
	w.damage_n = found.damage_n;
	recorder_open_losses(r, config->state, &signs);
	if (!recorder_open_writer(r, &w))
		return false;
	r->packs = c->compress;
	if (r->packs)
		packer_open(&r->packer, r->directory, &journal_counts(r->writer.journal)->segments);
	return true;
}

/* Nothing is written, so that a redaction key of zeros does no harm. */
static bool recorder_begin_refusing(struct recorder *r, const struct config *config, int why)
{
	const struct config_capture *c = &config->capture;
	uint8_t key[REDACT_KEY_BYTES] = { 0 };
	r->directory = strdup(c->directory);
	must(r->directory);
	recorder_open_taps(r, key);
	r->generation = 1;
	/* The previous process has counted here, so that the file is expected. */
	recorder_open_losses(r, config->state, &(struct unrecorded_signs){ .expected = true });
	struct writer_config w = {
		.directory = r->directory,
		.refuses = why,
		.generation = r->generation,
		.segment_bytes = c->segment_bytes,
		.queue_bytes = LOG_QUEUE_BYTES,
	};
	if (!recorder_open_writer(r, &w))
		return false;
	r->refuses = why;
	log_line(LOG_ERROR,
		 "capture: after a crash the directory %.300s cannot be used: %s; until it can, "
		 "requests are handled as `unavailable` says",
		 r->directory, segment_error(why));
	return true;
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
	good = directory >= 0 && recorder_begin(r, config, directory);
	if (!good)
		snprintf(error, RECORDER_ERROR_BYTES,
			 "capture: cannot use the directory %.300s: %s", c->directory,
			 segment_error(errno));
	int why = errno;
	if (directory >= 0)
		close(directory);
	if (!good && config->kept) {
		free(r->directory);
		r->directory = NULL;
		good = recorder_begin_refusing(r, config, why);
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
static void recorder_acknowledged(void *recorder)
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
		/*
		 * Records, including pieces of a request, are sent at once: requests may wait for
		 * them.
		 */
		c.flush = FLUSH_PIECES;
		c.producer.linger_ms = 0;
		c.acknowledged = recorder_acknowledged;
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

void recorder_end(struct recorder *r)
{
	if (r->packs)
		packer_close(&r->packer);
	writer_stop(&r->writer);
	if (r->kafka) {
		kafka_finish(r->kafka);
		kafka_close(r->kafka);
	}
	writer_close(&r->writer);
}

void recorder_close(struct recorder *r)
{
	unrecorded_close(&r->unrecorded);
	followers_free(&r->followers);
	recorder_close_taps(r);
	config_close(r->config);
}

void recorder_owner(struct recorder *r, const struct board_values *v)
{
	struct record_owner owner = { .target = v->owner == ARM_TARGET,
				      .since = v->since,
				      .epoch = v->epoch };
	if (r->taps)
		journal_owner(r->writer.journal, &owner);
}

uint64_t recorder_owner_durable(const struct recorder *r)
{
	return r->taps ? journal_owner_durable(r->writer.journal).epoch : 0;
}

struct taps *recorder_taps(const struct recorder *r, unsigned worker)
{
	return r->taps && worker < r->worker_n ? &r->taps[worker] : NULL;
}
