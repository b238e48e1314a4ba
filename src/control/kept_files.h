#ifndef CONTROL_KEPT_FILES_H
#define CONTROL_KEPT_FILES_H

/*
 * The texts that are in force: the configuration, and all files that a start has read or would read
 * again, each by its name. Written into one run of bytes they outlive the process: who starts after
 * a crash goes on with them, whatever has become of the files on disk.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/span.h"

/* Names of what is no file of the configuration's. */
#define KEPT_CONFIGURATION ":configuration"
#define KEPT_TOKEN ":token"
#define KEPT_DRAINED ":drained"
#define KEPT_ADDRESSES ":addresses"

struct kept_file {
	const char *name;
	struct span text; /* a zero byte is behind it */
	struct kept_file *next;
};

struct kept_files {
	struct kept_file *first;
};

/* Borrowed, as long as the arena; a name that is there already is not added again. */
void kept_files_add(struct kept_files *s, struct arena *arena, const char *name, struct span text);
/* False: it is not there. */
bool kept_files_find(const struct kept_files *s, const char *name, struct span *text);

size_t kept_files_bytes(const struct kept_files *s);
/* Exactly as many. */
void kept_files_write(const struct kept_files *s, char *to);
/* What refers to `from` from then on. False: it makes no sense, and nothing is added. */
bool kept_files_read(struct kept_files *s, struct arena *arena, struct span from);

#endif
