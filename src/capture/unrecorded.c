#include "capture/unrecorded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/least.h"
#include "capture/boot.h"
#include "io/own_file.h"

#define UNRECORDED_VERSION 1

struct unrecorded_page {
	char magic[16];
	uint32_t version;
	uint32_t slot_n;
	struct feed_losses gone[GAP_REASONS]; /* counted by processes whose slots are free again */
	struct unrecorded_process slots[UNRECORDED_SLOTS];
};

static const char magic[16] = "cf unrecorded";

/* --- sums --- */

/* 0: never. */
static uint64_t earlier_ns(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;
}

void losses_add(struct losses *to, const struct feed_losses *l)
{
	to->reads += counter_read(&l->reads);
	to->writes += counter_read(&l->writes);
	to->outcomes += counter_read(&l->outcomes);
	to->request_bytes += counter_read(&l->request_bytes);
	to->response_bytes += counter_read(&l->response_bytes);
	to->first_ns = earlier_ns(to->first_ns, counter_read(&l->first_ns));
	to->last_ns = most(to->last_ns, counter_read(&l->last_ns));
	to->first_wall_ns = earlier_ns(to->first_wall_ns, counter_read(&l->first_wall_ns));
	to->last_wall_ns = most(to->last_wall_ns, counter_read(&l->last_wall_ns));
	to->last_write_wall_ns = most(to->last_write_wall_ns, counter_read(&l->last_write_wall_ns));
	to->uncertain += counter_read(&l->uncertain);
	to->tunnels += counter_read(&l->tunnels);
	to->tunnels_ended += counter_read(&l->tunnels_ended);
	if (counter_read(&l->tunnels))
		to->first_tunnel_wall_ns = earlier_ns(to->first_tunnel_wall_ns,
						      counter_read(&l->first_tunnel_wall_ns));
}

bool losses_tell_more(const struct losses *now, const struct losses *told)
{
	return now->reads != told->reads || now->writes != told->writes ||
	       now->outcomes != told->outcomes || now->uncertain != told->uncertain;
}

struct losses losses_since(const struct losses *now, const struct losses *told)
{
	/* Losses that begin behind the last reported one have their own beginning. */
	bool apart = !told->last_wall_ns || now->first_ns > told->last_ns;
	return (struct losses){
		.reads = now->reads - told->reads,
		.writes = now->writes - told->writes,
		.outcomes = now->outcomes - told->outcomes,
		.request_bytes = now->request_bytes - told->request_bytes,
		.response_bytes = now->response_bytes - told->response_bytes,
		.first_ns = most(now->first_ns, told->last_ns),
		.last_ns = now->last_ns,
		.first_wall_ns = apart ? now->first_wall_ns : told->last_wall_ns,
		.last_wall_ns = now->last_wall_ns,
		.last_write_wall_ns = now->last_write_wall_ns,
		.uncertain = now->uncertain - told->uncertain,
	};
}

/* Times are stored first: a reader that sees a count has its time. */
static void losses_put(struct feed_losses *to, const struct losses *from)
{
	counter_set(&to->first_ns, from->first_ns);
	counter_set(&to->last_ns, from->last_ns);
	counter_set(&to->first_wall_ns, from->first_wall_ns);
	counter_set(&to->last_wall_ns, from->last_wall_ns);
	counter_set(&to->last_write_wall_ns, from->last_write_wall_ns);
	counter_set(&to->request_bytes, from->request_bytes);
	counter_set(&to->response_bytes, from->response_bytes);
	counter_set(&to->uncertain, from->uncertain);
	counter_set(&to->tunnels_ended, from->tunnels_ended);
	counter_set(&to->outcomes, from->outcomes);
	counter_set(&to->reads, from->reads);
	counter_set(&to->writes, from->writes);
}

/* --- one process --- */

struct losses unrecorded_sum(const struct unrecorded_process *p, enum unrecorded_side side,
			     enum gap_reason reason)
{
	struct losses sum = { 0 };
	if (side == UNRECORDED_INHERITED)
		losses_add(&sum, &p->inherited[reason]);
	else
		for (unsigned i = 0; i < counter_read(&p->worker_n) && i < WORKERS_MAX; i++)
			losses_add(&sum, &p->lost[i][reason]);
	return sum;
}

struct losses unrecorded_told(const struct unrecorded_process *p, enum unrecorded_side side,
			      enum gap_reason reason)
{
	struct losses sum = { 0 };
	losses_add(&sum, &p->told[side][reason]);
	return sum;
}

