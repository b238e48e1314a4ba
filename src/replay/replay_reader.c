#include "replay/replay_private.h"

#include <errno.h>
#include <string.h>
#include "base/limits.h"
#include "base/log.h"

/* --- the reading thread --- */

static void replay_reader_close(struct replay *r)
{
	if (!r->reading)
		return;
	kept_save(&r->upkeep.kept, true);
	if (!log_reader_save(&r->reader))
		log_line(LOG_ERROR, "replay: its position in the capture log cannot be saved: %s",
			 strerror(errno));
	log_reader_close(&r->reader);
	r->reading = false;
}

/* False: not yet, or not here. */
static bool replay_reader_open(struct replay *r)
{
	const struct log_reader_config c = { .play = r->work->play,
					     .keep_ms = r->work->keep_ms,
					     .directory = r->config.directory,
					     .follower = REPLAY_FOLLOWER,
					     .handoff = &r->handoff,
					     .waker = &r->waker,
					     .owner = r->config.owner,
					     .since = r->config.since,
					     .from_ns = kept_is_ready(&r->upkeep.kept)
								? upkeep_from(&r->upkeep)
								: 0,
					     .counts = &r->log_counts };
	if (r->reading)
		return true;
	enum follower_verdict v = log_reader_open(&r->reader, &c);
	r->reading = v == FOLLOWER_OPEN;
	atomic_store(&r->placed, r->reading);
	atomic_store(&r->busy, v == FOLLOWER_BUSY);
	int trouble = v == FOLLOWER_ERROR ? errno : 0;
	if (trouble && trouble != atomic_load(&r->trouble))
		log_line(LOG_ERROR,
			 "replay: the capture log in %.300s cannot be read: %s; it is "
			 "tried again until it works",
			 r->config.directory, strerror(trouble));
	atomic_store(&r->trouble, trouble);
	return r->reading;
}

/* The marks are read by who holds the follower's place, before the first record is. */
static bool replay_reader_begins(struct replay *r)
{
	if (!replay_reader_open(r))
		return false;
	if (kept_is_ready(&r->upkeep.kept))
		return true;
	uint64_t from_ns = log_reader_is_new(&r->reader) ? r->config.from_ns : 0;
	if (!upkeep_load(&r->upkeep, from_ns))
		return false;
	r->reader.config.from_ns = upkeep_from(&r->upkeep);
	return true;
}

static void replay_reader_restart(struct replay *r)
{
	enum follower_verdict v = log_reader_restart(&r->reader, upkeep_from(&r->upkeep));
	r->reading = v == FOLLOWER_OPEN;
	atomic_store(&r->placed, r->reading);
	handoff_forget_until(&r->handoff);
	if (r->reading)
		upkeep_set_restarted(&r->upkeep);
}

static enum replay_read_step replay_reader_turn(struct replay *r)
{
	if (upkeep_restarts(&r->upkeep)) {
		replay_reader_restart(r);
		return REPLAY_READ_MORE;
	}
	return log_reader_step(&r->reader) ? REPLAY_READ_ALL : REPLAY_READ_MORE;
}

enum replay_read_step replay_read_step(struct replay *r)
{
	if (atomic_load(&r->quiet)) {
		replay_reader_close(r);
		r->work->leave_log(r);
		atomic_store(&r->over, true);
		replay_wake(r);
		return REPLAY_READ_OVER;
	}
	bool more = r->work->read(r);
	enum replay_read_step step = REPLAY_READ_NOT_OPEN;
	if (!atomic_load(&r->end) && atomic_load(&r->config.mailbox->wish) != REPLAY_OFF &&
	    replay_reader_begins(r))
		step = replay_reader_turn(r);
	if (kept_save(&r->upkeep.kept, false))
		replay_wake(r);
	return more ? REPLAY_READ_MORE : step;
}

bool replay_read(struct replay *r)
{
	enum replay_read_step step = replay_read_step(r);
	if (step == REPLAY_READ_OVER)
		return false;
	if (step == REPLAY_READ_NOT_OPEN)
		waker_sleep(&r->waker, REPLAY_TRY_MS);
	else if (step == REPLAY_READ_ALL)
		log_reader_wait(&r->reader, REPLAY_TRY_MS);
	waker_rearm(&r->waker);
	return true;
}
