#ifndef REPLAY_ID_PAGES_H
#define REPLAY_ID_PAGES_H

/*
 * The ids of the documents of some indices at one cluster, page by page: of each shard in the order
 * of sequence numbers, as a search with a range sees them. So it goes on where it was, and what is
 * written meanwhile is seen by a later page or by the next time.
 */

#include "replay/ask.h"

struct id_pages;

struct id_pages_config {
	enum arm arm;	     /* whose documents */
	const char *indices; /* names, patterns, a list; borrowed for the call */
	json_t *query;	     /* moved in; NULL: all documents */
	bool from_start;     /* else from what was seen at the last time */
	unsigned page_size;  /* 0: ID_PAGES_SIZE */
	/*
	 * One document. False: there is no room for it; it is offered again at id_pages_go_on().
	 */
	bool (*each)(void *user, struct span index, struct span id, struct span routing);
	/*
	 * All documents of a page were given: those up to that sequence number of the shard. May be
	 * NULL.
	 */
	void (*page)(void *user, const char *index, unsigned shard, json_int_t until);
	/* `why` is NULL: all pages were read. Else: it failed, as that says, and may begin again.
	 */
	void (*over)(void *user, const char *why);
	void *user;
};

struct id_pages *id_pages_make(struct subrequests *s);
/* Idle, or its worker is about to end. */
void id_pages_free(struct id_pages *p);

void id_pages_begin(struct id_pages *p, const struct id_pages_config *c);
/* There is room again. */
void id_pages_go_on(struct id_pages *p);
bool id_pages_are_idle(const struct id_pages *p);
/* over() does not follow. */
void id_pages_stop(struct id_pages *p);
/* How far a shard was read, from an earlier time; never while it is read. */
void id_pages_set_place(struct id_pages *p, const char *index, unsigned shard, json_int_t seen);
/* Of all shards of which something was seen: an object by index and shard; a new reference. */
json_t *id_pages_places(const struct id_pages *p);
/* As id_pages_set_place() for each of them; what is no place is passed over. */
void id_pages_set_places(struct id_pages *p, const json_t *places);
/* Forgets how far each shard was read: of an index that is another one now. */
void id_pages_forget(struct id_pages *p);

#endif
