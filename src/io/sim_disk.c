#include "io/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/sim_world.h"

/* How long a healthy operation takes. */
#define QUICK_NS_MIN 20000
#define QUICK_NS_MAX 300000
/* A power cut may tear a write at sector boundaries; the sectors are written in any order. */
#define SECTOR_BYTES 512
/* The chances that an unsynced write is kept, or kept in part: out of 1,000. */
#define KEPT 400
#define TORN 300

struct bytes {
	uint8_t *at; /* owned */
	size_t n, room;
};

/* A write that is not synced yet. */
struct fresh {
	struct list link;
	uint64_t at;
	size_t n;
	uint8_t bytes[];
};

struct disk_file {
	struct list link; /* in store->files or store->orphans */
	char name[64];
	unsigned number;
	struct bytes kept; /* what survives a power cut */
	struct list fresh; /* unsynced writes, in order */
	uint64_t size;
	bool open, named; /* named: the name is synced */
	bool orphan;	  /* the file has no name any more */
};

struct sim_disk {
	struct disk disk;
	struct list link; /* in store->disks */
	struct sim_store *store;
	bool dead, due;
};

struct sim_store {
	struct sim *sim;
	struct sim_disk_faults faults;
	struct list files, orphans, disks;
	unsigned files_made, cuts_failed;
};

static struct sim_disk *disk_of(struct disk *d)
{
	return (struct sim_disk *)d;
}

/* --- bytes --- */

static void bytes_lay(struct bytes *b, uint64_t at, const uint8_t *from, size_t n)
{
	if (!n)
		return;
	if (at + n > b->room) {
		size_t room = 2 * (at + n);
		b->at = realloc(b->at, room);
		must(b->at);
		memset(b->at + b->room, 0, room - b->room);
		b->room = room;
	}
	memcpy(b->at + at, from, n);
	if (at + n > b->n)
		b->n = at + n;
}

static void bytes_shorten(struct bytes *b, uint64_t n)
{
	if (b->n <= n)
		return;
	memset(b->at + n, 0, b->n - n);
	b->n = n;
}

/* Copies the first `most` bytes of the write, as they are now. */
static void add_fresh(const struct disk_op *op, size_t most)
{
	size_t n = 0;
	for (unsigned i = 0; i < op->vector_n; i++)
		n += op->vectors[i].iov_len;
	struct fresh *f = malloc(sizeof *f + n);
	must(f);
	f->at = op->at;
	f->n = 0;
	for (unsigned i = 0; i < op->vector_n; i++) {
		memcpy(f->bytes + f->n, op->vectors[i].iov_base, op->vectors[i].iov_len);
		f->n += op->vectors[i].iov_len;
	}
	f->n = n < most ? n : most;
	list_init(&f->link);
	list_add_tail(&op->file->fresh, &f->link);
	if (f->at + f->n > op->file->size)
		op->file->size = f->at + f->n;
}

static size_t random_part(struct sim_store *s, const struct disk_op *op)
{
	size_t n = 0;
	for (unsigned i = 0; i < op->vector_n; i++)
		n += op->vectors[i].iov_len;
	return sim_random(s->sim, n + 1);
}

/* --- what survives --- */

static void keep_sectors(struct sim_store *s, struct disk_file *file, const struct fresh *f)
{
	for (size_t from = 0, n; from < f->n; from += n) {
		n = SECTOR_BYTES - (f->at + from) % SECTOR_BYTES;
		n = n < f->n - from ? n : f->n - from;
		if (sim_chance(s->sim, 500))
			bytes_lay(&file->kept, f->at + from, f->bytes + from, n);
	}
}

static void keep_by_chance(struct sim_store *s, struct disk_file *file, const struct fresh *f)
{
	uint64_t roll = sim_random(s->sim, 1000);
	if (roll < KEPT)
		bytes_lay(&file->kept, f->at, f->bytes, f->n);
	else if (roll < KEPT + TORN / 2)
		bytes_lay(&file->kept, f->at, f->bytes, sim_random(s->sim, f->n + 1));
	else if (roll < KEPT + TORN)
		keep_sectors(s, file, f);
}

/* For all unsynced writes: with `all` they were synced, otherwise chance decides what survives. */
static void settle_fresh(struct sim_store *s, struct disk_file *file, bool all)
{
	for (struct list *l; (l = list_take_first(&file->fresh));) {
		struct fresh *f = list_entry(l, struct fresh, link);
		if (all)
			bytes_lay(&file->kept, f->at, f->bytes, f->n);
		else
			keep_by_chance(s, file, f);
		free(f);
	}
}