void unrecorded_tell(struct unrecorded_process *p, enum unrecorded_side side,
		     enum gap_reason reason, const struct losses *told)
{
	losses_put(&p->told[side][reason], told);
}

static struct losses losses_untold(const struct unrecorded_process *p, enum unrecorded_side side,
				   enum gap_reason reason)
{
	struct losses told = unrecorded_told(p, side, reason);
	struct losses now = unrecorded_sum(p, side, reason);
	return losses_since(&now, &told);
}

static bool losses_are_some(const struct losses *l)
{
	static const struct losses nothing;
	return losses_tell_more(l, &nothing);
}

/* The log's thread calls this each turn: it reads no more than it must. */
static uint64_t counts_of(const struct feed_losses *l)
{
	return counter_read(&l->reads) + counter_read(&l->writes) + counter_read(&l->outcomes) +
	       counter_read(&l->uncertain);
}

bool unrecorded_has_more(const struct unrecorded_process *p)
{
	uint64_t worker_n = counter_read(&p->worker_n);
	for (int reason = 0; reason < GAP_REASONS; reason++) {
		uint64_t own = 0;
		for (unsigned i = 0; i < worker_n && i < WORKERS_MAX; i++)
			own += counts_of(&p->lost[i][reason]);
		if (own != counts_of(&p->told[UNRECORDED_OWN][reason]) ||
		    counts_of(&p->inherited[reason]) !=
			    counts_of(&p->told[UNRECORDED_INHERITED][reason]))
			return true;
	}
	return false;
}

bool unrecorded_is_told(const struct unrecorded_process *p)
{
	return !counter_read(&p->away_wall_ns) && !unrecorded_has_more(p);
}

/* --- taking over --- */

static struct losses losses_joined(struct losses a, const struct losses *b)
{
	a.reads += b->reads;
	a.writes += b->writes;
	a.outcomes += b->outcomes;
	a.request_bytes += b->request_bytes;
	a.response_bytes += b->response_bytes;
	a.first_ns = earlier_ns(a.first_ns, b->first_ns);
	a.last_ns = most(a.last_ns, b->last_ns);
	a.first_wall_ns = earlier_ns(a.first_wall_ns, b->first_wall_ns);
	a.last_wall_ns = most(a.last_wall_ns, b->last_wall_ns);
	a.last_write_wall_ns = most(a.last_write_wall_ns, b->last_write_wall_ns);
	a.uncertain += b->uncertain;
	a.tunnels += b->tunnels;
	a.tunnels_ended += b->tunnels_ended;
	return a;
}

/* Losses that the heir has reported already have no part in the next gap's times. */
static void add_inherited(struct unrecorded_process *heir, enum gap_reason reason,
			  const struct losses *more)
{
	struct losses now = unrecorded_sum(heir, UNRECORDED_INHERITED, reason);
	struct losses told = unrecorded_told(heir, UNRECORDED_INHERITED, reason);
	if (!losses_tell_more(&now, &told))
		now.first_ns = now.last_ns = now.first_wall_ns = now.last_wall_ns = 0;
	now = losses_joined(now, more);
	losses_put(&heir->inherited[reason], &now);
}

/* Nobody knows how much went through a tunnel that ended with its process. */
static void add_cut_tunnels(struct losses *l, uint64_t wall_ns)
{
	l->writes += l->tunnels;
	l->uncertain++;
	l->first_wall_ns = earlier_ns(l->first_wall_ns, l->first_tunnel_wall_ns);
	l->last_wall_ns = l->last_write_wall_ns = wall_ns;
}

/* Until when the log was away, and what passed at the end, was not saved. */
static void add_absence(struct losses *l, uint64_t away_wall_ns, uint64_t wall_ns)
{
	l->uncertain++;
	l->first_wall_ns = earlier_ns(l->first_wall_ns, away_wall_ns);
	l->last_wall_ns = l->last_write_wall_ns = wall_ns;
}

/* All that the process has counted, and what its end adds to that. */
static struct losses counted_by(const struct unrecorded_process *gone, enum gap_reason reason,
				bool cut, uint64_t wall_ns)
{
	struct losses own = unrecorded_sum(gone, UNRECORDED_OWN, reason);
	uint64_t away_wall_ns = counter_read(&gone->away_wall_ns);
	if (own.tunnels)
		add_cut_tunnels(&own, wall_ns);
	if (reason == GAP_UNAVAILABLE && cut && away_wall_ns)
		add_absence(&own, away_wall_ns, wall_ns);
	own.tunnels = 0;
	return own;
}

