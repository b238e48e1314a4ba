#include "control/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/limits.h"
#include "control/audit.h"
#include "io/own_file.h"

static void history_take_line(json_t *list, const char *line, size_t n)
{
	json_t *j = json_loadb(line, n, 0, NULL);
	if (json_is_string(json_object_get(j, "when")))
		json_array_append(list, j);
	json_decref(j);
}

/* A line without its end is still being written, or was cut by a power cut. */
static void history_take_lines(json_t *list, const char *text, size_t n, bool first)
{
	const char *end = text + n;
	for (const char *at = text, *next; (next = memchr(at, '\n', (size_t)(end - at)));
	     at = next + 1)
		/* Skips the end of a line whose beginning was not read. */
		if (at != text || first)
			history_take_line(list, at, (size_t)(next - at));
}

static bool history_read_end(int fd, json_t *list)
{
	struct stat file;
	char *text = malloc(HISTORY_BYTES);
	must(text);
	bool good = !fstat(fd, &file);
	off_t from = good && file.st_size > HISTORY_BYTES ? file.st_size - HISTORY_BYTES : 0;
	ssize_t n = good ? pread(fd, text, HISTORY_BYTES, from) : -1;
	if (n > 0)
		history_take_lines(list, text, (size_t)n, !from);
	free(text);
	return n >= 0;
}

/* NULL with errno. */
static json_t *history_read_file(const char *directory)
{
	int fd = own_file_open_in(directory, AUDIT_FILE, O_RDONLY, 0);
	json_t *list = json_array();
	must(list);
	bool good = fd >= 0 ? history_read_end(fd, list) : errno == ENOENT;
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (good)
		return list;
	json_decref(list);
	errno = error;
	return NULL;
}

/* --- on the disk's thread --- */

static void history_work_read(struct disk_job *j)
{
	struct history *h = list_entry(j, struct history, job);
	h->list = history_read_file(h->directory);
	h->error = h->list ? 0 : errno;
}

/* --- askers --- */

static void asker_tell(struct history_asker *a, const json_t *list, int error)
{
	history_drop(a);
	a->told(a, list, error);
}

static void history_begin_read(struct history *h);

/* An asker that is told and asks again waits for the next read. */
static void history_have_read(struct disk_job *j)
{
	struct history *h = list_entry(j, struct history, job);
	while (!list_empty(&h->reading))
		asker_tell(list_entry(h->reading.next, struct history_asker, link), h->list,
			   h->error);
	json_decref(h->list);
	h->list = NULL;
	h->reads = false;
	if (!list_empty(&h->waiting))
		history_begin_read(h);
}

static void history_begin_read(struct history *h)
{
	struct list *asker;
	while ((asker = list_take_first(&h->waiting)))
		list_add_tail(&h->reading, asker);
	h->reads = true;
	h->job = (struct disk_job){ .work = history_work_read, .done = history_have_read };
	disk_jobs_put(h->disk, &h->job);
}

static void history_is_late(struct timer *t)
{
	asker_tell(list_entry(t, struct history_asker, late), NULL, ETIMEDOUT);
}

void history_ask(struct history *h, struct history_asker *a)
{
	timer_init(&a->late, history_is_late);
	timer_set(h->wheel, &a->late, h->wheel->now_ms + HISTORY_TIMEOUT_MS);
	list_init(&a->link);
	list_add_tail(&h->waiting, &a->link);
	if (!h->reads)
		history_begin_read(h);
}

void history_drop(struct history_asker *a)
{
	list_remove(&a->link);
	timer_clear(&a->late);
}

void history_open(struct history *h, const char *directory, struct disk_jobs *disk,
		  struct wheel *wheel)
{
	*h = (struct history){ .disk = disk, .wheel = wheel, .directory = strdup(directory) };
	must(h->directory);
	list_init(&h->waiting);
	list_init(&h->reading);
}

void history_close(struct history *h)
{
	must(!h->reads);
	free(h->directory);
}

/* --- the contents --- */

const json_t *history_of_epoch(const json_t *list, uint64_t epoch)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *j = json_array_get(list, i), *e = json_object_get(j, "epoch");
		if (json_is_integer(e) && (uint64_t)json_integer_value(e) == epoch)
			return j;
	}
	return NULL;
}

void history_tell(const json_t *list, uint64_t epoch, char text[HISTORY_TEXT_BYTES])
{
	const json_t *j = history_of_epoch(list, epoch);
	const char *who, *when, *why;
	int source, target;
	text[0] = 0;
	if (!j || json_unpack((json_t *)(uintptr_t)j, "{s:s,s:s,s:{s:i,s:i}}", "who", &who, "when",
			      &when, "to", "source", &source, "target", &target))
		return;
	why = json_string_value(json_object_get(j, "why"));
	snprintf(text, HISTORY_TEXT_BYTES, "%.200s set source %d, target %d at %.32s%s%.200s%s",
		 who, source, target, when, why && *why ? " (" : "", why ? why : "",
		 why && *why ? ")" : "");
}