/* --- files --- */

static struct disk_file *store_find(const struct sim_store *s, const char *name)
{
	list_each(l, &s->files) {
		struct disk_file *f = list_entry(l, struct disk_file, link);
		if (!strcmp(f->name, name))
			return f;
	}
	return NULL;
}

static struct disk_file *store_make_file(struct sim_store *s, const char *name, uint64_t size,
					 bool named)
{
	struct disk_file *f = calloc(1, sizeof *f);
	must(f);
	snprintf(f->name, sizeof f->name, "%s", name);
	f->number = s->files_made++;
	f->size = size;
	f->named = named;
	list_init(&f->link);
	list_init(&f->fresh);
	list_add_tail(&s->files, &f->link);
	return f;
}

static void free_file(struct disk_file *f)
{
	for (struct list *l; (l = list_take_first(&f->fresh));)
		free(list_entry(l, struct fresh, link));
	list_remove(&f->link);
	free(f->kept.at);
	free(f);
}

/* Removes the name. If the file is open it stays usable. */
static void unlink_file(struct sim_store *s, struct disk_file *f)
{
	if (!f->open) {
		free_file(f);
		return;
	}
	f->orphan = true;
	list_remove(&f->link);
	list_add_tail(&s->orphans, &f->link);
}

/* --- the verbs --- */

static int store_create(struct sim_store *s, struct disk_op *op)
{
	const struct sim_disk_faults *f = &s->faults;
	if (f->gone)
		return -ENOENT;
	if (store_find(s, op->name))
		return -EEXIST;
	if (sim_chance(s->sim, f->full))
		return sim_chance(s->sim, 500) ? -ENOSPC : -EDQUOT;
	if (sim_chance(s->sim, f->sick))
		return -EIO;
	op->file = store_make_file(s, op->name, op->at, f->lie != SIM_DISK_FORGETS_NAMES);
	op->file->open = true;
	return 0;
}

static int write_some(struct sim_store *s, const struct disk_op *op)
{
	bool full = sim_chance(s->sim, s->faults.full), sick = sim_chance(s->sim, s->faults.sick);
	add_fresh(op, full || sick ? random_part(s, op) : SIZE_MAX);
	return full ? -ENOSPC : sick ? -EIO : 0;
}

static int store_sync(struct sim_store *s, struct disk_file *f)
{
	if (f->orphan)
		return -ENOENT;
	if (s->faults.lie == SIM_DISK_SYNCS_NOTHING)
		return 0;
	bool fails = sim_chance(s->sim, s->faults.sick);
	settle_fresh(s, f, !fails);
	return fails && s->faults.lie != SIM_DISK_REPEATS_SYNCS ? -EIO : 0;
}

static int store_cut(struct sim_store *s, const struct disk_op *op)
{
	struct disk_file *f = op->file;
	if (sim_chance(s->sim, s->faults.sick)) {
		s->cuts_failed++;
		return -EIO;
	}
	if (s->faults.lie == SIM_DISK_CUTS_NOTHING)
		return 0;
	settle_fresh(s, f, true);
	bytes_shorten(&f->kept, op->at);
	f->size = op->at;
	return 0;
}

static int store_perform(struct sim_store *s, struct disk_op *op)
{
	switch ((enum disk_verb)op->verb) {
	case DISK_CREATE:
		return store_create(s, op);
	case DISK_WRITE:
		return write_some(s, op);
	case DISK_SYNC:
		return store_sync(s, op->file);
	case DISK_CUT:
		return store_cut(s, op);
	case DISK_NONE:
		break;
	}
	must(!"an operation has a verb");
	return -EINVAL;
}

static void sim_disk_is_due(void *about, unsigned side)
{
	struct sim_disk *d = about;
	(void)side;
	d->due = !d->dead;
}

static void sim_disk_start(struct disk *base, struct disk_op *op)
{
	struct sim_disk *d = disk_of(base);
	struct sim *sim = d->store->sim;
	const struct sim_disk_faults *f = &d->store->faults;
	uint64_t takes_ns = QUICK_NS_MIN + sim_random(sim, QUICK_NS_MAX - QUICK_NS_MIN);
	if (f->slow_ms_max && sim_chance(sim, f->slow))
		takes_ns += sim_random(sim, f->slow_ms_max * 1000000ull);
	(void)op;
	sim_plan(sim, sim->now_ns + takes_ns, sim_disk_is_due, d, 0);
}

