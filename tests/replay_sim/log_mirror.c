#include "replay_sim/log_mirror.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/list.h"
#include "capture/recovery.h"
#include "capture/series.h"

/* --- one process' disk --- */

static struct mirrored_disk *mirrored_disk_of(struct disk *d)
{
	return list_entry(d, struct mirrored_disk, disk);
}

static int *mirrored_fd(struct mirrored_disk *d, const struct disk_file *file)
{
	for (unsigned i = 0; i < LOG_MIRROR_FILES; i++)
		if (d->files[i].file == file)
			return &d->files[i].fd;
	must(!"a file that was not made here");
	return NULL;
}

static void mirror_create(struct mirrored_disk *d, const struct disk_op *op)
{
	unsigned i = 0;
	while (i < LOG_MIRROR_FILES && d->files[i].file)
		i++;
	must(i < LOG_MIRROR_FILES);
	d->files[i].file = op->file;
	int fd =
		openat(d->mirror->directory, op->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && !ftruncate(fd, (off_t)op->at));
	d->files[i].fd = fd;
}

static void mirror_write(int fd, const struct disk_op *op)
{
	off_t at = (off_t)op->at;
	for (unsigned i = 0; i < op->vector_n; i++) {
		const struct iovec *v = &op->vectors[i];
		must(pwrite(fd, v->iov_base, v->iov_len, at) == (ssize_t)v->iov_len);
		at += (off_t)v->iov_len;
	}
}

/* What has failed is not durable, and no follower reads it. */
static void mirrored_disk_done(struct disk_op *inner)
{
	struct mirrored_disk *d = list_entry(inner, struct mirrored_disk, op);
	enum disk_verb verb = (enum disk_verb)d->disk.op->verb;
	struct disk_op *op = d->disk.op;
	op->file = inner->file;
	if (!inner->result && verb == DISK_CREATE)
		mirror_create(d, inner);
	else if (!inner->result && verb == DISK_WRITE)
		mirror_write(*mirrored_fd(d, inner->file), inner);
	else if (!inner->result && verb == DISK_CUT)
		must(!ftruncate(*mirrored_fd(d, inner->file), (off_t)inner->at));
	disk_done(&d->disk, inner->result);
}

static void mirrored_disk_start(struct disk *disk, struct disk_op *op)
{
	struct mirrored_disk *d = mirrored_disk_of(disk);
	enum disk_verb verb = (enum disk_verb)op->verb;
	d->op = *op;
	d->op.verb = DISK_NONE;
	d->op.done = mirrored_disk_done;
	disk_start(d->inner, &d->op, verb);
}

static void mirrored_disk_close_file(struct disk *disk, struct disk_file *file)
{
	struct mirrored_disk *d = mirrored_disk_of(disk);
	int *fd = mirrored_fd(d, file);
	close(*fd);
	for (unsigned i = 0; i < LOG_MIRROR_FILES; i++)
		if (d->files[i].file == file)
			d->files[i].file = NULL;
	disk_close(d->inner, file);
}

static void mirrored_disk_free(struct disk *disk)
{
	disk_free(mirrored_disk_of(disk)->inner);
}

static const struct disk_verbs mirrored_disk_verbs = { mirrored_disk_start,
						       mirrored_disk_close_file,
						       mirrored_disk_free };

void mirrored_disk_open(struct mirrored_disk *d, struct log_mirror *m)
{
	*d = (struct mirrored_disk){ .disk = { .verbs = &mirrored_disk_verbs },
				     .inner = sim_disk_open(m->store),
				     .mirror = m };
}

bool mirrored_disk_run(struct mirrored_disk *d)
{
	return d->inner->op && sim_disk_run(d->inner);
}

/* --- the directory --- */

static void mirror_remove_segments(struct log_mirror *m)
{
	uint64_t generation, index;
	DIR *d = opendir(m->path);
	must(d);
	for (const struct dirent *e; (e = readdir(d));)
		if (series_of(e->d_name, &generation, &index) ||
		    !strncmp(e->d_name, DISK_SPARE, sizeof DISK_SPARE - 1))
			unlinkat(m->directory, e->d_name, 0);
	closedir(d);
}

static void mirror_put_file(struct log_mirror *m, const struct sim_file *f)
{
	int fd = openat(m->directory, f->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && !f->open);
	must(!f->n || pwrite(fd, f->bytes, f->n, 0) == (ssize_t)f->n);
	must(!ftruncate(fd, (off_t)f->size));
	close(fd);
}

static void mirror_take_back(struct log_mirror *m, const char *name)
{
	struct stat file;
	int fd = openat(m->directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		sim_store_remove(m->store, name);
		return;
	}
	must(!fstat(fd, &file));
	size_t n = (size_t)file.st_size;
	uint8_t *bytes = malloc(n + 1);
	must(bytes && pread(fd, bytes, n, 0) == (ssize_t)n);
	sim_store_put(m->store, name, bytes, n, n);
	free(bytes);
	close(fd);
}

uint64_t log_mirror_recover(struct log_mirror *m)
{
	struct recovery found;
	struct sim_file f;
	char names[LOG_MIRROR_FILES][SERIES_NAME_BYTES];
	uint64_t generation = 0;
	unsigned n = 0;
	mirror_remove_segments(m);
	for (unsigned i = 0; sim_store_look(m->store, i, &f); i++) {
		must(n < LOG_MIRROR_FILES);
		mirror_put_file(m, &f);
		snprintf(names[n++], sizeof names[0], "%s", f.name);
	}
	must(recover(m->directory, &found) && series_next(m->directory, &generation));
	for (unsigned i = 0; i < n; i++)
		mirror_take_back(m, names[i]);
	return generation;
}

void log_mirror_open(struct log_mirror *m, struct sim_store *store)
{
	bool memory = !access("/dev/shm", W_OK);
	*m = (struct log_mirror){ .store = store };
	snprintf(m->path, sizeof m->path, "%s/crossfade-replay-sim-XXXXXX",
		 memory ? "/dev/shm" : "/tmp");
	must(mkdtemp(m->path));
	m->directory = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(m->directory >= 0);
}

void log_mirror_close(struct log_mirror *m)
{
	DIR *d = opendir(m->path);
	must(d);
	for (const struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlinkat(m->directory, e->d_name, 0);
	closedir(d);
	close(m->directory);
	rmdir(m->path);
}
