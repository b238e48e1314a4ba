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
#include "control/admin_body.h"
#include "io/own_file.h"

/* After a power cut the last line may have no newline: the next line must not be joined to it. */
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
	log_line(LOG_WARN, "audit: the last line of audit.jsonl was cut short, as by a power cut: "
			   "it stays as it is, and the next line begins after it");
	return true;
}

void audit_close(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* If the newline cannot be written yet, append_line() tries it again before the next line. */
bool audit_open(struct audit *a, const char *directory)
{
	snprintf(a->directory, sizeof a->directory, "%s", directory);
	a->fd = own_file_open_in(directory, AUDIT_FILE, O_RDWR | O_CREAT | O_APPEND, 0600);
	if (a->fd < 0)
		return false;
	/*
	 * Lines are synced, but a power cut would lose all of them with the name of a new file.
	 * Therefore the directory is synced, too.
	 */
	if (!own_directory_sync(directory)) {
		int why = errno;
		audit_close(a);
		errno = why;
		return false;
	}
	end_torn_line(a->fd);
	return true;
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

/* Whether the open file still has its name: somebody may have moved or removed it. */
static bool audit_is_in_place(const struct audit *a)
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

/* False with errno: there is no file to write to. */
static bool audit_find_again(struct audit *a)
{
	if (a->fd < 0) {
		errno = ENOENT;
		return false;
	}
	if (audit_is_in_place(a))
		return true;
	char directory[sizeof a->directory];
	memcpy(directory, a->directory, sizeof directory);
	if (!audit_reopen(a, directory))
		return false;
	log_line(LOG_WARN,
		 "audit: %s/audit.jsonl was moved or removed: lines go to the file that has this "
		 "name now",
		 directory);
	return true;
}

/*
 * Two texts of ADMIN_BODY_TEXT_BYTES, in the worst case escaped to six bytes for each byte, and the
 * text around them.
 */
#define AUDIT_LINE_BYTES (2 * 6 * ADMIN_BODY_TEXT_BYTES + 1024)

static json_t *audit_weights_json(const uint32_t weights[ARMS])
{
	return json_pack("{s:i,s:i}", "source", (int)weights[ARM_SOURCE], "target",
			 (int)weights[ARM_TARGET]);
}

/* NULL: the member is left out. */
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
			 admin_body_log_text(e->who), "from", audit_weights_json(e->from.weights),
			 "to", audit_weights_json(e->to.weights), "epoch", (json_int_t)e->to.epoch,
			 "why", admin_body_log_text(e->why), "saved", e->saved, "rollback",
			 e->to.rolled_back, "forced", forced_json(e->forced), "without_a_line",
			 lineless_json(e));
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

static bool audit_append_json(struct audit *a, json_t *j /* moved in */)
{
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(j);
	if (!text) {
		errno = ENOMEM;
		return false;
	}
	bool good = audit_find_again(a) && append_line(a->fd, text);
	free(text);
	return good;
}

bool audit_has_room(struct audit *a)
{
	struct stat file;
	if (!audit_find_again(a) || fstat(a->fd, &file))
		return false;
	if (!fallocate(a->fd, FALLOC_FL_KEEP_SIZE, file.st_size, AUDIT_LINE_BYTES))
		return true;
	/* The file system cannot reserve room. */
	return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
}

bool audit_append(struct audit *a, const struct audit_entry *e)
{
	return audit_append_json(a, entry_json(e));
}

bool audit_append_drain(struct audit *a, const struct audit_drain *e)
{
	static const char *const words[] = { "ready", "drain" };
	char when[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ns(), when);
	json_t *delay_ms = e->drain ? json_integer(e->delay_ms) : NULL;
	return audit_append_json(
		a, json_pack("{s:s,s:o,s:o,s:s,s:s,s:o*,s:o,s:b,s:o*}", "when", when, "who",
			     admin_body_log_text(e->who), "node", admin_body_log_text(e->node),
			     "from", words[e->was_drained], "to", words[e->drain], "delay_ms",
			     delay_ms, "why", admin_body_log_text(e->why), "saved", e->saved,
			     "forced", forced_json(e->forced)));
}

bool audit_append_order(struct audit *a, const struct audit_order *e)
{
	char when[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ns(), when);
	return audit_append_json(a, json_pack("{s:s,s:o,s:o,s:o,s:b}", "when", when, "who",
					      admin_body_log_text(e->who), "replay",
					      admin_body_log_text(e->what), "why",
					      admin_body_log_text(e->why), "saved", e->done));
}
