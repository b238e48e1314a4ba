#include "capture/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/boot.h"

static uint64_t writer_rng(void *world)
{
	(void)world;
	uint64_t n;
	must(getrandom(&n, sizeof n, 0) == sizeof n);
	return n;
}

static uint64_t writer_now_ns(void *world)
{
	(void)world;
	return clock_monotonic_ns();
}

/* If that fails, counting goes on in memory. The failure is logged once. */
static void writer_keep(void *world)
{
	struct writer *w = world;
	bool good = !w->unrecorded || unrecorded_keep(w->unrecorded);
	if (!good && !w->keep_failed)
		log_line(LOG_ERROR,
			 "capture: the counts of what passes unrecorded cannot be saved: %s; a "
			 "power cut "
			 "loses what was counted since",
			 strerror(errno));
	w->keep_failed = !good;
}

static void writer_wake_thread(void *world)
{
	struct writer *w = world;
	waker_wake(&w->waker);
}

/* While nothing is written, the time in the lease moves on every LOG_BEAT_MS. */
static void writer_sleep(struct writer *w)
{
	uint64_t until_ns = journal_deadline_ns(w->journal), now = clock_monotonic_ns();
	uint64_t beat_ns = now + LOG_BEAT_MS * 1000000ull;
	if (until_ns > beat_ns)
		until_ns = beat_ns;
	if (until_ns > now)
		waker_sleep_ns(&w->waker, until_ns - now);
}

/* --- the lease --- */

static bool make_writer_lease(struct writer *w)
{
	int directory = open(w->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = directory >= 0;
	if (good && (w->writer_lease.fd < 0 ||
		     !writer_lease_is_there(&w->writer_lease, directory, w->generation))) {
		writer_lease_close(&w->writer_lease);
		good = writer_lease_make(&w->writer_lease, directory, w->generation);
	}
	int error = errno;
	if (directory >= 0)
		close(directory);
	errno = error;
	return good;
}

/*
 * The time is stored last: a follower that sees it, and then reads all that is durable, has all
 * that is before it.
 */
static void lease_publish(struct writer *w, const struct journal_counts *c, uint64_t durable)
{
	struct writer_lease_page *p = w->writer_lease.page;
	uint64_t until_ns = atomic_load_explicit(&c->until_mono_ns, memory_order_relaxed);
	bool more = atomic_exchange(&p->durable, durable) != durable;
	atomic_store(&p->until_wall_ns,
		     atomic_load_explicit(&c->until_wall_ns, memory_order_relaxed));
	bool later = atomic_exchange(&p->until_mono_ns, until_ns) != until_ns;
	uint32_t followed = atomic_load(&p->followed);
	/*
	 * The file is touched once for each time that a follower asks: a follower that is awake
	 * costs nothing.
	 */
	if ((more && followed >= WRITER_LEASE_FRAMES) || (later && followed >= WRITER_LEASE_TIME)) {
		atomic_store(&p->followed, WRITER_LEASE_NOBODY);
		writer_lease_touch(&w->writer_lease);
	}
	if (more && w->durable)
		w->durable(w->user);
}

/* Checked with each new segment: the directory may have been removed and made anew. */
static void writer_look_after_lease(struct writer *w)
{
	const struct journal_counts *c = journal_counts(w->journal);
	uint64_t segments = atomic_load_explicit(&c->segments, memory_order_relaxed);
	if (w->without_lease)
		return;
	if (w->leased_segments != segments && make_writer_lease(w))
		w->leased_segments = segments;
	uint64_t durable = atomic_load_explicit(&c->durable_sequence, memory_order_relaxed);
	if (w->writer_lease.page)
		lease_publish(w, c, durable);
}

static void remove_writer_lease(struct writer *w)
{
	int directory = open(w->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && w->writer_lease.fd >= 0 &&
	    writer_lease_is_there(&w->writer_lease, directory, w->generation))
		writer_lease_remove(directory, w->generation);
	if (directory >= 0)
		close(directory);
	writer_lease_close(&w->writer_lease);
}

/* --- open, run and close --- */

static uint64_t writer_acknowledged(void *world)
{
	const struct writer *w = world;
	return w->writer_lease.page ? atomic_load(&w->writer_lease.page->acknowledged) : 0;
}

static void *writer_run(void *argument)
{
	struct writer *w = argument;
	pthread_setname_np(pthread_self(), "capture");
	while (journal_state(w->journal) != JOURNAL_OVER) {
		if (atomic_load(&w->stop))
			journal_stop(w->journal);
		journal_turn(w->journal, clock_monotonic_ns(), clock_wall_ns());
		bool busy = disk_run(w->disk);
		writer_look_after_lease(w);
		if (!busy && journal_state(w->journal) != JOURNAL_OVER)
			writer_sleep(w);
	}
	return NULL;
}

bool writer_open(struct writer *w, const struct writer_config *c)
{
	char node[HOST_NAME_MAX + 1] = "";
	*w = (struct writer){ .disk = c->refuses ? disk_refusing(c->refuses)
						 : disk_open(c->directory),
			      .without_lease = c->refuses != 0,
			      .directory = c->directory,
			      .generation = c->generation,
			      .durable = c->durable,
			      .user = c->user,
			      .unrecorded = c->unrecorded,
			      .writer_lease.fd = -1 };
	if (!w->disk)
		return false;
	if (!w->without_lease && !make_writer_lease(w)) {
		int error = errno;
		disk_free(w->disk);
		errno = error;
		return false;
	}
	gethostname(node, sizeof node - 1);
	struct journal_config j = {
		.disk = w->disk,
		.generation = c->generation,
		.node = node,
		.now_ns = writer_now_ns,
		.rng = writer_rng,
		.wake = writer_wake_thread,
		.world = w,
		.segment_bytes = c->segment_bytes,
		.commit_ns = c->commit_ns,
		.queue_bytes = c->queue_bytes,
		.unrecorded = c->unrecorded ? c->unrecorded->own : NULL,
		.keep = writer_keep,
		.acknowledged = c->acknowledged ? writer_acknowledged : NULL,
		.damages = c->damages,
		.damage_n = c->damage_n,
	};
	boot_read(j.boot);
	w->journal = journal_open(&j);
	must(waker_open(&w->waker));
	must(!pthread_create(&w->thread, NULL, writer_run, w));
	return true;
}

void writer_wake(struct writer *w)
{
	waker_wake(&w->waker);
}

void writer_stop(struct writer *w)
{
	atomic_store(&w->stop, true);
	waker_wake(&w->waker);
	pthread_join(w->thread, NULL);
	journal_close(w->journal);
	remove_writer_lease(w);
	disk_free(w->disk);
}

void writer_close(struct writer *w)
{
	waker_close(&w->waker);
}