bool sim_disk_run(struct disk *base)
{
	struct sim_disk *d = disk_of(base);
	if (!d->due)
		return false;
	d->due = false;
	int result = store_perform(d->store, base->op);
	sim_note(d->store->sim, (uint64_t)base->op->verb << 32 | (uint32_t)result);
	sim_note(d->store->sim, d->store->sim->now_ns);
	disk_done(base, result);
	return true;
}

static void sim_disk_close_file(struct disk *base, struct disk_file *f)
{
	(void)base;
	f->open = false;
	if (f->orphan)
		free_file(f);
}

/* An event for the disk may be planned, so the store frees it. */
static void sim_disk_free(struct disk *base)
{
	disk_of(base)->dead = true;
}

static const struct disk_verbs verbs = { sim_disk_start, sim_disk_close_file, sim_disk_free };

struct disk *sim_disk_open(struct sim_store *s)
{
	struct sim_disk *d = calloc(1, sizeof *d);
	must(d);
	d->disk.verbs = &verbs;
	d->store = s;
	list_init(&d->link);
	list_add_tail(&s->disks, &d->link);
	return &d->disk;
}

/* --- a crash --- */

/* The operation under way is done, not done, or done in part. */
static void store_break_off(struct sim_store *s, struct disk_op *op)
{
	if (op->verb == DISK_WRITE)
		add_fresh(op, random_part(s, op));
	else if (op->verb == DISK_SYNC)
		settle_fresh(s, op->file, false);
	else if (op->verb == DISK_CREATE && !store_find(s, op->name) && sim_chance(s->sim, 500))
		store_make_file(s, sim_chance(s->sim, 500) ? op->name : DISK_SPARE "1", op->at,
				true);
	else if (op->verb == DISK_CUT && sim_chance(s->sim, 500))
		store_cut(s, op);
}

void sim_store_crash(struct sim_store *s, bool power)
{
	list_each(l, &s->disks) {
		struct sim_disk *d = list_entry(l, struct sim_disk, link);
		if (!d->dead && d->disk.op)
			store_break_off(s, d->disk.op);
		d->dead = true;
		d->due = false;
	}
	list_each_safe(l, &s->files) {
		struct disk_file *f = list_entry(l, struct disk_file, link);
		settle_fresh(s, f, !power);
		f->open = false;
		if (power && !f->named && sim_chance(s->sim, 500))
			free_file(f);
		else
			f->named = true;
	}
}

void sim_store_remove_directory(struct sim_store *s)
{
	list_each_safe(l, &s->files)
		unlink_file(s, list_entry(l, struct disk_file, link));
}

/* --- the file as tests see it --- */

bool sim_store_look(const struct sim_store *s, unsigned i, struct sim_file *to)
{
	list_each(l, &s->files) {
		const struct disk_file *f = list_entry(l, struct disk_file, link);
		if (!f->named || i--)
			continue;
		*to =
			(struct sim_file){ f->name, f->kept.at, f->kept.n,
					   f->size, f->number,	f->open };
		return true;
	}
	return false;
}

unsigned sim_store_cuts_failed(const struct sim_store *s)
{
	return s->cuts_failed;
}

void sim_store_put(struct sim_store *s, const char *name, const uint8_t *bytes, size_t n,
		   uint64_t size)
{
	struct disk_file *f = store_find(s, name);
	if (!f)
		f = store_make_file(s, name, size, true);
	bytes_shorten(&f->kept, 0);
	f->size = size;
	if (n)
		bytes_lay(&f->kept, 0, bytes, n);
}

void sim_store_remove(struct sim_store *s, const char *name)
{
	struct disk_file *f = store_find(s, name);
	if (f)
		unlink_file(s, f);
}

/* --- open and close --- */

struct sim_store *sim_store_open(struct sim *sim)
{
	struct sim_store *s = calloc(1, sizeof *s);
	must(s);
	s->sim = sim;
	list_init(&s->files);
	list_init(&s->orphans);
	list_init(&s->disks);
	return s;
}

void sim_store_close(struct sim_store *s)
{
	list_each_safe(l, &s->files)
		free_file(list_entry(l, struct disk_file, link));
	list_each_safe(l, &s->orphans)
		free_file(list_entry(l, struct disk_file, link));
	for (struct list *l; (l = list_take_first(&s->disks));)
		free(list_entry(l, struct sim_disk, link));
	free(s);
}

void sim_store_set_faults(struct sim_store *s, const struct sim_disk_faults *f)
{
	s->faults = *f;
}
