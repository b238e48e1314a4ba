#include "control/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/asked.h"
#include "io/own_file.h"

/* After a power cut the last line may have no end: the next one must not be glued to it. */
static bool end_torn_line(int fd)
{
	struct stat file;
	char last;
	if (fstat(fd, &file))
		return false;
	if (!file.st_size || pread(fd, &last, 1, file.st_size - 1) != 1 || last == '\n')
		return true;
	if (write(fd, "\n", 1) != 1)
		return false;
	log_line(LOG_WARN, "audit: the last line of audit.jsonl was cut short, as after a power "
			   "cut: it is left as it is, and what follows has its own line");
	return true;
}

/* Where the torn line cannot be ended yet it is tried again before the next line. */
bool audit_open(struct audit *a, const char *directory)
{
	snprintf(a->directory, sizeof a->directory, "%s", directory);
	a->fd = own_file_open_in(directory, AUDIT_FILE, O_RDWR | O_CREAT | O_APPEND, 0600);
	if (a->fd >= 0)
		end_torn_line(a->fd);
	return a->fd >= 0;
}

void audit_close(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

bool audit_reopen(struct audit *a, const char *directory)
{
	struct audit fresh;
	if (!audit_open(&fresh, directory))
		return false;
	audit_close(a);
	*a = fresh;
	return true;
}

/* Whether the open file is still the one of that name: somebody may have moved or removed it. */
static bool is_in_place(const struct audit *a)
{
	char path[sizeof a->directory + sizeof AUDIT_FILE + 1];
	struct stat ours, named;
	snprintf(path, sizeof path, "%s/%s", a->directory, AUDIT_FILE);
	if (fstat(a->fd, &ours) || !ours.st_nlink)
		return false;
	if (lstat(path, &named))
		return errno != ENOENT;
	return named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

/* False with errno: a line would go nowhere. */
static bool find_again(struct audit *a)
{
	if (a->fd < 0) {
		errno = ENOENT;
		return false;
	}
	if (is_in_place(a))
		return true;
	char directory[sizeof a->directory];
	memcpy(directory, a->directory, sizeof directory);
	if (!audit_reopen(a, directory))
		return false;
	log_line(LOG_WARN,
		 "audit: %s/audit.jsonl was moved or removed: lines go to the file that has the "
		 "name now",
		 directory);
	return true;
}

/* Two texts of ASKED_TEXT_BYTES, each byte escaped as six at worst, and what stands around them. */
#define AUDIT_LINE_BYTES (2 * 6 * ASKED_TEXT_BYTES + 1024)

static json_t *weights_json(const uint32_t weights[ARMS])
{
	return json_pack("{s:i,s:i}", "source", (int)weights[ARM_SOURCE], "target",
			 (int)weights[ARM_TARGET]);
}

/* A member that is there only when it is so. */
static json_t *forced_json(bool forced)
{
	return forced ? json_true() : NULL;
}

static json_t *lineless_json(const struct audit_entry *e)
{
	if (!e->lineless_n)
		return NULL;
	return json_pack("{s:I,s:I,s:I}", "changes", (json_int_t)e->lineless_n, "first_epoch",
			 (json_int_t)e->lineless_epoch, "last_epoch",
			 (json_int_t)(e->to.epoch - 1));
}

static json_t *entry_json(const struct audit_entry *e)
{
	char when[CLOCK_TEXT_BYTES];
	clock_text(e->to.wall_ns, when);
	return json_pack("{s:s,s:o,s:o,s:o,s:I,s:o,s:b,s:b,s:o*,s:o*}", "when", when, "who",
			 asked_json(e->who), "from", weights_json(e->from.weights), "to",
			 weights_json(e->to.weights), "epoch", (json_int_t)e->to.epoch, "why",
			 asked_json(e->why), "saved", e->saved, "rollback", e->to.rolled_back,
			 "forced", forced_json(e->forced), "without_a_line", lineless_json(e));
}

static bool append_line(int fd, const char *text)
{
	struct stat before;
	char *line = NULL;
	int n = asprintf(&line, "%s\n", text);
	if (n < 0)
		return false;
	if (!end_torn_line(fd) || fstat(fd, &before) < 0) {
		free(line);
		return false;
	}
	ssize_t done = write(fd, line, (size_t)n);
	free(line);
	if (done == n)
		return fdatasync(fd) == 0;
	int why = done < 0 ? errno : ENOSPC;
	if (done > 0 && ftruncate(fd, before.st_size) < 0)
		why = errno;
	errno = why;
	return false;
}

static bool append(struct audit *a, json_t *j /* moved in */)
{
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(j);
	if (!text) {
		errno = ENOMEM;
		return false;
	}
	bool good = find_again(a) && append_line(a->fd, text);
	free(text);
	return good;
}

bool audit_has_room(struct audit *a)
{
	struct stat file;
	if (!find_again(a) || fstat(a->fd, &file))
		return false;
	if (!fallocate(a->fd, FALLOC_FL_KEEP_SIZE, file.st_size, AUDIT_LINE_BYTES))
		return true;
	/* A file system that takes no room ahead of time. */
	return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
}

bool audit_append(struct audit *a, const struct audit_entry *e)
{
	return append(a, entry_json(e));
}

bool audit_append_drain(struct audit *a, const struct audit_drain *e)
{
	static const char *const words[] = { "ready", "drain" };
	char when[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ns(), when);
	json_t *delay_ms = e->drain ? json_integer(e->delay_ms) : NULL;
	return append(a, json_pack("{s:s,s:o,s:o,s:s,s:s,s:o*,s:o,s:b,s:o*}", "when", when, "who",
				   asked_json(e->who), "node", asked_json(e->node), "from",
				   words[e->was_drained], "to", words[e->drain], "delay_ms",
				   delay_ms, "why", asked_json(e->why), "saved", e->saved, "forced",
				   forced_json(e->forced)));
}