void unrecorded_inherit(struct unrecorded_process *heir, const struct unrecorded_process *gone,
			bool cut, uint64_t wall_ns)
{
	for (int r = 0; r < GAP_REASONS; r++) {
		enum gap_reason reason = (enum gap_reason)r;
		struct losses all = { 0 };
		struct losses now = counted_by(gone, reason, cut, wall_ns);
		struct losses told = unrecorded_told(gone, UNRECORDED_OWN, reason);
		struct losses own = losses_since(&now, &told);
		struct losses before = losses_untold(gone, UNRECORDED_INHERITED, reason);
		if (losses_are_some(&own)) {
			all = losses_joined(all, &own);
			all.uncertain += cut && !own.uncertain;
		}
		if (losses_are_some(&before))
			all = losses_joined(all, &before);
		if (losses_are_some(&all))
			add_inherited(heir, reason, &all);
	}
}

/* --- slots --- */

static bool set_lock(const struct unrecorded *u, const struct unrecorded_process *p, short type)
{
	struct flock l = { .l_type = type,
			   .l_whence = SEEK_SET,
			   .l_start = (off_t)((const char *)p - (const char *)u->page),
			   .l_len = sizeof *p };
	return !fcntl(u->fd, F_OFD_SETLK, &l);
}

static void free_slot(struct unrecorded_process *p)
{
	counter_set(&p->generation, 0);
	memset(p, 0, sizeof *p);
}

/* Two processes may end at the same time. */
static void lock_totals(const struct unrecorded *u, short type)
{
	struct flock l = { .l_type = type,
			   .l_whence = SEEK_SET,
			   .l_start = offsetof(struct unrecorded_page, gone),
			   .l_len = sizeof u->page->gone };
	while (fcntl(u->fd, F_OFD_SETLKW, &l) && errno == EINTR)
		;
}

/* Adds to the totals what the process has counted. */
static void totals_remember(const struct unrecorded *u, const struct unrecorded_process *gone,
			    bool cut, uint64_t wall_ns)
{
	lock_totals(u, F_WRLCK);
	for (int reason = 0; reason < GAP_REASONS; reason++) {
		struct losses now = { 0 };
		struct losses own = counted_by(gone, (enum gap_reason)reason, cut, wall_ns);
		losses_add(&now, &u->page->gone[reason]);
		now = losses_joined(now, &own);
		losses_put(&u->page->gone[reason], &now);
	}
	lock_totals(u, F_UNLCK);
}

static bool take_slot(struct unrecorded *u, uint64_t generation, unsigned worker_n)
{
	for (unsigned i = 0; i < UNRECORDED_SLOTS; i++) {
		struct unrecorded_process *p = &u->page->slots[i];
		if (counter_read(&p->generation) || !set_lock(u, p, F_WRLCK))
			continue;
		/* Another process may have taken the slot, and left it, meanwhile. */
		if (counter_read(&p->generation)) {
			set_lock(u, p, F_UNLCK);
			continue;
		}
		memset(p, 0, sizeof *p);
		memcpy(p->boot, u->boot, sizeof p->boot);
		counter_set(&p->worker_n, worker_n);
		counter_set(&p->generation, generation);
		u->own = p;
		return true;
	}
	errno = EBUSY;
	return false;
}

/* Whether the slot is taken and its process is gone: then it is locked here. */
static bool slot_is_left(const struct unrecorded *u, const struct unrecorded_process *p)
{
	if (p == u->own || !counter_read(&p->generation) || !set_lock(u, p, F_WRLCK))
		return false;
	if (counter_read(&p->generation))
		return true;
	set_lock(u, p, F_UNLCK);
	return false;
}

/* Returns whether the process had something to report. */
static bool slot_take_over(struct unrecorded *u, const struct unrecorded_process *p,
			   uint64_t wall_ns)
{
	bool cut = memcmp(p->boot, u->boot, sizeof p->boot) != 0;
	struct losses tunnels = unrecorded_sum(p, UNRECORDED_OWN, GAP_TUNNEL);
	bool tells = !unrecorded_is_told(p) || tunnels.tunnels;
	unrecorded_inherit(u->own, p, cut, wall_ns);
	totals_remember(u, p, cut, wall_ns);
	return tells;
}

/*
 * What was taken over is on the disk before the slots that had it are freed: otherwise the kernel
 * might write the freed slots first, and a power cut might follow.
 */
