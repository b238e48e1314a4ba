#ifndef CAPTURE_MARK_H
#define CAPTURE_MARK_H

/*
 * What the writer of a series says of it while it lives: a small file beside the segments, locked
 * by the writer and mapped by all. It tells the series of a living process, between two segments
 * and while its disk fails too, from what a killed one has left; and how much of it is durable, for
 * those who must not read what may yet be taken back.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mark_page {
	_Atomic uint64_t durable; /* the writer: the last sequence that is */
	_Atomic uint64_t
		acknowledged; /* the follower of capture.durable_at: the last that it has */
};

struct mark {
	int fd; /* owned; -1: it is not there */
	struct mark_page *page;
};

/* The writer's: made, locked. False with errno. */
bool mark_make(struct mark *m, int directory, uint64_t generation);
/* Whether its file is in the directory still. */
bool mark_is_there(const struct mark *m, int directory, uint64_t generation);
/* Somebody else's; false: no process writes that series. */
bool mark_look(struct mark *m, int directory, uint64_t generation);
/* The writer still lives. */
bool mark_is_live(const struct mark *m);
void mark_close(struct mark *m);

void mark_remove(int directory, uint64_t generation);
/* Whether it is the name of a mark. */
bool mark_of(const char *name, uint64_t *generation);

#endif
