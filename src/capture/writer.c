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

static uint64_t chance(void *world)
{
	(void)world;
	uint64_t n;
	must(getrandom(&n, sizeof n, 0) == sizeof n);
	return n;
}

static uint64_t now_ns(void *world)
{
	(void)world;
	return clock_monotonic_ns();
}

/* Where that fails it goes on in memory; it is said once. */
static void keep(void *world)
{
	struct writer *w = world;
	bool good = !w->unrecorded || unrecorded_keep(w->unrecorded);
	if (!good && !w->keeps_badly)
		log_line(
			LOG_ERROR,
			"capture: how much passes unrecorded cannot be kept: %s; a power cut takes "
			"what was counted since",
			strerror(errno));
	w->keeps_badly = !good;
}

static void wake(void *world)
{
	struct writer *w = world;
	waker_wake(&w->waker);
}

static void rest(struct writer *w)
{
	uint64_t until_ns = journal_deadline_ns(w->journal), now = clock_monotonic_ns();
	if (until_ns == UINT64_MAX)
		waker_sleep(&w->waker, -1);
	else if (until_ns > now)
		waker_sleep_ns(&w->waker, until_ns - now);
}

/* --- the mark --- */

static bool make_mark(struct writer *w)
{
	int directory = open(w->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = directory >= 0;
	if (good && (w->mark.fd < 0 || !mark_is_there(&w->mark, directory, w->generation))) {
		mark_close(&w->mark);
		good = mark_make(&w->mark, directory, w->generation);
	}
	int error = errno;
	if (directory >= 0)
		close(directory);
	errno = error;
	return good;
}

/* With a new segment: somebody may have taken the directory away and made it anew. */
static void look_after_mark(struct writer *w)
{
	const struct journal_counts *c = journal_counts(w->journal);
	uint64_t segments = atomic_load_explicit(&c->segments, memory_order_relaxed);
	if (w->unmarked)
		return;
	if (w->marked_segments != segments && make_mark(w))
		w->marked_segments = segments;
	uint64_t durable = atomic_load_explicit(&c->durable_sequence, memory_order_relaxed);
	if (!w->mark.page || atomic_exchange(&w->mark.page->durable, durable) == durable)
		return;
	if (w->durable)
		w->durable(w->user);
}

static void remove_mark(struct writer *w)
{
	int directory = open(w->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && w->mark.fd >= 0 && mark_is_there(&w->mark, directory, w->generation))
		mark_remove(directory, w->generation);
	if (directory >= 0)
		close(directory);
	mark_close(&w->mark);
}

/* --- a life --- */

static uint64_t acknowledged(void *world)
{
	const struct writer *w = world;
	return w->mark.page ? atomic_load(&w->mark.page->acknowledged) : 0;
}

static void *run(void *argument)
{
	struct writer *w = argument;
	pthread_setname_np(pthread_self(), "capture");
	while (journal_state(w->journal) != JOURNAL_OVER) {
		if (atomic_load(&w->stop))
			journal_stop(w->journal);
		journal_turn(w->journal, clock_monotonic_ns(), clock_wall_ns());
		bool busy = disk_run(w->disk);
		look_after_mark(w);
		if (!busy && journal_state(w->journal) != JOURNAL_OVER)
			rest(w);
	}
	return NULL;
}

bool writer_open(struct writer *w, const struct writer_config *c)
{
	char node[HOST_NAME_MAX + 1] = "";
	*w = (struct writer){ .disk = c->refuses ? disk_refusing(c->refuses)
						 : disk_open(c->directory),
			      .unmarked = c->refuses != 0,
			      .directory = c->directory,
			      .generation = c->generation,
			      .durable = c->durable,
			      .user = c->user,
			      .unrecorded = c->unrecorded,
			      .mark.fd = -1 };
	if (!w->disk)
		return false;
	if (!w->unmarked && !make_mark(w)) {
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
		.now_ns = now_ns,
		.chance = chance,
		.wake = wake,
		.world = w,
		.segment_bytes = c->segment_bytes,
		.commit_ns = c->commit_ns,
		.queue_bytes = c->queue_bytes,
		.unrecorded = c->unrecorded ? c->unrecorded->own : NULL,
		.keep = keep,
		.acknowledged = c->acknowledged ? acknowledged : NULL,
		.damages = c->damages,
		.damage_n = c->damage_n,
	};
	boot_read(j.boot);
	w->journal = journal_open(&j);
	must(waker_open(&w->waker));
	must(!pthread_create(&w->thread, NULL, run, w));
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
	remove_mark(w);
	disk_free(w->disk);
}

void writer_close(struct writer *w)
{
	waker_close(&w->waker);
}