unsigned unrecorded_take_over(struct unrecorded *u, uint64_t wall_ns)
{
	struct unrecorded_process *left[UNRECORDED_SLOTS];
	unsigned n = 0, left_n = 0;
	for (unsigned i = 0; u->fd >= 0 && i < UNRECORDED_SLOTS; i++)
		if (slot_is_left(u, &u->page->slots[i]))
			left[left_n++] = &u->page->slots[i];
	for (unsigned i = 0; i < left_n; i++)
		n += slot_take_over(u, left[i], wall_ns);
	if (left_n)
		unrecorded_keep(u);
	for (unsigned i = 0; i < left_n; i++) {
		free_slot(left[i]);
		set_lock(u, left[i], F_UNLCK);
	}
	return n;
}

/* --- the file --- */

/* Fills a slot as a process that has ended would leave it: what passed until now is unknown. */
static void leave_unknown(struct unrecorded_process *p, const struct unrecorded_signs *s)
{
	struct feed_losses *l = &p->lost[0][GAP_UNAVAILABLE];
	boot_read(p->boot);
	counter_set(&p->generation, 1);
	counter_set(&p->worker_n, 1);
	counter_set(&l->uncertain, 1);
	counter_set(&l->first_wall_ns, s->since_wall_ns);
	counter_set(&l->last_wall_ns, s->wall_ns);
	counter_set(&l->last_write_wall_ns, s->wall_ns);
}

/* Every byte is written: a later store needs no more room on the disk. */
static bool unrecorded_fill(int fd, const struct unrecorded_signs *unknown)
{
	static const char zeros[65536];
	struct unrecorded_page *head = calloc(1, sizeof *head);
	must(head);
	memcpy(head->magic, magic, sizeof magic);
	head->version = UNRECORDED_VERSION;
	head->slot_n = UNRECORDED_SLOTS;
	if (unknown)
		leave_unknown(&head->slots[0], unknown);
	bool good = true;
	for (size_t at = 0; good && at < sizeof *head; at += sizeof zeros) {
		size_t n = sizeof *head - at < sizeof zeros ? sizeof *head - at : sizeof zeros;
		ssize_t done = pwrite(fd, (const char *)head + at, n, (off_t)at);
		good = done == (ssize_t)n;
		errno = done < 0 || good ? errno : ENOSPC;
	}
	free(head);
	return good && !fsync(fd);
}

static bool map_page(struct unrecorded *u, int protection)
{
	struct stat s;
	if (fstat(u->fd, &s))
		return false;
	errno = EPROTO;
	if (s.st_size < (off_t)sizeof *u->page)
		return false;
	void *page = mmap(NULL, sizeof *u->page, protection, MAP_SHARED | MAP_POPULATE, u->fd, 0);
	if (page == MAP_FAILED)
		return false;
	u->page = page;
	errno = EPROTO;
	return !memcmp(u->page->magic, magic, sizeof magic) &&
	       u->page->version == UNRECORDED_VERSION && u->page->slot_n == UNRECORDED_SLOTS;
}

/*
 * Two processes may come at once: the file gets its name when it has its bytes. `unknown` NULL:
 * nothing was counted before.
 */
