#include "capture/consumer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/span.h"
#include "capture/kafka_limits.h"
#include "capture/writer_lease.h"
#include "capture/series.h"

/* --- waking --- */

/*
 * Segments come and go, writers end, leases are touched. What this process itself does to open and
 * save leases and positions is no news (is_news()).
 */
#define WATCHED                                                                                    \
	(IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF |       \
	 IN_MOVE_SELF)

static int watch_directory(const char *directory)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0 || inotify_add_watch(fd, directory, WATCHED | IN_ONLYDIR) >= 0)
		return fd;
	close(fd);
	return -1;
}

static bool is_news(const struct inotify_event *e)
{
	uint64_t generation, index;
	if (!e->len)
		return true;
	if (writer_lease_of(e->name, &generation))
		return !(e->mask & IN_CLOSE_WRITE);
	return series_of(e->name, &generation, &index);
}

static void read_events(struct consumer *c, bool *news)
{
	_Alignas(struct inotify_event) char bytes[4096];
	ssize_t n;
	while (c->watch >= 0 && (n = read(c->watch, bytes, sizeof bytes)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(bytes + at);
			*news |= is_news(e);
			at += (ssize_t)(sizeof *e + e->len);
		}
}

struct writer_leases {
	enum writer_lease_followed what;
	bool news;
};

static void follow_writer_lease(void *user, const struct writer_lease *m)
{
	struct writer_leases *all = user;
	all->news |= writer_lease_follow(m, all->what);
}

static struct waker *waker_of(struct consumer *c)
{
	return c->config.waker ? c->config.waker : &c->own_waker;
}

/*
 * A writer that has been asked just now to wake this follower may have made more durable before
 * that. So the caller reads once more, before it sleeps. Without inotify it looks every
 * LOG_LOOK_MS.
 */
bool consumer_wait(struct consumer *c, int ms)
{
	struct writer_leases all = { .what = c->config.times ? WRITER_LEASE_TIME
							     : WRITER_LEASE_FRAMES };
	if (c->watch < 0 && ms > LOG_LOOK_MS)
		ms = LOG_LOOK_MS;
	uint64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + (uint64_t)ms * 1000000ull;
	writer_leases_each(c->follower.directory, follow_writer_lease, &all);
	if (all.news)
		return false;
	bool woken = false, news = false;
	for (; !woken && now_ns < until_ns; now_ns = clock_monotonic_ns()) {
		read_events(c, &news);
		if (news)
			return true;
		woken = waker_sleep_beside(waker_of(c), c->watch,
					   (int)((until_ns - now_ns) / 1000000) + 1);
	}
	return false;
}

bool consumer_is_lost(const struct consumer *c)
{
	struct stat ours, there;
	return fstat(c->follower.directory, &ours) || stat(c->config.directory, &there) ||
	       ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

/* --- reading --- */

bool consumer_has_room(const struct consumer *c)
{
	return inflight_have_room(&c->inflight);
}

static bool frame_is_of_exchange(const struct frame *f)
{
	return f->type >= FRAME_REQUEST_HEAD && f->type <= FRAME_OUTCOME;
}

static bool consumer_wants(const struct consumer *c, const struct frame *f)
{
	bool target = f->flags & FRAME_TARGET;
	if (c->config.arm == CONSUMER_ALL || !frame_is_of_exchange(f))
		return true;
	return target == (c->config.arm == CONSUMER_TARGET);
}

static void consumer_take(struct consumer *c, const struct reading *reading)
{
	struct inflight_run *r = inflight_last(&c->inflight);
	if (r->frames && r->generation != reading->segment->generation)
		r = inflight_begin(&c->inflight);
	if (!r->frames++)
		r->wall_ns = reading->frame.wall_ns;
	r->generation = reading->segment->generation;
	r->sequence = reading->frame.sequence;
	c->moved = true;
	if (c->to_catch_up)
		c->to_catch_up--;
}

struct until {
	uint64_t mono_ns, wall_ns;
	bool unknown;
};

static void look_until(void *user, const struct writer_lease *m)
{
	struct until *u = user;
	uint64_t mono_ns = atomic_load(&m->page->until_mono_ns);
	u->unknown |= !mono_ns;
	if (mono_ns >= u->mono_ns)
		return;
	u->mono_ns = mono_ns;
	u->wall_ns = atomic_load(&m->page->until_wall_ns);
}

/* Called before what was durable by then is read to its end. */
static void consumer_look_how_far(struct consumer *c)
{
	struct until u = { .mono_ns = clock_monotonic_ns(), .wall_ns = clock_wall_ns() };
	if (!writer_leases_each(c->follower.directory, look_until, &u) || u.unknown)
		u.mono_ns = 0;
	c->looked_ns = u.mono_ns;
	c->looked_wall_ns = u.wall_ns;
}

enum reader_verdict consumer_next(struct consumer *c, struct reading *to)
{
	enum reader_verdict v;
	if (c->config.times && !c->looked_ns)
		consumer_look_how_far(c);
	do {
		v = reader_next(c->reader, to);
		if (v == READER_FRAME)
			consumer_take(c, to);
	} while (v == READER_FRAME && !consumer_wants(c, &to->frame));
	if (v == READER_END && c->looked_ns) {
		c->until_ns = c->looked_ns;
		c->until_wall_ns = c->looked_wall_ns;
		c->looked_ns = 0;
	}
	return v;
}

uint64_t consumer_until(const struct consumer *c, uint64_t *wall_ns)
{
	*wall_ns = c->until_wall_ns;
	return c->until_ns;
}

/* --- in flight --- */

uintptr_t consumer_out(struct consumer *c)
{
	struct inflight_run *r = inflight_last(&c->inflight);
	r->out++;
	return inflight_tag(&c->inflight, r);
}

void consumer_back(struct consumer *c, uintptr_t tag)
{
	must(c->inflight.list[tag].out > 0);
	c->inflight.list[tag].out--;
}

/* --- positions --- */

void consumer_position(const struct consumer *c, struct position *to)
{
	reader_position(c->reader, to);
	if (c->config.add)
		c->config.add(c->config.user, c->reader, to);
}

bool consumer_keep(struct consumer *c, const struct position *to)
{
	return follower_save(&c->follower, to);
}

/* The follower has come this far when all that is in flight now is acknowledged. */
static void take_position(struct consumer *c)
{
	struct inflight_run *r = inflight_last(&c->inflight);
	consumer_position(c, &r->position);
	r->keeps = c->keeping = true;
	c->moved = false;
	c->kept_n = r->position.connection_n;
	c->kept_ns = clock_monotonic_ns();
}

/* The more connections a position has, the larger its file is, and the less often it is saved. */
static bool position_is_due(const struct consumer *c)
{
	uint64_t pause_ms = KAFKA_KEEP_MS + c->kept_n / KAFKA_KEEP_CONNECTIONS;
	if (c->config.keep_ms)
		return c->config.add && c->moved;
	return c->config.add && c->moved && !c->keeping &&
	       clock_monotonic_ns() - c->kept_ns >= pause_ms * 1000000;
}

void consumer_turn(struct consumer *c)
{
	if (position_is_due(c) && consumer_has_room(c))
		take_position(c);
	const struct inflight_run *r = inflight_last(&c->inflight);
	if ((r->frames || r->keeps) && consumer_has_room(c))
		inflight_begin(&c->inflight);
}

void consumer_part(struct consumer *c)
{
	if (!consumer_has_room(c))
		return;
	if (inflight_last(&c->inflight)->keeps)
		inflight_begin(&c->inflight);
	take_position(c);
}

/* The position of the run is the last one that is passed. */
static void consumer_pass(struct consumer *c, struct inflight_run *r)
{
	position_free(&c->passed);
	c->passed = r->position;
	r->position = (struct position){ 0 };
	c->unsaved = true;
	c->keeping = false;
}

static bool consumer_save_passed(struct consumer *c, bool all)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool due = all || now_ns - c->saved_ns >= c->config.keep_ms * 1000000ull;
	if (!c->unsaved || !due)
		return true;
	c->saved_ns = now_ns;
	c->unsaved = !consumer_keep(c, &c->passed);
	return !c->unsaved;
}

bool consumer_settle(struct consumer *c, bool all)
{
	for (struct inflight_run *r; (r = inflight_settled(&c->inflight, all));) {
		if (r->frames)
			reader_acknowledge(c->reader, r->generation, r->sequence);
		if (r->keeps)
			consumer_pass(c, r);
		inflight_drop_oldest(&c->inflight);
		if (c->config.acknowledged)
			c->config.acknowledged(c->config.user);
	}
	return consumer_save_passed(c, all);
}

struct lag consumer_lag(struct consumer *c)
{
	uint64_t unread = reader_behind(c->reader);
	c->lag.records =
		inflight_frames(&c->inflight) + (unread > c->to_catch_up ? unread : c->to_catch_up);
	c->lag.wall_ns = c->inflight.n ? inflight_oldest(&c->inflight)->wall_ns : 0;
	return c->lag;
}

/* --- open and close --- */

/* The watch begins before the directory is read, so that no change in between is missed. */
static bool consumer_begin(struct consumer *c)
{
	c->watch = watch_directory(c->config.directory);
	if (!c->config.waker && !waker_open(&c->own_waker))
		return false;
	c->reader = reader_open(c->config.directory);
	if (!c->reader)
		return false;
	if (!c->config.name)
		return true;
	if (!lag_look(c->follower.directory, &c->follower.position, &c->lag))
		return false;
	c->to_catch_up = c->lag.records;
	reader_follow(c->reader, &c->follower.position);
	return true;
}

/* Without a follower's name only the directory is opened. */
static enum follower_verdict consumer_enter(struct consumer *c)
{
	if (c->config.name)
		return follower_open(&c->follower, c->config.directory, c->config.name);
	c->follower.lock = -1;
	c->follower.directory = open(c->config.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->follower.directory < 0 ? FOLLOWER_ERROR : FOLLOWER_OPEN;
}

enum follower_verdict consumer_open(struct consumer *c, const struct consumer_config *config)
{
	*c = (struct consumer){ .config = *config, .watch = -1, .own_waker.fd = -1 };
	enum follower_verdict v = consumer_enter(c);
	if (v != FOLLOWER_OPEN)
		return v;
	inflight_open(&c->inflight);
	c->kept_ns = clock_monotonic_ns();
	if (consumer_begin(c))
		return FOLLOWER_OPEN;
	int error = errno;
	consumer_close(c);
	errno = error;
	return FOLLOWER_ERROR;
}

void consumer_close(struct consumer *c)
{
	if (c->reader)
		reader_close(c->reader);
	c->reader = NULL;
	if (c->watch >= 0)
		close(c->watch);
	if (c->own_waker.fd >= 0)
		waker_close(&c->own_waker);
	inflight_close(&c->inflight);
	position_free(&c->passed);
	follower_close(&c->follower);
}
