#include "capture/packer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/pack.h"
#include "capture/series.h"

static void packer_count(_Atomic uint64_t *n, uint64_t more)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

static void packer_note(struct packer *p, const char *name, enum pack_verdict v,
			struct pack_gain gain)
{
	struct packer_counts *c = &p->counts;
	int error = v == PACK_ERROR ? errno : 0;
	if (v == PACK_DONE) {
		packer_count(&c->segments, 1);
		packer_count(&c->raw_bytes, gain.raw_bytes);
		packer_count(&c->packed_bytes, gain.packed_bytes);
	}
	if (error) {
		packer_count(&c->failures, 1);
		if (error != atomic_load_explicit(&c->error, memory_order_relaxed))
			log_line(LOG_WARN, "capture: cannot compress %s, which stays as it is: %s",
				 name, strerror(error));
	}
	if (error || v == PACK_DONE)
		atomic_store_explicit(&c->error, error, memory_order_relaxed);
}

/* --- one pass --- */

/* Whether an earlier pass has settled it; both lists are in order. */
static bool was_settled(const struct listing *settled, size_t *at, const struct listed *one)
{
	while (*at < settled->n && listed_compare(&settled->list[*at], one) < 0)
		++*at;
	return *at < settled->n && !listed_compare(&settled->list[*at], one);
}

static bool packer_settle(struct packer *p, int directory, const struct listed *one)
{
	char name[SERIES_NAME_BYTES];
	struct pack_gain gain;
	series_name(name, one->generation, one->index);
	enum pack_verdict v = pack(directory, name, &p->stop, &gain);
	packer_note(p, name, v, gain);
	return v != PACK_LATER && v != PACK_ERROR;
}

/* Settled segments are moved together at the front of the list, which the next pass starts from. */
static void packer_settle_all(struct packer *p, int directory, struct listing *all)
{
	size_t kept = 0, at = 0;
	for (size_t i = 0; i < all->n && !atomic_load(&p->stop); i++) {
		struct listed one = all->list[i];
		if (was_settled(&p->settled, &at, &one) || packer_settle(p, directory, &one))
			all->list[kept++] = one;
	}
	all->n = kept;
}

static void packer_look(struct packer *p)
{
	struct listing all;
	int directory = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && listing_read(&all, directory)) {
		packer_settle_all(p, directory, &all);
		listing_free(&p->settled);
		p->settled = all;
	}
	if (directory >= 0)
		close(directory);
}

/* --- the thread --- */

/* Where that is not allowed, the thread runs like any other. */
static void packer_run_when_idle(void)
{
	enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 };
	struct sched_param none = { 0 };
	(void)sched_setscheduler(0, SCHED_IDLE, &none);
	(void)syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT);
}

/*
 * A segment is sealed just before the next one is begun. What failed is tried again after
 * PACK_AGAIN_MS.
 */
static void packer_sleep(struct packer *p, uint64_t seen)
{
	for (unsigned ms = 0; ms < PACK_AGAIN_MS && !atomic_load(&p->stop); ms += PACK_LOOK_MS) {
		waker_sleep(&p->waker, PACK_LOOK_MS);
		if (atomic_load_explicit(p->segments, memory_order_relaxed) != seen)
			return;
	}
}

static void *packer_run(void *argument)
{
	struct packer *p = argument;
	pthread_setname_np(pthread_self(), "packer");
	packer_run_when_idle();
	while (!atomic_load(&p->stop)) {
		uint64_t seen = atomic_load_explicit(p->segments, memory_order_relaxed);
		packer_look(p);
		packer_sleep(p, seen);
	}
	return NULL;
}

void packer_open(struct packer *p, const char *directory, const _Atomic uint64_t *segments)
{
	*p = (struct packer){ .directory = strdup(directory), .segments = segments };
	must(p->directory && waker_open(&p->waker));
	must(!pthread_create(&p->thread, NULL, packer_run, p));
}

void packer_close(struct packer *p)
{
	atomic_store(&p->stop, true);
	waker_wake(&p->waker);
	pthread_join(p->thread, NULL);
	waker_close(&p->waker);
	listing_free(&p->settled);
	free(p->directory);
}
