#include "replay/kept_marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

void kept_open(struct kept_marks *k, const char *directory)
{
	*k = (struct kept_marks){ .directory = directory };
	must(!pthread_mutex_init(&k->lock, NULL));
	marks_open(&k->marks);
}

void kept_close(struct kept_marks *k)
{
	marks_close(&k->marks);
	pthread_mutex_destroy(&k->lock);
	free(k->tags);
}

/* --- the copying thread --- */

struct marks *kept_change(struct kept_marks *k)
{
	pthread_mutex_lock(&k->lock);
	return &k->marks;
}

uint64_t kept_changed(struct kept_marks *k, bool soon)
{
	uint64_t change = atomic_fetch_add(&k->changed, 1) + 1;
	if (soon)
		atomic_store(&k->urgent, change);
	pthread_mutex_unlock(&k->lock);
	return change;
}

void kept_hold(struct kept_marks *k, uintptr_t tag)
{
	if (k->tag_n == k->tag_room) {
		k->tag_room = 2 * k->tag_room + 64;
		k->tags = realloc(k->tags, k->tag_room * sizeof *k->tags);
		must(k->tags);
	}
	k->tags[k->tag_n++] = (struct kept_tag){ tag, atomic_load(&k->changed) };
}

bool kept_release(struct kept_marks *k, uintptr_t *tag)
{
	/* The last one first: those before it are durable, too. */
	if (!k->tag_n || !kept_is_saved(k, k->tags[k->tag_n - 1].change))
		return false;
	*tag = k->tags[--k->tag_n].tag;
	return true;
}

/* --- the reading thread --- */

/* What was set aside is not known any more: until somebody has seen that, nothing is copied. */
static void kept_begin_anew(struct kept_marks *k, uint64_t now_ns)
{
	log_line(LOG_ERROR,
		 "replay: %.300s/" MARKS_FILE " is damaged, and was moved to " MARKS_DAMAGED_FILE
		 ". Which documents were set aside, and how far a backfill came, is not known. "
		 "Replay is paused: `crossfade replay resume` lets it go on; then compare the "
		 "clusters",
		 k->directory);
	pthread_mutex_lock(&k->lock);
	marks_pause(&k->marks, now_ns, "the balancer, because " MARKS_FILE " was damaged");
	marks_not_exact(&k->marks, SPAN("*"),
			MARKS_FILE " was damaged: what was set aside is not known", now_ns);
	kept_changed(k, true);
}

static void kept_say(struct kept_marks *k, int state, int error)
{
	if (atomic_load(&k->state) == state && atomic_load(&k->error) == error)
		return;
	if (state == KEPT_NEWER)
		log_line(LOG_ERROR,
			 "replay: %.300s/" MARKS_FILE " was written by a newer version of "
			 "crossfade: nothing is copied. Run that version, or move the file away "
			 "and compare the clusters",
			 k->directory);
	if (state == KEPT_UNREADABLE)
		log_line(LOG_ERROR,
			 "replay: %.300s/" MARKS_FILE " cannot be read: %s; it is tried "
			 "again until it works",
			 k->directory, strerror(error));
}

static void kept_begin(struct kept_marks *k, uint64_t from_ns, _Atomic uint64_t *restart)
{
	struct marks *m = kept_change(k);
	if (from_ns && !marks_from(m))
		marks_set_from(m, from_ns);
	bool restarts = marks_restarts(m);
	k->all_heard = marks_all_heard(m);
	marks_set_all_heard(m, false);
	uint64_t change = kept_changed(k, true);
	k->begun = change;
	if (restarts)
		atomic_store(restart, change);
}

bool kept_load(struct kept_marks *k, uint64_t now_ns, uint64_t from_ns, _Atomic uint64_t *restart)
{
	if (kept_is_ready(k))
		return true;
	pthread_mutex_lock(&k->lock);
	enum marks_verdict v = marks_load(&k->marks, k->directory);
	int error = v == MARKS_ERROR ? errno : 0;
	pthread_mutex_unlock(&k->lock);
	int state = v == MARKS_NEWER ? KEPT_NEWER : v == MARKS_ERROR ? KEPT_UNREADABLE : KEPT_READY;
	kept_say(k, state, error);
	if (v == MARKS_DAMAGED)
		kept_begin_anew(k, now_ns);
	if (state == KEPT_READY)
		kept_begin(k, from_ns, restart);
	atomic_store(&k->error, error);
	atomic_store(&k->state, state);
	return state == KEPT_READY;
}

static bool kept_is_due(const struct kept_marks *k)
{
	bool soon = atomic_load(&k->urgent) > atomic_load(&k->saved) && !atomic_load(&k->error);
	return soon || clock_monotonic_ns() - k->saved_ns > MARKS_SAVE_MS * 1000000ull;
}

bool kept_save(struct kept_marks *k, bool all)
{
	if (!kept_is_ready(k) || atomic_load(&k->changed) == atomic_load(&k->saved) ||
	    !(all || kept_is_due(k)))
		return false;
	pthread_mutex_lock(&k->lock);
	char *text = marks_text(&k->marks);
	uint64_t change = atomic_load(&k->changed);
	pthread_mutex_unlock(&k->lock);
	bool good = marks_save(k->directory, text);
	int error = good ? 0 : errno;
	free(text);
	if (error && error != atomic_load(&k->error))
		log_line(LOG_ERROR,
			 "replay: %.300s/" MARKS_FILE " cannot be saved: %s; it is tried "
			 "again until it works",
			 k->directory, strerror(error));
	atomic_store(&k->error, error);
	k->saved_ns = clock_monotonic_ns();
	if (good)
		atomic_store(&k->saved, change);
	return good;
}
