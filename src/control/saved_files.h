#ifndef CONTROL_SAVED_FILES_H
#define CONTROL_SAVED_FILES_H

/*
 * The texts in force: the configuration, and all files that a start has read or would read again,
 * each with its name. They are written as one run of bytes that outlives the process. A process
 * that starts after a crash uses them, whatever has happened to the files on disk. Versions work as
 * for the board (proxy/board.h): a newer minor version may have names that this one does not ask
 * for.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/span.h"

#define SAVED_FILES_MAJOR 2
#define SAVED_FILES_MINOR 0

/* Names of texts that are not files of the configuration. */
#define SAVED_CONFIGURATION ":configuration"
#define SAVED_TOKEN ":token"
#define SAVED_DRAINED ":drained"
#define SAVED_ADDRESSES ":addresses"

struct saved_file {
	const char *name;
	struct span text; /* a zero byte follows it */
	struct saved_file *next;
};

struct saved_files {
	struct saved_file *first;
};

/*
 * `name` and `text` are borrowed as long as the arena lives. A name that is there already is not
 * added again.
 */
void saved_files_add(struct saved_files *s, struct arena *arena, const char *name,
		     struct span text);
/* False: there is no such name. */
bool saved_files_find(const struct saved_files *s, const char *name, struct span *text);

size_t saved_files_bytes(const struct saved_files *s);
/* Writes saved_files_bytes() bytes. */
void saved_files_write(const struct saved_files *s, char *to);
/* The texts refer to `from` afterwards. False: it is malformed, and nothing is added. */
bool saved_files_read(struct saved_files *s, struct arena *arena, struct span from);

#endif
