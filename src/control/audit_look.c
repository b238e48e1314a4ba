#include "control/audit_look.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "control/audit.h"

static bool audit_read_weights(json_t *of, uint32_t weights[ARMS])
{
	int source, target;
	if (json_unpack(of, "{s:i,s:i}", "source", &source, "target", &target) || source < 0 ||
	    target < 0 || source > WEIGHT_MAX || target > WEIGHT_MAX || source + target == 0)
		return false;
	weights[ARM_SOURCE] = (uint32_t)source;
	weights[ARM_TARGET] = (uint32_t)target;
	return true;
}

static void audit_read_change(json_t *j, struct audit_seen *to)
{
	json_int_t epoch = json_integer_value(json_object_get(j, "epoch"));
	to->drains |= json_string_value(json_object_get(j, "node")) != NULL;
	struct state_values v = { .epoch = epoch > 0 ? (uint64_t)epoch : 0 };
	v.rolled_back = json_is_true(json_object_get(j, "rollback"));
	if (v.epoch > to->last.epoch && audit_read_weights(json_object_get(j, "to"), v.weights))
		to->last = v;
}

/* The beginning of one of our lines, without its end. */
static bool is_torn_line(const char *line, size_t n)
{
	static const char begin[] = "{\"when\":\"";
	size_t least = n < sizeof begin - 1 ? n : sizeof begin - 1;
	return !memcmp(line, begin, least) && !memchr(line, 0, n);
}

static void audit_read_line(const char *line, size_t n, struct audit_seen *to)
{
	json_t *j = json_loadb(line, n, 0, NULL);
	if (json_is_object(j))
		audit_read_change(j, to);
	else if (!is_torn_line(line, n))
		to->damaged_n++;
	json_decref(j);
}

/* `first`: the text begins at the beginning of the file. */
static void audit_read_lines(const char *text, size_t n, bool first, struct audit_seen *to)
{
	const char *end = text + n;
	for (const char *at = text, *next; at < end; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		if (!next)
			next = end;
		/* Skips the end of a line whose beginning was not read. */
		if (at != text || first)
			audit_read_line(at, (size_t)(next - at), to);
	}
}

void audit_look(int directory, struct audit_seen *to)
{
	struct stat file;
	*to = (struct audit_seen){ 0 };
	int fd = openat(directory, AUDIT_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = malloc(AUDIT_TAIL_BYTES);
	to->there = fd >= 0;
	if (fd >= 0 && text && !fstat(fd, &file)) {
		off_t from = file.st_size > AUDIT_TAIL_BYTES ? file.st_size - AUDIT_TAIL_BYTES : 0;
		ssize_t n = pread(fd, text, AUDIT_TAIL_BYTES, from);
		to->whole = !from;
		if (n > 0)
			audit_read_lines(text, (size_t)n, !from, to);
	}
	free(text);
	if (fd >= 0)
		close(fd);
}

bool audit_trouble(const struct audit_seen *seen, uint64_t epoch, char text[AUDIT_TROUBLE_BYTES])
{
	unsigned long long last = seen->last.epoch, now = epoch;
	if (!seen->there && epoch)
		snprintf(text, AUDIT_TROUBLE_BYTES,
			 "it was missing, and a new one begins: changes up to epoch %llu have no "
			 "line",
			 now);
	else if (seen->damaged_n)
		snprintf(text, AUDIT_TROUBLE_BYTES,
			 "%u of its lines are damaged (zeroed or overwritten), and their contents "
			 "are lost; new lines are appended; to begin a new file, move this one",
			 seen->damaged_n);
	else if (epoch > 1 && last < epoch && (last || seen->whole))
		snprintf(text, AUDIT_TROUBLE_BYTES,
			 "it has no change after epoch %llu, but the weights are of epoch %llu: it "
			 "was emptied, moved or restored from a backup",
			 last, now);
	else
		return false;
	return true;
}
