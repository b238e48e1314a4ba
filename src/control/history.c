#include "control/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "control/audit.h"
#include "io/own_file.h"

static void take_line(json_t *list, const char *line, size_t n)
{
	json_t *j = json_loadb(line, n, 0, NULL);
	if (json_is_string(json_object_get(j, "when")))
		json_array_append(list, j);
	json_decref(j);
}

/* A line without its end is being written, or was cut by a power cut. */
static void take_lines(json_t *list, const char *text, size_t n, bool first)
{
	const char *end = text + n;
	for (const char *at = text, *next; (next = memchr(at, '\n', (size_t)(end - at)));
	     at = next + 1)
		/* Of one that was not read from its beginning only the end is there. */
		if (at != text || first)
			take_line(list, at, (size_t)(next - at));
}

static bool read_end(int fd, json_t *list)
{
	struct stat file;
	char *text = malloc(HISTORY_BYTES);
	must(text);
	bool good = !fstat(fd, &file);
	off_t from = good && file.st_size > HISTORY_BYTES ? file.st_size - HISTORY_BYTES : 0;
	ssize_t n = good ? pread(fd, text, HISTORY_BYTES, from) : -1;
	if (n > 0)
		take_lines(list, text, (size_t)n, !from);
	free(text);
	return n >= 0;
}

json_t *history_read(const char *directory)
{
	int fd = own_file_open_in(directory, AUDIT_FILE, O_RDONLY, 0);
	json_t *list = json_array();
	must(list);
	bool good = fd >= 0 ? read_end(fd, list) : errno == ENOENT;
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (good)
		return list;
	json_decref(list);
	errno = error;
	return NULL;
}

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
