#include "sim/disk_dump.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "capture/recovery.h"
#include "capture/series.h"

#define FILES_MAX 512

struct disk_dump {
	char path[64];
	int directory;
	int locks[FILES_MAX]; /* on files that a process has open */
	unsigned lock_n;
};

/* --- the directory --- */

static void write_file(struct disk_dump *h, const struct sim_file *f)
{
	int fd = openat(h->directory, f->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0);
	must(!f->n || pwrite(fd, f->bytes, f->n, 0) == (ssize_t)f->n);
	must(!ftruncate(fd, (off_t)f->size));
	if (!f->open) {
		close(fd);
		return;
	}
	must(h->lock_n < FILES_MAX && !flock(fd, LOCK_EX | LOCK_NB));
	h->locks[h->lock_n++] = fd;
}

static void open_disk_dump(struct disk_dump *h, const struct sim_store *s)
{
	struct sim_file f;
	bool memory = !access("/dev/shm", W_OK);
	*h = (struct disk_dump){ .lock_n = 0 };
	snprintf(h->path, sizeof h->path, "%s/crossfade-sim-XXXXXX", memory ? "/dev/shm" : "/tmp");
	must(mkdtemp(h->path));
	h->directory = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(h->directory >= 0);
	for (unsigned i = 0; sim_store_look(s, i, &f); i++)
		write_file(h, &f);
}

static void each_file(struct disk_dump *h, void (*each)(struct disk_dump *h, const char *name))
{
	DIR *d = opendir(h->path);
	must(d);
	for (const struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			each(h, e->d_name);
	closedir(d);
}

static void remove_file(struct disk_dump *h, const char *name)
{
	unlinkat(h->directory, name, 0);
}

static void close_disk_dump(struct disk_dump *h)
{
	each_file(h, remove_file);
	for (unsigned i = 0; i < h->lock_n; i++)
		close(h->locks[i]);
	close(h->directory);
	rmdir(h->path);
}

/* --- recovery --- */

static void dump_take_back(struct sim_store *s, const struct disk_dump *h, const char *name)
{
	struct stat file;
	int fd = openat(h->directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		sim_store_remove(s, name);
		return;
	}
	must(!fstat(fd, &file));
	size_t n = (size_t)file.st_size;
	uint8_t *bytes = malloc(n + 1);
	must(bytes && pread(fd, bytes, n, 0) == (ssize_t)n);
	sim_store_put(s, name, bytes, n, n);
	free(bytes);
	close(fd);
}

/* A process that is killed during recovery runs recovery again: doing it twice is harmless. */
uint64_t disk_dump_recover(struct sim_store *s)
{
	struct disk_dump h;
	struct recovery found;
	struct sim_file f;
	uint64_t generation = 0;
	char names[FILES_MAX][SERIES_NAME_BYTES];
	unsigned n = 0;
	open_disk_dump(&h, s);
	must(recover(h.directory, &found) && series_next(h.directory, &generation));
	for (unsigned i = 0; sim_store_look(s, i, &f); i++)
		if (!f.open)
			snprintf(names[n++], sizeof names[0], "%s", f.name);
	for (unsigned i = 0; i < n; i++)
		dump_take_back(s, &h, names[i]);
	close_disk_dump(&h);
	return generation;
}

/* --- reading --- */

#define HOLES_MAX 64

struct hole {
	uint64_t generation, first, last;
};

struct finder {
	const struct disk_dump_user *user;
	struct hole holes[HOLES_MAX]; /* holes that may still turn out to be damage */
	unsigned hole_n;
};

static void dump_note_durable(struct finder *f, uint64_t generation, uint64_t sequence)
{
	for (unsigned i = 0; i < f->hole_n; i++) {
		const struct hole *h = &f->holes[i];
		if (h->generation == generation && h->first <= sequence)
			f->user->damage(f->user->user, generation, h->first, h->last);
	}
}

/*
 * The first frame of a segment has the highest sequence number that was durable before: holes after
 * it are no damage.
 */
static void dump_drop_holes(struct finder *f, uint64_t generation, uint64_t durable)
{
	unsigned left = 0;
	for (unsigned i = 0; i < f->hole_n; i++)
		if (f->holes[i].generation != generation || f->holes[i].first <= durable)
			f->holes[left++] = f->holes[i];
	f->hole_n = left;
}

static void dump_note_frame(struct finder *f, const struct reading *r)
{
	uint64_t generation = r->segment->generation;
	if (r->frame.type == FRAME_COMMIT) {
		struct record_commit c;
		memcpy(&c, r->payload.at, sizeof c);
		dump_note_durable(f, generation, c.durable_sequence);
		if (r->frame.sequence == r->segment->sequence)
			dump_drop_holes(f, generation, c.durable_sequence);
	} else if (r->frame.type == FRAME_SEAL) {
		dump_note_durable(f, generation, r->frame.sequence);
	} else if (r->frame.type == FRAME_GAP) {
		struct record_gap g;
		memcpy(&g, r->payload.at, sizeof g);
		f->user->gap(f->user->user, generation, &g);
	}
}

static void dump_note_record(void *about, const struct exchange_record *s)
{
	struct finder *f = about;
	f->user->exchange_record(f->user->user, s);
}

static void dump_read_all(struct finder *f, struct reader *r)
{
	struct reading next;
	struct exchange_records *exchange_records = exchange_records_open(true);
	enum reader_verdict v;
	while ((v = reader_next(r, &next)) == READER_FRAME || v == READER_HOLE) {
		if (v == READER_HOLE) {
			must(f->hole_n < HOLES_MAX);
			f->holes[f->hole_n++] =
				(struct hole){ next.segment->generation, next.missing_first,
					       next.missing_last };
			continue;
		}
		dump_note_frame(f, &next);
		struct exchange_record *s = exchange_records_take(exchange_records, &next);
		if (!s)
			continue;
		dump_note_record(f, s);
		exchange_record_free(s);
	}
	must(v == READER_END);
	exchange_records_each_open(exchange_records, r, dump_note_record, f);
	exchange_records_close(exchange_records);
}

void disk_dump_read(struct sim_store *s, const struct disk_dump_user *u)
{
	struct disk_dump h;
	struct finder f = { .user = u };
	open_disk_dump(&h, s);
	struct reader *r = reader_open(h.path);
	must(r);
	dump_read_all(&f, r);
	reader_close(r);
	close_disk_dump(&h);
}
