#include "unit/control/power.h"

#include "unit/cmocka_all.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX 512
#define NAMES_MAX 16
#define DESCRIPTORS_MAX 1024
#define FILE_MAX 32768
#define SECTOR 512
#define DIRECTORY 0
#define NOT_SYNCED UINT32_MAX

int __real_open(const char *path, int flags, ...);
int __real_openat(int at, const char *name, int flags, ...);
int __real_close(int fd);
ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
int __real_ftruncate(int fd, off_t size);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_renameat(int from_at, const char *from, int to_at, const char *to);
int __real_unlink(const char *path);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int at, const char *name, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_write(int fd, const void *from, size_t n);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_unlink(const char *path);

enum kind { WRITE, RESIZE, NAME, SYNC };

/* Of a file, which is a number from 1; names are the directory's. A NAME of file 0 is taken away.
 */
struct step {
	enum kind kind;
	unsigned file;
	unsigned synced_at; /* the step that promised it, or NOT_SYNCED */
	size_t at, n;
	char name[64];
	char gone[64]; /* of a rename: the name before; the two are one step */
	char *bytes;
};

static struct {
	char directory[64];
	struct step steps[STEPS_MAX];
	unsigned step_n, file_n;
	int file_of[DESCRIPTORS_MAX]; /* of each descriptor; -1: it is not ours */
	struct {
		char name[64];
		unsigned file; /* 0: there is none of that name now */
	} names[NAMES_MAX];
} power;

void power_watch(const char *directory)
{
	for (unsigned i = 0; i < power.step_n; i++)
		free(power.steps[i].bytes);
	memset(&power, 0, sizeof power);
	for (int i = 0; i < DESCRIPTORS_MAX; i++)
		power.file_of[i] = -1;
	if (directory)
		snprintf(power.directory, sizeof power.directory, "%s", directory);
}

unsigned power_steps(void)
{
	return power.step_n;
}

/* --- what is remembered --- */

static int file_of(int fd)
{
	return power.directory[0] && fd >= 0 && fd < DESCRIPTORS_MAX ? power.file_of[fd] : -1;
}

static struct step *remember(enum kind kind, unsigned file)
{
	assert_true(power.step_n < STEPS_MAX);
	struct step *s = &power.steps[power.step_n++];
	*s = (struct step){ .kind = kind, .file = file, .synced_at = NOT_SYNCED };
	return s;
}

static unsigned *named(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (power.names[i].file && !strcmp(power.names[i].name, name))
			return &power.names[i].file;
	return NULL;
}

static struct step *set_name(const char *name, unsigned file)
{
	int i = 0;
	while (i < NAMES_MAX && power.names[i].name[0] && strcmp(power.names[i].name, name))
		i++;
	assert_true(i < NAMES_MAX);
	snprintf(power.names[i].name, sizeof power.names[i].name, "%s", name);
	power.names[i].file = file;
	struct step *s = remember(NAME, file);
	snprintf(s->name, sizeof s->name, "%s", name);
	return s;
}

static void opened(int fd, const char *name)
{
	if (fd < 0 || !power.directory[0])
		return;
	assert_true(fd < DESCRIPTORS_MAX);
	if (!named(name))
		set_name(name, ++power.file_n);
	power.file_of[fd] = (int)*named(name);
}

static void written(int fd, const void *from, ssize_t n, off_t at)
{
	if (file_of(fd) <= DIRECTORY || n <= 0)
		return;
	struct step *s = remember(WRITE, (unsigned)file_of(fd));
	s->at = (size_t)at;
	s->n = (size_t)n;
	s->bytes = malloc(s->n);
	memcpy(s->bytes, from, s->n);
}

/* It promises all that stands before it. */
static void synced(int fd)
{
	int file = file_of(fd);
	if (file < 0)
		return;
	remember(SYNC, (unsigned)file);
	for (unsigned i = 0; i < power.step_n; i++) {
		struct step *s = &power.steps[i];
		bool is_name = s->kind == NAME;
		if (s->synced_at == NOT_SYNCED &&
		    (file == DIRECTORY ? is_name : !is_name && s->file == (unsigned)file))
			s->synced_at = power.step_n;
	}
}

/* --- the calls --- */

int __wrap_open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int fd = __real_open(path, flags, flags & O_CREAT ? va_arg(more, mode_t) : 0);
	va_end(more);
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		power.file_of[fd] = strcmp(path, power.directory) == 0 ? DIRECTORY : -1;
	return fd;
}

