#include "control/recorder_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "io/disk.h"

/* --- the file that counts unrecorded requests --- */

static struct recorder *losses_look_recorder(struct disk_job *j)
{
	return list_entry(j, struct recorder, losses_look.job);
}

/* Without a descriptor the state of the file is not known now. */
static void recorder_look_for_losses(struct recorder *r)
{
	struct recorder_losses_look *l = &r->losses_look;
	int directory = open(r->config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->known = directory >= 0 || errno == ENOENT || errno == ENOTDIR;
	l->kept = directory >= 0 && unrecorded_is_kept(&r->unrecorded, directory);
	if (directory >= 0)
		close(directory);
}

/* On the thread of the state directory. */
static void recorder_work_losses(struct disk_job *j)
{
	struct recorder *r = losses_look_recorder(j);
	recorder_look_for_losses(r);
	r->losses_look.predecessors = unrecorded_take_over(&r->unrecorded, clock_wall_ns());
	/* The log's thread does this too, unless its disk hangs. */
	if (unrecorded_has_more(r->unrecorded.own))
		unrecorded_keep(&r->unrecorded);
}

/* A loss is logged once, when it begins. */
static void recorder_losses_seen(struct disk_job *j)
{
	struct recorder *r = losses_look_recorder(j);
	struct recorder_losses_look *l = &r->losses_look;
	l->under_way = false;
	if (l->known && r->counts_kept && !l->kept)
		log_line(LOG_ERROR,
			 "capture: %.300s/" UNRECORDED_FILE
			 " was moved or removed: unrecorded requests are counted in memory, and "
			 "the counts are lost when the process ends",
			 r->config->state);
	if (l->known)
		r->counts_kept = l->kept;
	recorder_log_predecessors(l->predecessors);
	if (l->predecessors)
		writer_wake(&r->writer);
}

static void recorder_look_at_losses(struct recorder *r)
{
	if (r->losses_look.under_way)
		return;
	r->losses_look = (struct recorder_losses_look){
		.job = { .work = recorder_work_losses, .done = recorder_losses_seen },
		.under_way = true,
	};
	disk_jobs_put(r->state_disk, &r->losses_look.job);
}

/* --- the capture directory --- */

static struct recorder *directory_look_recorder(struct disk_job *j)
{
	return list_entry(j, struct recorder, directory_look.job);
}

/* A follower whose position is damaged has passed nothing. An errno, or 0. */
static int recorder_look_into(struct recorder *r, int directory)
{
	struct recorder_look *l = &r->directory_look;
	bool good = followers_look(&l->followers, directory) &&
		    retain(directory, &r->retention, clock_wall_ns(), &l->followers, &l->retained);
	return good ? 0 : errno;
}

/* Creates a file, since a directory that can be read may not be writable. An errno, or 0. */
static int directory_try_write(int directory)
{
	int fd = openat(directory, DISK_SPARE "found", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			0600);
	int error = fd < 0 ? errno : 0;
	if (fd >= 0) {
		unlinkat(directory, DISK_SPARE "found", 0);
		close(fd);
	}
	return error;
}

/* On the disk's thread. */
static void recorder_work_directory(struct disk_job *j)
{
	struct recorder *r = directory_look_recorder(j);
	int directory = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = errno;
	if (directory >= 0)
		error = r->refuses ? directory_try_write(directory)
				   : recorder_look_into(r, directory);
	r->directory_look.error = error;
	if (directory >= 0)
		close(directory);
}

/* Logged once, when it begins. */
static void recorder_log_held(struct recorder *r)
{
	if (r->retained.held_for[0] && strcmp(r->retained.held_for, r->held_for) != 0)
		log_line(LOG_WARN,
			 "capture: more is kept than `retain` says, because the follower %s has "
			 "not read it yet (`crossfade capture followers`)",
			 r->retained.held_for);
	memcpy(r->held_for, r->retained.held_for, sizeof r->held_for);
}

/*
 * The bytes allowed until the next look. A segment that is being written counts with its whole
 * size; therefore one segment more is allowed. So no request is refused before the limit is
 * reached.
 */
static uint64_t recorder_allowed_bytes(const struct recorder *r)
{
	if (!r->limit_bytes)
		return UINT64_MAX;
	if (r->retained.bytes >= r->limit_bytes)
		return 0;
	return r->limit_bytes - r->retained.bytes + r->segment_bytes;
}

/* What was removed before an error is known, too. */
static void recorder_take_look(struct recorder *r)
{
	struct recorder_look *l = &r->directory_look;
	r->retained = l->retained;
	if (l->error) {
		followers_free(&l->followers);
		log_line(LOG_ERROR, "capture: cannot look into %.300s: %s", r->directory,
			 strerror(l->error));
	} else {
		followers_free(&r->followers);
		r->followers = l->followers;
		r->looked_sequence = l->sequence;
		r->looked_wall_ns = l->wall_ns;
		r->looked_at_wall_ns = clock_wall_ns();
	}
	if (r->retained.removed)
		log_line(LOG_INFO, "capture: %u segments were removed, as `retain` says",
			 r->retained.removed);
	recorder_log_held(r);
	journal_limit(r->writer.journal, recorder_allowed_bytes(r));
}

static void recorder_directory_seen(struct disk_job *j)
{
	struct recorder *r = directory_look_recorder(j);
	r->directory_look.began_ns = 0;
	if (r->refuses)
		r->found = !r->directory_look.error;
	else
		recorder_take_look(r);
}

static void recorder_look_at_directory(struct recorder *r)
{
	const struct journal_counts *c = journal_counts(r->writer.journal);
	if (r->directory_look.began_ns)
		return;
	r->directory_look = (struct recorder_look){
		.job = { .work = recorder_work_directory, .done = recorder_directory_seen },
		.began_ns = clock_monotonic_ns(),
		.retained = r->retained,
		.sequence = counter_read(&c->durable_sequence),
		.wall_ns = counter_read(&c->durable_wall_ns),
	};
	r->directory_look.retained.removed = 0;
	disk_jobs_put(&r->disk, &r->directory_look.job);
}

bool recorder_is_stale(const struct recorder *r)
{
	uint64_t began_ns = r->directory_look.began_ns;
	return began_ns && clock_monotonic_ns() - began_ns > RECORDER_LATE_MS * 1000000ull;
}

/* --- attaching and detaching --- */

static void recorder_look_is_due(struct timer *t)
{
	struct recorder *r = list_entry(t, struct recorder, look);
	recorder_look_at_losses(r);
	recorder_look_at_directory(r);
	timer_set(r->wheel, t,
		  r->wheel->now_ms + (r->refuses ? RECORDER_FIND_MS : RECORDER_LOOK_MS));
}

bool recorder_attach(struct recorder *r, struct io *io, struct wheel *wheel,
		     struct disk_jobs *state_disk)
{
	if (!r->taps)
		return true;
	if (!disk_jobs_open(&r->disk, io))
		return false;
	r->state_disk = state_disk;
	r->wheel = wheel;
	timer_init(&r->look, recorder_look_is_due);
	timer_set(wheel, &r->look,
		  wheel->now_ms + (r->refuses ? RECORDER_FIND_MS : RECORDER_FIRST_MS));
	return true;
}

void recorder_turn(struct recorder *r)
{
	if (r->wheel)
		disk_jobs_look(&r->disk);
}

bool recorder_detach(struct recorder *r)
{
	if (!r->taps)
		return true;
	/* First: a look that ends now asks the journal, which recorder_end() frees. */
	bool answers = !r->wheel || disk_jobs_close(&r->disk, DISK_LAST_MS);
	if (!answers)
		log_line(LOG_ERROR, "capture: the directory %.300s does not answer", r->directory);
	if (r->wheel)
		timer_clear(&r->look);
	recorder_end(r);
	bool kept = answers && !r->losses_look.under_way;
	if (kept)
		recorder_close(r);
	return kept;
}
