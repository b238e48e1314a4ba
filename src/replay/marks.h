#ifndef REPLAY_MARKS_H
#define REPLAY_MARKS_H

/*
 * What replay must know over a start besides its place in the log: whether it is paused, documents
 * that were set aside, indices that are not exact, those that it has seen, how far scans came, and
 * the backfill. The file is written whole: a line with the version and a checksum, and a JSON
 * object. Members that this version does not know are kept. A file of a newer major version is not
 * touched.
 *
 * No thread, no clock: times come in by argument, in nanoseconds of the wall clock.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "replay/origin.h"

#define MARKS_FILE "replay.marks"
/* What is left of a file that could not be read. */
#define MARKS_DAMAGED_FILE "replay.marks.damaged"

enum marks_verdict {
	MARKS_GOOD, /* or there is no file */
	MARKS_DAMAGED,
	MARKS_NEWER, /* of a newer major version */
	MARKS_ERROR, /* errno: the file cannot be read */
};

struct marks {
	json_t *root; /* owned */
};

void marks_open(struct marks *m);
void marks_close(struct marks *m);

/* MARKS_DAMAGED, MARKS_NEWER: `m` is as it was. */
enum marks_verdict marks_read(struct marks *m, struct span text);
/* From malloc. */
char *marks_text(const struct marks *m);
/* A damaged file is moved to MARKS_DAMAGED_FILE. */
enum marks_verdict marks_load(struct marks *m, const char *directory);
/* True: it is durable. False with errno: the file is as it was. */
bool marks_save(const char *directory, const char *text);

/* --- paused, and where in the log replay begins --- */

/* {"when":TIME,"who":TEXT}; borrowed. NULL: it is not paused. */
const json_t *marks_paused(const struct marks *m);
void marks_pause(struct marks *m, uint64_t now_ns, const char *who);
void marks_resume(struct marks *m);

/* Writes that were over before that are passed by; 0: none are. */
uint64_t marks_from(const struct marks *m);
void marks_set_from(struct marks *m, uint64_t from_ns);
/* The log is to be read again from its beginning. */
bool marks_restarts(const struct marks *m);
void marks_set_restarts(struct marks *m, bool restarts);

/*
 * A process has ended, and has heard of all that it had sent. Its successor takes that back before
 * it sends anything.
 */
bool marks_all_heard(const struct marks *m);
void marks_set_all_heard(struct marks *m, bool heard);

/* --- documents that were set aside --- */

struct marks_document {
	struct span index, id, routing;
	bool one_shard;		  /* by no routing the id is another document */
	unsigned status;	  /* of the replica */
	struct span type, reason; /* what it said */
	uint64_t now_ns;
	/* The first write of it that was not copied: when it was over, and its place in the log. */
	uint64_t written_ns;
	struct origin origin;
};

size_t marks_aside_n(const struct marks *m);
/* One that comes from no write of the log has the origin that it had when it was set aside before.
 */
void marks_set_aside(struct marks *m, const struct marks_document *d);
/* Of `d` the first four members are looked at. */
bool marks_is_aside(const struct marks *m, const struct marks_document *d);
/* False: it was not set aside. */
bool marks_clear_aside(struct marks *m, const struct marks_document *d);
/* All of them: an object, whose names say nothing to others; borrowed. */
json_t *marks_all_aside(const struct marks *m);
/* Whether `document`, "INDEX/ID", means the one of that name, whatever its routing is. */
bool marks_means(const char *document, const char *name);

/* --- indices that are not exact --- */

void marks_not_exact(struct marks *m, struct span index, const char *why, uint64_t now_ns);
/*
 * True: the index, or "*", is exact from now on. False: it was; or, since all were as `before`, it
 * has become so once more.
 */
bool marks_exact(struct marks *m, const char *index, const json_t *before);
/* What became not exact before that time, last, is exact from now on. */
void marks_exact_since(struct marks *m, uint64_t time_ns);
/* An object by index: {"why":TEXT,"when":TIME,"n":COUNT}; borrowed. */
const json_t *marks_all_not_exact(const struct marks *m);

/* --- indices that replay knows --- */

/* `what`: as replay/surroundings.h has it, moved in. False: there are too many. */
bool marks_know_index(struct marks *m, struct span index, json_t *what);
/* It was deleted at both. */
void marks_forget_index(struct marks *m, struct span index);
/* An object by index; borrowed. NULL: there are none. */
const json_t *marks_known_indices(const struct marks *m);

/* --- places of scans, and the backfill: as their owners have them --- */

/* A member of that name; borrowed. NULL: it is not there. */
json_t *marks_part(const struct marks *m, const char *name);
/* NULL: it goes. */
void marks_set_part(struct marks *m, const char *name, json_t *part /* moved in */);

#endif