int __wrap_openat(int at, const char *name, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int fd = __real_openat(at, name, flags, flags & O_CREAT ? va_arg(more, mode_t) : 0);
	va_end(more);
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		power.file_of[fd] = -1;
	if (file_of(at) == DIRECTORY)
		opened(fd, name);
	return fd;
}

int __wrap_close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		power.file_of[fd] = -1;
	return __real_close(fd);
}

ssize_t __wrap_write(int fd, const void *from, size_t n)
{
	struct stat before;
	bool appends = file_of(fd) > DIRECTORY && fcntl(fd, F_GETFL) & O_APPEND;
	off_t at = file_of(fd) > DIRECTORY ? lseek(fd, 0, SEEK_CUR) : 0;
	if (appends && !fstat(fd, &before))
		at = before.st_size;
	ssize_t done = __real_write(fd, from, n);
	written(fd, from, done, at);
	return done;
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at)
{
	ssize_t done = __real_pwrite(fd, from, n, at);
	written(fd, from, done, at);
	return done;
}

int __wrap_ftruncate(int fd, off_t size)
{
	if (file_of(fd) > DIRECTORY)
		remember(RESIZE, (unsigned)file_of(fd))->n = (size_t)size;
	return __real_ftruncate(fd, size);
}

int __wrap_fsync(int fd)
{
	synced(fd);
	return __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	synced(fd);
	return __real_fdatasync(fd);
}

int __wrap_renameat(int from_at, const char *from, int to_at, const char *to)
{
	int done = __real_renameat(from_at, from, to_at, to);
	if (!done && file_of(from_at) == DIRECTORY && file_of(to_at) == DIRECTORY) {
		unsigned *before = named(from);
		struct step *s = set_name(to, *before);
		snprintf(s->gone, sizeof s->gone, "%s", from);
		*before = 0;
	}
	return done;
}

int __wrap_unlink(const char *path)
{
	size_t n = strlen(power.directory);
	int done = __real_unlink(path);
	if (!done && n && !strncmp(path, power.directory, n) && path[n] == '/')
		set_name(path + n + 1, 0);
	return done;
}

/* --- the cut --- */

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

struct left {
	char bytes[FILE_MAX];
	size_t n;
};

static void apply_write(struct left *f, const struct step *s, size_t n)
{
	assert_true(s->at + n <= FILE_MAX);
	memcpy(f->bytes + s->at, s->bytes, n);
	if (s->at + n > f->n)
		f->n = s->at + n;
}

/* How much of a step is left: all of it, none, or of a write its first sectors. */
static size_t luck_of(const struct step *s, unsigned step, enum power_luck luck, uint64_t *seed)
{
	size_t all = s->kind == WRITE ? s->n : 1;
	bool kept = s->synced_at <= step;
	uint64_t dice = next_random(seed);
	if (kept || luck == LUCK_ALL)
		return all;
	if (luck == LUCK_NONE || dice % 3 == 0)
		return 0;
	if (s->kind != WRITE || dice % 3 == 1)
		return all;
	size_t torn = dice / 3 % (s->n / SECTOR + 1) * SECTOR;
	return torn < s->n ? torn : s->n;
}

static void store(const char *directory, const char *name, const struct left *f)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = __real_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && __real_write(fd, f->bytes, f->n) == (ssize_t)f->n);
	__real_close(fd);
}

static void apply_name(const struct step *s, unsigned names[NAMES_MAX])
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (!strcmp(power.names[i].name, s->name))
			names[i] = s->file;
		else if (!strcmp(power.names[i].name, s->gone))
			names[i] = 0;
}

void power_cut(unsigned step, enum power_luck luck, uint64_t seed, const char *directory)
{
	struct left *files = calloc(power.file_n + 1, sizeof *files);
	unsigned names[NAMES_MAX] = { 0 };
	for (unsigned i = 0; i < step; i++) {
		const struct step *s = &power.steps[i];
		size_t n = luck_of(s, step, luck, &seed);
		if (!n)
			continue;
		if (s->kind == WRITE)
			apply_write(&files[s->file], s, n);
		else if (s->kind == RESIZE)
			files[s->file].n = s->n;
		else if (s->kind == NAME)
			apply_name(s, names);
	}
	for (int i = 0; i < NAMES_MAX; i++)
		if (names[i])
			store(directory, power.names[i].name, &files[names[i]]);
	free(files);
}