static bool unrecorded_make(int directory, const struct unrecorded_signs *unknown)
{
	char fresh[48];
	snprintf(fresh, sizeof fresh, UNRECORDED_FILE ".new-%d", (int)getpid());
	int fd = own_file_open(directory, fresh, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return false;
	bool good = unrecorded_fill(fd, unknown) &&
		    (!linkat(directory, fresh, directory, UNRECORDED_FILE, 0) || errno == EEXIST);
	int error = errno;
	close(fd);
	unlinkat(directory, fresh, 0);
	errno = error;
	return good && !fsync(directory);
}

static int open_file(int directory)
{
	int fd = own_file_open(directory, UNRECORDED_FILE, O_RDWR, 0);
	if (fd < 0 && errno == ENOENT && unrecorded_make(directory, NULL))
		fd = own_file_open(directory, UNRECORDED_FILE, O_RDWR, 0);
	return fd;
}

static enum unrecorded_before look_before(int directory)
{
	struct unrecorded u = { .fd = own_file_open(directory, UNRECORDED_FILE, O_RDONLY, 0) };
	if (u.fd < 0)
		return errno == ENOENT ? UNRECORDED_WAS_MISSING : UNRECORDED_WAS_GOOD;
	bool damaged = !map_page(&u, PROT_READ) && errno == EPROTO;
	if (u.page)
		munmap(u.page, sizeof *u.page);
	close(u.fd);
	return damaged ? UNRECORDED_WAS_DAMAGED : UNRECORDED_WAS_GOOD;
}

/* Where no file can be made, unrecorded_open() says why. */
enum unrecorded_before unrecorded_mend(int directory, const struct unrecorded_signs *s)
{
	enum unrecorded_before before = look_before(directory);
	if (before == UNRECORDED_WAS_MISSING && !s->expected)
		return UNRECORDED_WAS_GOOD;
	if (before == UNRECORDED_WAS_DAMAGED &&
	    renameat(directory, UNRECORDED_FILE, directory, UNRECORDED_DAMAGED))
		return before;
	if (before != UNRECORDED_WAS_GOOD)
		unrecorded_make(directory, s);
	return before;
}

static void use_memory(struct unrecorded *u, unsigned worker_n)
{
	if (u->page)
		munmap(u->page, sizeof *u->page);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->page = mmap(NULL, sizeof *u->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	must(u->page != MAP_FAILED);
	u->own = &u->page->slots[0];
	counter_set(&u->own->worker_n, worker_n);
}

bool unrecorded_open(struct unrecorded *u, int directory, uint64_t generation, unsigned worker_n)
{
	*u = (struct unrecorded){ .fd = open_file(directory) };
	boot_read(u->boot);
	if (u->fd >= 0 && map_page(u, PROT_READ | PROT_WRITE) && take_slot(u, generation, worker_n))
		return true;
	int error = errno;
	use_memory(u, worker_n);
	errno = error;
	return false;
}

bool unrecorded_keep(struct unrecorded *u)
{
	return u->fd < 0 || !fdatasync(u->fd);
}

bool unrecorded_is_kept(const struct unrecorded *u, int directory)
{
	struct stat ours, named;
	return u->fd >= 0 && !fstat(u->fd, &ours) &&
	       !fstatat(directory, UNRECORDED_FILE, &named, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* All counts of the process are on the disk: they are certain, whatever becomes of the machine. */
static void be_certain(struct unrecorded *u)
{
	if (!unrecorded_keep(u))
		return;
	counter_set(&u->own->away_wall_ns, 0);
	if (unrecorded_is_told(u->own)) {
		totals_remember(u, u->own, false, 0);
		unrecorded_keep(u);
		free_slot(u->own);
	}
	unrecorded_keep(u);
}

void unrecorded_close(struct unrecorded *u)
{
	if (!u->page)
		return;
	if (u->fd >= 0)
		be_certain(u);
	munmap(u->page, sizeof *u->page);
	if (u->fd >= 0)
		close(u->fd);
	*u = (struct unrecorded){ .fd = -1 };
}

/* --- reading --- */

static void seen_add(const struct unrecorded_process *p, struct unrecorded_seen *to)
{
	for (int reason = 0; reason < GAP_REASONS; reason++) {
		struct losses own = unrecorded_sum(p, UNRECORDED_OWN, (enum gap_reason)reason);
		to->total[reason] = losses_joined(to->total[reason], &own);
		for (int side = 0; side < UNRECORDED_SIDES; side++) {
			struct losses l = losses_untold(p, (enum unrecorded_side)side,
							(enum gap_reason)reason);
			if (losses_are_some(&l))
				to->untold[reason] = losses_joined(to->untold[reason], &l);
		}
	}
	to->away_wall_ns = earlier_ns(to->away_wall_ns, counter_read(&p->away_wall_ns));
}

void unrecorded_see(const struct unrecorded *u, struct unrecorded_seen *to)
{
	*to = (struct unrecorded_seen){ 0 };
	for (int reason = 0; reason < GAP_REASONS; reason++)
		losses_add(&to->total[reason], &u->page->gone[reason]);
	for (unsigned i = 0; i < UNRECORDED_SLOTS; i++)
		if (counter_read(&u->page->slots[i].generation) || &u->page->slots[i] == u->own)
			seen_add(&u->page->slots[i], to);
}

bool unrecorded_look(int directory, struct unrecorded_seen *to)
{
	struct unrecorded u = { .fd = openat(directory, UNRECORDED_FILE,
					     O_RDONLY | O_NOFOLLOW | O_CLOEXEC) };
	bool good = u.fd >= 0 && map_page(&u, PROT_READ);
	int error = errno;
	if (good)
		unrecorded_see(&u, to);
	if (u.page)
		munmap(u.page, sizeof *u.page);
	if (u.fd >= 0)
		close(u.fd);
	errno = error;
	return good;
}
