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
#include "capture/recovery.h"
#include "capture/series.h"

#define KEY_FILE "redact.key"

static bool read_key(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	int fd = openat(directory, KEY_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, key, REDACT_KEY_BYTES);
	close(fd);
	errno = n < 0 ? errno : EINVAL;
	return n == REDACT_KEY_BYTES;
}

static bool make_key(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	must(getrandom(key, REDACT_KEY_BYTES, 0) == REDACT_KEY_BYTES);
	int fd = openat(directory, KEY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool good = write(fd, key, REDACT_KEY_BYTES) == REDACT_KEY_BYTES && !fsync(fd);
	close(fd);
	return good;
}

static bool take_key(int directory, uint8_t key[REDACT_KEY_BYTES])
{
	if (read_key(directory, key))
		return true;
	return errno == ENOENT && make_key(directory, key);
}

static void open_taps(struct recorder *r, const uint8_t key[REDACT_KEY_BYTES])
{
	r->taps = calloc(r->worker_n, sizeof *r->taps);
	r->feeds = calloc(r->worker_n, sizeof(struct feed *));
	must(r->taps && r->feeds);
	for (unsigned i = 0; i < r->worker_n; i++) {
		feed_open(&r->taps[i].feed, i);
		redactor_open(&r->taps[i].redactor, key);
		r->feeds[i] = &r->taps[i].feed;
	}
}

static void close_taps(struct recorder *r)
{
	for (unsigned i = 0; i < r->worker_n; i++) {
		feed_close(&r->taps[i].feed);
		redactor_close(&r->taps[i].redactor);
	}
	free(r->taps);
	free(r->feeds);
	free(r->directory);
	r->taps = NULL;
	r->feeds = NULL;
}

/* Says what the last one has left, when it did not end well. */
static bool put_in_order(int directory)
{
	struct recovery found;
	if (!recover(directory, &found))
		return false;
	if (found.segments)
		log_line(
			LOG_WARN,
			"capture: %u segments had no end: the process before was killed; %llu torn "
			"bytes behind their last good frame were cut off",
			found.segments, (unsigned long long)found.torn_bytes);
	if (found.holes)
		log_line(LOG_ERROR,
			 "capture: %u holes with good frames behind them: `crossfade capture "
			 "verify` "
			 "says whether that is damage",
			 found.holes);
	return true;
}

static bool begin(struct recorder *r, const struct config_capture *c, int directory)
{
	uint8_t key[REDACT_KEY_BYTES];
	struct writer_config w = {
		.directory = c->directory,
		.commit_ns = c->commit_ms * 1000000ull,
		.segment_bytes = c->segment_bytes,
	};
	if (!take_key(directory, key) || !put_in_order(directory) ||
	    !series_next(directory, &w.generation))
		return false;
	open_taps(r, key);
	r->generation = w.generation;
	r->directory = strdup(c->directory);
	must(r->directory);
	w.feeds = r->feeds;
	w.feed_n = r->worker_n;
	if (!writer_open(&r->writer, &w)) {
		close_taps(r);
		return false;
	}
	for (unsigned i = 0; i < r->worker_n; i++)
		feed_attach(r->feeds[i], r->writer.journal);
	return true;
}

/* --- what is kept --- */

static void look(struct recorder *r)
{
	int directory = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good =
		directory >= 0 && retain(directory, &r->retention, clock_wall_ns(), &r->retained);
	if (!good)
		log_line(LOG_ERROR, "capture: cannot look after %.300s: %s", r->directory,
			 strerror(errno));
	if (r->retained.removed)
		log_line(LOG_INFO, "capture: %u segments were taken away, as `retain` says",
			 r->retained.removed);
	if (directory >= 0)
		close(directory);
	journal_limit(r->writer.journal, r->limit_bytes && r->retained.bytes >= r->limit_bytes);
}

static void look_is_due(struct timer *t)
{
	struct recorder *r = list_entry(t, struct recorder, look);
	look(r);
	timer_set(r->wheel, t, r->wheel->now_ms + RECORDER_LOOK_MS);
}

void recorder_attach(struct recorder *r, struct wheel *wheel)
{
	if (!r->taps)
		return;
	r->wheel = wheel;
	timer_init(&r->look, look_is_due);
	timer_set(wheel, &r->look, wheel->now_ms + RECORDER_LOOK_MS);
}

bool recorder_open(struct recorder *r, const struct config *config, unsigned worker_n,
		   char error[RECORDER_ERROR_BYTES])
{
	const struct config_capture *c = &config->capture;
	*r = (struct recorder){ .worker_n = worker_n,
				.retention = { c->retain.size_bytes,
					       c->retain.age_ms * 1000000ull },
				.limit_bytes = c->limit_bytes };
	if (c->head.at == NOWHERE)
		return true;
	bool good = !mkdir(c->directory, 0700) || errno == EEXIST;
	int directory = good ? open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	good = directory >= 0 && begin(r, c, directory);
	if (!good)
		snprintf(error, RECORDER_ERROR_BYTES,
			 "capture: cannot use the directory %.300s: %s", c->directory,
			 strerror(errno));
	if (directory >= 0)
		close(directory);
	return good;
}

void recorder_close(struct recorder *r)
{
	if (!r->taps)
		return;
	if (r->wheel)
		timer_clear(&r->look);
	writer_close(&r->writer);
	close_taps(r);
}

struct taps *recorder_taps(const struct recorder *r, unsigned worker)
{
	return r->taps ? &r->taps[worker] : NULL;
}
